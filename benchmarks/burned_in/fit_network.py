"""Trains the network that tells rows of drawn text from anatomy: `curate/deid/pixels/data/candidate_network.npz`.

    python -m benchmarks.burned_in.fit_network DATA [--out FILE] [--steps N]

It sees pictures and fonts of the half for fitting alone (`benchmarks.burned_in.fit_pictures`, `benchmarks.drawn_text`),
clean and with lines drawn on them. Lines are also stretched, slanted and thickened, and pictures compressed and
blurred: what is to be learned is neither a font nor the absence of JPEG. Rows of clean pictures are wrong each by
itself; of the rows on a line one must be right. Needs PyTorch; half an hour on one core.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from benchmarks.burned_in.fit_pictures import clean_pictures, covered, eight, pair_pictures
from benchmarks.drawn_text import Box, Font, Line, fonts, lines
from curate.deid.pixels import candidate_network as network
from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.candidate_features import Row
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_candidates import rows

OUT = Path("curate/deid/pixels/data") / network.WEIGHTS
_LEAST = -7.0  # log-odds by the traits alone, below which a row is not asked about
_EACH, _PAIRS, _LINES = 160, 1000, 2  # pictures of a class, groups of pairs, lines a picture
_NEGATIVE, _HARD, _BAGS, _A_BAG = 600, 300, 60, 8  # of one step
_QUALITIES = (60, 75, 86, 92)
Seen = tuple[np.ndarray, list[float]]  # of a row: its windows, float16, and its traits
_WIDE = 24  # units of a dense layer


class Rows:
    """Rows as arrays: windows float16[w, 16, 32] of all, traits [n, 28], and which windows are whose."""

    def __init__(self, rows: Sequence[Seen]) -> None:
        self.counts = np.array([len(shown) for shown, _ in rows])
        self.first = np.cumsum(self.counts) - self.counts
        self.shown = np.concatenate([shown for shown, _ in rows])
        self.traits = torch.tensor([traits for _, traits in rows], dtype=torch.float32)

    def some(self, chosen: np.ndarray, rng: np.random.Generator | None) -> tuple[torch.Tensor, ...]:
        """What the network takes; with ``rng`` shifted a little, turned upside down, grainier."""
        at = np.concatenate([np.arange(self.first[k], self.first[k] + self.counts[k]) for k in chosen])
        shown = torch.tensor(self.shown[at].astype(np.float32))[:, None]
        if rng is not None:
            shown = shown.flip(2, 3) if rng.random() < 0.5 else shown
            shown = torch.roll(shown, (int(rng.integers(-1, 2)), int(rng.integers(-2, 3))), (2, 3))
            gain = torch.tensor(rng.uniform(0.8, 1.25, (len(at), 1, 1, 1)), dtype=torch.float32)
            shown = shown * gain + torch.tensor(rng.normal(0, 0.03, shown.shape), dtype=torch.float32)
        return shown, torch.tensor(np.repeat(np.arange(len(chosen)), self.counts[chosen])), self.traits[chosen]


class Net(nn.Module):
    """What `curate.deid.pixels.candidate_network` computes."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.convolve = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 2 * 4, _WIDE), nn.ReLU(),
        )  # fmt: skip
        self.mix, self.out = nn.Linear(2 * _WIDE + len(mean), _WIDE), nn.Linear(_WIDE, 1)

    def forward(self, shown: torch.Tensor, owner: torch.Tensor, traits: torch.Tensor) -> torch.Tensor:
        told = self.convolve(shown)
        n = len(traits)
        count = torch.zeros(n).index_add_(0, owner, torch.ones(len(owner)))
        mean = torch.zeros(n, _WIDE).index_add_(0, owner, told) / count[:, None]
        most = torch.zeros(n, _WIDE).scatter_reduce(0, owner[:, None].expand(-1, _WIDE), told, "amax")
        scaled = ((traits - self.mean) / self.deviation).clamp(-4, 4)
        hidden = torch.relu(self.mix(torch.cat([mean, most, scaled], 1)))
        return torch.Tensor(self.out(hidden)[:, 0])


def _seen(view: Image8, row: Row) -> Seen:
    return network.windows(view, row).astype(np.float16), network.traits(row)


