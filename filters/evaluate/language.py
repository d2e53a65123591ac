"""Sensitivity to language: an image against its own report and the same report with sides or a negation changed."""

from __future__ import annotations

import numpy as np

from curate.storage import digest
from filters.evaluate.encode import Encoded, text_rows
from filters.evaluate.estimate import Metric, mean
from filters.findings import edit
from filters.towers.encoder import Filter

KINDS = ("side", "negation")
_TIE = 1e-6  # of cosines: the model cannot see an edit beyond its context length


def language(model: Filter, encoded: Encoded, seed: int) -> dict[str, dict[str, Metric]]:
    """``preferred`` of each kind of edit: the share of records whose image is nearer to its own text than to the edited
    one, a tie counting half; chance is 0.5. A kind that applies to no text is left out.
    """
    out = {}
    for kind in KINDS:
        rows, own, other = [], [], []
        for i, texts in enumerate(encoded.data.texts):
            rng = np.random.default_rng([seed, int(digest(encoded.data.keys[i], kind)[:15], 16)])
            edited = edit(texts[0], kind, rng) if texts else None
            if texts and edited is not None:
                rows.append(i)
                own.append(texts[0])
                other.append(edited)
        if not rows:
            continue
        both = text_rows(model, own + other)
        images = encoded.images[rows]
        gain = np.einsum("ij,ij->i", images, both[: len(rows)]) - np.einsum("ij,ij->i", images, both[len(rows) :])
        values = np.full(len(encoded.data), np.nan)
        values[rows] = np.where(np.abs(gain) <= _TIE, 0.5, gain > 0)
        out[f"language/{kind}"] = {"preferred": mean(values)}
    return out
