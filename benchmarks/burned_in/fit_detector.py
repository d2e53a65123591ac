"""Fits the text detector: `curate/deid/pixels/data/text_detector.onnx`.

    python -m benchmarks.burned_in.fit_detector DATA --fonts FOLDER [--minutes N] [--start FILE] [--out FILE]

Needs torch, onnx (to write the network) and the OCR package (to mark what is written on the grounds already). DATA as
of `benchmarks.burned_in.fit_pictures`, whose first half alone is used, less the pictures of the benchmark and what
looks like one of them. FOLDER holds font files (those of Debian's packages fonts-*, xfonts-*). Beside the network its
weights are kept as FILE.pt, from which --start goes on: then what the present detector takes for text on the grounds,
where nobody has seen that there is none (`fit_seen.csv`), is not asked about.
"""

from __future__ import annotations

import argparse
import pickle
import random
import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from benchmarks.burned_in.fit_crops import Ground, crop
from benchmarks.burned_in.fit_grounds import doubted, grounds, seen
from benchmarks.burned_in.fit_text import SIDE, faces
from curate.deid.pixels.text_detector import WEIGHTS, shown

OUT = Path("curate/deid/pixels/data") / WEIGHTS
_BATCH = 16
_SIDES = (*(SIDE,) * 5, 128, 128, 64)  # px of crops: the last levels of small pictures are shown alone
_USED, _KEPT = 3, 60  # times that crops are used, turned, and batches that are kept for it
_WARM = 200  # steps
_AVERAGED = 0.998  # of the mean of weights, kept a step
_HARD = 6  # times as many pixels of ground as of text count in full: the likeliest
_MAPPED = 15  # pixels of ground that count at least, of a batch's 1,000


