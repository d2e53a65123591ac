"""Real image-caption pairs of which some were deranged: judges beside trained heads and baselines of a few lines.

DATA/radiology_pairs and DATA/cxr_pairs. A quarter of the cases is the test part, drawn by `_SPLIT` before anything was
tried on it; what judges are made of was chosen on the rest. With a clean set, the other cases' pairs teach and the
test part is the pool; without one, all cases are the pool and nobody says what is right. Asked is always the test part.
An interval of a difference holds the cases (bootstrap) and the plantings (Student's t).
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks import frozen
from benchmarks.filters.methods import Contender, columns_of
from benchmarks.filters.planting import HOW, LEVELS, SHARES, deranged
from filters.banks import digests
from filters.judges.fit import PairFeatures, fit, uncalibrated
from filters.judges.method import PACKAGED, features, open_towers
from filters.method import Records
from filters.methods.ours.calibration import ece
from filters.towers import preprocess

_SPLIT, _TEST = 20261128, 0.25
_PLACEHOLDER, _SHORT, _SIDE = "replace this", 3, 224
_LIT = {"arch": "lit", "tokenizer": "open_clip"}
HEADS = (Contender("plain DFN", "dfn", _LIT), Contender("SigLIP", "siglip", _LIT))
SETS = {"radiology_pairs": ("caption", ("type", "location_category")), "cxr_pairs": ("text", ("modality", "view"))}
_BOOT = 200
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The right pairs of a set as towers see them; ``kinds`` are of "near", ``test`` bool[n] the part that is asked,
    ``faulty`` bool[n] the set's own faults."""

    given: PairFeatures
    records: Records
    kinds: list[str]
    test: NDArray[np.bool_]
    faulty: NDArray[np.bool_]

    def planted(self, index: NDArray[np.int64], source: NDArray[np.int64]) -> PairFeatures:
        """The pairs ``index``, with the texts of ``source``."""
        own, other = self.given.take(index), self.given.take(source)
        return PairFeatures(own.names, own.groups, own.images, other.sentences, other.texts)


def read(data: Path, name: str, work: Path, faults: bool = False, pictures: bool = True) -> Pairs:
    """A set, with its own ``faults`` (placeholders, captions of three words) or without; features are kept in ``work``,
    and ``pictures`` are left out where nobody asks them."""
    column, kinds = SETS[name]
    with (data / name / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r[column].strip() and _path(data / name, r).is_file()]
    asked = _test_cases([r["group_id"] for r in rows])
    rows = [r for r in rows if faults or not is_faulty(r[column])]
    kept = work / f"features-{name}{'-faults' * faults}.npz"
    records = Records(
        [f"{r['group_id']}-{i:05d}" for i, r in enumerate(rows)],
        [b"" if kept.exists() and not pictures else _shrunk(_path(data / name, r).read_bytes()) for r in rows],
        [r[column] for r in rows],
        [r["group_id"] for r in rows],
    )
    if not kept.exists():
        images, texts, _ = features(open_towers(PACKAGED, "cpu"), records)
        np.savez(kept, images=images, texts=texts)
    told = np.load(kept)
    given = PairFeatures(records.keys, records.groups, told["images"], told["texts"], records.texts)
    test = np.array([group in asked for group in records.groups])
    faulty = np.array([is_faulty(text) for text in records.texts])
    return Pairs(given, records, ["|".join(r[k] for k in kinds) for r in rows], test, faulty)


def _test_cases(groups: list[str]) -> set[str]:
    """The quarter of the cases that no choice was made on."""
    names = np.random.default_rng(_SPLIT).permutation(np.unique(np.array(groups)))
    return {str(name) for name in names[: round(_TEST * len(names))]}


