"""Models induced by real pairs: what filtering a pool is worth, on cases that nobody trained on.

Every seed parts a set's cases (DATA/radiology_pairs, cxr_pairs, vqa_rad's statements): a quarter is held out, a quarter
is a clean set, half is the pool, of which texts are exchanged at `KINDS`; "as it is" exchanges none and leaves the
set's own faults in (placeholders, captions of three words, statements). What the filters' test parts hold takes no
part. A selection has as many pairs as are right ("as it is": four fifths), and every model, two heads on frozen towers
(LiT, 2111.07991) under open_clip's loss, sees as many pairs.

Fixed before the first run: the measure is the AUROC of a held-out text's own picture against the pictures of other
cases, a case's mean, and its difference to the whole pool of the same seed; second come the picture's text, text to
picture R@10, and for vqa_rad the statements that are nearer to their picture than their contrary (denial, side or
position). Seeds and cases are crossed random effects: intervals draw both again (the pigeonhole bootstrap, Owen 2007,
which is never too narrow). "Pooled" is the mean over the sets; "of the oracle's" is the gain over what right pairs
alone would gain. `OURS`, whose parts learn from pictures, costs too much for all of it: it is asked of `OURS_SEEDS`
seeds of one kind, with the AUROC of each filter's score against exchanged pairs beside.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import rankdata
from sklearn.decomposition import PCA

from benchmarks import frozen
from benchmarks.filters import statements
from benchmarks.filters.methods import score as columns_of
from benchmarks.filters.mismatches import SETS, Pairs, read
from benchmarks.filters.planting import deranged
from curate.export.repeat import key_words, soft_cap, uniform
from curate.storage import commit_json, read_json
from filters.banks import digests
from filters.judges.fit import PairFeatures, fit
from filters.judges.method import PACKAGED, features, open_towers
from filters.judges.spaces import Rows
from filters.method import Batch, Records, TrainingSet
from filters.methods import text_quality
from filters.methods.ours import method as ours
from filters.metrics import auroc
from filters.registry import make_rules
from filters.training.objectives.losses import contrastive

NATURAL = "as it is"
KINDS: dict[str, tuple[str, float]] = {NATURAL: ("image", 0.0)} | {
    f"{level} {share:.0%}": (level, share) for share in (0.6, 0.3) for level in ("image", "study")
}
ALL, RANDOM, ORACLE, ONLINE = "all", "random", "right pairs alone", "online, by prototypes"
DRAWN = {"judges, drawn up to 4 times": 0.0, "judges, drawn, penalty 1": 1.0}  # `select.repeats`, and its penalty
CURATED = (NATURAL, "image 60%")  # where these, and prototypes, are tried
_JUDGED = ("judges", "text_quality", "image_quality")
OURS: dict[str, tuple[dict[str, Any], bool]] = {  # its rules, and whether a clean set is declared
    "ours of judges": ({"parts": _JUDGED}, False),
    "ours, a clean set": ({"part_rules": {"dfn": {"arch": "lit", "tokenizer": "open_clip"}}}, True),
}
OURS_KIND, OURS_SEEDS = "image 60%", 3
VQA = "vqa_rad"
POOLED = "pooled"
PRIMARY = "text to picture AUROC"
_KEPT_AS_IT_IS, _HELD, _CLEAN = 0.8, 0.25, 0.25
_STEPS, _BATCH, _LR, _WIDTH, _DROPOUT, _PICTURE = 160, 64, 1e-3, 256, 0.1, 192  # those of `dfn` on such towers
_PROTOTYPES, _SUPPORT, _OUTLIER, _DECAY = 6, 0.85, 0.95, 0.9  # as its authors' code has them
_DRAWS = 1000
Scores = NDArray[np.float64]
Chosen = NDArray[np.int64]
ByCase = dict[str, float]  # a case's mean
Reduced = tuple[Pairs, Callable[[Rows], Rows]]
Told = dict[str, dict[str, dict[str, ByCase]]]  # set -> selection -> measure


@dataclass(frozen=True)
class Ground:
    """One seed's parts of a set, features of right pairs. ``kinds`` and ``faulty`` are of the pool."""

    held: PairFeatures
    clean: PairFeatures
    pool: PairFeatures
    faulty: NDArray[np.bool_]


