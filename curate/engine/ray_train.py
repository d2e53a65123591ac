"""A function in every process of a torch process group on Ray (Ray Train): what trains on several machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from curate.engine.ray import RayEngine
from curate.engine.resources import Resources
from curate.errors import RadsiftError, RunError
from curate.storage import remove_tree

_FAILURES = 2  # a lost worker's group is started again, and goes on from its checkpoint


def run_ranks(fn: Callable[[Any], None], argument: Any, ranks: int, resources: Resources, scratch: Path) -> None:
    """``fn(argument)`` in ``ranks`` processes, torch.distributed ready in each: NCCL where they have GPUs, else gloo.

    ``scratch`` is a folder all machines see; it is gone afterwards. RunError where a process failed too often.
    """
    engine = RayEngine(resources)
    gpu = resources.gpus > 0
    trainer = TorchTrainer(
        _Call(fn),
        train_loop_config={"argument": argument},
        scaling_config=ScalingConfig(num_workers=ranks, use_gpu=gpu),
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        run_config=RunConfig(
            name="train", storage_path=str(scratch), failure_config=FailureConfig(max_failures=_FAILURES)
        ),
    )
    try:
        trainer.fit()
    except RadsiftError:
        raise
    except (ray.exceptions.RayError, RuntimeError, ray.train.TrainingFailedError) as error:
        raise RunError(f"a process of the training failed ({type(error).__name__})") from None
    finally:
        remove_tree(scratch, scratch.parent)
        engine.close()


class _Call:
    """What Ray Train calls with its configuration."""

    def __init__(self, fn: Callable[[Any], None]) -> None:
        self.fn = fn

    def __call__(self, config: dict[str, Any]) -> None:
        self.fn(config["argument"])
