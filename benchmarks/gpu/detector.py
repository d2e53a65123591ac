"""The detector of text in pixels by onnxruntime: pictures a second on one core, and its network on the GPU where
onnxruntime has a provider for one."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import onnxruntime

from curate.deid.pixels.text_detector import WEIGHTS, detected

_LEAST = 0.3  # of a region's score


def pictures(n: int, side: int) -> list[np.ndarray]:
    """uint8[side, side] with a soft shape and two lines of text."""
    found = []
    for i in range(n):
        rng = np.random.default_rng(i)
        small = rng.integers(0, 120, (8, 8)).astype(np.uint8)
        view = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
        for line in range(2):
            at = (int(rng.integers(5, side // 3)), int(rng.integers(30, side - 10)))
            cv2.putText(view, f"ROOM {i}{line} 17:0{line}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
        found.append(view)
    return found


def measure(n: int, side: int, tiles: int) -> dict[str, Any]:
    """Seconds a picture through `curate.deid.pixels.text_detector`, and ms a tile of the network by provider."""
    shown = pictures(n, side)
    detected(shown[0], _LEAST)
    began = time.process_time()
    regions = sum(len(detected(view, _LEAST)) for view in shown)
    found: dict[str, Any] = {"side": side, "CPU-s a picture": (time.process_time() - began) / n, "regions": regions}
    return found | {"ms a tile": network(tiles)}


def network(tiles: int) -> dict[str, Any]:
    """ms a tile of the network alone, one at a time as the product asks; how far its answers are apart at most."""
    model = files("curate.deid.pixels").joinpath("data", WEIGHTS).read_bytes()
    there = [p for p in onnxruntime.get_available_providers() if p in ("CPUExecutionProvider", "CUDAExecutionProvider")]
    answers: dict[str, np.ndarray] = {}
    told: dict[str, Any] = {}
    for provider in there:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=[provider])
        given = session.get_inputs()[0]
        shape = [1, *(d if isinstance(d, int) else 256 for d in given.shape[1:])]
        tile = np.random.default_rng(0).random(shape).astype(np.float32)
        answers[provider] = session.run(None, {given.name: tile})[0]
        began = time.perf_counter()
        for _ in range(tiles):
            session.run(None, {given.name: tile})
        told[provider] = 1000 * (time.perf_counter() - began) / tiles
    first, *others = answers.values()
    return told | {"apart": max((float(np.abs(first - other).max()) for other in others), default=0.0)}
