"""CapFilt (BLIP, arXiv 2201.12086, section 3.3): the captioner proposes a text, the matching head judges both.

As a step of a run it comes after `score`, and gives what it proposed the scores of every filter as well, so that the
cut is over the pairs as they will be. A record's row depends on its key, its image and the filter's folder alone: what
is drawn is drawn by the key. The captioner has only ever read de-identified texts; and a proposal that repeats a
sentence of fewer than `min_groups` patients word for word is withheld, so that no rare report comes back under
another patient's image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from curate.errors import RecipeError
from curate.export.texts import RESCORED
from curate.places import place
from curate.record import conform
from curate.storage import local_folder
from filters.findings import concept
from filters.method import Batch, filter_hash, method_of, read_card
from filters.registry import CapfiltRules
from filters.score import DECIMALS, Scorer
from filters.task import FINDINGS, ScoreTask, refuse

if TYPE_CHECKING:
    from filters.methods.blip.method import Blip

CAPFILT = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("synthetic", pa.string()),  # null where none was made, or it was withheld
        pa.field("itm_original", pa.float32()),  # log-odds of the matching head
        pa.field("itm_synthetic", pa.float32()),
        pa.field("chosen", pa.string(), nullable=False),  # original | synthetic | none
        pa.field("believed", pa.bool_(), nullable=False),  # the synthetic text, whether or not it is the one chosen
        pa.field("withheld", pa.string()),  # why there is no synthetic text: empty | rare | undecodable
        pa.field("provenance", pa.string()),  # JSON: the model's hash and the rules, where there is a synthetic text
    ]
)


def capfilt(model: Blip, keys: Sequence[str], batch: Batch, rules: CapfiltRules, provenance: str = "") -> pa.Table:
    """`CAPFILT` rows of n records, in their order. RecipeError where the filter has no captioner.

    An image that did not decode has no scores and is chosen as nothing; what is wrong with it is the scores' to say.
    """
    from filters.methods.blip.captioner import propose  # torch, only where texts are written

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
    scores = np.round(scores, DECIMALS)
    table = pa.table(
        {
            "key": pa.array(list(keys), pa.string()),
            "synthetic": pa.array(synthetic, pa.string()),
            "itm_original": pa.array(scores[0], from_pandas=True),
            "itm_synthetic": pa.array(scores[1], from_pandas=True),
            "chosen": pa.array(choose(scores[0], scores[1], rules), pa.string()),
            "believed": pa.array(scores[1] >= rules.threshold),
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
    return (None, "rare") if rarest is not None and rarest < rules.min_groups else (text, None)


def choose(original: NDArray[np.float32], synthetic: NDArray[np.float32], rules: CapfiltRules) -> list[str]:
    """ "original", "synthetic" or "none" for each of n records; NaN is accepted nowhere."""
    own, proposed = original >= rules.threshold, synthetic >= rules.threshold
    if rules.margin is not None:
        own &= ~(proposed & (synthetic - original >= rules.margin))
    return ["original" if o else "synthetic" if m else "none" for o, m in zip(own, proposed, strict=True)]


def rescored(table: pa.Table, batch: Batch, scorer: Scorer) -> pa.Table:
    """`CAPFILT` rows of ``batch`` with a column ``synthetic_NAME`` for every score NAME of ``scorer`` and for what the
    text claims: null but where the synthetic text is chosen."""
    replaced = [i for i, choice in enumerate(table["chosen"].to_pylist()) if choice == "synthetic"]
    texts = [str(table["synthetic"][i].as_py()) for i in replaced]
    found = scorer(batch.take(np.array(replaced), texts)) if replaced else {}
    claimed: list[str | None] = [None] * table.num_rows
    for i, text in zip(replaced, texts, strict=True):
        claimed[i] = concept(text)
    for name in (n for n in scorer.columns if not n.endswith("_embedding")):
        values = np.full(table.num_rows, np.nan, np.float32)
        if replaced:
            values[replaced] = found[name]
        table = table.append_column(f"{RESCORED}{name}", pa.array(values, from_pandas=True))
    return table.append_column(f"{RESCORED}{FINDINGS}", pa.array(claimed, pa.string()))


def check_captioner(folder: Path, field_: str) -> None:
    """RecipeError where ``folder`` holds no BLIP that can write."""
    found = method_of(read_card(folder))
    if found != "blip":
        raise RecipeError(field_, f"{folder} holds a filter of method {found}", "the folder of a 'blip' filter")
    if (folder / "captioner.safetensors").is_file():
        return
    try:
        with safe_open(folder / "model.safetensors", "np") as weights:
            writes = any(name.startswith("text_decoder.") for name in weights.keys())  # noqa: SIM118  no dict
    except (OSError, SafetensorError) as error:
        problem = f"{folder}/model.safetensors cannot be read ({type(error).__name__})"
        raise RecipeError(field_, problem, "train the filter again") from None
    if not writes:
        raise RecipeError(field_, f"the BLIP in {folder} has no captioner", "train it (epochs > 0), or give captioner")


def provenance_of(folder: Path, rules: CapfiltRules) -> str:
    """What a synthetic text says of where it comes from: the method, the filter's hash, the rules; sorted JSON."""
    made_by = {"method": "capfilt", "filter": filter_hash(folder), "rules": rules.model_dump()}
    return json.dumps(made_by, sort_keys=True)


@dataclass(frozen=True)
class CapfiltTask(ScoreTask):
    """Every pair that dedup kept is proposed a text by the BLIP in ``captioner`` and judged, by key.

    ``folders`` are the run's filters, by name; where a synthetic text is chosen, the columns ``synthetic_NAME`` say how
    they score the image with it, and what it claims (`curate.export.texts`).
    """

    captioner: str = ""
    rules: CapfiltRules = CapfiltRules()

    def model(self) -> Callable[[Any], Any]:
        """The filters, loaded once a process or actor, as a function of what `prepare` yields."""
        from filters.methods.blip import method

        folder = self._captioner()
        if not (folder / "card.json").exists():
            return refuse  # nothing was trained because there is nothing to propose for
        scorer = self._scorer()  # sets torch's threads for both
        loaded, made_by = method.load(folder, self.device), provenance_of(folder, self.rules)

        def propose(batch: Batch) -> pa.Table:
            keys = [key for key, _ in batch.whose or ()]
            return rescored(capfilt(loaded, keys, batch, self.rules, made_by), batch, scorer)

        return propose

    def assemble(self, partition: int, results: Iterable[Any]) -> pa.Table:
        """`CAPFILT` rows of the partition's pairs, and the scores of what is chosen of the synthetic texts."""
        parts = list(results)  # of texts alone there are none: every column, without a row
        nothing = Batch({}, [], np.zeros(0, bool))
        return pa.concat_tables(parts) if parts else rescored(CAPFILT.empty_table(), nothing, self._scorer())

    def _captioner(self) -> Path:
        return local_folder(place(self.captioner))

    def _looked_through(self) -> list[Path]:
        return [self._captioner(), *super()._looked_through()]
