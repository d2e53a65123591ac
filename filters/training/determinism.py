"""Torch made repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def determinism(seed: int, threads: int) -> Iterator[None]:
    """Torch's global state set for a repeatable training, and put back."""
    threads_before, mode_before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode("warn")  # `use_deterministic_algorithms` loads the compiler: a second
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that costs 7 % here
        try:
            yield
        finally:
            torch.set_num_threads(threads_before)
            torch.set_deterministic_debug_mode(mode_before)
