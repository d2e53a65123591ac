"""Which records are duplicates, and which one of each cluster stays.

Images first, a record at a time; then texts among what is left, a *document* at a time. A document is the rows of
one study with one text: a report shared by every image of its study is no duplicate there, and where the same report
belongs to two studies, one keeps all its images and the other loses all of them.

Links (exact and near, each within its scope) make connected components. In a component the best row by the declared
rule is kept, and the rows that match *it* directly are dropped; those that only match through others are weighed again
among themselves. So in a chain A ~ B ~ C with A !~ C, A and C stay and B is dropped: nothing is ever dropped for a
picture or a text that it does not itself resemble, and a drifting series cannot swallow itself.

A row that is dropped for an image, whose representative is then dropped for its text, points on to the row that is
kept; its reason stays its own link's. Everything happens in the order of the rule, so the order of rows changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.cluster import Links, Rows, represent
from curate.dedup.exact import exact_pairs, pixel_hash, text_hash
from curate.dedup.image import PIXELS, correlations, near_image_pairs, thumb, thumb_hash
from curate.dedup.rules import DedupRules, Scope
from curate.dedup.text import MINHASH_SIZE, near_text_pairs, near_texts, text_signature
from curate.record import DEDUP, Reason, conform

STEP = "dedup"

_NONE, _NEAR, _EXACT = 0, 1, 2
# by the link that dropped a row: a picture's, then a text's
_REASONS = (
    "",
    Reason.NEAR_DUPLICATE_IMAGE.value,
    Reason.DUPLICATE_IMAGE.value,
    Reason.NEAR_DUPLICATE_TEXT.value,
    Reason.DUPLICATE_TEXT.value,
)


def signatures(pixels: np.ndarray | None, text: str) -> dict[str, object]:
    """The signature columns of one record: pixel_hash, phash, thumb (None without pixels), text_hash, minhash."""
    image: dict[str, object] = {"pixel_hash": None, "phash": None, "thumb": None}
    if pixels is not None:
        small = thumb(pixels)
        image = {"pixel_hash": pixel_hash(pixels), "phash": thumb_hash(small), "thumb": small}
    said, signed = text_signature(text)
    return {**image, "text_hash": said, "minhash": signed}


def resolve(table: pa.Table, rules: DedupRules) -> pa.Table:
    """`curate.record.DEDUP` of the live records ``table``, rows in its order; independent of that order.

    table: columns key (unique, or ValueError), patient, study, width, height, text, pixel_hash, phash, thumb,
    text_hash, minhash, and where the source declares splits official_split. Image columns are null for a record of text
    alone. ``cluster`` and ``duplicate_of`` name a kept row.
    """
    order = _order(table, rules.keep)
    best = table.take(pa.array(order))  # from here on a lower row is the better one
    parent, image_link = _image_links(best, rules)
    parent, text_link = _text_links(best, rules, parent)
    said = np.where(image_link > 0, image_link, np.where(text_link > 0, text_link + _EXACT, 0)).astype(np.int8)
    keys, dropped = best["key"].combine_chunks(), pa.array(said > 0)
    stands = keys.take(pa.array(parent))
    reasons = pa.DictionaryArray.from_arrays(pa.array(said, mask=said == 0), pa.array(_REASONS)).cast(pa.string())
    columns = {
        "key": keys,
        "cluster": stands,
        "duplicate_of": pc.if_else(dropped, stands, pa.scalar(None, pa.string())),
        "drop_step": pc.if_else(dropped, pa.scalar(STEP), pa.scalar(None, pa.string())),
        "drop_reason": reasons,
    }
    return conform(pa.table(columns).take(pa.array(np.argsort(order, kind="stable"))), DEDUP)


def _order(table: pa.Table, keep: str) -> Rows:
    """int64[n]: the rows from the best to the worst."""
    if pc.count_distinct(table["key"]).as_py() != table.num_rows:
        raise ValueError("keys repeat: every record has one row")
    pixels = pc.multiply(table["width"].cast(pa.int64()), table["height"].cast(pa.int64()))
    ranked = pa.table(
        {
            "text": pc.fill_null(pc.utf8_length(table["text"]), 0),
            "pixels": pc.fill_null(pixels, 0),
            "key": table["key"],
            "split": _held_out(table),
        }
    )
    by = [("text", "descending"), ("pixels", "descending")] if keep == "best" else []
    return np.asarray(
        pc.sort_indices(ranked, sort_keys=[("split", "ascending"), *by, ("key", "ascending")]), dtype=np.int64
    )


_HELD_OUT = ("test", "val")


def _held_out(table: pa.Table) -> pa.Array:
    """0 for a row of the official test split, 1 for val, 2 for any other."""
    if "official_split" not in table.column_names:
        return pa.array(np.full(table.num_rows, len(_HELD_OUT)))
    places = pc.index_in(table["official_split"].cast(pa.string()), pa.array(_HELD_OUT))
    return pc.fill_null(places, len(_HELD_OUT))


def _ids(column: pa.ChunkedArray, unknown_alone: bool = False) -> Rows:
    """int64[n]: equal where the strings are; null or empty is -1, or with ``unknown_alone`` an id of its own."""
    codes = pc.dictionary_encode(pc.if_else(pc.equal(column, ""), None, column)).combine_chunks()
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    ids: Rows = pc.fill_null(codes.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False).copy()
    if unknown_alone:
        unknown = ids < 0
        ids[unknown] = len(ids) + np.flatnonzero(unknown)
    return ids


def _group(patients: Rows, scope: Scope) -> Rows | None:
    return patients if scope == "patient" else None


def _together(group: Rows | None, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
    if group is None:
        return np.ones(len(left), dtype=np.bool_)
    return np.asarray(group[left] == group[right], dtype=np.bool_)


def _image_links(table: pa.Table, rules: DedupRules) -> tuple[Rows, Links]:
    """(int64[n] the row each row stands behind, int8[n] by which link)."""
    n = table.num_rows
    patients = _ids(table["patient"], unknown_alone=True)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    exact_group, near_group = _group(patients, rules.image_exact), _group(patients, rules.image_near)
    hashes = _ids(table["pixel_hash"]) if rules.image_exact != "off" else np.full(n, -1, dtype=np.int64)
    pairs.append(exact_pairs(hashes, exact_group))
    pictured = np.zeros(n, dtype=bool)
    phash, thumbs = np.zeros(0, dtype=np.uint64), np.zeros((0, PIXELS), dtype=np.uint8)
    if rules.image_near != "off":
        pictured, phash, thumbs = _pictures(table)
        rows = np.flatnonzero(pictured)
        group = None if near_group is None else near_group[rows]
        pairs.append(rows[near_image_pairs(phash, thumbs, rules.distance, rules.correlation, group)])
    place = np.cumsum(pictured) - 1  # row of the table -> row of phash and thumbs

    def match(reps: Rows, members: Rows) -> Links:
        exact = (hashes[reps] >= 0) & (hashes[reps] == hashes[members]) & _together(exact_group, reps, members)
        test = np.flatnonzero(pictured[reps] & pictured[members] & _together(near_group, reps, members) & ~exact)
        both = np.stack([place[reps[test]], place[members[test]]], axis=1)
        close = np.bitwise_count(phash[both[:, 0]] ^ phash[both[:, 1]]) <= rules.distance
        test, both = test[close], both[close]
        near = np.zeros(len(reps), dtype=bool)
        near[test[correlations(thumbs, both) >= rules.correlation]] = True
        return np.where(exact, _EXACT, np.where(near, _NEAR, _NONE)).astype(np.int8)

    return represent(n, np.concatenate(pairs), match)


def _pictures(table: pa.Table) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(bool[n] which rows have a picture, uint64[m] their hashes, uint8[m, 1024] their thumbnails)."""
    has = pc.and_(pc.is_valid(table["phash"]), pc.is_valid(table["thumb"]))
    some = table.select(["phash", "thumb"]).filter(has)
    phash = some["phash"].cast(pa.uint64()).to_numpy()
    thumbs = _packed(some["thumb"]).reshape(len(phash), PIXELS)
    return has.to_numpy().astype(bool), np.asarray(phash, dtype=np.uint64), thumbs


