"""`curate init`: look at folders and tables, and write the recipe that they suggest, every guess with its reason.

Nothing of what a file says is written or printed, but names of columns and counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curate.errors import DropRecord, RecipeError
from curate.ingest.files import SLICED
from curate.places import place
from curate.record import Reason
from curate.sources.archives import walk_members
from curate.sources.member import TABLES, archive_of
from curate.sources.pairing.paths import stem
from curate.sources.reports.formats import format_of
from curate.sources.reports.rows import open_records
from curate.sources.reports.tables.columns import Kind, kind_of, leaves, words_of
from curate.sources.reports.text.section import canonical
from curate.sources.sniff import sniff
from curate.sources.walk import as_text
from pipelines.recipe.load import validated
from pipelines.recipe.recipe import Recipe
from pipelines.survey import require_there
from pipelines.survey.paths import PathIds, path_ids, split_pattern
from pipelines.survey.preview import Looked, look

FILES, ROWS = 20_000, 200  # that are looked at: names of files, rows of a table
_PICTURES = {
    **{".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"},
    **dict.fromkeys((".dcm", ".dicom"), "DICOM"),
}
_TABLES = 50  # members of archives that are looked at for columns
_SNIFFED = 400  # files without a telling name whose first bytes are read
_PROSE = 20.0  # characters: a column of words that is this long in the mean may be the report
_VOLUME = 4  # slices of a series, from which on not each is a picture of what its report says
_FEW_PAIRS = 200  # up to which no filter of pictures is suggested
_BY_LENGTH = "the longest prose"
_SECTIONS = ("findings", "impression")
_FIX = "DICOM, PNG, JPEG or TIFF files; a CSV, JSONL, Parquet or xlsx table with rows, or txt files; or leave it out"
_STATUS = ({"status"}, {"report", "status"}, {"result", "status"})  # words of a column's name
_SPLIT = ({"split"}, {"subset"}, {"partition"}, {"fold"})


@dataclass
class Guess:
    """A recipe's fields and, by dotted name, why each is so; ``notes`` stand at its head."""

    fields: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The recipe as YAML, with the reasons as comments."""
        head = [f"# {note}" for note in self.notes]
        return "\n".join([*head, *_yaml_lines(self.fields, self.why), ""])


def guess(paths: Sequence[Path], out: Path, secret: Path) -> Guess:
    """What ``paths`` (folders, tables) suggest. RecipeError where one of them holds nothing to read."""
    images: list[dict[str, Any]] = []
    reports: list[dict[str, Any]] = []
    found = Guess({"name": paths[0].resolve().name.lower() or "run", "out": str(out), "secret": str(secret)})
    pictures: list[str] = []
    texts: list[str] = []
    splits: dict[Path, dict[str, list[str]]] = {}
    for path in {path.resolve(): path for path in paths}.values():  # pictures and texts of one folder are one source
        require_there(path)
        contents = _look(path)
        known = bool(contents.pictures or contents.texts)
        if contents.pictures:
            name = "archive" if not images else f"archive{len(images) + 1}"
            found.why[f"images.{len(images)}.path"] = contents.in_words()
            images.append({"name": name, "path": str(path)})
            if pattern := split_pattern(contents.places):
                images[-1]["key_pattern"] = pattern
                found.why[f"images.{len(images) - 1}.key_pattern"] = "the folders are splits"
        pictures += contents.places
        before = len(reports)
        for table, source in contents.tables.items():
            columns, why, cells = _columns(table)
            known |= bool(cells)
            splits |= {} if columns else {table: cells}
            if cells and not columns and table == path:
                found.notes.append(f"left out, no column of it holds reports: {_scalar(str(path))}")
            if columns and not any(r["path"] == source["path"] for r in reports[before:]):
                questions = {n: columns.pop(n) for n in ("question", "answer") if n in columns}
                found.why |= {f"reports.{len(reports)}.columns.{name}": reason for name, reason in why.items()}
                columns = source.get("columns", {}) | columns
                reports.append({**source, "columns": columns} | ({"questions": questions} if questions else {}))
        texts += contents.texts
        if contents.texts and (contents.in_samples or len(reports) == before):
            beside = "of the pictures of its name" if contents.in_samples else "the name its accession"
            found.why[f"reports.{len(reports)}.path"] = f"{_text_files(contents.texts)}, a report each, {beside}"
            reports.append({"path": str(path)} | ({"format": "txt"} if contents.in_samples else {}))
        if not known:
            raise RecipeError("PATH", f"{path} holds no picture and no report that can be read", _FIX)
    if not images and not reports:
        raise RecipeError("PATH", "no table has a column that holds reports", _FIX)
    found.fields |= {"images": images} if images else {}
    found.fields |= {"reports": reports} if reports else {}
    _try_pairing(found, path_ids(pictures, texts) if texts and len(images) == 1 else [])
    _find_splits(found, splits, pictures)
    if images:
        found.fields["image"] = {"side": 512}
        found.why["image.side"] = "longest side in px; take it out to keep the pictures' own size"
    if images and reports:
        found.fields["select"] = {"keep": 0.3}
        found.why["select.keep"] = "the best third by the filter's score; curate explain and the page say what goes"
    else:
        alone = "images" if images else "reports"
        found.fields |= {"pair": {f"unpaired_{alone}": "keep"}, "filters": {}, "select": {}}
        found.why[f"pair.unpaired_{alone}"] = f"there are {alone} alone: nothing to pair, no filter"
        if texts and not images:
            taken = f"no pictures here; {_text_files(texts)} taken for a report each"
            found.notes.append(f"{taken}: if they are none (notes, a README), name what holds the reports")
    return found


@dataclass
class _Contents:
    """``tables``: each with the source of reports that it suggests; ``texts``, ``places``: relative paths of text files
    and of pictures; ``in_samples``: of archives, where a text belongs to the pictures of its name; ``whole``: nothing
    was left unseen."""

    pictures: Counter[str]
    tables: dict[Path, dict[str, Any]]
    texts: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    in_samples: bool = False
    whole: bool = True

    def in_words(self) -> str:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in self.pictures.most_common())
        return kinds if self.whole else f"{kinds} among the first {FILES:,} files"


def _look(path: Path) -> _Contents:
    """What lies there, in archives too, by names, and by the first bytes where a name says nothing."""
    contents, sniffed = _Contents(Counter(), {}), 0
    for number, entry in enumerate(walk_members(path, tables=True)):
        if number == FILES:
            contents.whole = False
            break
        if entry.reason is not None:
            continue
        file = place(entry.path)
        archive = archive_of(file)
        kind = format_of(entry.relative if path.is_dir() else path.name) if archive is None else format_of(file.name)
        if archive is not None and archive.name.lower().endswith(TABLES):
            contents.pictures["in Parquet"] += 1
            image = file.name.partition(".")[0]
            contents.tables.setdefault(archive, {"path": str(path), "format": "parquet", "columns": {"image": image}})
        elif kind == "txt":
            contents.texts.append(as_text(entry.relative))
            contents.in_samples |= archive is not None
        elif kind is not None and archive is not None:
            contents.tables |= {file: {"path": str(path), "format": kind}} if len(contents.tables) < _TABLES else {}
        elif kind is not None:
            table = path / entry.relative if path.is_dir() else path
            contents.tables[table] = {"path": str(table)}
        elif (suffix := file.suffix.lower()) in _PICTURES:
            contents.pictures[_PICTURES[suffix]] += 1
            contents.places.append(as_text(entry.relative))
        elif sniffed < _SNIFFED:
            sniffed += 1
            content = sniff(file)
            if content != "none":
                contents.pictures["DICOM" if content == "dicom" else "images"] += 1
                contents.places.append(as_text(entry.relative))
    if contents.in_samples:  # img2dataset's .json says what the .txt beside it says, and more
        contents.tables = {table: source for table, source in contents.tables.items() if source.get("format") != "json"}
    return contents


def _text_files(names: Sequence[str]) -> str:
    return f"{len(names):,} text file{'s' * (len(names) != 1)}"


def _columns(table: Path) -> tuple[dict[str, Any], dict[str, str], dict[str, list[str]]]:
    """Fields of ``columns`` that the table's names and first rows suggest, and why, nothing where it has no text; and
    the cells of these rows by column, nothing where no row can be read."""
    names, rows, cells = _cells(table)
    if not rows:
        return {}, {}, {}
    kinds = {name: kind_of(name.rpartition(".")[2], [c for c in found if c.strip()]) for name, found in cells.items()}
    found: dict[str, Any] = {}
    why: dict[str, str] = {}

    def take(target: str, name: str, reason: str) -> None:
        if target not in found:
            found[target], why[target] = name, reason

    for name, kind in kinds.items():
        words = set(words_of(name.rpartition(".")[2]))
        filled = f"{sum(1 for c in cells[name] if c.strip()):,} of {rows:,} rows"
        if kind is Kind.REPORT:
            take("text", name, f"a report by its name; {filled}")
        elif kind is Kind.ACCESSION:
            take("accession", name, filled)
        elif kind is Kind.PATIENT:
            take("patient", name, filled)
        elif kind is Kind.NAME and words & {"patient", "pt", "name", "surname"}:
            take("patient_name", name, f"goes from every text; {filled}")
        elif kind in (Kind.UID, Kind.ID) and words & {"study", "exam"}:
            take("study", name, filled)
        elif kind is Kind.DATE and not words & {"birth", "dob", "death", "created", "modified", "updated"}:
            take("date", name, filled)
        elif kind is Kind.FILE:
            take("image", name, filled)
        elif words in _STATUS:
            take("status", name, "preliminary, final, addendum")
        elif words in _SPLIT:
            take("split", name, "the source's own splits")
    named = {canonical(" ".join(words_of(name))): name for name, kind in kinds.items() if kind is Kind.SECTION}
    sections = {section: named[section] for section in _SECTIONS if section in named}
    if "text" not in found and sections:
        found["sections"] = sections
    elif {"question", "answer"} <= set(names):
        found |= {"question": "question", "answer": "answer"}
    elif "text" not in found:
        captions = [name for name in names if "caption" in words_of(name)]
        if captions:
            take("text", captions[0], "a caption by its name")
            return found, why, cells
        prose = {n: _mean_length(cells[n]) for n, k in kinds.items() if k in (Kind.TEXT, Kind.SECTION) and cells[n]}
        best = max(prose, key=lambda n: prose[n], default=None)
        if best is None or prose[best] < _PROSE:
            return {}, {}, cells
        take("text", best, f"{_BY_LENGTH}: {prose[best]:.0f} characters in the mean")
    return found, why, cells


def _cells(table: Path) -> tuple[list[str], int, dict[str, list[str]]]:
    """The names of the table's columns, how many of its first rows are read, and the cells of these by column."""
    try:
        names = None if table.suffix.lower() not in TABLES else pq.read_schema(table).names  # pictures are left unread
        with open_records(table, wanted=names) as opened:
            rows = [r for r in islice(opened.rows, ROWS) if not isinstance(r, Reason)]
            names = list(opened.names) or list(dict.fromkeys(name for row in rows for name, _ in leaves(row)))
    except (DropRecord, OSError, pa.ArrowException):
        return [], 0, {}
    cells: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        for name, value in leaves(row):
            cells.setdefault(name, []).append(value)
    return names, len(rows), cells


