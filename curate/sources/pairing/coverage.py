"""How many images found a report; where few did, which keys either side has, in what form, and what would have paired.

It is read by people at a terminal, so it holds counts and forms (`curate.sources.identity.shape`) and never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

import polars as pl
import pyarrow as pa

from curate.record import Reason
from curate.sources.identity import SCIENTIFIC, canonical_id, placeholders, shape
from curate.sources.pairing.keys import bare, day
from curate.sources.pairing.known import IDS, KnownIds
from curate.sources.pairing.outcome import Pairing
from curate.sources.pairing.pair import pair
from curate.sources.pairing.rules import IGNORE, PAIR_KEYS, PairRules

_FORMS = 3  # shown a side
_PARTS = 8  # of a name
_LOOKED_AT = 50_000  # values, to count forms
_UID = re.compile(r"\d+(?:\.\d+){2,}")
_EVERYTHING = ("leading_zeros", "punctuation", "prefix")
_SAID = {
    "leading_zeros": "leading zeros were ignored",
    "punctuation": "points, dashes and blanks in ids were ignored",
    "prefix": "letters before a number were ignored",
}


@dataclass
class Tally:
    """How the pairing went, in counts that add up over parts of an archive. ``held``: (column of ids, side, form) of
    what stands for no id."""

    images: int = 0
    reports: int = 0
    paired: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    held: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def table(self) -> pa.Table:
        """As it is sealed."""
        told: list[tuple[list[str], int]] = [([name], getattr(self, name)) for name in ("images", "reports", "paired")]
        told += [(["refused", reason], n) for reason, n in self.refused.items()]
        told += [(["held", *of], n) for of, n in self.held.items()]
        return pa.table({"of": pa.array([of for of, _ in told], pa.list_(pa.string())), "n": [n for _, n in told]})

    @classmethod
    def of_tables(cls, parts: Iterable[pa.Table]) -> Tally:
        """What `table` of all parts made, added up."""
        sums: Counter[tuple[str, ...]] = Counter()
        for part in parts:
            for of, n in zip(part["of"].to_pylist(), part["n"].to_pylist(), strict=True):
                sums[tuple(of)] += n
        refused = Counter({of[1]: n for of, n in sums.items() if of[0] == "refused"})
        held = Counter({(of[1], of[2], of[3]): n for of, n in sums.items() if of[0] == "held"})
        return cls(sums["images",], sums["reports",], sums["paired",], refused, held)

    def pairing(self, rules: PairRules) -> Pairing:
        """What is said of it, whether or not few have paired."""
        lines = (*self._no_ids(rules), *self._shared())
        return Pairing(self.images, self.reports, self.paired, lines)

    def _no_ids(self, rules: PairRules) -> Iterator[str]:
        """How many rows of either side hold a placeholder in place of an id."""
        for name in (n for n in IDS if n in rules.by or n == "patient"):
            said = []
            for side, rows in (("images", self.images), ("reports", self.reports)):
                held = Counter({form: n for (column, of, form), n in self.held.items() if (column, of) == (name, side)})
                if held:
                    shown = sorted(held.items(), key=lambda f: (-f[1], f[0]))[:_FORMS]
                    said.append(f"{held.total():,} of {rows:,} {side} hold {' or '.join(form for form, _ in shown)}")
            if said:
                fix = "give another column or group" if name == "patient" else "another key must pair them: pair.by"
                yield f"{name}: {', '.join(said)}, which stands for no id and is left aside; columns.{name}, or {fix}"

    def _shared(self) -> Iterator[str]:
        """What is refused as nothing says whose it is."""
        if n := self.refused[Reason.SEVERAL_PATIENTS.value]:
            yield (
                f"{n:,} images share an id with another patient's, and the report does not say whose it is: give "
                "columns.patient (or columns.study), or pair by a key that is one patient's (pair.by)"
            )


def tally(images: pa.Table, reports: pa.Table, image_match: pa.Table, rules: PairRules, known: KnownIds) -> Tally:
    """How the pairing of these tables (as `pair` takes them) went, by the ``image_match`` that it gave."""
    counts = Tally(images.num_rows, reports.num_rows, _paired(image_match))
    counts.refused.update(reason for reason in image_match["reason"].to_pylist() if reason)
    for name in (n for n in IDS if n in rules.by or n == "patient"):
        for side, table in (("images", images), ("reports", reports)):
            cells = Counter(table[name].to_pylist())
            for cell, n in cells.items():
                if cell and canonical_id(cell) in known.none[side, name]:
                    counts.held[name, side, _form(cell)] += n
    return counts


def describe(counts: Tally, images: pa.Table, reports: pa.Table, rules: PairRules) -> Pairing:
    """How the pairing of these tables (as `pair` takes them) went, as ``counts`` say; where few have paired: which keys
    either side has, what was refused or lost, and what would have paired."""
    made = counts.pairing(rules)
    if not made.is_few:
        return made
    lines = [*made.lines, *_coverage(images, reports, rules), *_refused(counts.refused), *_lost(reports, rules)]
    remedies = sorted(_remedies(images, reports, rules, counts), key=lambda r: (-r[0], r[1]))
    lines += [f"{n:,} of {made.images:,} images would pair if {what}" for n, what in remedies]
    return replace(made, lines=tuple(lines))


def _paired(image_match: pa.Table) -> int:
    return int(image_match.num_rows - image_match["report"].null_count)


def _coverage(images: pa.Table, reports: pa.Table, rules: PairRules) -> Iterator[str]:
    """A line a key: how many on each side have it, in which forms."""
    for key in rules.by:
        for name in ("patient", "date") if key == "patient_date" else (key,):
            sides = [_side(table, name, what) for table, what in ((images, "images"), (reports, "reports"))]
            yield f"{name}: {', '.join(sides)}"


def _side(table: pa.Table, name: str, what: str) -> str:
    values = _values(table, name)
    forms = Counter(_form(v) for v in values[:_LOOKED_AT])
    shown = " or ".join(form for form, _ in sorted(forms.items(), key=lambda f: (-f[1], f[0]))[:_FORMS])
    more = " ..." if len(forms) > _FORMS else ""
    return f"{len(values):,} of {table.num_rows:,} {what} have one" + (f" ({shown}{more})" if shown else "")


def _values(table: pa.Table, name: str) -> list[str]:
    """The ids there are, as written, sorted; what stands for none left out."""
    known = [(v, bare) for v in table[name].to_pylist() if v and (bare := canonical_id(v))]
    none = placeholders(bare for _, bare in known)
    return sorted(v for v, bare in known if bare not in none)


def _form(value: str) -> str:
    return "a UID" if _UID.fullmatch(value.strip()) else shape(value)[:40]


def _refused(refused: Counter[str]) -> Iterator[str]:
    """What the images were refused for that did find something."""
    if n := refused[Reason.PATIENT_MISMATCH.value]:
        yield f"{n:,} images found a report of another patient (patient ids that differ are never paired)"
    if n := refused[Reason.ANOTHER_STUDY.value]:
        yield f"{n:,} images found a report of their patient's day that may be of another study (pair.by, patient_date)"
    if n := refused[Reason.AMBIGUOUS_REPORT.value]:
        yield f"{n:,} images found several reports: columns.status and columns.order, or 'several', say which counts"


def _lost(reports: pa.Table, rules: PairRules) -> Iterator[str]:
    """Values that no rule brings back."""
    for name in IDS:
        values = [v for v in _values(reports, name) if SCIENTIFIC.fullmatch(v.strip())]
        if values:
            form = shape(values[0])
            yield (
                f"{name}: {len(values):,} of {reports.num_rows:,} reports hold a number that a spreadsheet rounded "
                f"({form}); its digits are lost, export columns.{name} as text"
            )
    if "patient_date" not in rules.by:
        return
    frame = pl.DataFrame(pl.from_arrow(reports.select(["patient", "date"]))).with_columns(day=day(pl.col("date")))
    unread = frame.filter(pl.col("day").is_null() & (pl.col("date") != "") & (pl.col("patient") != ""))
    if unread.height:
        form = shape(unread["date"].sort()[0])
        yield f"date: {unread.height:,} of {reports.num_rows:,} reports write it so that its day is not sure ({form})"


def _remedies(images: pa.Table, reports: pa.Table, rules: PairRules, counts: Tally) -> Iterator[tuple[int, str]]:
    """(images that would pair, by what), of everything that would pair more than now."""
    now, spelt = counts.paired, False
    for ignore in [(one,) for one in get_args(IGNORE)] + [_EVERYTHING]:
        n = _paired(pair(images, reports, replace(rules, ignore=tuple({*rules.ignore, *ignore})))[0])
        if n > now:
            spelt = True
            yield n, f"{' and '.join(_SAID[i] for i in ignore)}: pair.ignore: [{', '.join(ignore)}]"
            if ignore != _EVERYTHING and n == images.num_rows:
                break
    keys = get_args(PAIR_KEYS)
    n = _paired(pair(images, reports, replace(rules, by=keys))[0])
    if n > now and set(keys) - set(rules.by):
        yield n, f"every key counted: pair.by: [{', '.join(keys)}]"
    # several patients' one id is no reason to compare patients less
    if rules.require_same_patient and not spelt and not counts.refused[Reason.SEVERAL_PATIENTS.value]:
        n = _paired(pair(images, reports, replace(rules, require_same_patient=False))[0])
        if n > now:
            yield n, "ids of patients were not compared (is columns.patient right?): pair.require_same_patient: false"
    others = (*_crossed(images, reports), *_in_paths(images, reports), *_in_names(images, reports))
    yield from ((n, what) for n, what in others if n > now)


def _crossed(images: pa.Table, reports: pa.Table) -> Iterator[tuple[int, str]]:
    """Values of one key that are the other side's of another."""
    for mine in IDS:
        found = [canonical_id(v) for v in _values(images, mine)]
        for theirs in IDS:
            known = {canonical_id(v) for v in _values(reports, theirs)}
            n = sum(v in known for v in found) if mine != theirs else 0
            if n:
                yield n, f"the reports' {theirs} were their {mine}: give that column (or group) as columns.{mine}"