def measure(data: Path, seeds: int, work: Path, kinds: Iterable[str] = tuple(KINDS)) -> dict[str, Any]:
    """kind -> set or "pooled" -> measure -> selection -> the gain over all, its interval and the share of the oracle's
    gain; of "all" the mean itself; "own faults" -> set -> filter -> AUROC against them, a seed each; "cpu-s", "seeds".
    Each seed of a kind is kept in ``work`` when it is done."""
    torch.set_num_threads(1)
    read_sets = {name: read(data, name, work, faults=True, pictures=OURS_KIND in kinds) for name in SETS}
    sets = {name: _reduced(pairs) for name, pairs in {**read_sets, VQA: _statements(data, work)}.items()}
    contraries = _contraries(data, work)
    found: dict[str, Any] = {}
    for kind in kinds:
        done = []
        for seed in range(1, seeds + 1):
            kept = work / f"induced-{kind.replace(' ', '-')}-{seed}.json"
            if not kept.exists():
                commit_json(kept, _seed_of(kind, seed, sets, contraries))
            done.append(read_json(kept))
        found[kind] = told_of(done)
        if kind == OURS_KIND:
            found["ours"] = _ours(seeds, sets, done, work)
    return found


def _ours(seeds: int, sets: dict[str, Reduced], done: Sequence[dict[str, Any]], work: Path) -> dict[str, Any]:
    """`summary` of the first seeds, those of `OURS` among the selections; "auroc" -> set -> filter -> of each seed."""
    told: list[Told] = []
    aurocs: dict[str, dict[str, list[float]]] = {}
    for seed, others in zip(range(1, min(seeds, OURS_SEEDS) + 1), done, strict=False):
        for name in SETS:
            kept = work / f"induced-ours-{name}-{seed}.json"
            if not kept.exists():
                with frozen.cached_features(work / "towers.safetensors"):
                    commit_json(kept, _ours_of_seed(*sets[name], seed))
            found = read_json(kept)
            told = told if len(told) == seed else [*told, {}]
            told[-1][name] = {**others["told"][name], **found["told"]}
            for by, value in found["auroc"].items():
                aurocs.setdefault(name, {}).setdefault(by, []).append(value)
    return {**summary(told), "auroc": aurocs, "seeds": len(told)}


def _ours_of_seed(pairs: Pairs, turn: Callable[[Rows], Rows], seed: int) -> dict[str, Any]:
    began, ground = time.process_time(), _parted(pairs, seed)
    pool, wrong = _exchanged(ground, OURS_KIND, seed)
    pictures = dict(zip(pairs.records.keys, pairs.records.images, strict=True))
    scores, told = scored(ground.clean, pool, seed, texts=False), {}
    keep = round((1 - KINDS[OURS_KIND][1]) * len(pool))
    for by, (rules, declared) in OURS.items():
        clean, asked = (
            Records(p.names, [pictures[n] for n in p.names], p.texts, p.groups) for p in (ground.clean, pool)
        )
        with tempfile.TemporaryDirectory() as folder:
            training = TrainingSet(clean if declared else asked, asked, declared)
            ours.train(training, Path(folder), make_rules("ours", {"seed": seed, **rules}))
            scores[by] = columns_of(Path(folder), asked)[0][""].astype(np.float64)
        best = np.argsort(-scores[by], kind="stable")[:keep]
        told[by] = _examined(induced(pool.take(best), seed), ground.held, None)
    return {
        "told": told,
        "auroc": {by: auroc(score, ~wrong) for by, score in scores.items()},
        "cpu-s": time.process_time() - began,
    }


