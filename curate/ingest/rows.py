"""INDEX rows out of paired files and reports: who, which study, which frames, under which keys; and which of them the
verifier reads whatever the gate said of their pictures.

That is a sample of the run, fair to every kind of device. The gate and the verifier ask different networks, so what the
first misses the second may see; a hit in the sample says that others like it may have gone out unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.ingest.files import with_column
from curate.ingest.slices import frames_of
from curate.ingest.splits import split_of_file
from curate.record import INDEX, TILE, Reason, live
from curate.sources.identity import first_id, spellings
from curate.sources.pairing.several import declared_status, joined, told_status
from curate.sources.reports.report import Report

if TYPE_CHECKING:
    from curate.deid.rules import SecondLook
    from curate.ingest.rules import IndexRules

_STEP = "index"
_BATCH = 10_000  # files at a time
_NAMED = ("patient_id", "patient_name", "accession", "study_uid", "series_uid", "sop_uid")
_LAYOUT = ("modality", "device", "rows", "columns")
_NOBODY = Report("")
_OF_A_FILE = [f.name for f in TILE if f.name != "frame"]  # what a tile takes from its file's row


class RecordRows:
    """The rows of ``files`` (SCAN with what `curate.ingest.index.match` adds) and of the reports that none uses."""

    def __init__(self, files: pa.Table, reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer) -> None:
        self._reports, self._rules, self._pseudo = reports, rules, pseudo
        self._spelt: dict[str, tuple[str, ...]] = {}  # files of a series and reports of a patient share their values
        montage = "members" in files.column_names and files["members"].null_count < files.num_rows
        self._files = files.select([*_OF_A_FILE, "frames"]) if montage else None

    def of_images(self, files: pa.Table) -> pa.Table:
        """INDEX rows of files, in their order."""
        # in batches: a million files as Python rows would not fit a small machine
        batches = (files.slice(i, _BATCH).to_pylist() for i in range(0, files.num_rows, _BATCH))
        tables = [pa.Table.from_pylist([r for f in files for r in self.of_image(f)], INDEX) for files in batches]
        return pa.concat_tables([INDEX.empty_table(), *tables])

    def of_image(self, file: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """One row a chosen frame of a file; one for all that a montage shows."""
        report = None if file.get("report") is None else _whole(self._reports, [file["report"], *(file["also"] or ())])
        row = self._image(file, report)
        key = image_key(file["source"], file["relative"], self._pseudo)
        if file["reason"]:
            yield {**row, "key": key, "frame": 0}
        elif file.get("members"):
            tiles = [self._tile(member) for member in file["members"]]
            yield {**row, "key": key, "frame": 0, "tiles": tiles, "frames": file["shown"]}
        else:
            yield from self._frames(file, report, row, key)

    def _frames(
        self, file: dict[str, Any], report: Report | None, row: dict[str, Any], key: str
    ) -> Iterator[dict[str, Any]]:
        count, which = max(file["frames"] or 1, 1), self._rules.pair.frames
        chosen = frames_of(count, which, self._rules.pair.slices, report.text if report else None, file["series"] or 0)
        if which == "montage" and len(chosen) > 1:
            tiles = [{**{name: row[name] for name in _OF_A_FILE}, "frame": frame} for frame in chosen]
            yield {**row, "key": key, "frame": chosen[0], "tiles": tiles, "frames": [f + 1 for f in chosen]}
            return
        own = which == "all" or len(chosen) > 1  # every frame a record of its own
        for frame in chosen:
            name = self._pseudo.key("record", file["source"], file["relative"], str(frame))
            yield {**row, "key": name if own else key, "frame": frame}

    def _tile(self, row: int) -> dict[str, Any]:
        assert self._files is not None
        file = {name: self._files[name][row].as_py() for name in self._files.column_names}
        return {**{name: file[name] for name in _OF_A_FILE}, "frame": max(file["frames"] or 1, 1) // 2}

    def _image(self, file: dict[str, Any], report: Report | None) -> dict[str, Any]:
        pseudo, stated = self._pseudo, report or _NOBODY
        # as `curate deid` does: a file of no named patient is its study's; who is not known at all, its report's or
        # alone. Views of a study stay together where only a path or a report says that they are of one.
        study = first_id((file["study_uid"], file["accession"], stated.study, stated.accession))
        uids = (file["study_uid"], file["series_uid"], file["sop_uid"])
        person = first_id((file["patient_id"], stated.patient, *uids, study))
        patient, alone = first_id((stated.group, person)), ""
        if not (patient and study):
            alone = pseudo.key("alone", *(("reports", stated.row) if report else (file["source"], file["relative"])))
        return {
            "patient": pseudo.key("patient", patient or alone),
            "study": pseudo.key("study", study or alone),
            "source": file["source"],
            "kind": file["kind"],
            "path": file["path"],
            "size": file["size"],
            "mtime_ns": file["mtime_ns"],
            "identity": file["identity"],
            "fault": file["fault"],
            "layout": "\\".join(map(str, (file[name] for name in _LAYOUT))) if file["kind"] == "dicom" else "",
            "text": report.text if report else None,
            "undecoded": report.undecoded or None if report else None,
            "phi": self._identities((*(file[n] for n in _NAMED if file[n]), *(file["path_ids"] or ()), *stated.phi)),
            "patient_id": person or study or alone,
            "meta": list(stated.meta.items()),
            "clean": stated.clean,
            "declared_clean": self._declared(file["source"]) and (report is None or report.declared_clean),
            "official_split": split_of_file(file, stated.split, self._rules.splits),
            "drop_step": _STEP if file["reason"] else None,
            "drop_reason": file["reason"],
        }

    def _declared(self, source: str) -> bool:
        return self._rules.files[source].declared_clean

    def of_reports(self, matches: pa.Table) -> pa.Table:
        """INDEX rows, one a report that no image uses; ``matches``: REPORT_MATCH of each report."""
        rows, pseudo = [], self._pseudo
        for report, match in zip(self._reports, matches.to_pylist(), strict=True):
            if match["used"]:
                continue
            reason = match["reason"] or Reason.ORPHAN_REPORT.value
            if self._rules.pair.unpaired_reports == "keep" and reason == Reason.ORPHAN_REPORT.value:
                reason = None
            alone = pseudo.key("alone", "reports", report.row)
            study = first_id((report.study, report.accession)) or alone
            rows.append(
                {
                    "key": pseudo.key("report", report.row),
                    "patient": pseudo.key("patient", first_id((report.group, report.patient)) or alone),
                    "study": pseudo.key("study", study),
                    "source": "reports",
                    "kind": "none",
                    "text": report.text,
                    "undecoded": report.undecoded or None,
                    "phi": self._identities(report.phi),
                    "patient_id": first_id((report.patient,)) or study,
                    "meta": list(report.meta.items()),
                    "clean": report.clean,
                    "declared_clean": report.declared_clean,
                    "official_split": self._rules.splits.named(report.split),
                    "fault": report.fault or None,
                    "drop_step": _STEP if reason else None,
                    "drop_reason": reason,
                }
            )
        return pa.Table.from_pylist(rows, INDEX)

    def _identities(self, values: Iterable[str]) -> list[str]:
        """The values that a text is searched for: each as written, and without an issuer and the like."""
        found: dict[str, None] = {}
        for value in values:
            spelt = self._spelt.get(value)
            if spelt is None:
                spelt = self._spelt[value] = tuple(spellings(value))
            found |= dict.fromkeys(spelt)
        return list(found)


def image_key(source: str, relative: str, pseudo: Pseudonymizer) -> str:
    """The key of the record made from one file (unless every frame is a record of its own)."""
    return pseudo.key("record", source, relative)


def status_of(report: Report) -> str:
    """What its column says it is, else what it calls itself."""
    return declared_status(report.status) or told_status(report.text)


def _whole(reports: Sequence[Report], rows: Sequence[int]) -> Report:
    """One report of the one that was found and of what follows it."""
    parts = [reports[row] for row in rows]
    if len(parts) == 1:
        return parts[0]
    text = joined([part.text for part in parts], [status_of(part) for part in parts])
    raw = "\n\n".join(part.undecoded or part.text for part in parts)
    phi = tuple(dict.fromkeys(value for part in parts for value in part.phi))
    return replace(parts[0], text=text, undecoded=raw if any(p.undecoded for p in parts) else "", phi=phi)


def with_second_look(index: pa.Table, rules: SecondLook) -> pa.Table:
    """INDEX with ``second_look`` set for the pictures of the sample: every ``layout`` has one in it as far as they go,
    the others in proportion, those of the lowest keys (which are HMACs: a fair draw)."""
    pictures = live(index) & np.asarray(index["kind"].combine_chunks().to_numpy(zero_copy_only=False) != "none")
    count = int(pictures.sum())
    wanted = min(count, max(rules.least, round(rules.share * count)))
    chosen = np.zeros(index.num_rows, bool)
    chosen[_sample(index, np.flatnonzero(pictures), wanted)] = True
    return with_column(index, "second_look", pa.array(chosen))


def _sample(index: pa.Table, rows: np.ndarray, wanted: int) -> np.ndarray:
    """``wanted`` of ``rows``: the first of each layout, then evenly along each."""
    columns = {name: pl.Series(index[name].take(pa.array(rows)).to_pylist()) for name in ("key", "source", "layout")}
    frame = pl.DataFrame({"row": rows, **columns})
    layout = ["source", "layout"]
    place = pl.col("key").rank("ordinal").over(layout) - 1
    turn = pl.when(place == 0).then(0.0).otherwise((place + 0.5) / pl.len().over(layout))
    return frame.with_columns(turn=turn).sort("turn", "key").head(wanted)["row"].to_numpy()
