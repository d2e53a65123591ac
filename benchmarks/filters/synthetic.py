"""One seed of the synthetic pool: every method's AUROC by fault and precision among what it keeps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.filters.methods import CONTENDERS, Columns, Contender, columns_of, learn, score
from benchmarks.filters.pool import FAULTS, Pool, make_pool, shuffled
from curate.dedup.rules import DedupRules
from curate.record import RECORD, live
from filters.method import Records
from filters.metrics import auroc
from tests.curate.deduplicating import resolve, signatures

KEEP = 0.2  # of the pool; as many of it are right
AFTER_DEDUP = "ours, after dedup"


@dataclass(frozen=True)
class Size:
    """Records of the pool and of the clean set."""

    pool: int = 4000
    clean: int = 400


QUICK = Size(1000, 150)


@dataclass(frozen=True)
class Drawn:
    """The pool of one seed and the clean set beside it; ``place`` keeps what the filters made of them."""

    pool: Pool
    clean: Records
    place: Path
    seed: int

    def columns(self, name: str) -> tuple[Columns, dict[str, float]]:
        """The columns of the contender called ``name`` over the pool, and its cost."""
        contender = next(c for c in CONTENDERS if c.name == name)
        return columns_of(contender, self.clean, self.pool.records, self.place, self.seed)


def draw(seed: int, size: Size, work: Path) -> Drawn:
    """The pool of ``seed``, in a folder of its own under ``work``."""
    pool = make_pool(size.pool, seed, workers=1)
    clean = make_pool(size.clean, seed + 10_000, clean=1.0, workers=1).records
    return Drawn(pool, clean, work / f"synthetic-{seed}-{size.pool}-{size.clean}", seed)


def measure(seed: int, size: Size, work: Path) -> dict[str, Any]:
    """``{"methods": name -> {...}, "attribution": fault -> share, "size": {...}}`` of one seed."""
    drawn = draw(seed, size, work)
    pool = drawn.pool
    found: dict[str, Any] = {"methods": {"random": _judge(pool, np.random.default_rng(seed).random(len(pool)))}}
    for contender in CONTENDERS:
        columns, cost = drawn.columns(contender.name)
        found["methods"] |= {n: _judge(pool, s) for n, s in _scores(contender, columns).items()}
        found["methods"][contender.name] |= {"cpu-s": cost}
        if contender.name == "ours":
            kept = top(np.where(distinct(pool.records), columns[""], np.nan), KEEP)
            found["methods"][AFTER_DEDUP] = {"precision": float(pool.right[kept].mean())}
            found["attribution"] = _attribution(pool, columns)
    return {**found, "size": vars(size)}


def top(values: NDArray[np.floating[Any]], keep: float) -> NDArray[np.int64]:
    """The places of the best ``keep`` of the pool; what has no score is last."""
    known = np.nan_to_num(values, nan=-np.inf)
    return np.sort(np.argsort(-known, kind="stable")[: round(keep * len(values))])


def distinct(records: Records) -> NDArray[np.bool_]:
    """bool[n]: what the step before the filters leaves of the pool, by its usual rules: no copy of a patient's film."""
    pixels = [cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE) for image in records.images]
    signed = [signatures(image, text) for image, text in zip(pixels, records.texts, strict=True)]
    columns: dict[str, list[Any]] = {name: [s[name] for s in signed] for name in signed[0]}
    columns |= {"key": records.keys, "patient": records.groups, "study": records.keys, "text": records.texts}
    columns |= {"width": [image.shape[1] for image in pixels], "height": [image.shape[0] for image in pixels]}
    table = pa.table({name: pa.array(values, RECORD.field(name).type) for name, values in columns.items()})
    return live(resolve(table, DedupRules()))


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
    kept = top(known, KEEP)
    once = (fault == "") | (fault == "duplicate")
    return {"auroc": by_fault, "precision": float(pool.right[kept].mean()), "right": float(once[kept].mean())}


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
    plain = replace(plain, rules={"bank": 0})
    found = {}
    for share in shares:
        with tempfile.TemporaryDirectory() as folder:
            learn(plain, shuffled(clean, share, seed).records, pool.records, Path(folder), seed)
            columns, _ = score(Path(folder), pool.records)
        found[f"{share:g}"] = _judge(pool, columns[""])["precision"]
    return found