def told_of(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A kind's results, of what `measure` keeps of each seed."""
    own: dict[str, dict[str, list[float]]] = {}
    for name, by, value in ((n, by, v) for seed in done for n, told in seed["own"].items() for by, v in told.items()):
        own.setdefault(name, {}).setdefault(by, []).append(value)
    more = {"own faults": own, "cpu-s": sum(seed["cpu-s"] for seed in done), "seeds": len(done)}
    return {**summary([seed["told"] for seed in done]), **more}


def _seed_of(kind: str, seed: int, sets: dict[str, Reduced], contraries: Contraries) -> dict[str, Any]:
    began, told, own = time.process_time(), {}, {}
    for name, (pairs, turn) in sets.items():
        ground = _parted(pairs, seed)
        queried = replace(contraries, images=turn(contraries.images)) if name == VQA else None
        told[name], scores = _of_seed(ground, kind, seed, queried)
        if kind == NATURAL and ground.faulty.any():
            own[name] = {by: auroc(score, ~ground.faulty) for by, score in scores.items()}
    return {"told": told, "own": own, "cpu-s": time.process_time() - began}


def _reduced(pairs: Pairs) -> Reduced:
    """Pictures' rows as their first `_PICTURE` principal components, which no text takes part in: training is
    cheaper. And what makes them."""
    found = PCA(min(_PICTURE, *pairs.given.images.shape), random_state=0).fit(pairs.given.images)
    return replace(pairs, given=replace(pairs.given, images=_turned(found, pairs.given.images))), partial(
        _turned, found
    )


def _turned(found: PCA, rows: Rows) -> Rows:
    out = found.transform(rows).astype(np.float32)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)


def _parted(pairs: Pairs, seed: int) -> Ground:
    """A seed's parts of the cases that are not the filters' test part; what is held out and clean has no own fault."""
    rng = np.random.default_rng([seed, 15])
    groups = np.asarray(pairs.given.groups)
    names = rng.permutation(np.unique(groups[~pairs.test]))
    first, second = round(_HELD * len(names)), round((_HELD + _CLEAN) * len(names))
    held, clean, pool = (np.isin(groups, part) for part in np.split(names, [first, second]))
    given = pairs.given
    return Ground(
        given.take(held & ~pairs.faulty), given.take(clean & ~pairs.faulty), given.take(pool), pairs.faulty[pool]
    )


def _of_seed(
    ground: Ground, kind: str, seed: int, contraries: Contraries | None
) -> tuple[dict[str, dict[str, ByCase]], dict[str, Scores]]:
    """selection -> measure -> case -> mean; and the filters' scores of the pool."""
    pool, wrong = _exchanged(ground, kind, seed)
    scores = scored(ground.clean, pool, seed, texts=kind == NATURAL)
    chosen = selections(scores, pool, ground.faulty if kind == NATURAL else wrong, kind, seed)
    heads = {name: induced(pool.take(rows), seed) for name, rows in chosen.items()}
    if kind in CURATED:
        heads[ONLINE] = induced(pool, seed, prototypes=_PROTOTYPES)
    return {name: _examined(each, ground.held, contraries) for name, each in heads.items()}, scores


def _exchanged(ground: Ground, kind: str, seed: int) -> tuple[PairFeatures, NDArray[np.bool_]]:
    """The pool of a kind, and which of its pairs got another's text."""
    level, share = KINDS[kind]
    right = ground.pool if kind == NATURAL else ground.pool.take(~ground.faulty)
    source = deranged(right.groups, right.texts, [""] * len(right), level, "random", share, seed)
    other = right.take(source)
    pool = replace(right, sentences=other.sentences, texts=other.texts)
    return pool, np.array([a != b for a, b in zip(right.texts, pool.texts, strict=True)])


def selections(
    scores: dict[str, Scores], pool: PairFeatures, bad: NDArray[np.bool_], kind: str, seed: int
) -> dict[str, Chosen]:
    """What each keeps of the pool; a row stands as often as it is drawn."""
    n, keep = len(pool), round((_KEPT_AS_IT_IS if kind == NATURAL else 1 - KINDS[kind][1]) * len(pool))
    chosen = {ALL: np.arange(n), RANDOM: np.random.default_rng([seed, 7]).permutation(n)[:keep]}
    chosen |= {name: np.argsort(-score, kind="stable")[:keep] for name, score in scores.items()}
    chance, odds = uniform(key_words(pool.names), seed), logit(np.clip(scores["judges"], 1e-4, 1 - 1e-4))
    for name, penalty in DRAWN.items() if kind in CURATED else ():
        chosen[name] = np.repeat(np.arange(n), soft_cap(odds, chance, 4, penalty=penalty))
    if bad.any():
        chosen[ORACLE] = np.flatnonzero(~bad)
    return chosen


