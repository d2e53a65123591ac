"""The one place for the torchvision trap: torchvision's wheel beside a torch it was not compiled for.

The registry's torchvision is linked against CUDA torch. Beside a CPU torch its compiled library does not load, its
operators are never declared, and ``import torchvision`` (so ``import open_clip`` and ``import timm``) dies with
``operator torchvision::nms does not exist``, although neither needs an operator. It dies where torchvision attaches a
shape function to the operators ``nms`` and ``qnms``, and declaring those two is all it wants. They stay without an
implementation: ``torchvision.ops.nms`` and ``torchvision.io`` are as unusable as before, and say so when called.

Where the compiled library loads, nothing is declared. Call `ensure` before the first import of open_clip.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

# torchvision/csrc/ops/nms.cpp and ops/quantized/cpu/qnms_kernel.cpp, as torchvision 0.20 to 0.28 declare them
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a schema lives as long as the Library object that declared it


def ensure() -> tuple[str, ...]:
    """Declare the operators torchvision cannot bring itself; returns their names, () where torchvision works.

    Safe to call any number of times. Without torchvision installed it does nothing.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _loads(Path(spec.origin).parent):
        return ()
    missing = tuple(name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name))
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in missing:
            library.define(_SCHEMAS[name])  # type: ignore[no-untyped-call]
        _declared.append(library)
    return missing


def _loads(package: Path) -> bool:
    """Whether torchvision's compiled library fits this torch, as torchvision's own import tries it."""
    for library in sorted(package.glob("_C*.so")) + sorted(package.glob("_C*.pyd")):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            return False
        return True
    return False
