"""The ingest step: decode, de-identify and verify in one chain in one process, so the first bytes written are clean.

Its parts, in the order nobody can change: `picture` (decode, gate against burned-in text, encode, sign),
`report` (keep the wanted sections without letterheads, ask for their language, scrub, sign), `verify` (a verifier
looks for the patient in what is about to be written). Nothing goes on that RECORD does not name.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.exact import pixel_hash
from curate.dedup.image import thumb, thumb_hash
from curate.deid.attest import DECLARED_CLEAN, SECOND_LOOK
from curate.deid.header.clean import attributes, identifying_values
from curate.deid.pixels.boxes import area, moved
from curate.deid.pixels.faces import check_face
from curate.deid.pixels.gate import Gate, gate
from curate.deid.rules import TextRules
from curate.deid.vault import SecretSource
from curate.deid.verify.dicom.header import search_values, source_identifiers
from curate.deid.verify.finding import Finding, rejection_reason
from curate.deid.verify.names import person_names, unknown_capitalised
from curate.deid.verify.normalise import plain
from curate.deid.verify.pixels import pixel_findings
from curate.deid.verify.text import findings
from curate.engine.guard import clock_record, fault_of, stop_clock
from curate.engine.share import write_share
from curate.errors import DropRecord, RunError, SourceError
from curate.ingest.reuse import Reuse, with_digests
from curate.ingest.rules import PictureRules, ReportRules
from curate.ingest.sealed import read_index
from curate.ingest.texts import ATTRIBUTES, ReportStage
from curate.memory import remembering
from curate.places import place
from curate.record import KEPT_OF_DROPPED, RECORD, Reason, drop_each
from curate.sources.dicom.read import identity_of, load_dicom
from curate.sources.faults import check_present, out_of_reach, patiently, stat_source
from curate.sources.images.encode import encode_jpeg, encode_png, resize
from curate.sources.images.read import load_image
from curate.sources.member import archive_of, is_there
from curate.sources.picture import Picture, compose, tile_places
from curate.step import mark_poison


def ingest_parts(
    picture: PictureRules, report: ReportRules, secret: SecretSource, index: str
) -> dict[str, RowFunction]:
    """The chain, composed once; a recipe tunes the rules and cannot remove or reorder a part of it. ``index``: the
    folder of the sealed index, which also says which words the archive's patients share."""
    report_part = ReportStage(report, secret, index)
    return {"picture": _Picture(picture, secret), "report": report_part, "verify": _Verify(picture, report.text)}


@dataclass(frozen=True)
class IngestTask:
    """One partition of the sealed index -> RECORD rows. Small batches, so that memory holds few decoded images."""

    index: str
    parts: Mapping[str, RowFunction]
    secret: SecretSource
    batch: int = 32
    reuse: Reuse | None = None  # of what earlier ingests of the run have made

    def rows(self, partition: int) -> int:
        """Records in the partition."""
        return int(self._read(partition).num_rows)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """RECORD rows in index order; a dropped row keeps its pseudonyms and its reason, nothing else."""
        whole = self._read(partition)
        if only is not None or self.reuse is None:
            whole = drop_each(whole, mark_poison([None] * whole.num_rows, poison), "picture")
            return self._ingested(whole if only is None else whole.slice(only.start, len(only)))
        made_of = self.reuse.digests(whole)
        reused = self.reuse.find(made_of)
        known = set(reused["made_of"].to_pylist())
        new = np.array([one not in known for one in made_of], bool)
        todo = drop_each(whole, mark_poison([None] * whole.num_rows, poison), "picture").filter(pa.array(new))
        fresh = with_digests(self._ingested(todo), [one for one in made_of if one not in known])
        records = pa.concat_tables([reused, fresh])
        return _taken(records, pc.index_in(whole["key"], value_set=records["key"].combine_chunks()))

    def _ingested(self, table: pa.Table) -> pa.Table:
        """RECORD rows of INDEX rows, in their order."""
        order = _reading_order(table)
        if order is not None:
            table = table.take(order)
        try:
            with remembering():
                done = []
                for i in range(0, table.num_rows, self.batch):
                    write_share(i, table.num_rows)
                    done.append(each_row(table.slice(i, self.batch), self.parts))
        except SourceError as error:
            raise SourceError(error.number, error.name, out_of_reach(_paths(table, error.name))) from None
        records = pa.concat_tables(done) if done else RECORD.empty_table()
        stop_clock()
        _stop_if_many(table, records)
        return records if order is None else _taken(records, pc.sort_indices(order))

    def _read(self, partition: int) -> pa.Table:
        return read_index(place(self.index), partition, self.secret.pseudonymizer())


RowFunction = Callable[[dict[str, Any]], dict[str, Any]]
# What the parts hand on: what RECORD will keep; and for the verifier the report as it came, the texts with placeholders
# where surrogates are written, and what it itself has read of the header.
_EMPTY = dict.fromkeys((*RECORD.names, "raw", "masked", "people", "identifiers"))