def scored(clean: PairFeatures, pool: PairFeatures, seed: int, texts: bool) -> dict[str, Scores]:
    """Every filter's scores of the pool; with ``texts`` those of the texts by themselves, and of both (mean ranks)."""
    scores: dict[str, Scores] = {}
    panel, _ = fit(pool, pool, False, seed, 2)
    rows = panel.rows(pool.images, pool.sentences, pool.texts)
    scores["judges"] = panel.probability(digests(pool.names), digests(pool.groups), *rows)[0]
    for name, objective in (("DFN, a clean set", "clip"), ("SigLIP, a clean set", "siglip")):
        image, text = induced(clean, seed, objective)
        with torch.no_grad():
            scores[name] = (_unit(image, pool.images) * _unit(text, pool.sentences)).sum(1).double().numpy()
    if texts:
        with tempfile.TemporaryDirectory() as folder:
            records = Records(pool.names, [b""] * len(pool), pool.texts, pool.groups)
            text_quality.train(TrainingSet(records), Path(folder), text_quality.Rules())
            asked = Batch({}, pool.texts, np.ones(len(pool), np.bool_))
            scores["text quality"] = text_quality.load(Path(folder))(asked)[""].astype(np.float64)
        scores["judges and text quality"] = rankdata(scores["judges"]) + rankdata(scores["text quality"])
    return scores


