"""How many images found a report; where few did, which keys either side has, in what form, and what would have paired.

It is read by people at a terminal, so it holds counts and forms (`curate.sources.identity.shape`) and never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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

_SIDES = ("images", "reports")
_FORMS = 3  # shown a side
_PARTS = 8  # of a name
_LOOKED_AT = 50_000  # values, to count forms
_UID = re.compile(r"\d+(?:\.\d+){2,}")
_EVERYTHING = ("leading_zeros", "punctuation", "prefix")
_IGNORED = {
    "leading_zeros": "leading zeros were ignored",
    "punctuation": "points, dashes and blanks in ids were ignored",
    "prefix": "letters before a number were ignored",
}


@dataclass
class Tally:
    """How the pairing went, in ``counts`` that add up over parts of an archive: of ("images",), ("reports",) and
    ("paired",), of ("refused", reason), and of what stands for no id: ("held", column of ids, side, form)."""

    counts: Counter[tuple[str, ...]]

    def table(self) -> pa.Table:
        """As it is sealed."""
        keys = pa.array(map(list, self.counts), pa.list_(pa.string()))
        return pa.table({"of": keys, "n": pa.array(self.counts.values(), pa.int64())})

    @classmethod
    def of_tables(cls, parts: Iterable[pa.Table]) -> Tally:
        """What `table` of all parts made, added up."""
        sums: Counter[tuple[str, ...]] = Counter()
        for part in parts:
            for key, n in zip(part["of"].to_pylist(), part["n"].to_pylist(), strict=True):
                sums[tuple(key)] += n
        return cls(sums)

    def refused(self, reason: Reason) -> int:
        """Images that found something and were refused it."""
        return self.counts["refused", reason.value]

    def pairing(self, rules: PairRules) -> Pairing:
        """What is said of it, whether or not few have paired."""
        lines = (*self._no_ids(rules), *self._shared())
        return Pairing(self.counts["images",], self.counts["reports",], self.counts["paired",], lines)

    def _no_ids(self, rules: PairRules) -> Iterator[str]:
        """How many rows of either side hold a placeholder in place of an id."""
        for name in _compared(rules):
            parts = []
            for side in _SIDES:
                forms = Counter({key[3]: n for key, n in self.counts.items() if key[:3] == ("held", name, side)})
                if forms:
                    shown, _ = _shown(forms)
                    parts.append(f"{forms.total():,} of {self.counts[side,]:,} {side} hold {shown}")
            if parts:
                fix = "give another column or group" if name == "patient" else "another key must pair them: pair.by"
                yield f"{name}: {', '.join(parts)}, which stands for no id and is left aside; columns.{name}, or {fix}"

    def _shared(self) -> Iterator[str]:
        """What is refused as nothing says whose it is."""
        if n := self.refused(Reason.SEVERAL_PATIENTS):
            yield (
                f"{n:,} images share an id with another patient's, and the report does not say whose it is: give "
                "columns.patient (or columns.study), or pair by a key that is one patient's (pair.by)"
            )


def _compared(rules: PairRules) -> Iterator[str]:
    return (name for name in IDS if name in rules.by or name == "patient")


def _shown(forms: Counter[str]) -> tuple[str, str]:
    """(the forms to be shown, the most frequent first; "" or what says that there are more)."""
    shown = sorted(forms.items(), key=lambda form: (-form[1], form[0]))[:_FORMS]
    return " or ".join(form for form, _ in shown), " ..." if len(forms) > _FORMS else ""


def tally(images: pa.Table, reports: pa.Table, image_match: pa.Table, rules: PairRules, known: KnownIds) -> Tally:
    """How the pairing of these tables (as `pair` takes them) went, by the ``image_match`` that it gave."""
    sides = dict(zip(_SIDES, (images, reports), strict=True))
    counts = Counter[tuple[str, ...]]({("paired",): _paired(image_match)})
    counts.update({(side,): table.num_rows for side, table in sides.items()})
    counts.update(("refused", reason) for reason in image_match["reason"].to_pylist() if reason)
    for name in _compared(rules):
        for side, table in sides.items():
            for cell, n in Counter(table[name].to_pylist()).items():
                if cell and canonical_id(cell) in known.none[side, name]:
                    counts["held", name, side, _form(cell)] += n
    return Tally(counts)


def describe(counts: Tally, images: pa.Table, reports: pa.Table, rules: PairRules) -> Pairing:
    """How the pairing of these tables (as `pair` takes them) went, as ``counts`` say; where few have paired: which keys
    either side has, what was refused or lost, and what would have paired."""
    found = counts.pairing(rules)
    if not found.is_few:
        return found
    lines = [*found.lines, *_coverage(images, reports, rules), *_refused(counts), *_lost(reports, rules)]
    remedies = sorted(_remedies(images, reports, rules, counts), key=lambda r: (-r[0], r[1]))
    lines += [f"{n:,} of {found.images:,} images would pair if {remedy}" for n, remedy in remedies]
    return replace(found, lines=tuple(lines))


def _paired(image_match: pa.Table) -> int:
    return int(image_match.num_rows - image_match["report"].null_count)


def _coverage(images: pa.Table, reports: pa.Table, rules: PairRules) -> Iterator[str]:
    """A line a key: how many on each side have it, in which forms."""
    for key in rules.by:
        for name in ("patient", "date") if key == "patient_date" else (key,):
            yield f"{name}: {_side(images, name, 'images')}, {_side(reports, name, 'reports')}"


def _side(table: pa.Table, name: str, side: str) -> str:
    values = _values(table, name)
    shown, more = _shown(Counter(_form(v) for v in values[:_LOOKED_AT]))
    return f"{len(values):,} of {table.num_rows:,} {side} have one" + (f" ({shown}{more})" if shown else "")


def _values(table: pa.Table, name: str) -> list[str]:
    """The ids there are, as written, sorted; what stands for none left out."""
    known = [(v, bare) for v in table[name].to_pylist() if v and (bare := canonical_id(v))]
    none = placeholders(bare for _, bare in known)
    return sorted(v for v, bare in known if bare not in none)


def _form(value: str) -> str:
    return "a UID" if _UID.fullmatch(value.strip()) else shape(value)[:40]


_REFUSED = {
    Reason.PATIENT_MISMATCH: "found a report of another patient (patient ids that differ are never paired)",
    Reason.ANOTHER_STUDY: "found a report of their patient's day that may be of another study (pair.by, patient_date)",
    Reason.AMBIGUOUS_REPORT: "found several reports: columns.status and columns.order, or 'several', say which counts",
}


def _refused(counts: Tally) -> Iterator[str]:
    """What the images were refused for that did find something."""
    return (f"{n:,} images {text}" for reason, text in _REFUSED.items() if (n := counts.refused(reason)))


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
    now, spelt = counts.counts["paired",], False
    for ignore in [(one,) for one in get_args(IGNORE)] + [_EVERYTHING]:
        n = _paired(pair(images, reports, replace(rules, ignore=tuple({*rules.ignore, *ignore})))[0])
        if n > now:
            spelt = True
            yield n, f"{' and '.join(_IGNORED[i] for i in ignore)}: pair.ignore: [{', '.join(ignore)}]"
            if ignore != _EVERYTHING and n == images.num_rows:
                break
    keys = get_args(PAIR_KEYS)
    n = _paired(pair(images, reports, replace(rules, by=keys))[0])
    if n > now and set(keys) - set(rules.by):
        yield n, f"every key counted: pair.by: [{', '.join(keys)}]"
    # several patients' one id is no reason to compare patients less
    if rules.require_same_patient and not spelt and not counts.refused(Reason.SEVERAL_PATIENTS):
        n = _paired(pair(images, reports, replace(rules, require_same_patient=False))[0])
        if n > now:
            yield n, "ids of patients were not compared (is columns.patient right?): pair.require_same_patient: false"
    others = (*_crossed(images, reports), *_in_paths(images, reports), *_in_names(images, reports))
    yield from ((n, remedy) for n, remedy in others if n > now)


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
    words = {part for v in _values(reports, "accession") for part in re.split(r"[_\s]+|-+", v)[:_PARTS] if part}
    parts = set(map(canonical_id, words)) - {canonical_id(v) for v in _values(reports, "accession")}
    stems = [re.sub(r"\.\w+$", "", (path or "").rpartition("/")[2]) for path in images["image"].to_pylist()]
    ids = {"accession": images["accession"].to_pylist(), "file name": stems}
    for name, group in (("accession", "accession"), ("file name", "image")):
        if n := sum(bool(v) and canonical_id(v) in parts for v in ids[name]):
            yield n, f"a part of the reports' accession were the image's {name}: reports[].name_pattern, group {group}"


def _parts(path: str) -> Iterator[tuple[str, str]]:
    """(which part, its id) of a relative path: the folders' names from above, the file's without its suffix."""
    *folders, name = path.replace("\\", "/").split("/")
    stem = re.sub(r"(?:\.[A-Za-z][A-Za-z0-9]{1,4})+$", "", name)
    named = [(f"folder {i}", folder) for i, folder in enumerate(folders, 1)]
    named += [("the file's name", part) for part in dict.fromkeys([stem, *re.split(r"[_\s-]+", stem)])]
    yield from ((place, id_) for place, part in named if (id_ := canonical_id(part)))