def each_row(table: pa.Table, parts: Mapping[str, RowFunction]) -> pa.Table:
    """RECORD rows of INDEX rows: ``parts`` in turn on every live row, as a dict, so that what only they may see is in
    no table; nor is what RECORD does not name, or a dropped row may not keep. A DropRecord that a part raises becomes
    the row's reason, the part's name its step; and so does an exception that nobody foresaw: FAILED, with the place in
    the code as its ``fault``. One file must not stop a million for ever.
    """
    rows: list[dict[str, Any]] = []
    for known in table.to_pylist():
        row = {**_EMPTY, **known}
        for name, fn in () if row["drop_reason"] else parts.items():
            clock_record()
            try:
                row = fn(row)
            except DropRecord as dropped:
                row |= {"drop_step": name, "drop_reason": dropped.reason.value}
                break
            except Exception as error:  # noqa: BLE001  counted, and said aloud when the run ends
                row |= {"fault": fault_of(error), "drop_step": name, "drop_reason": Reason.FAILED.value}
                break
        rows.append({name: row[name] for name in KEPT_OF_DROPPED} if row["drop_reason"] else row)
    return pa.Table.from_pylist(rows, RECORD)


_FEW = 2  # files of a partition that may be gone, and the share of them, before it is the archive that is
_SHARE = 4
_MANY = 8  # records of a partition that fail, being more than half of it, before it is no record's fate


def _reading_order(table: pa.Table) -> pa.Array | None:
    """The rows as they lie in their archives, so that each is read forwards; None where no row is in an archive."""
    inside = any(path is not None and archive_of(place(os.fsdecode(path))) for path in table["path"].to_pylist())
    return pc.sort_indices(table, [("path", "ascending")]) if inside else None


def _taken(records: pa.Table, rows: pa.Array | pa.ChunkedArray) -> pa.Table:
    """These rows, in runs of neighbours: taken one by one, images of over 2 GB would not fit one array."""
    order = rows.to_numpy()
    runs = np.split(order, np.flatnonzero(np.diff(order) != 1) + 1)
    return pa.concat_tables([records.slice(run[0], len(run)) for run in runs if len(run)] or [records])


def _stop_if_many(table: pa.Table, records: pa.Table) -> None:
    """SourceError where too many of the files are gone to call it a change; RunError where most records failed."""
    reasons = records["drop_reason"].to_pylist()
    failed = [f for f, r in zip(records["fault"].to_pylist(), reasons, strict=True) if r == Reason.FAILED.value]
    if len(failed) >= _MANY and 2 * len(failed) > len(reasons):
        raise RunError(f"{len(failed)} of {len(reasons)} records of a partition failed at {failed[0]}: a bug to report")
    changed = table.filter(pa.array([r == Reason.CHANGED.value for r in reasons], pa.bool_()))
    for name in dict.fromkeys(changed["source"].to_pylist()):
        gone = [path for path in _paths(changed, name) if not is_there(path)]
        if len(gone) > _FEW and _SHARE * len(gone) > len(paths := _paths(table, name)):
            raise SourceError(errno.ENOENT, name, out_of_reach(paths))


def _paths(table: pa.Table, source: str) -> list[Path]:
    """The image files of one source."""
    rows = zip(table["source"].to_pylist(), table["path"].to_pylist(), strict=True)
    return [place(os.fsdecode(path)) for name, path in rows if name == source and path is not None]


