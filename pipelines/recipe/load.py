"""A recipe file -> a Recipe; what is wrong with it is told by field, value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from curate.deid_export.rules import ReleaseRules
from curate.errors import RecipeError
from pipelines.recipe.recipe import Recipe

RECIPES = Path(__file__).parents[1] / "recipes"  # installed with the package
_MOST = 5  # faults that are told beside the first
T = TypeVar("T")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in ``path``, or the one of that name that is installed with the package, with ``dotted.field=value``
    overrides; RecipeError says what is wrong and the fix."""
    return validated(_read(path if path.is_file() else _installed().get(str(path), path)), overrides, Recipe)


def _installed() -> dict[str, Path]:
    """The recipes that come with the package, those of training among them, by name."""
    return {path.stem: path for path in sorted(RECIPES.rglob("*.yaml"))}


def load_release(path: Path | None, overrides: Sequence[str] = ()) -> ReleaseRules:
    """As `load_recipe`, for the rules of `curate deid`; without a file, the defaults."""
    return validated({} if path is None else _read(path), overrides, ReleaseRules)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        fix = f"give the path of a recipe file, or the name of one that is installed: {', '.join(sorted(_installed()))}"
        raise RecipeError(str(path), f"cannot read it ({error.strerror})", fix) from None
    except UnicodeDecodeError:
        raise RecipeError(str(path), "is not a text file", "give the path of a YAML recipe") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise RecipeError(str(path), f"is not valid YAML{where}", "check indentation and quotes there") from None
    if not isinstance(raw, dict):
        raise RecipeError(str(path), "holds no fields", "curate init PATH... writes one")
    return raw


def validated(raw: dict[str, Any], overrides: Sequence[str], model: type[T]) -> T:
    """``raw`` with the overrides as a ``model``; RecipeError names the field, what is wrong and the fix."""
    for override in overrides:
        _override(raw, override)
    try:
        return TypeAdapter(model).validate_python(raw)
    except ValidationError as error:
        raise _explain(error, model) from None


def _override(raw: dict[str, Any], text: str) -> None:
    field, separator, value = text.partition("=")
    if not separator or not field:
        raise RecipeError("--set", f"'{text}' is not field=value", "for example --set select.keep=0.2")
    target: Any = raw
    names = field.split(".")
    for name in names[:-1]:
        if isinstance(target, list):
            target = target[int(name)] if name.isdecimal() and int(name) < len(target) else None
        elif isinstance(target, dict):
            target = target.setdefault(name, {})
        if not isinstance(target, dict | list):
            raise RecipeError("--set", f"'{field}' does not lead to a field", "fields are those of the recipe file")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError("--set", f"the value of '{field}' is not valid YAML", "quote it") from None
    if isinstance(target, list):
        if not names[-1].isdecimal() or int(names[-1]) >= len(target):
            raise RecipeError("--set", f"'{field}' is not in the list", f"it has {len(target)} entries, counted from 0")
        target[int(names[-1])] = parsed
    else:
        target[names[-1]] = parsed


def _explain(error: ValidationError, model: type[Any]) -> RecipeError:
    """The first thing that is wrong with its fix; of the others, what and where."""
    found = error.errors()
    inner = {each["loc"][:-1] for each in found}  # a list of which an item is wrong counts as too short, too
    faults = (each for each in found if each["type"] != "too_short" or each["loc"] not in inner)
    (field, problem, fix), *others = (_fault(each, model) for each in faults)
    more = [f"{other}: {fault}" for other, fault, _ in others[:_MOST]]
    if len(others) > _MOST:
        more.append(f"{len(others) - _MOST} more")
    return RecipeError(field, "; also ".join([problem, *more]), fix)


def _fault(found: Any, model: type[Any]) -> tuple[str, str, str]:
    """(field, problem, fix) of one of pydantic's errors."""
    field = ".".join(str(p) for p in found["loc"]) or "recipe"
    if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        allowed = _fields_at(found["loc"][:-1], model)
        near = get_close_matches(str(found["loc"][-1]), allowed, 1)
        meant = f"did you mean '{near[0]}'? " if near else ""
        return field, "no such field", f"{meant}the fields here are: {', '.join(allowed)}"
    problem = found["msg"].removeprefix("Value error, ")
    if found["type"] == "value_error":  # ours: "problem; fix"
        problem, _, fix = (
            problem.rpartition("; ") if "; " in problem else (problem, "", "correct the field in the recipe")
        )
        return field, problem, fix
    described = _description(found["loc"], model)
    problem = problem.replace("valid tuple", "list")
    problem = re.sub(r"(?:valid )?dictionary(?: or (?:an )?instance of \w+)?", "map", problem)
    shown = "" if found["type"] == "missing" else f" (got {found['input']!r})"
    return field, problem + shown, f"it says: {described}" if described else "correct the field in the recipe"


def _description(location: Sequence[int | str], root: type[Any]) -> str:
    """The first sentence of what a field is described by; "" where it is none of a model."""
    names = [name for name in location if isinstance(name, str)]
    for end in range(len(names), 0, -1):  # pydantic goes on with the kinds that a field may be of
        field = _model_at(names[: end - 1], root).__pydantic_fields__.get(names[end - 1])
        if field is not None and field.description:
            return " ".join(field.description.split()).partition(". ")[0].rstrip(".")
    return ""


def _fields_at(location: Sequence[int | str], root: type[Any]) -> list[str]:
    return list(_model_at(location, root).__pydantic_fields__)


def _model_at(location: Sequence[int | str], root: type[Any]) -> type[Any]:
    model = root
    for name in location:
        if isinstance(name, int) or name not in model.__pydantic_fields__:
            continue
        annotation = model.__pydantic_fields__[name].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((o for o in options if isinstance(o, type) and hasattr(o, "__pydantic_fields__")), model)
    return model
