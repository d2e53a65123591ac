"""Which records are duplicates, and which one of each cluster stays.

Images first, a record at a time; then texts among what is left, a *document* at a time. A document is the rows of
one study with one text: a report shared by every image of its study is no duplicate there, and where the same report
belongs to two studies, one keeps all its images and the other loses all of them.

Links (exact and near, each within its scope) make connected components. In a component the best row by the declared
rule is kept, and the rows that match *it* directly are dropped; those that only match through others are weighed again
among themselves. So in a chain A ~ B ~ C with A !~ C, A and C stay and B is dropped: nothing is ever dropped for a
picture or a text that it does not itself resemble, and a drifting series cannot swallow itself.

The three looks - near pictures, equal pictures wherever they are, texts - each ask about rows that lie in one bucket
(of a patient, of a hash, of a text's critical words), so that each can be spread (`curate.dedup.job`). A row that an
earlier look dropped, whose representative a later one drops, points on to the row that is kept; its reason stays its
own link's. Everything happens in the order of the rule, so neither the order of rows nor the buckets change anything.

Records that an earlier run released (``held_out`` of `RELEASED`) come before all others and are never linked to one
another: each stays, and what matches any of them goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.dedup.cluster import Links, Rows, represent
from curate.dedup.exact import exact_pairs, text_hash
from curate.dedup.image import PIXELS, correlations, near_image_pairs
from curate.dedup.rules import DedupRules, Scope
from curate.dedup.text import MINHASH_SIZE, near_text_pairs, near_texts
from curate.record import DEDUP, Reason, conform, live

STEP = "dedup"
RELEASED = -1  # the rank of a record of an earlier run

_NONE, _NEAR, _EXACT = 0, 1, 2
# by the link that dropped a row: a picture's, then a text's
_REASONS = (
    "",
    Reason.NEAR_DUPLICATE_IMAGE.value,
    Reason.DUPLICATE_IMAGE.value,
    Reason.NEAR_DUPLICATE_TEXT.value,
    Reason.DUPLICATE_TEXT.value,
)


DECIDED = pa.schema([("key", pa.string()), ("stands", pa.string()), ("reason", pa.string())])  # of rows that go


def after_pictures(table: pa.Table, found: pa.Table, rules: DedupRules) -> pa.Table:
    """DEDUP of `ranked` rows ``table`` of which near pictures have ``found`` theirs: the looks that are left."""
    found = behind(found, same_records(table.filter(pa.array(live(found)))))
    for look in (equal_pictures, same_texts):
        found = behind(found, look(table.filter(pa.array(live(found))), rules))
    return found


def ranked(table: pa.Table) -> pa.Table:
    """``table`` with what `DedupRules.keep` ranks by: ``held_out`` (0: in the source's test split, 1: val, 2: neither),
    ``length`` of the text, ``pixels``."""
    pixels = pc.multiply(table["width"].cast(pa.int64()), table["height"].cast(pa.int64()))
    table = table.append_column("held_out", _held_out(table))
    table = table.append_column("length", pc.fill_null(pc.utf8_length(table["text"]), 0).cast(pa.int32()))
    return table.append_column("pixels", pc.fill_null(pixels, 0))


def alone(keys: pa.ChunkedArray) -> pa.Table:
    """DEDUP of records none of which is anything's duplicate."""
    return conform(pa.table({"key": keys, "cluster": keys}), DEDUP)


def behind(table: pa.Table, decided: pa.Table) -> pa.Table:
    """DEDUP rows ``table`` after one look more: what it ``decided`` (DECIDED; what ``stands`` for itself goes for none)
    is dropped, and what stood behind it stands behind what it goes for."""
    cluster = table["cluster"].combine_chunks()
    place = pc.index_in(cluster, value_set=decided["key"])
    cluster = pc.coalesce(decided["stands"].combine_chunks().take(place), cluster)
    mine = pc.index_in(table["key"].combine_chunks(), value_set=decided["key"])
    reason = pc.coalesce(table["drop_reason"].combine_chunks(), decided["reason"].combine_chunks().take(mine))
    dropped, none = pc.is_valid(reason), pa.scalar(None, pa.string())
    duplicate = pc.and_(dropped, pc.not_equal(cluster, table["key"].combine_chunks()))
    columns = {"key": table["key"], "partition": table["partition"], "cluster": cluster, "drop_reason": reason}
    columns |= {"duplicate_of": pc.if_else(duplicate, cluster, none), "drop_step": pc.if_else(dropped, STEP, none)}
    return conform(pa.table(columns), DEDUP)


def _decided(best: pa.Table, parent: Rows, reason: npt.NDArray[np.int8]) -> pa.Table:
    """DECIDED: the rows with a ``reason`` (a place in `_REASONS`) and their ``parent``."""
    gone = np.flatnonzero(reason)
    keys = best["key"].combine_chunks()
    names = pa.DictionaryArray.from_arrays(pa.array(reason[gone]), pa.array(_REASONS)).cast(pa.string())
    columns = {"key": keys.take(pa.array(gone)), "stands": keys.take(pa.array(parent[gone])), "reason": names}
    return pa.table(columns, schema=DECIDED)


def _best_first(table: pa.Table, keep: str) -> pa.Table:
    """The `ranked` rows, from the best to the worst: from here on a lower row is the better one."""
    return table.take(pa.array(_best_order(table, keep)))


def _best_order(table: pa.Table, keep: str) -> Rows:
    by = [("length", "descending"), ("pixels", "descending")] if keep == "best" else []
    order = [("held_out", "ascending"), *by, ("key", "ascending")]
    found = pc.sort_indices(table.select([name for name, _ in order]), sort_keys=order)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _released(table: pa.Table) -> npt.NDArray[np.bool_]:
    return np.asarray(table["held_out"].to_numpy() == RELEASED, dtype=np.bool_)


_HELD_OUT = ("test", "val")


def _held_out(table: pa.Table) -> pa.Array:
    if "official_split" not in table.column_names:
        return pa.array(np.full(table.num_rows, len(_HELD_OUT), np.int8))
    places = pc.index_in(table["official_split"].cast(pa.string()), pa.array(_HELD_OUT))
    return pc.fill_null(places, len(_HELD_OUT)).cast(pa.int8())


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


def same_records(table: pa.Table) -> pa.Table:
    """DECIDED of `ranked` rows: those whose key a released record has; such a one's own is RUN/KEY."""
    released = pa.array(_released(table))
    before = table.filter(released)["key"].combine_chunks()
    bare = pc.replace_substring_regex(before, "^.*/", "")
    mine = table.filter(pc.invert(released))["key"].combine_chunks()
    found = pc.index_in(mine, value_set=bare)
    again = pc.is_valid(found)
    columns = {"key": mine.filter(again), "stands": before.take(found.filter(again))}
    return conform(pa.table({**columns, "reason": pa.repeat(Reason.RELEASED.value, len(columns["key"]))}), DECIDED)


def near_pictures(table: pa.Table, rules: DedupRules) -> pa.Table:
    """DECIDED of `ranked` rows: near pictures within their scope, and equal ones where both scopes allow it."""
    if rules.image_near == "off":
        return DECIDED.empty_table()
    best = _best_first(table, rules.keep)
    if rules.image_exact == "archive":  # beyond the scope of near ones is for `equal_pictures`
        rules = rules.model_copy(update={"image_exact": rules.image_near})
    return _decided(best, *_image_links(best, rules))


def equal_pictures(table: pa.Table, rules: DedupRules) -> pa.Table:
    """DECIDED of `ranked` rows that near pictures have left: the best of all that are one picture stays."""
    if rules.image_exact == "off":
        return DECIDED.empty_table()
    best = _best_first(table.select(["key", "patient", "pixel_hash", "held_out", "length", "pixels"]), rules.keep)
    group = _group(_ids(best["patient"], unknown_alone=True), rules.image_exact)
    pairs = exact_pairs(_ids(best["pixel_hash"]), group)
    pairs = pairs[~_released(best)[pairs[:, 1]]]
    parent, link = np.arange(best.num_rows), np.zeros(best.num_rows, dtype=np.int8)
    parent[pairs[:, 1]], link[pairs[:, 1]] = pairs[:, 0], _EXACT
    return _decided(best, parent, link)


def _image_links(table: pa.Table, rules: DedupRules) -> tuple[Rows, Links]:
    """(int64[n] the row each row stands behind, int8[n] by which link)."""
    n = table.num_rows
    patients = _ids(table["patient"], unknown_alone=True)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    exact_group, near_group = _group(patients, rules.image_exact), _group(patients, rules.image_near)
    hashes = _ids(table["pixel_hash"]) if rules.image_exact != "off" else np.full(n, -1, dtype=np.int64)
    pairs.append(exact_pairs(hashes, exact_group))
    pictured, phash, thumbs = pictures_of(table)
    rows = np.flatnonzero(pictured)
    group = None if near_group is None else near_group[rows]
    pairs.append(rows[near_image_pairs(phash, thumbs, rules.distance, rules.correlation, group)])
    place = np.cumsum(pictured) - 1  # row of the table -> row of phash and thumbs
    released = _released(table)

    def match(reps: Rows, members: Rows) -> Links:
        apart = ~released[members]
        exact = apart & (hashes[reps] >= 0) & (hashes[reps] == hashes[members])
        exact &= _together(exact_group, reps, members)
        near_by = apart & ~exact & _together(near_group, reps, members)
        test = np.flatnonzero(pictured[reps] & pictured[members] & near_by)
        both = np.stack([place[reps[test]], place[members[test]]], axis=1)
        close = np.bitwise_count(phash[both[:, 0]] ^ phash[both[:, 1]]) <= rules.distance
        test, both = test[close], both[close]
        near = np.zeros(len(reps), dtype=bool)
        near[test[correlations(thumbs, both) >= rules.correlation]] = True
        return np.where(exact, _EXACT, np.where(near, _NEAR, _NONE)).astype(np.int8)

    return represent(n, np.concatenate(pairs), match)


def pictures_of(table: pa.Table) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(bool[n] which rows have a picture, uint64[m] their hashes, uint8[m, 1024] their thumbnails)."""
    has = pc.and_(pc.is_valid(table["phash"]), pc.is_valid(table["thumb"]))
    pictured = has.to_numpy().astype(bool)
    phash = table["phash"].filter(has).cast(pa.uint64()).to_numpy()
    thumbs = _packed(table["thumb"], np.flatnonzero(pictured), PIXELS)
    return pictured, np.asarray(phash, dtype=np.uint64), thumbs


def _packed(column: pa.ChunkedArray, rows: Rows, width: int) -> npt.NDArray[np.uint8]:
    """uint8[m, width]: the bytes of some ``rows`` of a binary column, none of them null and all of one width."""
    out = np.empty((len(rows), width), dtype=np.uint8)
    order = np.argsort(rows)
    starts = np.cumsum([0, *map(len, column.chunks)])
    ends = np.searchsorted(rows[order], starts)
    for chunk, start, (first, last) in zip(column.chunks, starts.tolist(), pairwise(ends.tolist()), strict=False):
        here = order[first:last]
        values = chunk.take(pa.array(rows[here] - start))
        out[here] = np.frombuffer(values.buffers()[2] or b"", np.uint8)[: len(here) * width].reshape(-1, width)
    return out


class _Texts(Sequence[str]):
    """Some ``rows`` of a text column; a value becomes a string where it is asked for."""

    def __init__(self, column: pa.ChunkedArray, rows: Rows) -> None:
        self.chunks, self.rows = column.chunks, rows
        self.starts = np.cumsum([0, *map(len, self.chunks)])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: Any) -> Any:
        at = int(self.rows[row])
        chunk = int(np.searchsorted(self.starts, at, side="right")) - 1
        return self.chunks[chunk][at - int(self.starts[chunk])].as_py()


@dataclass(frozen=True)
class _Documents:
    """The rows of one study with one text, as one: texts and signatures a document, best document first."""

    of_row: Rows  # int64[n]: the row's document; -1 without a text
    first: Rows  # int64[d]: each document's best row
    study: Rows
    patient: Rows
    text_id: Rows
    released: npt.NDArray[np.bool_]
    texts: Sequence[str]
    signatures: npt.NDArray[np.uint32]


def _documents(table: pa.Table, order: Rows) -> _Documents:
    """Those of ``table``, taken in ``order``; what is long stays where it is, but for each document's signature."""
    long = table.select(["text", "minhash"])
    table = table.select(["study", "patient", "text_hash", "held_out"]).take(pa.array(order))
    studies, texts = _ids(table["study"], unknown_alone=True), _ids(table["text_hash"])
    rows = np.flatnonzero(has_text(table))
    both = studies[rows] * len(table) + texts[rows]
    _, first, place = np.unique(both, return_index=True, return_inverse=True)
    by_rank = np.argsort(first, kind="stable")
    of_row = np.full(table.num_rows, -1, dtype=np.int64)
    of_row[rows] = np.argsort(by_rank, kind="stable")[place]
    best = rows[first[by_rank]]
    return _Documents(
        of_row=of_row,
        first=best,
        study=studies[best],
        patient=_ids(table["patient"], unknown_alone=True)[best],
        text_id=texts[best],
        released=_released(table)[best],
        texts=_Texts(long["text"], order[best]),
        signatures=_packed(long["minhash"], order[best], 4 * MINHASH_SIZE).view("<u4"),
    )


def has_text(table: pa.Table) -> npt.NDArray[np.bool_]:
    """bool[n]: which rows have a text that says anything."""
    known = pc.and_(pc.not_equal(table["text_hash"], text_hash("")), pc.not_equal(table["text_hash"], ""))
    return np.asarray(pc.fill_null(known, False).to_numpy(), dtype=bool)


def same_texts(table: pa.Table, rules: DedupRules) -> pa.Table:
    """DECIDED of `ranked` rows that pictures have left: those of documents that go, each behind the best row of the
    document that stays."""
    if rules.text_exact == "off" and rules.text_near == "off":
        return DECIDED.empty_table()
    order = _best_order(table, rules.keep)
    docs = _documents(table, order)
    best = table.select(["key"]).take(pa.array(order))
    del table  # its signatures are in ``docs``
    document, link = _document_links(docs, rules)
    parent, reason = np.arange(best.num_rows), np.zeros(best.num_rows, dtype=np.int8)
    rows = np.flatnonzero(docs.of_row >= 0)
    rows = rows[link[docs.of_row[rows]] > 0]
    mine = docs.of_row[rows]
    parent[rows], reason[rows] = docs.first[document[mine]], link[mine] + _EXACT
    return _decided(best, parent, reason)


def _document_links(docs: _Documents, rules: DedupRules) -> tuple[Rows, Links]:
    pairs = [np.empty((0, 2), dtype=np.int64)]
    exact_group, near_group = _group(docs.patient, rules.text_exact), _group(docs.patient, rules.text_near)
    if rules.text_exact != "off":
        pairs.append(exact_pairs(docs.text_id, exact_group))
    if rules.text_near != "off":
        pairs.append(near_text_pairs(docs.signatures, docs.texts, docs.text_id, rules.jaccard, near_group))

    def match(reps: Rows, members: Rows) -> Links:
        apart = (docs.study[reps] != docs.study[members]) & ~docs.released[members]
        exact = apart & (docs.text_id[reps] == docs.text_id[members]) & _together(exact_group, reps, members)
        exact &= rules.text_exact != "off"
        near = np.zeros(len(reps), dtype=bool)
        if rules.text_near != "off":
            test = np.flatnonzero(apart & ~exact & _together(near_group, reps, members))
            both = np.stack([reps[test], members[test]], axis=1)
            near[test] = near_texts(docs.signatures, docs.texts, both, rules.jaccard)
        return np.where(exact, _EXACT, np.where(near, _NEAR, _NONE)).astype(np.int8)

    return represent(len(docs.first), np.concatenate(pairs), match)
