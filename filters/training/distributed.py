"""The processes of a training: one, torchrun's, or Ray Train's; and torch's state in each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

_BUCKET = 25 * 2**20  # bytes sent together, as torch's DistributedDataParallel does


@dataclass(frozen=True)
class DistributedContext:
    """This process is ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """True in the process that writes files and reports progress."""
        return self.rank == 0

    def average(self, gradients: Iterable[torch.Tensor]) -> None:
        """All-reduce: each tensor becomes its mean over the processes, in buckets that are sent asynchronously."""
        if self.size == 1:
            return
        sent = []
        for same in _buckets(gradients):
            flat = torch.cat([g.reshape(-1) for g in same])
            sent.append((same, flat, dist.all_reduce(flat, async_op=True)))
        for same, flat, work in sent:
            work.wait()
            flat /= self.size
            for gradient, part in zip(same, torch.split(flat, [g.numel() for g in same]), strict=True):
                gradient.copy_(part.view_as(gradient))

    def summed(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over the processes, without synchronising with the device."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def total(self, value: float) -> float:
        """The sum over the processes."""
        return value if self.size == 1 else float(self.summed(torch.tensor(value, dtype=torch.float64).to(self.device)))

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            dist.barrier()


def _buckets(gradients: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Tensors of one device and dtype, about `_BUCKET` bytes at a time; the same in every process."""
    open_: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    for gradient in gradients:
        same = open_.setdefault((gradient.device, gradient.dtype), [])
        same.append(gradient)
        if sum(g.nbytes for g in same) >= _BUCKET:
            yield open_.pop((gradient.device, gradient.dtype))
    yield from open_.values()


def find_context(device: str) -> DistributedContext:
    """The context from torchrun's environment or an existing process group; a single process if there is neither.

    ``device`` "cuda" becomes the process's own GPU.
    """
    if not dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    if not dist.is_initialized():
        return DistributedContext(device=device)
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    return DistributedContext(dist.get_rank(), dist.get_world_size(), device)


def leave(distributed: DistributedContext) -> None:
    """Destroy the process group that `find_context` made."""
    if distributed.size > 1 and dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ:
        dist.destroy_process_group()


@contextmanager
def determinism(seed: int, threads: int) -> Iterator[None]:
    """Set torch's global state for a deterministic training, and restore it afterwards."""
    threads_before, mode_before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(
            "warn"
        )  # `use_deterministic_algorithms` would import the compiler, which takes a second
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that costs 7 % here
        try:
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.set_deterministic_debug_mode(mode_before)