def clean_rows(pictures: Sequence[np.ndarray]) -> Iterator[Seen]:
    """Rows of clean pictures, of every other also enlarged."""
    for k, picture in enumerate(pictures):
        shown = list(views(picture))
        if k % 2 and max(picture.shape) < 600:
            shown.append(np.asarray(cv2.resize(shown[0], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8))
        yield from (_seen(view, row) for view in shown for row in rows(view) if row.score > _LEAST)


def line_rows(line: Line, rng: random.Random) -> list[Seen]:
    """The rows on a drawn line, of the picture as it is, compressed, or blurred."""
    chance, quality, blur = rng.random(), rng.choice(_QUALITIES), rng.uniform(0.4, 0.8)
    found = []
    for view in views(line.picture):
        if chance < 0.25:
            code = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            view = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
        elif chance < 0.35:
            view = np.asarray(cv2.GaussianBlur(view, (0, 0), blur), np.uint8)
        found += [(view, row) for row in rows(view) if row.score > _LEAST and _on(row, line.box, view.shape)]
    return [_seen(view, row) for view, row in rng.sample(found, min(len(found), 2 * _A_BAG))]


def _on(row: Row, box: Box, shape: Sequence[int]) -> bool:
    """Whether a row lies on a line, and is as much of it as a letter or, of several pieces, a word."""
    within = covered(row.box, [box], shape)
    share = within * row.box[2] * row.box[3] / (box[2] * box[3])
    least = 0.15 * min(1.0, min(box[2:]) / max(box[2:])) if row.count == 1 else 0.2
    return within > 0.6 and share > least


class Varied(Font):
    """A font whose lines are stretched, thickened or slanted at random."""

    def ink(self, text: str, size: int) -> np.ndarray:
        ink = super().ink(text, size)
        rng = random.Random(f"{self.source} {text} {size}")
        chance = rng.random()
        if chance < 0.35:
            return cv2.resize(ink, None, fx=rng.uniform(0.75, 1.35), fy=1, interpolation=cv2.INTER_AREA)
        if chance < 0.45:
            return cv2.dilate(ink, np.ones((2, 2), np.uint8))
        if chance < 0.55:
            wide = ink.shape[1] + size // 2
            return cv2.warpAffine(ink, np.array([[1, -0.25, 0.25 * ink.shape[0]], [0, 1, 0]]), (wide, ink.shape[0]))
        return ink


def trained(clean: Rows, drawn: Rows, bags: list[np.ndarray], steps: int) -> Net:
    """The network after so many steps. ``bags``: the rows of ``drawn`` on each line."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    traits = torch.cat([clean.traits, drawn.traits])
    net = Net(traits.mean(0), traits.std(0).clamp(min=1e-3))
    chooser = torch.optim.Adam(net.parameters(), weight_decay=1e-5)
    pace = torch.optim.lr_scheduler.OneCycleLR(chooser, 3e-3, total_steps=steps)
    hard = rng.integers(0, len(clean.traits), 4000)
    for step in range(steps):
        wrong = np.r_[rng.integers(0, len(clean.traits), _NEGATIVE), rng.choice(hard, _HARD)]
        chosen = [rng.permutation(bags[k])[:_A_BAG] for k in rng.integers(0, len(bags), _BAGS)]
        line = torch.tensor(np.repeat(np.arange(_BAGS), [len(c) for c in chosen]))
        on_clean = net(*clean.some(wrong, rng))
        on_line = net(*drawn.some(np.concatenate(chosen), rng))
        best = torch.full((_BAGS,), -99.0).scatter_reduce(0, line, on_line, "amax")
        weight = torch.tensor(np.r_[np.ones(_NEGATIVE), np.full(_HARD, 0.3)], dtype=torch.float32)
        loss = 3 * (softplus(on_clean) * weight).mean() + 2 * softplus(-best).mean() + 0.5 * softplus(-on_line).mean()
        chooser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        chooser.step()
        pace.step()
        if step % 500 == 499:
            print(step + 1, f"{loss.item():.3f}", flush=True)
            hard = np.argsort(-_scores(net, clean), kind="stable")[:4000]
    return net


def _scores(net: Net, of: Rows) -> np.ndarray:
    with torch.no_grad():
        parts = [net(*of.some(some, None)) for some in np.array_split(np.arange(len(of.traits)), 100)]
    return torch.cat(parts).numpy()


def save(net: Net, path: Path) -> None:
    """The weights as `curate.deid.pixels.candidate_network` reads them: channels last, float16 where that is enough."""
    told: dict[str, torch.Tensor] = net.state_dict()
    kept: dict[str, torch.Tensor] = {"mean": net.mean, "deviation": net.deviation}
    for name, at in (("first", 0), ("second", 2), ("third", 4)):
        weight = told[f"convolve.{at}.weight"].permute(2, 3, 1, 0)
        kept |= {name: weight.reshape(-1, weight.shape[-1]), f"{name}_bias": told[f"convolve.{at}.bias"]}
    kept["dense"] = told["convolve.7.weight"].reshape(_WIDE, 24, 2, 4).permute(2, 3, 1, 0).reshape(-1, _WIDE)
    kept |= {"dense_bias": told["convolve.7.bias"], "mix": told["mix.weight"].T, "mix_bias": told["mix.bias"]}
    kept |= {"out": told["out.weight"][0], "out_bias": told["out.bias"][0]}
    arrays: dict[str, Any] = {name: tensor.detach().numpy().astype(np.float16) for name, tensor in kept.items()}
    np.savez_compressed(path, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="as of benchmarks.burned_in.fit_pictures")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--steps", type=int, default=3000)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    rng = random.Random(0)
    plain = [eight(p) for _, p in clean_pictures(chosen.data, 0, _EACH) if min(p.shape) >= 64]
    pairs = [p for _, p in pair_pictures(chosen.data, 0, _PAIRS, each=2)]
    clean = Rows(list(clean_rows(plain + pairs)))
    ground = [p for p in plain + pairs if 128 <= min(p.shape) <= 1100]
    faces = [*fonts("fit"), *(Varied(font.source) for font in fonts("fit"))]
    found = [r for line in lines(ground, rng, _LINES, faces) if line.visible and (r := line_rows(line, rng))]
    ends = np.cumsum([len(r) for r in found])
    drawn = Rows([row for r in found for row in r])
    print(f"{len(clean.traits)} rows of clean pictures, {len(drawn.traits)} of {len(found)} lines", flush=True)
    bags = [np.arange(end - len(r), end) for end, r in zip(ends, found, strict=True)]
    save(trained(clean, drawn, bags, chosen.steps), chosen.out)


if __name__ == "__main__":
    main()
