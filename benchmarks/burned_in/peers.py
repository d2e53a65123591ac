"""Peers on the same pictures: rapidocr's plain reading of the page (PP-OCRv4), and presidio-image-redactor (Tesseract),
what they find filled with black. A picture is shown to them as it would be on a screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.burned_in.judge import Judged
from benchmarks.deid.peers import Peer, default_cache, install
from curate.deid.pixels.intensity_views import views

Pictures = Sequence[tuple[np.ndarray, str]]
_DRIVER = Path(__file__).parent / "drivers" / "presidio_image_driver.py"
_PRESIDIO = Peer(
    "presidio-image-redactor 0.0.62", ("presidio-image-redactor==0.0.62",), _DRIVER.name, "presidio_image_redactor"
)
_FILL = (255, 0, 255)  # the driver's: no picture has it


def peers() -> dict[str, Callable[[Pictures], list[Judged]]]:
    """Those that are there, by name; the others are named with the reason."""
    found: dict[str, Callable[[Pictures], list[Judged]]] = {"rapidocr": rapidocr_judged}
    why = install(_PRESIDIO, default_cache()) if shutil.which("tesseract") else "tesseract is not installed"
    if why:
        print(f"{_PRESIDIO.name}: {why}")
    else:
        found["presidio-image-redactor"] = presidio_judged
    return found


def rapidocr_judged(pictures: Pictures) -> list[Judged]:
    """Its boxes whatever they say, on one thread."""
    from rapidocr_onnxruntime import RapidOCR

    ocr = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, text_score=0.0)
    told = []
    for pixels, _ in pictures:
        start = time.process_time()
        lines, _ = ocr(_shown(pixels))
        mask = np.zeros(pixels.shape[:2], np.uint8)
        for corners, _, _ in lines or ():
            cv2.fillPoly(mask, [np.array(corners, np.float32).round().astype(np.int32)], 1)
        told.append(_filled(pixels, mask > 0, time.process_time() - start))
    return told


def presidio_judged(pictures: Pictures) -> list[Judged]:
    """Every word that its reader sees, whatever it says."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        for k, (pixels, _) in enumerate(pictures):
            cv2.imwrite(str(source / f"{k:05}.png"), _shown(pixels))
        env = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        env.pop("PYTHONPATH", None)
        command = [str(_PRESIDIO.python(default_cache())), str(_DRIVER), str(source), str(out)]
        subprocess.run(command, env=env, check=True, capture_output=True)
        seconds = json.loads((out / "seconds.json").read_text())
        told = []
        for k, (pixels, _) in enumerate(pictures):
            name = f"{k:05}.png"
            filled = (cv2.imread(str(out / name)) == _FILL).all(axis=2)
            told.append(_filled(pixels, filled, float(seconds[name])))
    return told


def _shown(pixels: np.ndarray) -> np.ndarray:
    """uint8[H, W, 3]."""
    shown = pixels if pixels.ndim == 3 and pixels.dtype == np.uint8 else next(views(pixels))
    return shown if shown.ndim == 3 else np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR))


def _filled(pixels: np.ndarray, where: np.ndarray, seconds: float) -> Judged:
    out = pixels.copy()
    out[where] = 0
    return Judged("", out, where, seconds)
