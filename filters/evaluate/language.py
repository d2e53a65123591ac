"""Does the model read? An image against its own report and the same report with its sides or a negation changed."""

from __future__ import annotations

import numpy as np

from curate.storage import digest
from filters.evaluate.encode import Encoded, text_rows
from filters.evaluate.estimate import Metric, mean
from filters.findings import edit
from filters.towers.encoder import Filter

KINDS = ("side", "negation")
_TIE = 1e-6  # of cosines: an edit beyond the texts' end is one the model cannot see


def language(model: Filter, found: Encoded, seed: int) -> dict[str, dict[str, Metric]]:
    """Of each kind of edit ``preferred``: the share of records whose image is nearer to its own text than to the edited
    one, a tie counting half; 0.5 is what a model gets that does not read. A kind no text can be edited by is left out.
    """
    out = {}
    for kind in KINDS:
        rows, own, other = [], [], []
        for i, texts in enumerate(found.data.texts):
            rng = np.random.default_rng([seed, int(digest(found.data.keys[i], kind)[:15], 16)])
            made = edit(texts[0], kind, rng) if texts else None
            if texts and made is not None:
                rows.append(i)
                own.append(texts[0])
                other.append(made)
        if not rows:
            continue
        both = text_rows(model, own + other)
        images = found.images[rows]
        gain = np.einsum("ij,ij->i", images, both[: len(rows)]) - np.einsum("ij,ij->i", images, both[len(rows) :])
        values = np.full(len(found.data), np.nan)
        values[rows] = np.where(np.abs(gain) <= _TIE, 0.5, gain > 0)
        out[f"language/{kind}"] = {"preferred": mean(values)}
    return out
