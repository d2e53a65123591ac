"""open_clip, imported when something of it is first asked for.

With timm, torchvision and transformers it takes seconds, which a recipe, a status or a step without a model need not
wait for. It comes in here only, after `filters.towers.torchvision_ops.ensure`, and with `filters.towers.tiny_eva` made
known to timm.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

from filters.towers import tiny_eva, torchvision_ops


@cache
def _load() -> ModuleType:
    torchvision_ops.ensure()
    package = importlib.import_module("open_clip")
    tiny_eva.register()
    return package


class _OpenClip:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy, inspect and their like of anything they meet
            raise AttributeError(name)
        return getattr(_load(), name)


open_clip: Any = _OpenClip()