def _in_paths(images: pa.Table, reports: pa.Table) -> Iterator[tuple[int, str]]:
    """Ids of reports that are a folder or the file name of an image, also but for letters before a number."""
    parts = pl.DataFrame(
        [(row, *part) for row, path in enumerate(images["image"].to_pylist()) for part in _parts(path or "")],
        schema={"row": pl.Int64, "place": pl.String, "id": pl.String},
        orient="row",
    ).with_columns(id=bare(pl.col("id"), ("prefix",)))
    for name in ("accession", "study"):
        known = {canonical_id(v) for v in _values(reports, name)}
        if any(canonical_id(v) in known for v in _values(images, name)):  # they have it already
            continue
        ids = pl.DataFrame({"id": sorted(known)}, schema={"id": pl.String})
        found = parts.join(ids.select(bare(pl.col("id"), ("prefix",))), on="id", how="semi").unique(["row", "place"])
        if found.height:
            n, place = max((n, place) for place, n in found.group_by("place").len().iter_rows())
            yield n, f"the {name} were taken from the image's path ({place}): images[].key_pattern, group {name}"


def _in_names(images: pa.Table, reports: pa.Table) -> Iterator[tuple[int, str]]:
    """Images whose accession or file name is a part of a report's accession, as of a text file "A12_report"."""
    asked = {part for v in _values(reports, "accession") for part in re.split(r"[_\s]+|-+", v)[:_PARTS] if part}
    parts = set(map(canonical_id, asked)) - {canonical_id(v) for v in _values(reports, "accession")}
    stems = [re.sub(r"\.\w+$", "", (path or "").rpartition("/")[2]) for path in images["image"].to_pylist()]
    for name, what, ids in (("accession", "accession", images["accession"].to_pylist()), ("image", "file name", stems)):
        if n := sum(bool(v) and canonical_id(v) in parts for v in ids):
            yield n, f"a part of the reports' accession were the image's {what}: reports[].name_pattern, group {name}"


def _parts(path: str) -> Iterator[tuple[str, str]]:
    """(which part, its id) of a relative path: the folders' names from above, the file's without its suffix."""
    *folders, name = path.replace("\\", "/").split("/")
    stem = re.sub(r"(?:\.[A-Za-z][A-Za-z0-9]{1,4})+$", "", name)
    named = [(f"folder {i}", folder) for i, folder in enumerate(folders, 1)]
    named += [("the file's name", part) for part in dict.fromkeys([stem, *re.split(r"[_\s-]+", stem)])]
    yield from ((place, id_) for place, part in named if (id_ := canonical_id(part)))
