"""The clustering of semantic dedup (SemDeDup, 2303.09540): spherical k-means of unit rows, by torch, beside faiss."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.roof import wait

_CHUNK = 65_536  # rows whose cosines with all centres are held at a time


def spherical_kmeans(rows: torch.Tensor, k: int, rounds: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(centres [k, d] of unit length, labels int64[n]) of unit rows [n, d] after ``rounds`` of Lloyd's; a centre that
    nobody is nearest to stays where it was."""
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:k]
    centres = rows[drawn.to(rows.device)].float()
    labels = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for _ in range(rounds):
        labels = torch.cat([(part @ centres.to(part.dtype).T).argmax(dim=1) for part in rows.split(_CHUNK)])
        sums = torch.zeros_like(centres).index_add_(0, labels, rows.float())
        met = torch.bincount(labels, minlength=k)[:, None] > 0
        centres = torch.where(met, torch.nn.functional.normalize(sums, dim=1), centres)
    return centres, labels


def blobs(n: int, dim: int, k: int, device: str) -> torch.Tensor:
    """Unit rows float32[n, dim] around ``k`` directions."""
    drawn = torch.Generator(device).manual_seed(0)
    middles = torch.nn.functional.normalize(torch.randn(k, dim, generator=drawn, device=device), dim=1)
    of = torch.randint(k, (n,), generator=drawn, device=device)
    noise = torch.randn(n, dim, generator=drawn, device=device) / dim**0.5
    return torch.nn.functional.normalize(middles[of] + noise, dim=1)


def measure(device: str, n: int, dim: int, k: int, rounds: int = 10) -> dict[str, Any]:
    """Seconds of both and the mean cosine of a row with its centre; faiss on the CPU's cores, where it is there."""
    rows = blobs(n, dim, k, device)
    rows = rows.to(torch.bfloat16) if device.startswith("cuda") else rows
    spherical_kmeans(rows[: max(k, 1000)], k, 1)
    wait(device)
    began = time.perf_counter()
    centres, labels = spherical_kmeans(rows, k, rounds)
    wait(device)
    seconds = time.perf_counter() - began
    near = torch.cat([(rows[at].float() * centres[labels[at]]).sum(1) for at in torch.arange(n).split(_CHUNK)])
    found = {"rows": n, "dim": dim, "k": k, "rounds": rounds, "torch": {"s": seconds, "cosine": float(near.mean())}}
    return found | ({"faiss": _faiss(rows, k, rounds)} if importlib.util.find_spec("faiss") else {})


def _faiss(rows: torch.Tensor, k: int, rounds: int) -> dict[str, float]:
    import faiss

    shown = np.ascontiguousarray(rows.float().cpu().numpy())
    how = {"niter": rounds, "spherical": True, "seed": 0, "max_points_per_centroid": len(rows)}
    clustering = faiss.Kmeans(shown.shape[1], k, **how)
    began = time.perf_counter()
    clustering.train(shown)
    seconds = time.perf_counter() - began
    return {"s": seconds, "cosine": float(clustering.index.search(shown, 1)[0].mean())}