def _mean_length(cells: Sequence[str]) -> float:
    return sum(map(len, cells)) / max(len(cells), 1)


def _find_splits(found: Guess, tables: Mapping[Path, Mapping[str, list[str]]], pictures: Sequence[str]) -> None:
    """The source's own splits, where a table has a column of them and one that names pictures."""
    names = {name for picture in pictures for name in (stem(picture), picture.rpartition("/")[2])}
    names |= {name.rpartition("/")[2] for name in names}
    for table, cells in tables.items():
        columns = [name for name in cells if set(words_of(name)) in _SPLIT]
        image = next((name for name, values in cells.items() if not names.isdisjoint(values)), None)
        if columns and image is not None:
            found.fields["split"] = {"table": {"path": str(table), "column": columns[0], "image": image}}
            found.notes = [note for note in found.notes if not note.endswith(f": {_scalar(str(table))}")]
            found.why["split.table.path"] = "the source's own splits; take it out to hold out patients by yourself"


def _try_pairing(found: Guess, patterns: Sequence[PathIds]) -> None:
    """Pair a sample as the recipe stands; where few pair, with a kind of table alone, since an archive's other tables
    speak of the same studies, by what ``patterns`` find in paths, and then with looser ids. What pairs more stays, and
    is told; texts beside the pictures with which no more pair than with the tables go."""
    if "images" not in found.fields or "reports" not in found.fields:
        return
    looser: dict[str, Any] = {"ignore": ["leading_zeros", "punctuation", "prefix"]}
    best = look(_recipe(found.fields))
    reports = found.fields["reports"]
    keep = list(range(len(reports)))
    for alone in _kinds_of_tables(found):
        if best.pairing.is_few:
            other = look(_recipe({**found.fields, "reports": [reports[n] for n in alone]}))
            if other.pairing.paired > best.pairing.paired:
                best, keep = other, alone
    tables = [n for n, source in enumerate(reports) if "columns" in source]
    if not best.pairing.is_few and 0 < len(tables) < len(reports):  # a README beside the pictures is no report
        other = look(_recipe({**found.fields, "reports": [reports[n] for n in tables]}))
        if other.pairing.paired >= best.pairing.paired:
            best, keep = other, tables
    _keep_reports(found, keep)
    if best.pairing.is_few:
        for ids in patterns:
            image = {**found.fields["images"][0], "key_pattern": ids.key_pattern}
            texts = {"path": image["path"], "format": "txt", "name_pattern": ids.name_pattern}
            fields = {**found.fields, "images": [image], "reports": [texts], "pair": {"by": ["accession"]}}
            other = look(_recipe(fields))
            if other.pairing.paired > best.pairing.paired:
                best, found.fields = other, fields
                found.why["images.0.key_pattern"] = ids.why
    if best.pairing.is_few:
        other = look(_recipe({**found.fields, "pair": looser}))
        if other.pairing.paired > best.pairing.paired:
            best = other
            found.fields["pair"] = looser
            found.why["pair.ignore"] = "more pair so: compare some by hand"
    if (length := _series_length(best)) > _VOLUME:
        found.fields.setdefault("pair", {})["per_series"] = "middle"
        found.why["pair.per_series"] = f"about {length:.0f} slices a series, a report a study; or key, montage, all"
    if not best.pairing.is_few and best.pairing.paired < _FEW_PAIRS:
        found.fields["filters"] = {"text_quality": {}}
        pairs = f"{best.pairing.paired:,} pairs"
        found.why["filters"] = f"of {pairs} 'ours', the default, learns too little; this one needs few"
    found.notes.append(f"{best.pairing.headline} (looked at {best.extent})")
    found.notes += [f"  {line}" for line in best.pairing.lines[:6]]
    found.notes += [
        f"left out, no more pair with it: {_scalar(r['path'])}" for n, r in enumerate(reports) if n not in keep
    ]


