"""A network in an ONNX file, run by onnxruntime on one thread, so that workers side by side do not fight for cores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Network:
    """``model``: the file's bytes. ``metadata``: what else is written in it, by name."""

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __call__(self, shown: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Its first answer to one input, float32[...], both without the batch's axis."""
        return np.asarray(self._session.run(None, {self._input: shown[None]})[0][0], np.float32)
