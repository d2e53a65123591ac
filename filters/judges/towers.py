"""The frozen towers whose features the judges read: those of any filter's folder, or the two small packaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.judges.spaces import Rows
from filters.method import Records, load_method
from filters.methods.two_towers import Towers
from filters.score import Needs, prepare
from filters.towers import lit
from filters.towers.model import Filter, pick_device

PACKAGED = "packaged"
_BATCH = 64


def open_towers(encoder: str, device: str) -> Towers:
    """The towers in the folder ``encoder``, or `PACKAGED` ones without heads; RecipeError where they are not there."""
    if encoder != PACKAGED:
        found = load_method(Path(encoder), device)
        if not isinstance(found, Towers):
            raise RecipeError(
                "filter.encoder", f"{encoder} holds no two towers", "a folder of clip, dfn, siglip or eva"
            )
        return found
    model, tokenizer = lit.create()
    model.image_head, model.text_head = torch.nn.Sequential(), torch.nn.Sequential()  # the features themselves
    return Towers(Filter(model, tokenizer, model.config, {}, pick_device(device)), None)


def features(towers: Towers, records: Records) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """(images float32[n, f], texts float32[n, g], bool[n]: the image decoded), unit rows; NaN where it did not."""
    needs = Needs(towers.sides, towers.native)
    rows = [towers.embed(b) for b in prepare(records.images, records.texts, needs, _BATCH)]
    if not rows:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32), np.zeros(0, np.bool_)
    left, right = (np.concatenate(part) for part in zip(*rows, strict=True))
    return left, right, np.isfinite(left[:, 0])
