"""Score pairs under one or several filters in one pass over the images.

`prepare` is the CPU half, numpy only, so that it runs beside the data and its batches travel as Arrow; `Scorer` is
the half with the models and torch, loaded once a process. A record's score depends on the record and the filters
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.errors import RunError, about
from filters.method import Batch, Method, Scores, load_method, read_card
from filters.towers import preprocess

NATIVE_MOST = 1024  # px, longest side of an image carried in its own aspect
DECIMALS = 5  # of a score: above the noise of float32 sums (about 1e-7) by far


@dataclass(frozen=True)
class Needs:
    """What the filters read: images at ``sides`` (letterboxed), and of their own aspect where ``native``."""

    sides: tuple[int, ...]
    native: bool = False

    @classmethod
    def of(cls, folders: Iterable[Path]) -> Needs:
        """What the filters in ``folders`` say on their cards; nothing is loaded."""
        described = [read_card(folder).get("preprocessing", {}) for folder in folders]
        sides = {int(side) for p in described for side in p.get("sides", [p["side"]] if "side" in p else [])}
        return cls(tuple(sorted(sides)), any(p.get("native", False) for p in described))


def prepare(
    images: Sequence[bytes | None],
    texts: Sequence[str],
    needs: Needs,
    batch: int,
    threads: int = 1,
    whose: Sequence[tuple[str, str]] | None = None,
) -> Iterator[Batch]:
    """Decode once, window and resize (`filters.towers.preprocess`), in ``threads`` threads, which OpenCV leaves
    Python's lock for: batches of at most ``batch`` rows, in order, none left out. ``whose`` are the keys and patients,
    for filters that ask what a patient's other pairs say.

    An image that is None or does not decode becomes a black one with ``valid`` False; its scores will be NaN.
    """
    if len(images) != len(texts):
        raise ValueError(f"{len(images)} images, {len(texts)} texts")
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as beside:
        spread: Callable[..., Iterator[DecodedImage | None]] = beside.map if threads > 1 else map
        for start in range(0, len(images), batch):
            rows = slice(start, start + batch)
            decoded = list(spread(partial(_decode_image, needs=needs), images[rows]))
            own = None if whose is None else list(whose[rows])
            yield replace(_batch(decoded, list(texts[rows]), needs, batch), whose=own)


DecodedImage = tuple[
    list[preprocess.Pixels], preprocess.Pixels | None
]  # a picture at each of the sides, and in its own aspect


def _decode_image(image: bytes | None, needs: Needs) -> DecodedImage | None:
    read = preprocess.read(image)
    if read is None:
        return None
    squares = [preprocess.square(read, side) for side in needs.sides]
    return squares, preprocess.native(read, NATIVE_MOST) if needs.native else None


def _batch(decoded: Sequence[DecodedImage | None], texts: list[str], needs: Needs, rows: int) -> Batch:
    squares: dict[int, preprocess.Pixels] = {}
    for k, side in enumerate(needs.sides):
        black = np.zeros((side, side, 1), np.uint8)
        squares[side] = preprocess.stack([black if image is None else image[0][k] for image in decoded])
    native = [None if image is None else image[1] for image in decoded] if needs.native else None
    return Batch(squares, texts, np.array([image is not None for image in decoded], dtype=bool), native, rows)


class Scorer:
    """Filters loaded once and called with batches: columns ``name`` and ``name_suffix``, float32[n] each.

    ``threads`` are torch's, for the process; ``scoring``: what is chosen anew of a filter, by its name. NaN stands
    where a filter cannot say; RunError where one answers NaN for a record that it could read.
    """

    def __init__(
        self,
        folders: Mapping[str, str],
        device: str = "auto",
        threads: int = 1,
        scoring: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        self.methods: dict[str, Method] = {
            name: _load(name, f, device, (scoring or {}).get(name)) for name, f in folders.items()
        }
        self.needs = Needs(
            tuple(sorted({side for m in self.methods.values() for side in m.sides})),
            any(m.native for m in self.methods.values()),
        )
        self.columns = [column(name, s) for name, m in self.methods.items() for s in m.columns]

        self._without_gradients = torch.inference_mode

    def __call__(self, batch: Batch) -> Scores:
        """Every filter's columns, rounded to `DECIMALS`."""
        found: Scores = {}
        with self._without_gradients():
            for name, method in self.methods.items():
                for suffix, values in method(batch).items():
                    found[column(name, suffix)] = _checked(name, method, values, batch)
        return found


def _load(name: str, folder: str, device: str, scoring: Mapping[str, Any] | None) -> Method:
    with about(f"filters.{name}"):
        return load_method(Path(folder), device, scoring)


def column(name: str, suffix: str) -> str:
    """The score table's column of a filter's ``suffix``; "" is the filter's own score."""
    return f"{name}_{suffix}" if suffix else name


def _checked(name: str, method: Method, values: np.ndarray, batch: Batch) -> np.ndarray:
    rounded = np.round(np.asarray(values, np.float32), DECIMALS) if values.ndim == 1 else values.astype(np.float16)
    readable = batch.valid if method.sides or method.native else np.ones(len(batch.texts), dtype=bool)
    bad = int((~np.isfinite(rounded[readable])).sum())
    if bad:
        raise RunError(f"filter {name!r} scores {bad} of {len(rounded)} pairs NaN: train it again")
    return rounded
