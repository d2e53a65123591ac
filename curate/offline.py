"""Nothing leaves the machine: what the libraries would send, fetch or leave behind elsewhere is switched off here.

`curate/__init__.py` imports this before anything else, for such switches are read when a library is imported or asked
for the first time; child processes inherit them. What a user asks for by name in a recipe is let through: weights of a
hub by `filters.towers.hub` alone, a training's numbers to a server by `pipelines.final.tracking`. A test watches the
system calls of the main commands (tests/test_offline.py).
"""

from __future__ import annotations

import os

_SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime keeps a store below ~/.cache and calls its maker
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "WANDB_MODE": "disabled",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
_HUB = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_SHUT_BY_USER = "RADSIFT_HUB_SHUT"  # what the user had said of them, for the processes that inherit our own word


def hub_is_shut() -> bool:
    """Whether the user forbids the hub even for what the recipe names: HF_HUB_OFFLINE was set before we set it."""
    return os.environ.get(_SHUT_BY_USER) == "1"


def switch_off() -> None:
    """Set the switches. They are not defaults: a variable left over from another program does not turn one on."""
    off_already = any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in _HUB)
    os.environ.setdefault(_SHUT_BY_USER, str(int(off_already)))
    os.environ.update(_SWITCHES)


switch_off()
