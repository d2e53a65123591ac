"""Fits the weights of a row's traits: `curate/deid/pixels/data/candidate_features.json`.

    python -m benchmarks.burned_in.fit_features DATA [--out FILE]

Logistic regression, rows of clean pictures against rows of drawn lines, apart for lone pieces, pairs and longer rows.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.fit_pictures import clean_pictures, covered, eight
from benchmarks.drawn_text import fonts, lines
from curate.deid.pixels.candidate_features import WEIGHTS, Row
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_candidates import rows

OUT = Path("curate/deid/pixels/data") / WEIGHTS
_KINDS = {"one": range(1, 2), "two": range(2, 3), "more": range(3, 10_000)}


def fit(data: Path) -> dict[str, Any]:
    """The weights of lone pieces, pairs and rows, as the file holds them."""
    pictures = [eight(p) for _, p in clean_pictures(data, 0, 80) if min(p.shape) >= 64]
    larger = [
        cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for p in pictures[::3] if max(p.shape) < 600
    ]
    against = [row for p in pictures + larger for row in rows(p)]
    hits: list[Row] = []
    for line in lines([p for p in pictures if 128 <= min(p.shape) <= 1100], random.Random(0), 4, fonts("fit")):
        if line.visible:
            found = [r for v in views(line.picture) for r in rows(v)]
            on = [r for r in found if r.count > 1 and covered(line.box, [r.box], line.picture.shape) > 0.3]
            hits += sorted(on, key=lambda r: (-r.count * r.stable, r.box))[:2]
            alone = [r for r in found if r.count == 1 and covered(r.box, [line.box], line.picture.shape) > 0.8]
            hits += sorted(alone, key=lambda r: (-r.box[2] * r.box[3], r.box))[:3]
    found = {}
    for kind, counts in _KINDS.items():
        no, yes = (np.array([r.traits for r in side if r.count in counts]) for side in (against, hits))
        print(f"{kind}: {len(no)} rows of clean pictures, {len(yes)} of drawn text")
        found[kind] = _weights(np.r_[no, yes], np.r_[np.zeros(len(no)), np.ones(len(yes))])
    return found


def _weights(traits: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    mean, deviation = traits.mean(axis=0), traits.std(axis=0)
    deviation[deviation < 1e-4] = 1.0  # a pair always counts two
    z = np.clip((traits - mean) / deviation, -4, 4)
    design = np.c_[np.ones(len(z)), z, z * z]
    weights = np.zeros(design.shape[1])
    for _ in range(60):  # Newton steps with a unit ridge
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
