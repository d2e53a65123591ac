"""Select by score. Reads only keys, scores and a few facts: changing the cut never touches an image.

The cut is taken over the train split. Validation and test keep every record: a filtered evaluation set would
measure the filter, not the model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.errors import RecipeError, RunError
from curate.export.choose import REASONS, Choice, decide_in_order
from curate.export.columns import columns_in, fixed_bytes, read_columns, read_slices, row_indices, take_rows
from curate.export.cut import combined
from curate.export.labels import Labels
from curate.export.repeat import key_words, uniform
from curate.export.rules import SelectRules
from curate.export.split import SPLITS, SplitRules
from curate.export.texts import TEXT_FROM, read_texts
from curate.places import place
from curate.record import SELECTION, Reason, conform, live

STEP = "select"
FACTS = ("modality", "body_part", "view", "sex", "age", "source")
_REASONS = (*REASONS, Reason.NO_TEXT_BELIEVED)
_SCORE = "the score"  # column name for `decide` of the score that is already combined


def cut_of(selection: pa.Table, rules: SelectRules) -> float | None:
    """The lowest kept train score, the threshold in the histogram. None if nothing was cut, or not by one threshold."""
    if not rules.cuts or rules.balance or rules.floor is not None:
        return None
    if rules.threshold is not None:
        return rules.threshold
    train = pc.equal(selection["split"], "train").to_numpy(zero_copy_only=False)
    scores = selection["score"].to_numpy(zero_copy_only=False)[live(selection) & train]
    return float(scores.min()) if len(scores) else None


@dataclass(frozen=True, eq=False)
class SelectPool:
    """What the cut is over: the records that dedup kept, in ingest order, which is that of their keys. ``split``
    int8[n] into SPLITS; ``scores`` float32[n] to cut by, NaN if there is none; ``columns`` that the rules read;
    ``chosen`` int8[n], the text as `Texts` says it; ``in_cut`` bool[n], whether the cut applies to the record;
    ``rejected`` bool[n], whether it is dropped because none of its texts is accepted; ``chance`` float64[n] where the
    rules repeat. No key: those are read again, a slice at a time, when the selection is written."""

    split: NDArray[np.int8]
    scores: NDArray[np.float32]
    columns: Mapping[str, Any]
    chosen: NDArray[np.int8]
    in_cut: NDArray[np.bool_]
    rejected: NDArray[np.bool_]
    chance: NDArray[np.float64] | None


@dataclass(frozen=True)
class SelectTask:
    """Records that dedup kept, their scores and their patients -> SELECTION, in ingest order.

    ``texts``: the folder of a step that proposed other texts (`curate.export.texts`), for the splits that are cut;
    ``unbelieved``: whether a record without an accepted text is dropped or keeps its own.
    """

    ingest: str
    dedup: str
    scores: str | None
    rules: SelectRules
    splits: SplitRules
    texts: str | None = None
    unbelieved: Literal["drop", "keep"] = "drop"

    def rows(self, partition: int) -> int:
        """The cut is global: one unit."""
        return 1

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Iterator[pa.Table]:
        """SELECTION rows of all records that dedup kept; RecipeError if a column that the rules name is missing."""
        pool = self.pool()
        return self._tables(pool, self.choice(pool))

    def candidates(self) -> Iterator[pa.Table]:
        """(key, partition) of the records that dedup kept, some partitions at a time; of none one empty table."""
        found = False
        for table in read_slices(place(self.dedup), ("key", "partition", "drop_reason")):
            kept = table.select(["key", "partition"]).filter(pa.array(live(table))).combine_chunks()
            if kept.num_rows:
                found = True
                yield kept
        if not found:
            yield kept

    def pool(self) -> SelectPool:
        """The candidates, read once; RecipeError if a column that the rules name is missing, RunError if they are not
        in the order of their keys, by which ties are broken."""
        pieces, last = [], b""
        for table in self.candidates():
            pieces.append(self._piece(table))
            last = _last_in_order(table["key"].combine_chunks(), last)
        columns, split, *others, chance = map(_joined, zip(*pieces, strict=True))
        chosen, in_cut, rejected = others
        return SelectPool(split, self._score(columns, in_cut), columns, chosen, in_cut, rejected, chance)

    def _piece(self, table: pa.Table) -> tuple[Any, ...]:
        """Of some `candidates`: columns, split, chosen, in_cut, rejected, chance."""
        keys, numbers = (table[name].combine_chunks() for name in ("key", "partition"))
        partitions = range(numbers[0].as_py(), numbers[-1].as_py() + 1) if len(keys) else range(0)
        facts = self._facts(keys, partitions)
        split = splits_of(facts["patient"], self.splits, facts["official_split"])
        in_cut = np.ones(len(keys), bool) if self.rules.filter_eval else split == SPLITS.index("train")
        texts = read_texts(self.texts, keys, partitions, in_cut)
        columns = texts.rescored(self._columns(keys, partitions, facts))
        rejected = texts.none_accepted if self.unbelieved == "drop" else np.zeros(len(keys), bool)
        chance = uniform(key_words(fixed_bytes(keys)), self.rules.seed) if self.rules.repeats > 1 else None
        return columns, split, texts.chosen, in_cut & ~rejected, rejected, chance

    def choice(self, pool: SelectPool) -> Choice:
        """The selection by these rules from the pool of a task whose rules differ only in the cut (keep, threshold,
        top_k)."""
        rows = np.flatnonzero(pool.in_cut)
        all_columns = {**pool.columns, _SCORE: pool.scores}
        take_rows = {n: c.take(rows) if isinstance(c, Labels) else c[rows] for n, c in all_columns.items()}
        chance = None if pool.chance is None else pool.chance[rows]
        choice = decide_in_order(take_rows, len(rows), chance, replace(self.rules, by=_SCORE))
        return _over_all(choice, pool.in_cut, pool.rejected)

    def _tables(self, pool: SelectPool, choice: Choice) -> Iterator[pa.Table]:
        end = 0
        for table in self.candidates():
            start, end = end, end + table.num_rows
            yield _table(table, pool, choice, slice(start, end))

    def _score(self, columns: Mapping[str, Any], among: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32[n] of all records, ranked among those to which the cut applies."""
        missing = isinstance(self.rules.by, str) and self.rules.by not in columns
        return np.full(len(among), np.nan, np.float32) if missing else combined(columns, self.rules.by, among)

    def _facts(self, keys: pa.Array, partitions: range) -> dict[str, pa.Array]:
        """Patients and subgroups of ``keys``, in their order."""
        always = ("patient", "official_split")
        coded = [n for n in (*FACTS, "official_split") if n != "age"]
        if not len(keys):
            return {name: pa.nulls(0, pa.string()) for name in (*always, *FACTS)}
        known = read_columns(place(self.ingest), ("key", *always, *FACTS), coded, partitions)
        rows = row_indices(keys, known["key"]) if known.num_columns else pa.nulls(len(keys))
        if rows is not None and rows.null_count:
            raise RunError(f"dedup names {rows.null_count} records that ingest does not have: delete its folder")
        wanted = {"age" if name == "age_band" else name for name in self.rules.fact_columns} | set(always)
        return {name: take_rows(known[name], rows) for name in (*always, *FACTS) if name in wanted}

    def _columns(self, keys: pa.Array, partitions: range, facts: Mapping[str, pa.Array]) -> dict[str, Any]:
        """The columns for `decide`: float32 scores, text columns as `Labels`, ages in years."""
        out: dict[str, Any] = {
            n: Labels.of(c) for n, c in facts.items() if n not in ("patient", "official_split", "age")
        }
        if "age" in facts:
            out["age"] = facts["age"].cast(pa.float32()).to_numpy(zero_copy_only=False)
        wanted = [*self.rules.score_columns, *(["findings"] if self.rules.reads_findings else [])]
        available = [n for n in columns_in(place(self.scores)) if not n.endswith("_embedding")] if self.scores else []
        if not available or not len(keys):  # nothing was scored, or there is nothing here
            empty = np.full(len(keys), np.nan, np.float32)
            no_findings = Labels(np.zeros(len(keys), np.int32), ("",))
            return out | {n: no_findings if n == "findings" else empty for n in wanted}
        if self.rules.by == "dfn" and not self.rules.cuts and "dfn" not in available:
            return out  # nothing is cut, and no score is named
        self._refuse_missing(wanted, available)
        coded = [n for n in available if n == "findings"]
        known = read_columns(place(self.scores or ""), available, coded, partitions)
        rows = row_indices(keys, known["key"])
        for name in wanted:
            column = take_rows(known[name], rows)
            text = name == "findings"
            out[name] = Labels.of(column) if text else column.cast(pa.float32()).to_numpy(zero_copy_only=False)
        return out

    def _refuse_missing(self, wanted: list[str], available: list[str]) -> None:
        missing = [name for name in wanted if name not in available]
        if missing:
            scores = ", ".join(name for name in available if name not in ("key", "findings")) or "none"
            fields = {"findings": "select.cap, balance or floor"} | dict.fromkeys(self.rules.all_of, "select.all_of")
            field = fields.get(missing[0], "select.by")
            fix = f"name one of {scores}" if missing[0] != "findings" else "add a filter that reads findings"
            raise RecipeError(field, f"the scores have no column '{missing[0]}'; there are {scores}", fix)


