"""Fits the weights that tell codes from anatomy: `curate/deid/pixels/data/code_weights.json`.

    python -m benchmarks.burned_in.fit_codes DATA [--out FILE]

Logistic regression: regions of pictures without codes against those on codes drawn into them, of the half for fitting
alone (every other picture of `clean_pictures.csv`, the first half of the folders of `fit_pictures`). Needs zxing-cpp,
which draws the codes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in import fit_pictures
from benchmarks.burned_in.pictures import Picture, clean_pictures
from benchmarks.burned_in.planted_codes import PlantedCode, plant_codes
from curate.deid.pixels.boxes import Image8
from curate.deid.pixels.codes import WEIGHTS, Region, measured, reduced, regions
from curate.deid.pixels.intensity_views import views

OUT = Path("curate/deid/pixels/data") / WEIGHTS
LARGEST = 1300  # px: codes are drawn on pictures up to this size
_ON, _OF = 0.6, 0.15  # of a region, on a code's label; of both together


def fit(data: Path, codes: int = 900) -> dict[str, Any]:
    """The weights as the file holds them."""
    pictures = clean_pictures(data)[::2]
    shown = [next(views(p.pixels)) for p in pictures]
    shown += [p for _, p in fit_pictures.clean_pictures(data, 0, 60) if p.dtype == np.uint8]
    no = [traits for view in shown for _, _, traits in _all(view)]
    yes = [traits for code in plant_codes(small(pictures), codes, 11) for traits in _on(code)]
    print(f"{len(no)} regions of {len(shown)} pictures without codes, {len(yes)} on {codes} codes")
    return _weights(np.array([*no, *yes]), np.r_[np.zeros(len(no)), np.ones(len(yes))])


def small(pictures: Sequence[Picture]) -> list[Picture]:
    """Those of up to `LARGEST` pixels a side."""
    return [p for p in pictures if max(p.pixels.shape) <= LARGEST]


def _all(view: Image8) -> Iterator[tuple[float, Region, list[float]]]:
    for times, at_size in reduced(view):
        for region in regions(at_size):
            yield times, region, measured(at_size, region, min(at_size.shape))


def _on(code: PlantedCode) -> Iterator[list[float]]:
    view = next(views(code.pixels))
    label = np.zeros(view.shape, np.uint8)
    cv2.fillPoly(label, [np.round(code.corners).astype(np.int32)], 1)
    for times, region, traits in _all(view):
        seen = np.zeros(view.shape, np.uint8)
        cv2.fillPoly(seen, [np.round(cv2.boxPoints(region.rect) * times).astype(np.int32)], 1)
        both = np.count_nonzero(seen & label)
        if both > _ON * np.count_nonzero(seen) and both > _OF * np.count_nonzero(seen | label):
            yield traits


def _weights(traits: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Logistic regression on float[n, traits], scaled, and their squares: Newton steps with a unit ridge."""
    mean, deviation = traits.mean(axis=0), traits.std(axis=0)
    deviation[deviation < 1e-4] = 1.0
    z = np.clip((traits - mean) / deviation, -4, 4)
    design = np.c_[np.ones(len(z)), z, z * z]
    weights = np.zeros(design.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = (design.T * (p * (1 - p) + 1e-6)) @ design + np.eye(len(weights))
        weights += np.linalg.solve(curve, design.T @ (truth - p) - weights)
    k = traits.shape[1]
    table = np.c_[mean, deviation, weights[1 : 1 + k], weights[1 + k :]]
    return {"bias": round(float(weights[0]), 4), "traits": np.round(table, 4).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="as of benchmarks.burned_in.fit_pictures")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.write_text(json.dumps(fit(chosen.data), indent=1) + "\n")


if __name__ == "__main__":
    main()
