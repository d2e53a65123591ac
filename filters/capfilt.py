"""CapFilt (BLIP, arXiv 2201.12086, section 3.3): the captioner proposes a text, the matching head judges both.

A record's row depends on its key, its image and the filter's folder alone: what is drawn is drawn by the key. The
captioner has only ever read de-identified texts; and a proposal that repeats a sentence of fewer than `least_groups`
patients word for word is withheld, so that no rare report comes back under another patient's image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.record import conform
from filters.method import Batch, read_card
from filters.model import filter_hash
from filters.score import Needs, prepare
from filters.task import Pool

if TYPE_CHECKING:
    from filters.methods.blip import Blip

CAPFILT = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("synthetic", pa.string()),  # null where none was made, or it was withheld
        pa.field("itm_original", pa.float32()),  # log-odds of the matching head
        pa.field("itm_synthetic", pa.float32()),
        pa.field("chosen", pa.string(), nullable=False),  # original | synthetic | none
        pa.field("withheld", pa.string()),  # why there is no synthetic text: empty | rare | undecodable
        pa.field("provenance", pa.string()),  # JSON: the model's hash and the rules, where there is a synthetic text
    ]
)


@dataclass(frozen=True)
class CapfiltRules:
    """How texts are proposed and chosen.

    ``decoder``: nucleus sampling at ``top_p``, the paper's choice, or beam search. ``shortest`` and ``longest`` are in
    tokens. ``threshold``: the log-odds at which a text is believed. A believed original stays unless ``better`` is set
    and the synthetic text is believed by that much more. ``least_groups``: a sentence seen in fewer patients'
    training texts may not be repeated; 0 allows it.
    """

    decoder: Literal["nucleus", "beam"] = "nucleus"
    top_p: float = 0.9
    beams: int = 3
    shortest: int = 5
    longest: int = 60
    threshold: float = 0.0
    better: float | None = None
    least_groups: int = 8
    seed: int = 0


def capfilt(model: Blip, keys: Sequence[str], batch: Batch, rules: CapfiltRules, provenance: str = "") -> pa.Table:
    """`CAPFILT` rows of n records, in their order. RecipeError where the filter has no captioner.

    An image that did not decode has no scores and is chosen as nothing; what is wrong with it is the scores' to say.
    """
    from filters.methods.blip_write import propose  # torch, only where texts are written

    if model.net.captioner is None:
        raise RecipeError("capfilt", "this BLIP has no captioner", "train it (epochs > 0), or give captioner")
    if len(keys) != len(batch.texts):
        raise ValueError(f"{len(keys)} keys for {len(batch.texts)} texts")
    n = len(keys)
    synthetic: list[str | None] = [None] * n
    withheld: list[str | None] = [None if v else "undecodable" for v in batch.valid]
    scores = np.full((2, n), np.nan, np.float32)
    rows: list[int] = np.flatnonzero(batch.valid).tolist()
    if rows:
        pixels = batch.pixels(model.net.side)[rows]
        scores[0, rows] = model.judge(pixels, [batch.texts[i] for i in rows])
        for i, text in zip(rows, propose(model, [keys[i] for i in rows], pixels, rules), strict=True):
            synthetic[i], withheld[i] = _admit(text, model, rules)
        written = [i for i in rows if synthetic[i] is not None]
        if written:
            texts = [str(synthetic[i]) for i in written]
            scores[1, written] = model.judge(batch.pixels(model.net.side)[written], texts)
    table = pa.table(
        {
            "key": pa.array(list(keys), pa.string()),
            "synthetic": pa.array(synthetic, pa.string()),
            "itm_original": pa.array(scores[0], from_pandas=True),
            "itm_synthetic": pa.array(scores[1], from_pandas=True),
            "chosen": pa.array(choose(scores[0], scores[1], rules), pa.string()),
            "withheld": pa.array(withheld, pa.string()),
            "provenance": pa.array([provenance if s is not None else None for s in synthetic], pa.string()),
        }
    )
    return conform(table, CAPFILT)


def _admit(text: str, model: Blip, rules: CapfiltRules) -> tuple[str | None, str | None]:
    """The text, or None and why it is withheld."""
    if not any(c.isalpha() for c in text):
        return None, "empty"
    rarest = model.rarest(text)
    return (None, "rare") if rarest is not None and rarest < rules.least_groups else (text, None)


def choose(original: NDArray[np.float32], synthetic: NDArray[np.float32], rules: CapfiltRules) -> list[str]:
    """ "original", "synthetic" or "none" for each of n records; NaN is believed of nothing."""
    own, made = original >= rules.threshold, synthetic >= rules.threshold
    if rules.better is not None:
        own &= ~(made & (synthetic - original >= rules.better))
    return ["original" if o else "synthetic" if m else "none" for o, m in zip(own, made, strict=True)]


def provenance_of(folder: Path, rules: CapfiltRules) -> str:
    """What a synthetic text says of where it comes from: the method, the filter's hash, the rules; sorted JSON."""
    said = {"method": "capfilt", "filter": filter_hash(folder), "rules": asdict(rules)}
    return json.dumps(said, sort_keys=True)


@dataclass(frozen=True)
class CapfiltTask:
    """Every pair that dedup kept is proposed a text and judged, by key: shaped as `filters.task.ScoreTask`."""

    pool: Pool
    folder: str
    batch: int
    rules: CapfiltRules = CapfiltRules()
    device: str = "cpu"

    def rows(self, partition: int) -> int:
        """Records of the partition."""
        return int(self.pool.read(partition, ["key"]).num_rows)

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        """The partition on one process, without an engine."""
        model = self.model()
        return self.assemble(partition, [model(b) for b in self.prepare(partition)])

    def prepare(self, partition: int) -> Iterator[Any]:
        """(keys, `Batch`) of at most ``batch`` decoded pairs; text-only records have none."""
        table = self._paired(partition, ["key", "image", "text"])
        keys: list[str] = table["key"].to_pylist()
        needs = Needs((int(read_card(Path(self.folder))["preprocessing"]["side"]),))
        batches = prepare(table["image"].to_pylist(), table["text"].to_pylist(), needs, self.batch)
        for start, batch in zip(range(0, len(keys), self.batch), batches, strict=True):
            yield keys[start : start + self.batch], batch

    def model(self) -> Callable[[Any], Any]:
        """The filter, loaded once a process or actor, as a function of what `prepare` yields."""
        from filters.methods import blip

        loaded = blip.load(Path(self.folder), self.device)
        said = provenance_of(Path(self.folder), self.rules)
        return lambda part: capfilt(loaded, part[0], part[1], self.rules, said)

    def assemble(self, partition: int, results: Iterable[Any]) -> pa.Table:
        """`CAPFILT` rows of the partition's pairs."""
        return pa.concat_tables([CAPFILT.empty_table(), *results])

    def _paired(self, partition: int, columns: Sequence[str]) -> pa.Table:
        table = self.pool.read(partition, list(dict.fromkeys([*columns, "pixel_hash"])))
        return table.filter(table["pixel_hash"].is_valid())