def splits_of(patients: pa.Array, rules: SplitRules, official: pa.Array | None = None) -> NDArray[np.int8]:
    """int8[n] into SPLITS: `split_of` for each patient pseudonym and the source's own split (null: none)."""
    digits = cast("pl.Series", pl.from_arrow(patients)).str.head(13)
    u = digits.str.to_integer(base=16, dtype=pl.Int64).to_numpy() / 16.0**13
    test, val = SPLITS.index("test"), SPLITS.index("val")
    split = np.select([u < rules.test, u < rules.test + rules.val], [test, val], SPLITS.index("train")).astype(np.int8)
    if official is None:
        return split
    declared = pc.index_in(official.cast(pa.string()), pa.array(SPLITS)).cast(pa.int8())
    return np.asarray(pc.coalesce(declared, pa.array(split)).to_numpy(zero_copy_only=False))


def _over_all(choice: Choice, among: NDArray[np.bool_], rejected: NDArray[np.bool_]) -> Choice:
    """Extend the choice from the rows of ``among`` to all rows: the others are kept, those ``rejected`` dropped."""
    reason, weight = np.zeros(len(among), np.int8), np.ones(len(among), np.float32)
    reason[among], weight[among] = choice.reason, choice.weight
    reason[rejected], weight[rejected] = _REASONS.index(Reason.NO_TEXT_BELIEVED), 0
    return Choice(reason == 0, weight, reason)


