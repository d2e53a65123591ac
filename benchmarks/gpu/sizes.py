"""How much each part is given: on a GPU so that all end within ten minutes, in tiny so that a test can run them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Size:
    """``score`` and ``train``: pairs a batch by architecture. ``kmeans``: rows, dimensions, clusters, rounds.
    ``detector``: pictures, px a side, tiles."""

    score: Mapping[str, int]
    train: Mapping[str, int]
    records: int  # films, drawn before anything is timed
    partitions: int
    side: int
    workers: int  # threads that decode for the scorer, processes for the trainer
    drawers: int  # processes that draw films
    seconds: float  # of each rate of scoring
    steps: int  # of training that are timed
    resume: int  # steps of the job that is stopped half way
    parity: int  # pairs that are compared
    kmeans: tuple[int, int, int, int]
    detector: tuple[int, int, int]
    gemm: int

    def of(self, arch: str) -> Size:
        """With ``arch`` in the place of every architecture."""
        return replace(self, score={arch: max(self.score.values())}, train={arch: max(self.train.values())})


FULL = Size(
    score={"ViT-B-32": 1024, "ViT-L-14": 256},
    train={"ViT-B-32": 1024, "ViT-L-14": 256},
    records=8192,
    partitions=4,
    side=224,
    workers=max(1, (os.cpu_count() or 1) - 2),
    drawers=os.cpu_count() or 1,
    seconds=10.0,
    steps=36,
    resume=40,
    parity=512,
    kmeans=(1_000_000, 512, 1000, 10),
    detector=(20, 1024, 50),
    gemm=8192,
)

TINY = Size(
    score={"": 8},
    train={"": 8},
    records=64,
    partitions=2,
    side=48,
    workers=2,
    drawers=1,
    seconds=0.2,
    steps=3,
    resume=4,
    parity=24,
    kmeans=(600, 16, 5, 4),
    detector=(1, 200, 2),
    gemm=128,
)


def tiny_arch(work: Path) -> str:
    """An open_clip config of a model for 48 px, in ``work``."""
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 48, "layers": 1, "width": 32, "head_width": 32, "patch_size": 16},
        "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1},
    }
    path = work / "tiny.json"
    path.write_text(json.dumps(config))
    return str(path)
