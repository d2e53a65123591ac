"""Fits the weights that tell codes from anatomy: `curate/deid/pixels/data/code_weights.json`.

    python -m benchmarks.burned_in.fit_codes DATA [--out FILE]

Logistic regression: regions of pictures without codes, as they are and with figures drawn into them (metal that is worn
or implanted above all: it has two tones and right angles too), against those on codes drawn into them; of the half for
fitting alone (every other picture of `clean_pictures.csv`, the first half of the folders of `fit_pictures`). Regions so
even that they are taken for grids are not asked about. Needs zxing-cpp, which draws the codes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in import fit_pictures
from benchmarks.burned_in.fit_figures import draw_figures
from benchmarks.burned_in.fit_metal import draw_metal
from benchmarks.burned_in.fit_text import SIDE
from benchmarks.burned_in.pictures import Picture, clean_pictures
from benchmarks.burned_in.planted_codes import PlantedCode, plant_codes
from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.code_traits import WEIGHTS, Region, evenness, measured, scaled
from curate.deid.pixels.codes import EVEN, reduced, regions, whole
from curate.deid.pixels.intensity_views import views

OUT = Path("curate/deid/pixels/data") / WEIGHTS
LARGEST = 1300  # px: codes are drawn on pictures up to this size
_METAL = 0.7  # of the pictures with figures: those with metal alone
_RIDGE = 3.0
_ON, _OF = 0.6, 0.3  # of a region, on a code's label; of the label and what would be painted together


def fit(data: Path, codes: int = 1200, figures: int = 900) -> dict[str, Any]:
    """The weights as the file holds them."""
    pictures = clean_pictures(data)[::2]
    shown = [next(views(p.pixels)) for p in pictures]
    shown += [p for _, p in fit_pictures.clean_pictures(data, 0, 60) if p.dtype == np.uint8]
    rng = random.Random(3)
    shown += [with_figures(shown[k % len(shown)], rng) for k in range(figures)]
    asked = (measured(small, r, min(small.shape)) for view in shown for _, small, r in _asked(view))
    no = [traits for traits in asked if traits is not None]
    yes = [traits for code in plant_codes(smaller(pictures), codes, 11) for traits in _on(code)]
    print(f"{len(no)} regions of {len(shown)} pictures without codes, {len(yes)} on {codes} codes")
    return _weights(np.array([*no, *yes]), np.r_[np.zeros(len(no)), np.ones(len(yes))])


def with_figures(view: Image8, rng: random.Random) -> Image8:
    """``view`` (uint8[H, W]) with one to four figures that are neither text nor code."""
    out = view.copy()
    if rng.random() < _METAL:
        for _ in range(rng.randint(1, 4)):
            draw_metal(out, rng)
        return out
    y, x = (rng.randint(0, max(0, side - SIDE)) for side in out.shape)
    part = out[y : y + SIDE, x : x + SIDE]
    square = np.pad(part, [(0, SIDE - side) for side in part.shape], mode="edge")
    part[:] = draw_figures(square, rng)[: part.shape[0], : part.shape[1]]
    return out


def smaller(pictures: Sequence[Picture]) -> list[Picture]:
    """Those of up to `LARGEST` pixels a side."""
    return [p for p in pictures if max(p.pixels.shape) <= LARGEST]


def _asked(view: Image8) -> Iterator[tuple[float, Image8, Region]]:
    """What log-odds decide about: how many times reduced, the picture reduced, the region in it."""
    for times, at_size in reduced(view):
        yield from ((times, at_size, r) for r in regions(at_size) if evenness(at_size, r.rect) <= EVEN)


def _on(code: PlantedCode) -> Iterator[list[float]]:
    view = next(views(code.pixels))
    label = _filled(view, code.corners)
    for times, at_size, region in _asked(view):
        seen = _filled(view, cv2.boxPoints(region.rect) * times)
        painted = _filled(view, whole(at_size, region.rect) * times)
        inside = np.count_nonzero(seen & label) > _ON * np.count_nonzero(seen)
        if inside and np.count_nonzero(painted & label) > _OF * np.count_nonzero(painted | label):
            traits = measured(at_size, region, min(at_size.shape))
            if traits is not None:
                yield traits


def _filled(view: Image8, corners: np.ndarray) -> Image8:
    mask = np.zeros(view.shape, np.uint8)
    return np.asarray(cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1), np.uint8)


def _weights(traits: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Logistic regression on float[n, k] traits, scaled, and their products: Newton steps with a ridge."""
    mean, deviation = traits.mean(axis=0), traits.std(axis=0)
    deviation[deviation < 1e-4] = 1.0
    z = scaled(traits, mean, deviation)
    k = z.shape[1]
    first, second = np.tril_indices(k)
    design = np.c_[np.ones(len(z)), z, z[:, first] * z[:, second]]
    weights = np.zeros(design.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = (design.T * (p * (1 - p) + 1e-6)) @ design + _RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curve, design.T @ (truth - p) - _RIDGE * weights)
    products = np.zeros((k, k))
    products[first, second] = weights[1 + k :]
    told = {"mean": mean, "deviation": deviation, "linear": weights[1 : 1 + k], "products": products}
    return {"bias": round(float(weights[0]), 4)} | {name: np.round(w, 4).tolist() for name, w in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="as of benchmarks.burned_in.fit_pictures")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.write_text(json.dumps(fit(chosen.data), indent=1) + "\n")


if __name__ == "__main__":
    main()
