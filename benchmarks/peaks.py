"""Peak throughput of GPUs."""

from __future__ import annotations

PEAK = {"H200": 989.0, "H100": 989.0, "A100": 312.0}  # dense bf16 TFLOP/s by a part of the GPU's name


def peak(name: str) -> float | None:
    """FLOP/s in dense bfloat16 of the GPU called ``name``; None where it is not known here."""
    return next((tera * 1e12 for part, tera in PEAK.items() if part in name), None)
