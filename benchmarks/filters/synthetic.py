"""One seed of the synthetic pool: every method's AUROC by fault and precision among what it keeps; induced models."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.filters.induce import induce
from benchmarks.filters.methods import CONTENDERS, Columns, Contender, run
from benchmarks.filters.pool import FAULTS, Pool, make_pool, shuffled
from curate.export.choose import choose
from curate.export.rules import SelectRules
from filters.measure import auroc
from filters.model import ModelRules
from filters.train import TrainRules

KEEP = 0.2
MEASURED = ("ours", "plain DFN", "pool CLIP")  # the selections an induced model is trained on, beside the fixed ones


@dataclass(frozen=True)
class Size:
    """How large a run is: records of the pool, of the clean set, held out; pairs an induced model sees."""

    pool: int = 8000
    clean: int = 600
    held: int = 800
    samples: int = 8000


def measure(seed: int, size: Size, names: list[str], induced: bool) -> dict[str, Any]:
    """``{"methods": name -> {...}, "induced": selection -> {...}}`` of one seed."""
    pool = make_pool(size.pool, seed, workers=1)
    clean = make_pool(size.clean, seed + 10_000, clean=1.0, workers=1)
    found: dict[str, Any] = {"methods": {"random": _judge(pool, np.random.default_rng(seed).random(size.pool))}}
    kept = {"all": np.arange(size.pool), "random": _top(pool, np.random.default_rng(seed).random(size.pool))}
    kept["oracle"] = np.flatnonzero(pool.right)
    with tempfile.TemporaryDirectory() as folder:
        for contender in CONTENDERS:
            if contender.name not in names:
                continue
            columns, cost = run(contender, clean.records, pool.records, Path(folder) / str(len(kept)), seed)
            found["methods"] |= {n: _judge(pool, s) for n, s in _scores(contender, columns).items()}
            found["methods"][contender.name] |= {"cpu-s": cost}
            if contender.name in MEASURED:
                kept[contender.name] = _top(pool, columns[""])
            if contender.name == "ours":
                kept["ours"] = _capped(pool, columns[""])
                found["methods"]["ours, one a duplicate"] = {"precision": float(pool.right[kept["ours"]].mean())}
                found["attribution"] = _attribution(pool, columns)
    if induced:
        held = make_pool(size.held, seed + 20_000, clean=1.0, workers=1)
        rules = TrainRules(model=ModelRules(), batch=64, lr=1e-3, seed=seed, threads=1, device="cpu")
        found["induced"] = {
            name: asdict(induce(pool.records.take(index), held, size.samples, rules)) for name, index in kept.items()
        }
    return found


def _scores(contender: Contender, columns: Columns) -> dict[str, NDArray[np.float32]]:
    """The contender's own score, and of plain towers the scores that come with them."""
    more = ("negclip", "normsim", "margin") if contender.name == "plain DFN" else ()
    return {contender.name: columns[""]} | {f"{contender.name}, {m}": columns[m] for m in more if m in columns}


def _judge(pool: Pool, scores: NDArray[Any]) -> dict[str, Any]:
    """AUROC of right pairs against each fault, and how many of the kept are right; not scored counts as worst."""
    known = np.where(np.isfinite(scores), scores, np.nanmin(scores) - 1)
    fault = np.array(pool.fault)
    by_fault = {}
    for name in FAULTS:
        some = (fault == "") | (fault == name)
        by_fault[name] = auroc(known[some], fault[some] == "")
    kept = _top(pool, known)
    once = (fault == "") | (fault == "duplicate")
    return {"auroc": by_fault, "precision": float(pool.right[kept].mean()), "right": float(once[kept].mean())}


def _top(pool: Pool, scores: NDArray[Any]) -> NDArray[np.int64]:
    return np.sort(np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[: round(KEEP * len(pool))])


def _capped(pool: Pool, scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """As the product selects: the top fraction, of records that say the very same only the best."""
    kept, _ = choose(
        {"ours": scores, "findings": np.array(pool.records.texts, dtype=object)},
        np.array(pool.records.keys),
        SelectRules(by="ours", keep=KEEP, cap=1),
    )
    return np.flatnonzero(kept)


def _attribution(pool: Pool, columns: Columns) -> dict[str, float]:
    """Of faulty pairs that score below the middle, how many are told their own fault."""
    names = [n for n in columns if n and n in FAULTS]
    told = np.array(names)[np.argmax(np.column_stack([np.nan_to_num(columns[n]) for n in names]), axis=1)]
    fault = np.array(pool.fault)
    return {n: float((told[fault == n] == n).mean()) for n in names if (fault == n).any()}


def poison(seed: int, size: Size, shares: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75)) -> dict[str, float]:
    """Precision of plain DFN against the share of shuffled texts in its training set (2309.17425, section 3)."""
    pool = make_pool(size.pool, seed, workers=1)
    clean = make_pool(size.clean, seed + 10_000, clean=1.0, workers=1)
    plain = next(c for c in CONTENDERS if c.name == "plain DFN")
    found = {}
    for share in shares:
        with tempfile.TemporaryDirectory() as folder:
            taught = shuffled(clean, share, seed).records
            columns, _ = run(plain, taught, pool.records, Path(folder) / "dfn", seed)
        found[f"{share:g}"] = _judge(pool, columns[""])["precision"]
    return found