def _last_in_order(keys: pa.Array, before: bytes) -> bytes:
    """The last of ``keys``; RunError where they do not rise, or not from ``before``."""
    raw = fixed_bytes(keys)
    if len(raw) and not (before < raw[0] and (raw[:-1] < raw[1:]).all()):
        raise RunError("what dedup left is not in the order of its keys: delete its folder below steps, and run again")
    return bytes(raw[-1]) if len(raw) else before


def _joined(pieces: Sequence[Any]) -> Any:
    """Columns by name, arrays or `Labels` of all slices as those of one; None of none."""
    first = pieces[0]
    if isinstance(first, dict):
        return {name: _joined([piece[name] for piece in pieces]) for name in first}
    if isinstance(first, Labels):
        return Labels.joined(pieces)
    return None if first is None else np.concatenate(pieces)


def _table(candidates: pa.Table, pool: SelectPool, choice: Choice, here: slice) -> pa.Table:
    """SELECTION rows of the ``candidates``, which are those ``here`` in the pool."""
    dropped, chosen = pa.array(choice.reason[here], mask=choice.kept[here]), pool.chosen[here]
    columns = {
        "key": candidates["key"],
        "partition": candidates["partition"],
        "split": _decode(pa.array(pool.split[here]), SPLITS),
        "score": pa.array(pool.scores[here], pa.float32(), from_pandas=True),
        "weight": pa.array(choice.weight[here], pa.float32()),
        "text_from": _decode(pa.array(chosen, mask=chosen < 0), TEXT_FROM),
        "drop_step": pc.if_else(dropped.is_null(), pa.scalar(None, pa.string()), STEP),
        "drop_reason": _decode(dropped, [r.value if r else "" for r in _REASONS]),
    }
    return conform(pa.table(columns), SELECTION)


def _decode(codes: pa.Array, names: Collection[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(names), pa.string())).cast(pa.string())