def _series_length(looked: Looked) -> float:
    """How many files the series of a slice has, in the mean over slices. Of n, a draw of the share f of all files holds
    f (n - 1) beside each that it holds."""
    files = pa.concat_tables(scan for _, scan in looked.scans)
    named = zip(files["modality"].to_pylist(), files["series_uid"].to_pylist(), strict=True)
    beside = Counter(series for modality, series in named if modality in SLICED and series)
    pairs = sum(n * (n - 1) for n in beside.values())
    return 1 + pairs / max(beside.total(), 1) * looked.files / max(looked.examined, 1)


def _kinds_of_tables(found: Guess) -> list[list[int]]:
    """Numbers of the sources that have the same columns, a list a kind, those with a report by its name first, what
    is only long prose last; [] where all are of one kind."""
    kinds: dict[str, list[int]] = {}
    for number, source in enumerate(found.fields["reports"]):
        kinds.setdefault(json.dumps(source.get("columns")), []).append(number)

    def doubt(numbers: list[int]) -> tuple[bool, bool]:
        reason = found.why.get(f"reports.{numbers[0]}.columns.text", "")
        return reason.startswith(_BY_LENGTH), not reason

    return sorted(kinds.values(), key=doubt) if len(kinds) > 1 else []


def _keep_reports(found: Guess, keep: Sequence[int]) -> None:
    """Only these report sources, and the reasons under their new numbers."""
    why: dict[str, str] = {}
    for name, reason in found.why.items():
        head, number, *rest = name.split(".")
        if head != "reports":
            why[name] = reason
        elif int(number) in keep:
            why[".".join([head, str(keep.index(int(number))), *rest])] = reason
    found.why, found.fields["reports"] = why, [found.fields["reports"][n] for n in keep]


def _recipe(fields: Mapping[str, Any]) -> Recipe:
    return validated(yaml.safe_load(yaml.safe_dump(dict(fields))), (), Recipe)


def _yaml_lines(value: Any, why: Mapping[str, str], at: str = "", indent: int = 0) -> Iterator[str]:
    pad = "  " * indent
    if isinstance(value, dict):
        for name, inner in value.items():
            where = f"{at}.{name}" if at else str(name)
            reason = f"  # {why[where]}" if where in why else ""
            if inner and (isinstance(inner, dict) or (isinstance(inner, list) and isinstance(inner[0], dict))):
                yield ("" if indent else "\n") + f"{pad}{name}:{reason}"
                yield from _yaml_lines(inner, why, where, indent + 1)
            else:
                yield f"{pad}{name}: {_scalar(inner)}{reason}"
    else:
        for number, inner in enumerate(value):
            lines = list(_yaml_lines(inner, why, f"{at}.{number}", indent + 1))
            yield f"{pad}- {lines[0].lstrip()}"
            yield from lines[1:]


def _scalar(value: Any) -> str:
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).removesuffix("...\n").strip()
    )
