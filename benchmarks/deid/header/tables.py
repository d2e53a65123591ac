"""Writes the data files of `curate.deid.header` from the named sources, where there is a new edition of the standard.

    python -m benchmarks.deid.header.tables DICOM_ANONYMIZER_WHEEL OPTIONS_JSON HIGHDICOM_WHEEL

The first holds PS3.15 Table E.1-1 of a new edition without its option columns, the second an older edition with them
(github innolitics/dicom-standard), the third PS3.3 as maps of SOP classes, IODs, modules and attributes. Only facts of
the standard are taken: tags, keywords, actions, types. `safe_private.csv` and `allowed.toml` are written by hand.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword

DATA = Path("curate/deid/header/data")
EDITION = "2026c"
_OPTIONS = {
    "safe_private": "rtnSafePrivOpt", "uids": "rtnUIDsOpt", "device_identity": "rtnDevIdOpt",
    "institution_identity": "rtnInstIdOpt", "patient_characteristics": "rtnPatCharsOpt",
    "full_dates": "rtnLongFullDatesOpt", "modified_dates": "rtnLongModifDatesOpt", "clean_descriptors": "cleanDescOpt",
    "clean_structured": "cleanStructContOpt", "clean_graphics": "cleanGraphOpt",
}  # fmt: skip
_LISTS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip
_STRICTEST_TYPE = ("1", "1C", "2", "2C", "3", "None")
_PROFILE_HEAD = f"""\
# DICOM PS3.15 Table E.1-1, Application Level Confidentiality Profile Attributes, edition {EDITION} (c) NEMA.
# Actions X Z D U K C as there. Tags and actions: the table of dicom-anonymizer 2.1.0 (BSD). Option columns: github
# innolitics/dicom-standard 7f4749d0 (MIT), an older edition; a row that is new since has no option: the profile holds.
"""
_IOD_HEAD = """\
# DICOM PS3.3 (c) NEMA, as of highdicom 0.28.2 (MIT), which made its maps from the standard's DocBook.
"""


def _member(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(ending))).decode()


def _tag(parts: tuple[int, ...]) -> str:
    """A tag as 8 hex digits; x where the table's mask leaves a digit open. Curves are open in all but 50."""
    tag = f"{parts[0]:04x}{parts[1]:04x}"
    if len(parts) == 2:
        return tag
    mask = f"{parts[2]:04x}{parts[3]:04x}"
    return "".join(t if m == "f" else "x" for t, m in zip(tag, mask, strict=True))


def _profile_rows(source: str, options: list[dict[str, str]]) -> Iterable[list[str]]:
    known = {row["id"].lower(): row for row in options}
    names = dict(re.findall(r"^\s*(\(0x[^)]*\)),\s*# (.*)$", source, re.MULTILINE))
    names = {_tag(ast.literal_eval(k)): v for k, v in names.items()}
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)):
            continue
        action = _LISTS.get(node.targets[0].id)
        for parts in ast.literal_eval(node.value) if action else ():
            tag = _tag(parts)
            keyword = "" if "x" in tag else keyword_for_tag(int(tag, 16))
            keyword = keyword or re.sub(r"[^A-Za-z0-9]", "", names.get(tag, ""))
            yield [tag, keyword, action or "", *(known.get(tag, {}).get(o, "") for o in _OPTIONS.values())]
    yield ["odd", "PrivateAttributes", "X", "C", *[""] * (len(_OPTIONS) - 1)]


def write_profile(table: Path, options: Path) -> int:
    """Merge the two editions into ps3_15_e1_1.csv; the number of rows."""
    source = _member(table, f"dicomfields_{EDITION}.py")
    rows = sorted(_profile_rows(source, json.loads(options.read_text())))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["tag", "keyword", "profile", *_OPTIONS])
    writer.writerows(rows)
    (DATA / "ps3_15_e1_1.csv").write_text(_PROFILE_HEAD + out.getvalue())
    return len(rows)


def _strictest(types: Iterable[str]) -> str:
    return min(types, key=_STRICTEST_TYPE.index)


def _weakest(types: Iterable[str]) -> str:
    return max(types, key=_STRICTEST_TYPE.index)


def _line(name: str, types: dict[str, str]) -> str:
    known = sorted((k, t) for k, t in types.items() if tag_for_keyword(k) is not None)
    return f"{name}: " + " ".join(f"{k}={t}" for k, t in known) + "\n"


def write_iods(standard: Path) -> None:
    """sop_classes.csv, iods.txt (modules with their usage), modules.txt (top level) and items.txt (in sequences).

    What an item of a sequence may hold is joined over all modules in which the sequence stands, with the weakest type.
    """
    classes = json.loads(_member(standard, "sop_class_iod_map.json"))
    iods: dict[str, list[Any]] = json.loads(_member(standard, "iod_module_map.json"))
    modules: dict[str, list[Any]] = json.loads(_member(standard, "module_attribute_map.json"))
    lines = [f"{uid},{iod}\n" for uid, iod in sorted(classes.items())]
    (DATA / "sop_classes.csv").write_text(_IOD_HEAD + "sop_class,iod\n" + "".join(lines))
    uses = [f"{name}: " + " ".join(f"{m['key']}={m['usage']}" for m in used) + "\n" for name, used in iods.items()]
    (DATA / "iods.txt").write_text(
        _IOD_HEAD + "# iod: module=usage (M mandatory, C conditional, U optional)\n" + "".join(sorted(uses))
    )
    top: dict[str, dict[str, list[str]]] = {}
    items: dict[str, dict[str, list[str]]] = {}
    for module, attributes in modules.items():
        for attribute in attributes:
            path = attribute["path"]
            owner = items.setdefault(path[-1], {}) if path else top.setdefault(module, {})
            owner.setdefault(attribute["keyword"], []).append(attribute["type"])
    for name, table, choose, about in (
        ("modules", top, _strictest, "# module: attribute=type, at the top level of the object\n"),
        ("items", items, _weakest, "# sequence: attribute=type, in its items\n"),
    ):
        text = "".join(_line(n, {k: choose(t) for k, t in a.items()}) for n, a in sorted(table.items()))
        (DATA / f"{name}.txt").write_text(_IOD_HEAD + about + text)


def main(table: str, options: str, standard: str) -> None:
    """Write every data file and say how much there is."""
    print(f"ps3_15_e1_1.csv: {write_profile(Path(table), Path(options))} rows of edition {EDITION}")
    write_iods(Path(standard))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit((__doc__ or "").strip())
    main(*sys.argv[1:])
