"""Every field of a recipe, from the models themselves: docs/recipe.md, docs/config_all.yaml and the JSON Schema, which
`curate schema` prints.

python -m pipelines.recipe.reference docs
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from filters.registry import METHODS, registered
from filters.rules import TrainingRules
from pipelines.recipe.recipe import Recipe

_HEAD = """# Every field of a recipe

For who writes a recipe: what can stand in it, what it may be, and what holds where it is left out. Any field can be
overridden: `--set select.keep=0.2`. `curate schema > recipe.schema.json` gives the same to an editor that completes and
checks (`# yaml-language-server: $schema=recipe.schema.json` as a recipe's first line), `curate schema --yaml` to a hand
that writes: a recipe with every field, [config_all.yaml](config_all.yaml). Both are written by
`python -m pipelines.recipe.reference docs`.
"""
_ALL = """# Every field of a recipe, as `curate schema --yaml` prints them; it loads as it stands. What may be left out
# is behind a "#", with what holds then: take away the "#" of a field and of what it stands in. See docs/recipe.md.
"""
_GIVEN = {  # what must be given, and what shows how a list is written
    "name": "everything", "out": "runs/everything", "secret": "secret.key", "images.0.name": "archive",
    "images.0.path": "/pacs", "reports.0.path": "/ris.csv", "reports.0.columns.text": "report",
}  # fmt: skip


def schema() -> dict[str, Any]:
    """The recipe's JSON Schema (2020-12), with the fields of each filter's method and of the final model's training."""
    whole: dict[str, Any] = Recipe.model_json_schema()
    parts, own = whole["$defs"], whole["$defs"]["Filter"]["properties"]
    parts["Train"]["properties"] |= flat_fields(TrainingRules)
    for name in METHODS:
        parts[name] = {"properties": own | flat_fields(registered(name).rules), "additionalProperties": False}
    of_method = [({"properties": {"method": {"const": name}}, "required": ["method"]}, name) for name in METHODS]
    parts["Filter"]["allOf"] = [{"if": named, "then": {"$ref": f"#/$defs/{name}"}} for named, name in of_method]
    parts["Train"]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def reference() -> str:
    """docs/recipe.md."""
    whole = Recipe.model_json_schema()
    lines = [_HEAD, "## The recipe", "", *_table(whole, whole["$defs"], "")]
    for name, value in whole["properties"].items():
        lines += _section(name, value, whole["$defs"])
    lines += [
        "## The fields of each filter",
        "",
        "Of `filters.NAME`, beside `method` and `folder`; docs/filters.md says what they do.",
    ]
    for rules in dict.fromkeys(each.rules for each in METHODS.values()):
        names = [name for name, each in METHODS.items() if each.rules is rules]
        lines += ["", f"### {', '.join(f'`{name}`' for name in names)}", "", _plain(rules.__doc__), ""]
        for name in names:
            preset = {k: v for k, v in registered(name).preset.items() if k != "method"}
            lines += [f"- `{name}` means {', '.join(f'{k}: {_shown(v)}' for k, v in preset.items())}"] if preset else []
        lines += [""] if lines[-1] else []
        lines += _table({"properties": flat_fields(rules)}, {}, "")
    lines += ["", "## The fields of `train`", "", "docs/training.md says more.", ""]
    lines += _table({"properties": flat_fields(TrainingRules)}, {}, "train")
    return "\n".join(lines) + "\n"


def config_all() -> str:
    """docs/config_all.yaml: a recipe with every field, all that may be left out behind a "#" with its default."""
    whole = schema()
    return "\n".join([_ALL, *_written(whole, whole["$defs"], "", "")]) + "\n"


def _written(part: dict[str, Any], defs: dict[str, Any], at: str, pad: str) -> Iterator[str]:
    """The fields of ``part``, which stands at ``at``, as lines of YAML."""
    for name, value in part.get("properties", {}).items():
        where = f"{at}.{name}" if at else name
        inner = list(_parts(value, where))
        needed = any(given == where or given.startswith(f"{where}.") for given in _GIVEN)
        mark = pad if needed else f"{pad}#"
        prose = textwrap.wrap(_plain(value.get("description")), 118 - len(pad), break_on_hyphens=False)
        yield from (f"{pad}# {line}" for line in prose)
        if where == "filters":
            yield f"{mark}{name}:"
            first: dict[type, str] = {}
            for method, known in sorted(METHODS.items(), key=lambda item: len(item[1].preset)):
                alike = first.setdefault(known.rules, method)
                yield f"{pad}  #{method}:" + (f"  # the fields of {alike}, and otherwise" if alike != method else "")
                own = {k: v for k, v in defs[method]["properties"].items() if k != "method"}
                own = {k: {"default": v} for k, v in known.preset.items() if k != "method"} if alike != method else own
                yield from _written({"properties": own}, defs, f"{where}.{method}", f"{pad}    ")
        elif not inner and not needed and name in part.get("required", []):
            yield f"{mark}{name}:  # must be given"
        elif not inner:
            empty = {"object": "{}", "array": "[]"}.get(value.get("type", ""), "null")  # a default that is made
            usual = _shown(value["default"]) if "default" in value else empty
            yield f"{mark}{name}: {_shown(_GIVEN[where]) if where in _GIVEN else usual}"
        else:
            model, place = inner[0]
            kind = place.removeprefix(where)
            yield f"{mark}{name}:"
            yield from [f"{pad}  {'' if needed else '#'}-"] if kind == ".0" else []
            yield from [f"{pad}  #NAME:"] if kind == ".NAME" else []
            yield from _written(defs[model], defs, place, f"{pad}    " if kind else f"{pad}  ")


def flat_fields(rules: type) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each field of a dataclass of rules, those of nested ones among them, as a recipe names them. A
    field that a subclass says anew without a description has that of its parent."""
    found: dict[str, dict[str, Any]] = {}
    for each in (c for c in reversed(rules.__mro__) if dataclasses.is_dataclass(c)):
        own = _own_schema(each)
        for name, value in own["properties"].items():
            inner = own["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
            parent = {k: v for k, v in found.get(name, {}).items() if k == "description"}
            found[name] = {k: v for k, v in (parent | inner | value).items() if k != "$ref"}
    for part in dataclasses.fields(rules):
        opened: Any = part.default_factory
        if isinstance(opened, type):
            found = {k: v for k, v in found.items() if k != part.name} | flat_fields(opened)
    return {name: value for name, value in found.items() if name != "method"}


@cache
def _own_schema(rules: type) -> dict[str, Any]:
    """Made once, since most methods' rules are made of the same parents."""
    return TypeAdapter(rules).json_schema()


def _section(path: str, value: dict[str, Any], defs: dict[str, Any]) -> Iterator[str]:
    """A heading and a table for each part below ``path``."""
    for name, at in _parts(value, path):
        part = defs[name]
        yield from ["", f"## `{at}`", "", _plain(part.get("description")), ""]
        yield from _table(part, defs, at)
        for field, inner in part.get("properties", {}).items():
            yield from _section(f"{at}.{field}", inner, defs)


def _parts(value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Models that a value can be, with the path at which one stands: an item of a list is path.0."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], path
    for option in value.get("anyOf", []):
        yield from _parts(option, path)
    if isinstance(value.get("items"), dict):
        yield from _parts(value["items"], f"{path}.0")
    if isinstance(value.get("additionalProperties"), dict):
        yield from _parts(value["additionalProperties"], f"{path}.NAME")


def _table(part: dict[str, Any], defs: dict[str, Any], at: str) -> Iterator[str]:
    yield "| field | may be | left out | what it does |"
    yield "|---|---|---|---|"
    required = part.get("required", [])
    for name, value in part.get("properties", {}).items():
        usual = "must be given" if name in required else _usual(value)
        where = f"{at}.{name}" if at else name
        yield f"| `{where}` | {_type(value)} | {usual} | {_cell(value.get('description', ''))} |"


def _usual(value: dict[str, Any]) -> str:
    if "default" not in value:
        return "as said"  # a default that is made
    default = value["default"]
    return "as below" if isinstance(default, dict) and "$ref" in value else f"`{_shown(default)}`"


def _type(value: dict[str, Any]) -> str:
    """A JSON Schema type in words."""
    if "$ref" in value:
        return "fields"
    if "enum" in value:
        return ", ".join(f"`{v}`" for v in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(option) for option in value["anyOf"]))
    kind = value.get("type", "any")
    if kind == "array":
        inner = value.get("items") or {"anyOf": value.get("prefixItems", [{}])}
        return f"list of {_type(inner)}" if inner.get("anyOf") != [] else "list"
    if kind == "object":
        more = value.get("additionalProperties")
        return f"name: {_type(more)}" if isinstance(more, dict) else "fields"
    if value.get("exclusiveMaximum", 0) > 1e15:
        value = {k: v for k, v in value.items() if k != "exclusiveMaximum"}  # what a machine's word holds
    low, high = value.get("minimum", value.get("exclusiveMinimum")), value.get("maximum", value.get("exclusiveMaximum"))
    bounds = " to ".join(f"{b:,.9g}" for b in (low, high) if b is not None)
    if low is not None and high is None:
        bounds = f"at least {low:g}" if "minimum" in value else f"above {low:g}"
    words = {"string": "path" if value.get("format") == "path" else "text", "integer": "whole number", "null": "null"}
    return " ".join(filter(None, [words.get(kind, kind), bounds]))


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).replace("``", "`")


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


if __name__ == "__main__":
    (Path(sys.argv[1]) / "recipe.md").write_text(reference(), encoding="utf-8")
    (Path(sys.argv[1]) / "config_all.yaml").write_text(config_all(), encoding="utf-8")