def measure(data: Path, seeds: int, work: Path, heads: bool = True) -> dict[str, Any]:
    """set -> "clean" or "none" -> kind of mismatch -> method -> AUROC by planting; of the judges also the difference to
    the best other, what they say of how many are right, and the calibration error; CPU-seconds."""
    found: dict[str, Any] = {}
    with frozen.cached_features(work / "towers.safetensors"):
        for name in SETS:
            pairs = read(data, name, work)
            for mode in ("clean", "none"):
                for level in LEVELS:
                    for how in HOW:
                        for share in SHARES:
                            told = [_once(pairs, mode, level, how, share, s, work / name, heads) for s in range(seeds)]
                            found.setdefault(name, {}).setdefault(mode, {})[f"{level} {how} {share:.0%}"] = told
    return found


def _once(
    pairs: Pairs, mode: str, level: str, how: str, share: float, seed: int, work: Path, heads: bool
) -> dict[str, Any]:
    index = np.flatnonzero(pairs.test) if mode == "clean" else np.arange(len(pairs.test))
    some = pairs.given.take(index)
    source = index[deranged(some.groups, some.texts, [pairs.kinds[i] for i in index], level, how, share, seed)]
    pool, asked = pairs.planted(index, source), pairs.test[index]
    wrong = np.array([a != b for a, b in zip(some.texts, pool.texts, strict=True)])
    clean = pairs.given.take(~pairs.test) if mode == "clean" else pool
    began = time.process_time()
    panel, metrics = fit(clean, pool, mode == "clean", seed, 2)
    rows = panel.rows(pool.images, pool.sentences, pool.texts)
    whole, alone = panel.probability(digests(pool.names), digests(pool.groups), *rows)
    cost = {"judges": time.process_time() - began}
    scores: dict[str, Scores] = {"judges": whole, "judges, pair alone": alone}
    for name, ask in BASELINES.items():
        began = time.process_time()
        scores[name] = ask(clean, pool)
        cost[name] = time.process_time() - began
    if heads and (mode == "clean" or (level, how) == ("image", "random")):
        for contender in HEADS:
            scores[contender.name], cost[contender.name] = _heads(
                contender, pairs, pool, index, mode, work / f"{mode}-{level}-{how}-{share:.0%}-{seed}", work
            )
    auroc = {n: float(roc_auc_score(~wrong[asked], s[asked])) for n, s in scores.items()}
    others = [n for n in auroc if not n.startswith("judges")]
    best = max(others, key=lambda n: auroc[n])
    groups = [g for g, a in zip(pool.groups, asked, strict=True) if a]
    return {
        "auroc": auroc,
        "best other": best,
        "over best": _difference(scores["judges"][asked], scores[best][asked], wrong[asked], groups, seed),
        "alone over best": _difference(
            scores["judges, pair alone"][asked], scores[best][asked], wrong[asked], groups, seed
        ),
        "right": {"true": float((~wrong).mean()), "said": metrics["right_in_pool"]},
        "ece": ece(whole[asked], ~wrong[asked], bins=10),
        "uncalibrated": uncalibrated(metrics),
        "cpu-s": cost,
    }


def _heads(
    contender: Contender,
    pairs: Pairs,
    pool: PairFeatures,
    index: NDArray[np.int64],
    mode: str,
    place: Path,
    work: Path,
) -> tuple[Scores, float]:
    images = [pairs.records.images[i] for i in index]
    records = Records(pool.names, images, pool.texts, pool.groups)
    clean = pairs.records.take(np.flatnonzero(~pairs.test)) if mode == "clean" else records
    columns, cost = columns_of(contender, clean, records, place, 0, work / "clean" if mode == "clean" else place)
    return columns[""].astype(np.float64), cost["train"] + cost["score"]


def _difference(
    ours: Scores, other: Scores, wrong: NDArray[np.bool_], groups: Sequence[str], seed: int
) -> dict[str, float]:
    """How much more AUROC, and its standard error over cases drawn again."""
    rng = np.random.default_rng([seed, 9])
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(owner == k) for k in range(len(names))]
    drawn = []
    for _ in range(_BOOT):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))])
        if 0 < wrong[rows].sum() < len(rows):
            drawn.append(roc_auc_score(~wrong[rows], ours[rows]) - roc_auc_score(~wrong[rows], other[rows]))
    mean = float(roc_auc_score(~wrong, ours) - roc_auc_score(~wrong, other))
    return {"mean": mean, "error": float(np.std(drawn))}