def _packed(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """uint8[...]: the bytes of a binary column without nulls, one value after the other."""
    found = [np.empty(0, dtype=np.uint8)]
    for chunk in column.chunks:
        ends = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        found.append(np.frombuffer(chunk.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]] if len(chunk) else found[0])
    return np.concatenate(found)


class _Texts(Sequence[str]):
    """A text column; a value becomes a string where it is asked for."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column.cast(pa.large_string()).combine_chunks()

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, row: Any) -> Any:
        return self.column[row].as_py()


@dataclass(frozen=True)
class _Documents:
    """The rows of one study with one text, as one: texts and signatures a document, best document first."""

    of_row: Rows  # int64[n]: the row's document; -1 without a text, or where the row is dropped already
    first: Rows  # int64[d]: each document's best row
    study: Rows
    patient: Rows
    text_id: Rows
    texts: Sequence[str]
    signatures: npt.NDArray[np.uint32]


def _documents(table: pa.Table, kept: npt.NDArray[np.bool_]) -> _Documents:
    studies, texts = _ids(table["study"], unknown_alone=True), _ids(table["text_hash"])
    spoken = pc.fill_null(pc.not_equal(table["text_hash"], text_hash("")), False).to_numpy().astype(bool)
    rows = np.flatnonzero(kept & spoken & (texts >= 0))
    _, first, place = np.unique(np.stack([studies[rows], texts[rows]]), axis=1, return_index=True, return_inverse=True)
    by_rank = np.argsort(first, kind="stable")
    of_row = np.full(table.num_rows, -1, dtype=np.int64)
    of_row[rows] = np.argsort(by_rank, kind="stable")[place.ravel()]
    best = rows[first[by_rank]]
    some = table.select(["text", "minhash"]).take(pa.array(best))
    packed = _packed(some["minhash"]).view("<u4").astype(np.uint32)
    return _Documents(
        of_row=of_row,
        first=best,
        study=studies[best],
        patient=_ids(table["patient"], unknown_alone=True)[best],
        text_id=texts[best],
        texts=_Texts(some["text"]),
        signatures=packed.reshape(len(best), MINHASH_SIZE),
    )


def _text_links(table: pa.Table, rules: DedupRules, parent: Rows) -> tuple[Rows, Links]:
    """``parent`` with the rows of dropped documents behind the best row of the kept one; int8[n] by which link."""
    none = np.zeros(len(parent), dtype=np.int8)
    if rules.text_exact == "off" and rules.text_near == "off":
        return parent, none
    docs = _documents(table, parent == np.arange(len(parent)))
    document, link = _document_links(docs, rules)
    behind = docs.of_row >= 0
    mine = docs.of_row[behind]
    dropped = np.flatnonzero(behind)[link[mine] > 0]
    parent, links = parent.copy(), none
    parent[dropped] = docs.first[document[docs.of_row[dropped]]]
    links[dropped] = link[docs.of_row[dropped]]
    return parent[parent], links


def _document_links(docs: _Documents, rules: DedupRules) -> tuple[Rows, Links]:
    pairs = [np.empty((0, 2), dtype=np.int64)]
    exact_group, near_group = _group(docs.patient, rules.text_exact), _group(docs.patient, rules.text_near)
    if rules.text_exact != "off":
        pairs.append(exact_pairs(docs.text_id, exact_group))
    if rules.text_near != "off":
        pairs.append(near_text_pairs(docs.signatures, docs.texts, rules.jaccard, near_group, docs.text_id))

    def match(reps: Rows, members: Rows) -> Links:
        apart = docs.study[reps] != docs.study[members]
        exact = apart & (docs.text_id[reps] == docs.text_id[members]) & _together(exact_group, reps, members)
        exact &= rules.text_exact != "off"
        near = np.zeros(len(reps), dtype=bool)
        if rules.text_near != "off":
            test = np.flatnonzero(apart & ~exact & _together(near_group, reps, members))
            both = np.stack([reps[test], members[test]], axis=1)
            near[test] = near_texts(docs.signatures, docs.texts, both, rules.jaccard)
        return np.where(exact, _EXACT, np.where(near, _NEAR, _NONE)).astype(np.int8)

    return represent(len(docs.first), np.concatenate(pairs), match)
