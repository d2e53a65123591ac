"""What a device can do at most, measured beside what is asked of it; and how it waits."""

from __future__ import annotations

import time

import torch


def gemm_peak(device: str, side: int, repeats: int = 10) -> float:
    """FLOP/s of one product of two bfloat16 matrices of ``side``, the best of ``repeats``."""
    left, right = (torch.randn(side, side, device=device).to(torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(repeats + 2):  # two warm up
        wait(device)
        began = time.perf_counter()
        torch.matmul(left, right)
        wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best


def wait(device: str) -> None:
    """Until the device has done all that it was told."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def name_of(device: str) -> str:
    """The card's name, or what the machine calls its processor."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "CPU"
