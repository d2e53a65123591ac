"""A peer on the same pictures: rapidocr's plain reading of the page (PP-OCRv4), what it finds filled with black."""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks.burned_in.judge import Judged
from curate.deid.pixels.intensity_views import views


def rapidocr_judged(pictures: Sequence[tuple[np.ndarray, str]]) -> list[Judged]:
    """Its boxes whatever they say, on one thread; a picture is shown as it would be on a screen."""
    from rapidocr_onnxruntime import RapidOCR

    ocr = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, text_score=0.0)
    told = []
    for pixels, _ in pictures:
        start = time.process_time()
        shown = pixels if pixels.ndim == 3 and pixels.dtype == np.uint8 else next(views(pixels))
        lines, _ = ocr(shown if shown.ndim == 3 else cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR))
        mask = np.zeros(pixels.shape[:2], np.uint8)
        for corners, _, _ in lines or ():
            cv2.fillPoly(mask, [np.array(corners, np.float32).round().astype(np.int32)], 1)
        out = pixels.copy()
        out[mask > 0] = 0
        told.append(Judged("", out, mask.astype(bool), time.process_time() - start))
    return told
