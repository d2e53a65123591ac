"""The processes that train together: one, torchrun's, or Ray Train's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class World:
    """This process is ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """True in the one process that writes files and draws bars."""
        return self.rank == 0

    def average(self, gradients: Iterable[torch.Tensor]) -> None:
        """Each tensor becomes its mean over the processes, in one message a device and dtype."""
        if self.size == 1:
            return
        kinds: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
        for gradient in gradients:
            kinds.setdefault((gradient.device, gradient.dtype), []).append(gradient)
        for same in kinds.values():
            flat = torch.cat([g.reshape(-1) for g in same])
            dist.all_reduce(flat)
            flat /= self.size
            start = 0
            for gradient in same:
                gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
                start += gradient.numel()

    def total(self, value: float) -> float:
        """The sum over the processes."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return float(told)

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            dist.barrier()


def find_world(device: str) -> World:
    """Of torchrun's environment, or of a process group that is there already; alone where there is neither.

    ``device`` "cuda" becomes the process's own GPU.
    """
    if not dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    if not dist.is_initialized():
        return World(device=device)
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    return World(dist.get_rank(), dist.get_world_size(), device)


def leave(world: World) -> None:
    """End what `find_world` began."""
    if world.size > 1 and dist.is_initialized() and "TORCHELASTIC_RUN_ID" in os.environ:
        dist.destroy_process_group()
