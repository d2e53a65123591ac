"""Figures of the benchmark, each with a 95 % interval: Wilson's of a share, a bootstrap's of a mean or a quantile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.judge import Judged
from benchmarks.burned_in.pictures import Picture, read
from benchmarks.burned_in.planted import Planted
from benchmarks.burned_in.reader import READ, read_share, says
from curate.report.interval import wilson

NEAR = 10  # px from text: painting there is painting of text
_ALL = 0.999  # of a line's strokes painted: nothing is left to read
COVERED = 0.9  # of a line's strokes, or of a word's box
CLEAR = 0.1  # contrast from which a line is asked for
PAD = 25  # px: the boxes of burned_in_images were measured with this border around the picture
_DRAWS = 2000


def share(hits: int, n: int) -> dict[str, Any]:
    """A share with its interval (Wilson 1927)."""
    if not n:
        return {"hits": 0, "of": 0, "value": None, "interval": [0.0, 1.0]}
    return {"hits": int(hits), "of": n, "value": hits / n, "interval": [float(v) for v in wilson(hits, n)]}


def spread(values: Sequence[float], of: Callable[[np.ndarray], float]) -> dict[str, Any]:
    """A statistic of ``values`` with the bootstrap's percentile interval."""
    if not values:
        return {"of": 0, "value": None, "interval": [None, None]}
    told, rng = np.array(values), np.random.default_rng(0)
    drawn = [of(told[rng.integers(0, len(told), len(told))]) for _ in range(_DRAWS)]
    low, high = (float(v) for v in np.percentile(drawn, (2.5, 97.5)))
    return {"of": len(values), "value": float(of(told)), "interval": [low, high]}


def _mean(v: np.ndarray) -> float:
    return float(v.mean())


def _median(v: np.ndarray) -> float:
    return float(np.median(v))


def _p99(v: np.ndarray) -> float:
    return float(np.quantile(v, 0.99))


def foreground(pixels: np.ndarray) -> np.ndarray:
    """bool[H, W]: what is not the ground about the body: further than 4 % of the range from the darkest tone."""
    plane = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    low, high = (float(v) for v in np.percentile(plane, (0.1, 99.9)))
    mask = cv2.morphologyEx(
        (plane > low + 0.04 * (high - low)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)
    )
    return np.asarray(mask, bool) if mask.any() else np.ones(plane.shape, bool)


def clean_report(pictures: Sequence[Picture], results: Sequence[Judged]) -> dict[str, Any]:
    """Pictures without text: how many are changed or withheld, and how much of their anatomy is painted."""
    groups: dict[str, list[int]] = {"all": list(range(len(pictures)))}
    for k, picture in enumerate(pictures):
        groups.setdefault(picture.modality, []).append(k)
    lost = []
    for picture, result in zip(pictures, results, strict=True):
        body = foreground(picture.pixels)
        gone = body if result.reason else result.painted & body
        lost.append(float(np.count_nonzero(gone) / np.count_nonzero(body)))
    touched = [bool(r.reason) or bool(r.painted.any()) for r in results]
    return {
        "changed or withheld": {g: share(sum(touched[k] for k in ks), len(ks)) for g, ks in sorted(groups.items())},
        "withheld": share(sum(bool(r.reason) for r in results), len(results)),
        "painted share of anatomy, median": spread(lost, _median),
        "painted share of anatomy, 99th percentile": spread(lost, _p99),
        "CPU s a picture": spread([r.seconds for r in results], _mean),
        "CPU s a picture, by modality": {
            g: spread([results[k].seconds for k in ks], _mean) for g, ks in sorted(groups.items())
        },
        "which": {p.name: r.reason or "changed" for p, r, t in zip(pictures, results, touched, strict=True) if t},
    }