# -- what thirty lines can do ----------------------------------------------------------------------------------------


def _elsewhere(clean: PairFeatures, pool: PairFeatures) -> Scores:
    """Whether the text stands in another case too: sees no picture."""
    homes: dict[str, set[str]] = {}
    for part in (clean, pool):
        for text, group in zip(part.texts, part.groups, strict=True):
            homes.setdefault(text, set()).add(group)
    return np.array([-float(len(homes[text]) > 1) for text in pool.texts])


def _own_case(clean: PairFeatures, pool: PairFeatures) -> Scores:
    """The text against its own case's other texts: sees no picture."""
    likeness = pool.sentences @ pool.sentences.T
    owner = np.asarray(pool.groups)
    out = np.full(len(pool), np.nan)
    for i in range(len(pool)):
        others = np.flatnonzero((owner == owner[i]) & (np.arange(len(pool)) != i))
        if len(others):
            out[i] = likeness[i, others].max()
    return np.where(np.isnan(out), np.nanmean(out) if np.isfinite(out).any() else 0.0, out)


def _unlike_own(clean: PairFeatures, pool: PairFeatures) -> NDArray[np.bool_]:
    return np.asarray(pool.groups)[:, None] != np.asarray(clean.groups)[None]


def _neighbours(clean: PairFeatures, pool: PairFeatures) -> Scores:
    """The text against the texts of the 12 pictures of other cases that look most like this one."""
    k = min(40, len(clean))
    near = (
        NearestNeighbors(n_neighbors=k, metric="cosine")
        .fit(clean.images)
        .kneighbors(pool.images, return_distance=False)
    )
    allowed = _unlike_own(clean, pool)
    rows = [[j for j in near[i] if allowed[i, j]][:12] for i in range(len(pool))]
    return np.array([float((clean.sentences[r] @ pool.sentences[i]).mean()) if r else 0.0 for i, r in enumerate(rows)])


def _ridge(clean: PairFeatures, pool: PairFeatures) -> Scores:
    """Kernel ridge from picture to sentence, cross-fitted over cases, and its cosine with the text."""
    fold = digests(pool.groups) % np.uint64(4)
    of_clean = digests(clean.groups) % np.uint64(4)
    middle, out = clean.sentences.mean(0), np.zeros(len(pool))
    for k in range(4):
        taught = of_clean != k if set(clean.groups) & set(pool.groups) else np.ones(len(clean), np.bool_)
        model = KernelRidge(kernel="rbf", gamma=1.0, alpha=0.5)
        model.fit(clean.images[taught], clean.sentences[taught] - middle)
        foretold, told = model.predict(pool.images[fold == k]), pool.sentences[fold == k] - middle
        out[fold == k] = (foretold * told).sum(1) / np.linalg.norm(foretold, axis=1) / np.linalg.norm(told, axis=1)
    return out


BASELINES: dict[str, Callable[[PairFeatures, PairFeatures], Scores]] = {
    "same text elsewhere": _elsewhere,
    "text against its own case": _own_case,
    "nearest pictures' texts": _neighbours,
    "kernel ridge": _ridge,
}


def _path(folder: Path, row: dict[str, str]) -> Path:
    return next((p for p in (folder / row["image"], folder / "images" / row["image"]) if p.is_file()), folder / "none")


def _shrunk(image: bytes) -> bytes:
    found = preprocess.decode(image, _SIDE)
    if found is None:
        return image
    return bytes(cv2.imencode(".png", found if found.shape[2] == 1 else found[:, :, ::-1])[1].tobytes())


def is_faulty(caption: str) -> bool:
    """No text, a placeholder, or too few words to say anything: the set's own faults."""
    return _PLACEHOLDER in caption.lower() or len(caption.split()) <= _SHORT
