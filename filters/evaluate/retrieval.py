"""Image-text retrieval in both directions, where a copy of the right text counts as right; and sensitivity to language:
an image against its own report and the same report with sides or a negation changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.dedup.exact import text_hash
from curate.storage import digest
from filters.evaluate.encode import Encoded, Rows, text_rows
from filters.evaluate.estimate import Measure, Metric, Weights, mean, median
from filters.findings import edit
from filters.metrics import KS, TIE, ranks
from filters.towers.encoder import Filter

KINDS = ("side", "negation")


def retrieval(model: Filter, encoded: Encoded) -> dict[str, dict[str, Metric]]:
    """R@1, R@5, R@10, median rank and AUROC of both directions; {} if there are fewer than two distinct texts.

    A text is one candidate however many records have it (equal by `curate.dedup.exact.normalise`), and all of their
    images are right for it. The rank of a query is 1 + the wrong candidates that are at least as near as the
    nearest right one: a tie counts against the model, so that a collapsed one scores nothing. The AUROC of a query is
    the share of wrong candidates ranked behind; it varies least from training to training.
    """
    owner, text = captions(encoded.data.texts)
    if len(owner) == 0 or text.max() < 1:
        return {}
    rows = text_rows(model, distinct(encoded.data.texts, text))
    return of_rows(encoded.images, rows, owner, text)


def captions(texts: Sequence[Sequence[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64[m] record, int64[m] number of the text) of every caption; equal texts have the same number."""
    owner = np.array([i for i, part in enumerate(texts) for _ in part], np.int64)
    hashes = [text_hash(t) for part in texts for t in part]
    number = np.unique(np.array(hashes, np.str_), return_inverse=True)[1].reshape(-1) if hashes else owner
    return owner, number.astype(np.int64)


def distinct(texts: Sequence[Sequence[str]], number: NDArray[np.int64]) -> list[str]:
    """The text of each number: of equal ones the alphabetically first."""
    chosen: dict[int, str] = {}
    for text, k in zip((t for part in texts for t in part), number.tolist(), strict=True):
        chosen[k] = min(chosen.get(k, text), text)
    return [chosen[k] for k in range(len(chosen))]


def of_rows(
    images: Rows, texts: Rows, owner: NDArray[np.int64], text: NDArray[np.int64]
) -> dict[str, dict[str, Metric]]:
    """`retrieval` for unit rows: caption i belongs to image ``owner[i]`` and is the text ``text[i]``."""
    n = len(images)
    to_text = ranks(images, texts, owner, text)
    to_image = ranks(texts, images, text, owner)
    images_of, texts_of = np.unique(np.stack([owner, text]), axis=1)
    per_image = _metrics(to_text, len(texts) - np.bincount(images_of, minlength=n))
    per_text = _metrics(to_image[text], (n - np.bincount(texts_of, minlength=len(texts)))[text])
    return {
        "retrieval/image_to_text": per_image,
        "retrieval/text_to_image": {name: _of_captions(metric, owner, n) for name, metric in per_text.items()},
    }


def _metrics(rank: Weights, wrong: NDArray[np.int64]) -> dict[str, Metric]:
    """Metrics of the queries' ranks, each among ``wrong`` wrong candidates."""
    behind = 1 - (rank - 1) / np.where(wrong > 0, wrong, np.nan)
    return {**{f"r{k}": mean(_hit(rank, k)) for k in KS}, "median_rank": median(rank), "auroc": mean(behind)}


def _hit(rank: Weights, k: int) -> Weights:
    return np.where(np.isfinite(rank), rank <= k, np.nan)


def _of_captions(metric: Metric, owner: NDArray[np.int64], n: int) -> Metric:
    """A metric over captions as one over records: a caption has the weight of its record."""
    inner: Measure = metric.measure
    rows = np.zeros(n, bool)
    rows[owner] = True
    return Metric(lambda weights: inner(weights[:, owner]), rows)


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
        values[rows] = np.where(np.abs(gain) <= TIE, 0.5, gain > 0)
        out[f"language/{kind}"] = {"preferred": mean(values)}
    return out