def planted_report(lines: Sequence[Planted], results: Sequence[Judged]) -> dict[str, Any]:
    """Pictures with a line each: what is left of it, and what else is gone."""
    rows = [_of_line(line, result) for line, result in zip(lines, results, strict=True)]
    clear = [r for r in rows if r["contrast"] >= CLEAR]
    kept = [r for r in rows if r["painted"] and not r["reason"]]
    passed = [r for r in rows if not r["reason"]]
    by: dict[str, dict[str, Any]] = {}
    for name in ("kind", "font", "modality", "height", "contrast"):
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in rows if name == "contrast" else clear:
            groups.setdefault(_bin(name, row[name]), []).append(row)
        by[name] = {
            key: {
                "found": share(sum(r["found"] for r in rs), len(rs)),
                "read": share(sum(r["read"] for r in rs), len(rs)),
            }
            for key, rs in sorted(groups.items())
        }
    return {
        "lines": len(rows),
        f"of contrast >= {CLEAR}": len(clear),
        "left readable, by the reader": share(sum(r["read"] for r in clear), len(clear)),
        "left readable, by string": share(sum(r["said"] for r in clear), len(clear)),
        "found (90 % of the strokes painted, or withheld)": share(sum(r["found"] for r in clear), len(clear)),
        "found, of all contrasts": share(sum(r["found"] for r in rows), len(rows)),
        "withheld": share(sum(bool(r["reason"]) for r in rows), len(rows)),
        "withheld for": dict(Counter(r["reason"] for r in rows if r["reason"])),
        "painted area / text area, median": spread([r["times"] for r in kept], _median),
        "painted area / text area, 99th percentile": spread([r["times"] for r in kept], _p99),
        f"painted more than {NEAR} px from text, mean share": spread([r["away"] for r in passed], _mean),
        "CPU s a picture": spread([r.seconds for r in results], _mean),
        "by": by,
        "missed": [r for r in clear if r["read"] or r["said"] or not r["found"]],
    }


def _bin(name: str, value: Any) -> str:
    edges: dict[str, tuple[float, ...]] = {
        "height": (8, 12, 20, 40, 60, 100, 200),
        "contrast": (0.05, 0.1, 0.2, 0.5, 1),
    }
    if name not in edges:
        return str(value)
    below = [e for e in edges[name] if e <= value] or [edges[name][0]]
    return f"{below[-1]:06.2f}" if name == "contrast" else f"{int(below[-1]):03}"


def _of_line(line: Planted, result: Judged) -> dict[str, Any]:
    strokes = line.ink > 0.5
    covered = np.count_nonzero(result.painted & strokes) / max(np.count_nonzero(strokes), 1)
    box = np.zeros(strokes.shape, np.uint8)
    cv2.fillPoly(box, [np.round(line.corners).astype(np.int32)], 1)
    near = cv2.dilate(box, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)).astype(bool)
    out = bool(result.reason)
    left = not out and covered < _ALL
    # an ocr reads things into ground that never held the line: what it says of the bare picture does not count
    bare = line.picture.pixels
    read = left and read_share(line, result.pixels) >= READ and read_share(line, bare) < READ
    said = left and says(line, result.pixels) and not says(line, bare)
    return {
        "file": line.picture.name, "modality": line.picture.modality, "kind": line.kind, "font": line.font,
        "text": line.text, "height": line.height, "contrast": round(line.contrast, 3), "degrees": line.degrees,
        "reason": result.reason, "found": out or bool(covered >= COVERED), "covered": round(float(covered), 3),
        "read": bool(read), "said": bool(said),
        "painted": bool(result.painted.any()), "times": float(result.painted.sum() / max(line.area, 1)),
        "away": float(np.count_nonzero(result.painted & ~near) / strokes.size),
    }  # fmt: skip


def real_report(data: Path, ask: Callable[[Sequence[tuple[np.ndarray, str]]], list[Judged]]) -> dict[str, Any]:
    """The word boxes of burned_in_images: covered; and how much of the picture is painted away from any of them."""
    folder = data / "deid" / "burned_in_images"
    truth = json.loads((folder / "ground_truth.json").read_text())
    pictures = {name: read(folder / name) for name in truth}
    results = ask([(p, "OT") for p in pictures.values() if p is not None])
    told: dict[str, Any] = {}
    for (name, pixels), result in zip(pictures.items(), results, strict=True):
        assert pixels is not None
        boxes = [(b["left"] - PAD, b["top"] - PAD, b["width"], b["height"]) for b in truth[name].get("boxes", [])]
        near = np.zeros(result.painted.shape, bool)
        for x, y, w, h in boxes:
            near[max(0, y - 2 * NEAR) : y + h + 2 * NEAR, max(0, x - 2 * NEAR) : x + w + 2 * NEAR] = True
        parts = [result.painted[max(0, y) : y + h, max(0, x) : x + w] for x, y, w, h in boxes]
        told[name] = {
            "boxes": len(boxes),
            "covered": sum(float(part.mean()) >= COVERED for part in parts),
            "reason": result.reason,
            "painted share": float(result.painted.mean()),
            "painted away from the boxes": float(np.count_nonzero(result.painted & ~near) / near.size)
            if boxes
            else None,
        }
    return told