@dataclass(frozen=True)
class _Picture:
    rules: PictureRules
    secret: SecretSource

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["kind"] == "none":
            return row
        shown = [self._cleared({**row, **tile}) for tile in row["tiles"] or [row]]
        picture = shown[len(shown) // 2][0]  # of a montage, the one whose header speaks for it
        whole = compose([gated.pixels for _, gated in shown])
        pixels = whole if self.rules.pixels.side is None else resize(whole, self.rules.pixels.side)
        small = thumb(pixels)
        jpeg = self.rules.pixels.format == "jpeg"
        fresh = {
            "image": encode_jpeg(pixels, self.rules.pixels.quality) if jpeg else encode_png(pixels),
            "image_format": "jpg" if jpeg else "png",
            "width": pixels.shape[1],
            "height": pixels.shape[0],
            "bits": pixels.dtype.itemsize * 8,
            "channels": 1 if pixels.ndim == 2 else pixels.shape[2],
            "pixel_hash": pixel_hash(whole),
            "phash": thumb_hash(small),
            "thumb": small,
            **_painted(shown, whole.shape, pixels.shape),
            "actions": self._actions(row, sum(len(gated.regions) for _, gated in shown)),
        }
        if picture.dataset is not None:
            fresh |= attributes(picture.dataset, self.secret.pseudonymizer(), row["patient_id"])
            headers = [p.dataset for p, _ in shown if p.dataset is not None]
            header_values = (value for header in headers for value in identifying_values(header))
            fresh["phi"] = list(dict.fromkeys([*(row["phi"] or []), *header_values]))
            read = [search_values(source_identifiers(header), days=False) for header in headers]
            fresh["people"] = list(dict.fromkeys(chain(*(people for people, _ in read))))
            fresh["identifiers"] = list(dict.fromkeys(chain(*(values for _, values in read))))
        return {**row, **fresh}

    def _actions(self, row: dict[str, Any], regions: int) -> list[tuple[str, int]]:
        """What was blanked; and of a picture in which nothing was, whether the verifier is to read it all the same."""
        if regions:
            return [("blank pixels", regions)]
        if row["declared_clean"]:
            return [(DECLARED_CLEAN, 1)]
        looked = row["second_look"] and self.rules.policy.burned_in != "trust"
        return [(SECOND_LOOK, 1)] if looked else []

    def _cleared(self, row: dict[str, Any]) -> tuple[Picture, Gate]:
        """One file's frame and what the gate left of it: every tile of a montage passes alone, at its own size."""
        picture = self._load(row)
        policy = self.rules.policy
        if row["declared_clean"]:
            policy = replace(policy, burned_in="trust")
        if picture.dataset is not None:
            check_face(picture.dataset, policy)
        gated = gate(picture.pixels, picture.dataset, policy)
        if gated.reason is not None:
            raise DropRecord(gated.reason)
        return picture, gated

    def _load(self, row: dict[str, Any]) -> Picture:
        """The picture of the very file that was indexed: its report was chosen by what stood in its header.

        DropRecord CHANGED where it is gone, of another size, or says that it is another instance or patient; a plain
        image, which says nothing, where its time is another. SourceError where the archive cannot be read.
        """
        try:
            picture = patiently(lambda: self._read(row))
        except SourceError as error:
            raise SourceError(error.number, row["source"]) from None
        if picture.dataset is not None and "\\".join(identity_of(picture.dataset)) != row["identity"]:
            raise DropRecord(Reason.CHANGED)
        return picture

    def _read(self, row: dict[str, Any]) -> Picture:
        path, dicom = place(os.fsdecode(row["path"])), row["kind"] == "dicom"
        if not check_present(path):
            raise DropRecord(Reason.CHANGED)
        info = stat_source(path)
        if info.size != row["size"] or (not dicom and info.mtime_ns != row["mtime_ns"]):
            raise DropRecord(Reason.CHANGED)
        return (load_dicom if dicom else load_image)(path, row["frame"], self.rules.pixels)


def _painted(shown: Sequence[tuple[Picture, Gate]], whole: Sequence[int], written: Sequence[int]) -> dict[str, Any]:
    """Where text was painted over, in pixels of the written image of shape ``written``; ``whole``: before resizing."""
    places = tile_places([gated.pixels.shape for _, gated in shown])
    pairs = zip(shown, places, strict=True)
    boxes = [moved(box, gated.pixels.shape, place) for (_, gated), place in pairs for box in gated.regions]
    boxes = [moved(box, whole, (0, 0, written[1], written[0])) for box in boxes]
    return {
        "painted": [list(box) for box in boxes],
        "painted_share": area(boxes, written) / (written[0] * written[1]),
    }


def _without_strangers(source: str) -> str:
    """``source`` with the words that are taken for names only since no vocabulary knows them, in small letters: where
    the recipe lets those stay, that they stayed is no finding. Names that a title or a cue gives away are."""
    text = plain(source)
    called = {text[start:end] for start, end, _ in person_names(text, unknown=False)}
    strange = {text[start:end] for start, end in unknown_capitalised(text)} - called
    return re.sub(r"[^\W\d_]+", lambda word: word[0].lower() if word[0] in strange else word[0], source)


@dataclass(frozen=True)
class _Verify:
    """The verifier over what is about to be written; what it finds stays beside the row as codes, kept or not."""

    rules: PictureRules
    text: TextRules

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["declared_clean"]:
            return row
        found = self._found(row)
        row["findings"] = [f.value for f in found] or None
        reason = rejection_reason(found)
        if reason is not None:
            raise DropRecord(reason)
        return row

    def _found(self, row: dict[str, Any]) -> tuple[Finding, ...]:
        phi, whole = [*(row["phi"] or []), *(row["people"] or [])], row["identifiers"] or []
        texts: Sequence[str] = [row["text"], *(value for _, value in (row["sections"] or []) + (row["meta"] or []))]
        written = [*texts, *(str(row[n]) for n in ATTRIBUTES if row[n] is not None)]
        image = [row["image"]] if row["image"] else []
        sources = [row[name] for name in ("raw", "undecoded") if row[name]]  # what markup holds identifies, too
        if not self.text.vocabulary:
            sources = [_without_strangers(source) for source in sources]
        # A surrogate has the shape of what it replaced, so what shapes and cues find is sought in the masked text.
        found = findings([*(row["masked"] or written), *image], phi, sources, whole)
        if row["masked"]:
            found += findings(written, phi, whole=whole)
        done = dict(row["actions"] or ())
        if ("blank pixels" in done or SECOND_LOOK in done) and row["image"]:
            pixels = cv2.imdecode(np.frombuffer(row["image"], np.uint8), cv2.IMREAD_UNCHANGED)
            found += pixel_findings([np.asarray(pixels)], [*phi, *whole])
        return found
