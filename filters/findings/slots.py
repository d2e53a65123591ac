"""Claims of texts as vectors: three slots a finding (anywhere, left, right), one a region, one for "any
abnormality"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.findings import Claim, extract, regions
from filters.findings.lexicon import lexicon

_UNMENTIONED_WEIGHT = 0.4  # of a finding that is not mentioned: reports mostly leave out what is absent
_OTHER_SIDE_WEIGHT = 0.7  # of a side that is not mentioned, if the other one is
_OTHER_REGION_WEIGHT = 0.6  # of a region that is not named, if another one is
_NORMAL_WEIGHT = 0.7  # of each finding if the text says that nothing is wrong
_DOUBT = (0.75, 0.6)  # truth and weight of an uncertain finding
ANYWHERE, LEFT, RIGHT = 0, 1, 2

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Slots:
    """The vocabulary: column 0 is "something is wrong", then three columns a finding, then one a region of the body."""

    findings: tuple[str, ...]
    regions: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Columns."""
        return 1 + 3 * len(self.findings) + len(self.regions)

    def mirrored(self) -> NDArray[np.int64]:
        """int64[width]: the columns of the mirrored picture, with left and right exchanged."""
        order = np.arange(self.width)
        left, right = 1 + LEFT + 3 * np.arange(len(self.findings)), 1 + RIGHT + 3 * np.arange(len(self.findings))
        order[left], order[right] = right, left
        return order


@dataclass(frozen=True, eq=False)
class Claims:
    """Rows are texts, columns slots. ``truth`` in 0..1 with ``weight`` are the training labels of the picture;
    ``polarity`` is +1 for an affirmed and -1 for a denied slot, once a statement; ``unmentioned``: the text leaves it
    open."""

    truth: Array
    weight: Array
    polarity: Array
    unmentioned: NDArray[np.bool_]

    def take(self, index: NDArray[np.int64]) -> Claims:
        """The rows ``index``."""
        return Claims(self.truth[index], self.weight[index], self.polarity[index], self.unmentioned[index])

    def label_vectors(self) -> Array:
        """float32[n, width]: the present findings, and in column 0 that there are none: MedCLIP's label vectors."""
        labels = self.truth * (self.polarity > 0)
        labels[:, 0] = self.polarity[:, 0] < 0
        return np.asarray(labels, np.float32)


def learn_slots(texts: Sequence[str], min_texts: int, max_findings: int) -> Slots:
    """The findings that at least ``min_texts`` texts affirm, the ``max_findings`` most frequent ones, by name."""
    count: Counter[str] = Counter()
    for text in texts:
        count.update({c.finding for c in extract(text) if c.state != "absent" and not c.historic})
    common = sorted((f for f, n in count.items() if n >= min_texts), key=lambda f: (-count[f], f))[:max_findings]
    named = Counter(region for text in texts for region in regions(text))
    return Slots(tuple(sorted(common)), tuple(sorted(r for r, n in named.items() if n >= min_texts)))


def read_claims(slots: Slots, texts: Sequence[str]) -> Claims:
    """The claims of each text on the vocabulary."""
    n = len(texts)
    truth, weight = np.zeros((n, slots.width), np.float32), np.zeros((n, slots.width), np.float32)
    polarity, unmentioned = np.zeros((n, slots.width), np.float32), np.zeros((n, slots.width), np.bool_)
    first_column = {finding: 1 + 3 * k for k, finding in enumerate(slots.findings)}
    sided = {f: lexicon().findings[f].sided for f in slots.findings}
    for i, text in enumerate(texts):
        claims = [c for c in extract(text) if not c.historic]
        _regions(slots, regions(text), truth[i], weight[i], polarity[i])
        if not claims:
            unmentioned[i, : 1 + 3 * len(slots.findings)] = True
            continue
        _whole(claims, truth[i], weight[i], polarity[i], unmentioned[i])
        by_finding: dict[str, list[Claim]] = {}
        for claim in claims:
            by_finding.setdefault(claim.finding, []).append(claim)
        for finding, at in first_column.items():
            row = slice(at, at + 3)
            _finding(by_finding.get(finding, []), truth[i, row], weight[i, row], polarity[i, row], unmentioned[i, row])
            if not sided[finding]:
                for column in (LEFT, RIGHT):
                    weight[i, at + column] = polarity[i, at + column] = 0
                    unmentioned[i, at + column] = False
        if polarity[i, 0] < 0:
            last = 1 + 3 * len(slots.findings)
            np.maximum(weight[i, 1:last], _NORMAL_WEIGHT * (polarity[i, 1:last] == 0), out=weight[i, 1:last])
    return Claims(truth, weight, polarity, unmentioned)


def _regions(slots: Slots, named: frozenset[str], truth: Array, weight: Array, polarity: Array) -> None:
    """A text that names organs is about their regions, and probably about no other."""
    if not named:
        return
    for k, region in enumerate(slots.regions, 1 + 3 * len(slots.findings)):
        inside = region in named
        truth[k], weight[k], polarity[k] = float(inside), 1.0 if inside else _OTHER_REGION_WEIGHT, float(inside)


def _whole(claims: list[Claim], truth: Array, weight: Array, polarity: Array, unmentioned: NDArray[np.bool_]) -> None:
    """Column 0: is anything wrong at all?"""
    devices = lexicon().findings
    wrong = [c for c in claims if c.state != "absent" and not devices[c.finding].device]
    if wrong:
        truth[0], weight[0] = (1.0, 1.0) if any(c.state == "present" for c in wrong) else _DOUBT
    elif any(c.finding == "abnormality" for c in claims):
        weight[0], polarity[0] = 1.0, -1.0
    else:
        weight[0], unmentioned[0] = _UNMENTIONED_WEIGHT, True


def _finding(claims: list[Claim], truth: Array, weight: Array, polarity: Array, unmentioned: NDArray[np.bool_]) -> None:
    """One finding's three columns. A named side sets its own column; a denial without a side denies both sides."""
    asserted = [c for c in claims if c.state != "absent"]
    if not claims:
        weight[:], unmentioned[ANYWHERE] = _UNMENTIONED_WEIGHT, True
        return
    if not asserted:
        sides = [c.side for c in claims]
        if any(s in ("", "both") for s in sides):
            weight[:], polarity[ANYWHERE] = 1.0, -1.0
        for column, side in ((LEFT, "left"), (RIGHT, "right")):
            if side in sides and not polarity[ANYWHERE]:
                weight[column], polarity[column] = 1.0, -1.0
        return
    value, sure = (1.0, 1.0) if any(c.state == "present" for c in asserted) else _DOUBT
    truth[ANYWHERE], weight[ANYWHERE] = value, sure
    for column, side in ((LEFT, "left"), (RIGHT, "right")):
        if any(c.side in (side, "both") for c in asserted):
            truth[column], weight[column], polarity[column] = value, sure, sure
    if not polarity.any():
        polarity[ANYWHERE] = sure
    elif (polarity[[LEFT, RIGHT]] == 0).any():
        other = LEFT if polarity[LEFT] == 0 else RIGHT
        weight[other], unmentioned[other] = _OTHER_SIDE_WEIGHT, True