class Detector(nn.Module):
    """float[n, 2, H, W] (`curate.deid.pixels.text_detector.shown`) to float[n, 1, H / 2, W / 2]; H, W divisible by 32.

    An hourglass with sums across (feature pyramid, arXiv 1612.03144) that ends at a quarter of the size: four answers a
    place (sub-pixel convolution, arXiv 1609.05158). Widths are multiples of 16, which AVX-512 asks for: 24 costs what
    32 does.
    """

    def __init__(self, wide: tuple[int, ...] = (16, 16, 32, 48, 64), deep: tuple[int, ...] = (1, 2, 3, 2)) -> None:
        super().__init__()
        self.stem = _layer(2, wide[0], 5, 2)
        pairs = list(pairwise(wide))
        self.down = nn.ModuleList(
            nn.Sequential(_layer(i, o, 3, 2), *(_layer(o, o) for _ in range(n)))
            for (i, o), n in zip(pairs, deep, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(o, i, 1) for i, o in pairs[:0:-1])
        self.mix = nn.ModuleList(_layer(i, i) for i, _ in pairs[:0:-1])
        self.out = nn.Conv2d(wide[1], 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Log-odds that a pixel lies in a line's core."""
        x, levels = self.stem(x), []
        for down in self.down:
            x = down(x)
            levels.append(x)
        x = levels.pop()
        for up, mix in zip(self.up, self.mix, strict=True):
            x = mix(levels.pop() + nn.functional.interpolate(up(x), scale_factor=2, mode="nearest"))
        return nn.functional.pixel_shuffle(self.out(x), 2)


def _layer(i: int, o: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, size, stride, size // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Crops(IterableDataset[tuple[np.ndarray, np.ndarray]]):
    """Endless batches of crops, float32[n, 2, side, side] as shown and uint8[n, side, side]; others in every worker."""

    def __init__(self, on: list[Ground], fonts: list[str], seed: int) -> None:
        self.on, self.fonts, self.seed = on, fonts, seed

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        rng = random.Random(100 * self.seed + (worker.id if worker else 0))
        while True:
            side = rng.choice(_SIDES)
            crops = [crop(self.on, self.fonts, rng, side) for _ in range(_BATCH * SIDE // side)]
            yield np.stack([shown(one.pixels) for one in crops]), np.stack([one.truth for one in crops])


def _turned(batch: tuple[Tensor, Tensor], rng: random.Random) -> tuple[Tensor, Tensor]:
    """A batch a quarter, a half or three quarters turned, bright for dark in half of them: other crops, for nothing."""
    turns = rng.randint(1, 3)
    planes, truth = (torch.rot90(part, turns, (-2, -1)) for part in batch)
    return planes * rng.choice((-1, 1)), truth


def loss(told: Tensor, truth: Tensor) -> Tensor:
    """Of log-odds [n, h, w] against uint8[n, 2 h, 2 w]: cross entropy of text and of the hardest ground, and what cores
    and answer share (dice). What is not asked about counts for nothing."""
    wide = truth[:, None].float()
    text = nn.functional.avg_pool2d((wide == 1).float(), 2)[:, 0]
    asked = 1 - nn.functional.max_pool2d((wide == 2).float(), 2)[:, 0]
    each = nn.functional.binary_cross_entropy_with_logits(told, text, reduction="none") * asked
    many = (text * asked).sum().clamp_min(50)
    some = min(int(_HARD * many) + _MAPPED * told.numel() // 1000, told.numel() // 2)
    ground = (each * (text < 0.5)).flatten().topk(some)[0].sum() / (_HARD * many)
    likely = torch.sigmoid(told) * asked
    dice = 1 - 2 * (likely * text).sum() / (likely.sum() + (text * asked).sum() + 1)
    return (each * (text >= 0.5)).sum() / many + 2 * ground + dice + 0.5 * each.mean()


def fit(
    on: list[Ground], fonts: list[str], minutes: float, start: Path | None, rate: float, seed: int, kept: Path
) -> Detector:
    """A detector fitted for so many minutes (AdamW, a rate that falls as a cosine, the mean of the last weights).

    Every 500 steps these are written to ``kept``.
    """
    torch.manual_seed(0)
    net = Detector().to(memory_format=torch.channels_last)
    if start is not None:
        net.load_state_dict(torch.load(start, weights_only=True))
    step, mean = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3), None
    fresh = iter(DataLoader(Crops(on, fonts, seed), batch_size=None, num_workers=1, prefetch_factor=8))
    before: deque[tuple[Tensor, Tensor]] = deque(maxlen=_KEPT)
    rng = random.Random(seed)
    begun, k, told = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in step.param_groups:
            group["lr"] = rate * min(1, (k + 1) / _WARM) * (0.51 + 0.5 * float(np.cos(np.pi * done)))
        if k % _USED == 0:
            before.append(next(fresh))
        planes, truth = _turned(rng.choice(before), rng) if k % _USED else before[-1]
        with torch.autocast("cpu", torch.bfloat16):
            odds = net(planes.to(memory_format=torch.channels_last))[:, 0]
        lost = loss(odds.float(), truth)
        step.zero_grad()
        lost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        step.step()
        k, told = k + 1, 0.98 * told + 0.02 * float(lost.detach())
        mean = _averaged(mean, net, min(_AVERAGED, k / (k + 10)))
        if k % 100 == 0:
            print(f"step {k}, loss {told / (1 - 0.98**k):.3f}, {time.monotonic() - begun:.0f} s", flush=True)
        if k % 500 == 0:
            torch.save(mean, kept)
    assert mean is not None
    net.load_state_dict(mean)
    return net.eval()


@torch.no_grad()
def _averaged(mean: dict[str, Tensor] | None, net: Detector, kept: float) -> dict[str, Tensor]:
    now = net.state_dict()
    if mean is None:
        return {name: value.detach().clone() for name, value in now.items()}
    for name, value in now.items():
        if value.dtype.is_floating_point:
            mean[name].mul_(kept).add_(value, alpha=1 - kept)
        else:
            mean[name].copy_(value)
    return mean


def write(net: Detector, out: Path) -> None:
    """The network, with its probabilities, for any height and width."""
    free = {2: "height", 3: "width"}
    torch.save(net.state_dict(), out.with_suffix(".pt"))
    torch.onnx.export(
        nn.Sequential(net, nn.Sigmoid()).eval(), (torch.zeros(1, 2, 128, 128),), str(out), dynamo=False,
        input_names=["shown"], output_names=["core"], dynamic_axes={"shown": free, "core": free}, opset_version=17,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="as of benchmarks.burned_in.fit_pictures")
    parser.add_argument("--fonts", type=Path, required=True, help="a folder of font files")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--start", type=Path, help="weights (.pt) to go on from")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grounds", type=Path, help="where the marked grounds are kept between runs")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.grounds and args.grounds.exists():
        on = pickle.loads(args.grounds.read_bytes())
    else:
        on = grounds(args.data)
        if args.start:
            on = seen(doubted(on))
        if args.grounds:
            args.grounds.write_bytes(pickle.dumps(on))
    kept = args.out.with_suffix(".pt")
    write(fit(on, faces(args.fonts), args.minutes, args.start, args.rate, args.seed, kept), args.out)


if __name__ == "__main__":
    main()