def induced(
    pairs: PairFeatures, seed: int, objective: str = "clip", prototypes: int = 0
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Heads for pictures and texts, trained on the pairs; equal texts of a batch are no negatives. With ``prototypes``
    each batch is the half of a larger one that `curated` keeps, and they follow it."""
    torch.manual_seed(seed)
    images, texts = torch.from_numpy(pairs.images), torch.from_numpy(pairs.sentences)
    heads = tuple(
        torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(_DROPOUT), torch.nn.Linear(width, _WIDTH, bias=False)
        )
        for width in (images.shape[1], texts.shape[1])
    )
    scale = torch.nn.Parameter(torch.tensor(float(np.log(1 / 0.07))))
    bias = torch.nn.Parameter(torch.tensor(-10.0)) if objective == "siglip" else None
    trained = [*heads[0].parameters(), *heads[1].parameters(), scale, *([] if bias is None else [bias])]
    optimizer = torch.optim.AdamW(trained, lr=_LR, weight_decay=0.1)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, _STEPS, pct_start=0.1)
    rng = np.random.default_rng([seed, 3])
    same = np.unique(pairs.texts, return_inverse=True)[1]
    left: Chosen = np.zeros(0, np.int64)
    drawn = 2 * _BATCH if prototypes else _BATCH
    centres = torch.zeros(0)
    for _ in range(_STEPS):
        if len(left) < min(drawn, len(pairs)):
            left = np.append(left, rng.permutation(len(pairs)))
        batch, left = left[:drawn], left[drawn:]
        if prototypes:
            with torch.no_grad():
                rows = torch.cat([_unit(heads[0], images[batch]), _unit(heads[1], texts[batch])], 1) / 2**0.5
            centres = centres if len(centres) else rows[:prototypes].clone()
            batch = batch[kept := curated(rows, centres, _BATCH)]
            _follow(centres, rows[kept])
        blocked = torch.from_numpy((same[batch][:, None] == same[batch][None]) & ~np.eye(len(batch), dtype=bool))
        left_rows, right_rows = _unit(heads[0], images[batch]), _unit(heads[1], texts[batch])
        loss = contrastive(objective, left_rows, right_rows, scale.exp().clamp(max=100), bias, blocked=blocked)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return heads[0].eval(), heads[1].eval()


def curated(rows: torch.Tensor, centres: torch.Tensor, keep: int) -> Chosen:
    """The ``keep`` rows of a batch that prototypes choose (CheXficient, 2602.22843): of each prototype's rows the
    farthest twentieth are outliers, and come last; the next tenth come first; of the others those that are far from
    what is taken (farthest point sampling)."""
    apart, nearest = (row.numpy() for row in torch.cdist(rows, centres).min(1))
    rank = np.zeros(len(rows))
    for k in np.unique(nearest):
        mine = np.flatnonzero(nearest == k)
        rank[mine] = apart[mine].argsort().argsort() / max(1, len(mine) - 1)
    taken: list[int] = np.flatnonzero((rank > _SUPPORT) & (rank <= _OUTLIER)).tolist() or [int(rank.argmin())]
    between = torch.cdist(rows, rows).numpy()
    far = between[:, taken].min(1)
    central = rank <= _SUPPORT
    while len(taken) < keep and (free := np.setdiff1d(np.flatnonzero(central), taken)).size:
        taken.append(int(free[far[free].argmax()]))
        far = np.minimum(far, between[:, taken[-1]])
    rest = np.setdiff1d(np.arange(len(rows)), taken)
    return np.array([*taken, *rest[np.argsort(rank[rest])]][:keep])


def _follow(centres: torch.Tensor, rows: torch.Tensor) -> None:
    nearest = torch.cdist(rows, centres).argmin(1)
    for k in nearest.unique():
        moved = _DECAY * centres[k] + (1 - _DECAY) * rows[nearest == k].mean(0)
        centres[k] = torch.nn.functional.normalize(moved, dim=0)


def _unit(head: torch.nn.Module, rows: Rows | torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(head(torch.as_tensor(rows)), dim=-1)


@torch.no_grad()
def _examined(
    heads: tuple[torch.nn.Module, torch.nn.Module],
    held: PairFeatures,
    contraries: Contraries | None,
) -> dict[str, ByCase]:
    image, text = _unit(heads[0], held.images), _unit(heads[1], held.sentences)
    likeness = (image @ text.T).double().numpy()
    other = np.asarray(held.groups)[:, None] != np.asarray(held.groups)[None]
    own = likeness.diagonal()
    of_text = ((likeness < own) + 0.5 * (likeness == own)) * other  # pictures, by text
    of_image = ((likeness < own[:, None]) + 0.5 * (likeness == own[:, None])) * other
    ahead = ((likeness > own) & other).sum(0)
    found = {
        PRIMARY: _means(held.groups, of_text.sum(0) / other.sum(0)),
        "picture to text AUROC": _means(held.groups, of_image.sum(1) / other.sum(1)),
        "text to picture R@10": _means(held.groups, (ahead < 10).astype(float)),
    }
    asked = contraries.take(held.groups) if contraries is not None else None
    if asked is not None and len(asked.kinds):
        picture = _unit(heads[0], asked.images)
        right, wrong = ((picture * _unit(heads[1], rows)).sum(1).numpy() for rows in (asked.right, asked.wrong))
        better = (right > wrong) + 0.5 * (right == wrong)
        for kind in np.unique(asked.kinds):
            some = asked.kinds == kind
            found[f"{kind} told from its contrary"] = _means(
                [g for g, s in zip(asked.groups, some, strict=True) if s], better[some]
            )
    return found


def _means(groups: Sequence[str], values: NDArray[Any]) -> ByCase:
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    return dict(zip(map(str, names), (np.bincount(owner, values) / np.bincount(owner)).tolist(), strict=True))


def summary(told: Sequence[Told]) -> dict[str, Any]:
    """set or "pooled" -> measure -> selection -> gain, its interval and the share of the oracle's; see `measure`."""
    sets = list(told[0])
    found: dict[str, Any] = {}
    drawn: dict[tuple[str, str], list[Scores]] = {}
    for name in sets:
        selections = list(told[0][name])
        for measure in sorted({m for seed in told for m in seed[name][ALL]}):
            tables = {s: [seed[name][s].get(measure, {}) for seed in told] for s in selections}
            draws = _crossed(tables)
            found.setdefault(name, {})[measure] = _row(draws)
            for s in selections:
                drawn.setdefault((measure, s), []).append(draws[s])
    pooled = {s: np.mean(drawn[PRIMARY, s], axis=0) for s in told[0][sets[0]] if len(drawn[PRIMARY, s]) == len(sets)}
    return found | {POOLED: {PRIMARY: _row(pooled)}}


def _crossed(tables: dict[str, list[ByCase]]) -> dict[str, Scores]:
    """selection -> the mean over seeds and cases as they are, then in `_DRAWS` worlds in which both were drawn again;
    the same worlds for every selection."""
    cases = sorted({case for table in tables[ALL] for case in table})
    place = {case: k for k, case in enumerate(cases)}
    rng = np.random.default_rng(20261129)
    seeds = len(tables[ALL])
    of_seed = np.vstack([np.ones(seeds), rng.multinomial(seeds, np.full(seeds, 1 / seeds), _DRAWS)])
    of_case = np.vstack([np.ones(len(cases)), rng.multinomial(len(cases), np.full(len(cases), 1 / len(cases)), _DRAWS)])
    out = {}
    for name, told in tables.items():
        values, there = np.zeros((seeds, len(cases))), np.zeros((seeds, len(cases)))
        for k, table in enumerate(told):
            for case, value in table.items():
                values[k, place[case]], there[k, place[case]] = value, 1.0
        out[name] = ((of_seed @ values) * of_case).sum(1) / ((of_seed @ there) * of_case).sum(1)
    return out


def _row(draws: dict[str, Scores]) -> dict[str, Any]:
    out: dict[str, Any] = {ALL: {"mean": float(draws[ALL][0])}}
    best = draws[ORACLE] - draws[ALL] if ORACLE in draws else None
    for name, values in draws.items():
        if name == ALL:
            continue
        gain = values - draws[ALL]
        low, high = np.quantile(gain[1:], [0.025, 0.975])
        out[name] = {"gain": float(gain[0]), "low": float(low), "high": float(high)}
        if best is not None and name != ORACLE and np.quantile(best[1:], 0.025) > 0:  # else there is nothing to share
            shares = np.quantile(gain[1:] / best[1:], [0.025, 0.975])
            out[name]["of the oracle's"] = [float(gain[0] / best[0]), *map(float, shares)]
    return out


def _statements(data: Path, work: Path) -> Pairs:
    """What was affirmed or denied of VQA-RAD's pictures as their texts; a picture is a case."""
    told = statements.contrasts(data)
    rows = sorted({(c.image, c.right) for c in told})
    asked = set(map(str, statements.parts(told)[0]))
    given = _seen(data, rows, work / "features-vqa_rad.npz")
    test = np.array([image in asked for image in given.groups])
    return Pairs(given, Records([], [], [], []), [""] * len(rows), test, np.zeros(len(rows), np.bool_))


@dataclass(frozen=True, eq=False)
class Contraries:
    """n statements of pictures, their contraries, and of what kind: unit rows."""

    groups: list[str]
    kinds: NDArray[np.str_]
    images: Rows
    right: Rows
    wrong: Rows

    def take(self, groups: Sequence[str]) -> Contraries:
        """Those of the pictures ``groups``."""
        rows = np.flatnonzero(np.isin(self.groups, np.unique(np.asarray(groups))))
        named = [self.groups[i] for i in rows]
        return Contraries(named, self.kinds[rows], self.images[rows], self.right[rows], self.wrong[rows])


def _contraries(data: Path, work: Path) -> Contraries:
    told = statements.contrasts(data)
    right = _seen(data, [(c.image, c.right) for c in told], work / "features-vqa_rad-right.npz")
    wrong = _seen(data, [(c.image, c.wrong) for c in told], work / "features-vqa_rad-wrong.npz")
    return Contraries(right.groups, np.array([c.kind for c in told]), right.images, right.sentences, wrong.sentences)


def _seen(data: Path, rows: list[tuple[str, str]], kept: Path) -> PairFeatures:
    records = statements.records_of(data, rows, "s")
    if not kept.exists():
        with frozen.cached_features():
            images, texts, _ = features(open_towers(PACKAGED, "cpu"), records)
        np.savez(kept, images=images, texts=texts)
    found = np.load(kept)
    return PairFeatures(records.keys, records.groups, found["images"], found["texts"], records.texts)
