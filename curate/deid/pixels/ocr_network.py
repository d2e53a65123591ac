"""The networks of the optional OCR package, and the only place that knows which engine runs them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

_PACKAGE = "rapidocr_onnxruntime"
DETECTOR, RECOGNISER = "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"

Floats = npt.NDArray[np.float32]


@cache
def available() -> bool:
    """Whether the optional package (``pip install radsift[ocr]``) is there."""
    return find_spec(_PACKAGE) is not None


class OcrNetwork:
    """One network, run by onnxruntime on one thread, so that workers side by side do not fight for cores."""

    def __init__(self, name: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = files(_PACKAGE).joinpath("models", name).read_bytes()
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        told = self._session.get_modelmeta().custom_metadata_map
        self.characters = told.get("character", "").split("\n")

    def __call__(self, grey: Floats) -> Floats:
        """The answer for one picture, float32[H, W] of -1 to 1, shown as three equal channels; without its batch."""
        answer = self._session.run(None, {self._input: np.repeat(grey[None, None], 3, axis=1)})[0]
        return np.asarray(answer[0], np.float32)


@cache
def network(name: str) -> OcrNetwork:
    """The one of this process."""
    return OcrNetwork(name)
