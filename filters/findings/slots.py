"""What texts claim, as vectors: three slots a finding (anywhere, left, right), one a region, one for "all is well"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.findings import Claim, extract, regions
from filters.findings.lexicon import lexicon

_SILENT = 0.4  # weight of a finding not spoken of: reports leave out what is not there, mostly
_OTHER_SIDE = 0.7  # weight of the side not spoken of, where the other one is
_OTHER_REGION = 0.6  # weight of a region not named, where another one is
_NORMAL = 0.7  # weight of each finding where a text says that nothing is wrong
_DOUBT = (0.75, 0.6)  # what a doubtful finding counts as, and its weight
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
        """int64[width]: the columns as they are named in the mirror, left and right changed."""
        order = np.arange(self.width)
        left, right = 1 + LEFT + 3 * np.arange(len(self.findings)), 1 + RIGHT + 3 * np.arange(len(self.findings))
        order[left], order[right] = right, left
        return order


@dataclass(frozen=True, eq=False)
class Claims:
    """Rows are texts, columns slots. ``truth`` in 0..1 with ``weight`` is what a picture of this text is taught;
    ``said`` is +1 and -1 where the text itself claims and denies, once a statement; ``silent`` what it leaves open."""

    truth: Array
    weight: Array
    said: Array
    silent: NDArray[np.bool_]

    def take(self, index: NDArray[np.int64]) -> Claims:
        """The rows ``index``."""
        return Claims(self.truth[index], self.weight[index], self.said[index], self.silent[index])

    def shown(self) -> Array:
        """float32[n, width]: what is there, and in column 0 that nothing is: the paper's label vectors."""
        shown = self.truth * (self.said > 0)
        shown[:, 0] = self.said[:, 0] < 0
        return np.asarray(shown, np.float32)


def learn_slots(texts: Sequence[str], least: int, most: int) -> Slots:
    """The findings that at least ``least`` texts affirm, the ``most`` frequent ones, in the order of their names."""
    count: Counter[str] = Counter()
    for text in texts:
        count.update({c.finding for c in extract(text) if c.state != "absent" and not c.historic})
    common = sorted((f for f, n in count.items() if n >= least), key=lambda f: (-count[f], f))[:most]
    named = Counter(region for text in texts for region in regions(text))
    return Slots(tuple(sorted(common)), tuple(sorted(r for r, n in named.items() if n >= least)))


def read_claims(slots: Slots, texts: Sequence[str]) -> Claims:
    """The claims of each text on the vocabulary."""
    n = len(texts)
    truth, weight = np.zeros((n, slots.width), np.float32), np.zeros((n, slots.width), np.float32)
    said, silent = np.zeros((n, slots.width), np.float32), np.zeros((n, slots.width), np.bool_)
    place = {finding: 1 + 3 * k for k, finding in enumerate(slots.findings)}
    sided = {f: lexicon().findings[f].sided for f in slots.findings}
    for i, text in enumerate(texts):
        claims = [c for c in extract(text) if not c.historic]
        _regions(slots, regions(text), truth[i], weight[i], said[i])
        if not claims:
            silent[i, : 1 + 3 * len(slots.findings)] = True
            continue
        _whole(claims, truth[i], weight[i], said[i], silent[i])
        mine: dict[str, list[Claim]] = {}
        for claim in claims:
            mine.setdefault(claim.finding, []).append(claim)
        for finding, at in place.items():
            row = slice(at, at + 3)
            _finding(mine.get(finding, []), truth[i, row], weight[i, row], said[i, row], silent[i, row])
            if not sided[finding]:
                for column in (LEFT, RIGHT):
                    weight[i, at + column] = said[i, at + column] = 0
                    silent[i, at + column] = False
        if said[i, 0] < 0:
            last = 1 + 3 * len(slots.findings)
            np.maximum(weight[i, 1:last], _NORMAL * (said[i, 1:last] == 0), out=weight[i, 1:last])
    return Claims(truth, weight, said, silent)


def _regions(slots: Slots, named: frozenset[str], truth: Array, weight: Array, said: Array) -> None:
    """A text that names organs is of their region, and rather of no other."""
    if not named:
        return
    for k, region in enumerate(slots.regions, 1 + 3 * len(slots.findings)):
        inside = region in named
        truth[k], weight[k], said[k] = float(inside), 1.0 if inside else _OTHER_REGION, float(inside)


def _whole(claims: list[Claim], truth: Array, weight: Array, said: Array, silent: NDArray[np.bool_]) -> None:
    """Column 0: is anything wrong at all?"""
    devices = lexicon().findings
    wrong = [c for c in claims if c.state != "absent" and not devices[c.finding].device]
    if wrong:
        truth[0], weight[0] = (1.0, 1.0) if any(c.state == "present" for c in wrong) else _DOUBT
    elif any(c.finding == "abnormality" for c in claims):
        weight[0], said[0] = 1.0, -1.0
    else:
        weight[0], silent[0] = _SILENT, True


def _finding(claims: list[Claim], truth: Array, weight: Array, said: Array, silent: NDArray[np.bool_]) -> None:
    """One finding's three columns. A side that is named says it; a denial without a side denies both."""
    shown = [c for c in claims if c.state != "absent"]
    if not claims:
        weight[:], silent[ANYWHERE] = _SILENT, True
        return
    if not shown:
        sides = [c.side for c in claims]
        if any(s in ("", "both") for s in sides):
            weight[:], said[ANYWHERE] = 1.0, -1.0
        for column, side in ((LEFT, "left"), (RIGHT, "right")):
            if side in sides and not said[ANYWHERE]:
                weight[column], said[column] = 1.0, -1.0
        return
    value, sure = (1.0, 1.0) if any(c.state == "present" for c in shown) else _DOUBT
    truth[ANYWHERE], weight[ANYWHERE] = value, sure
    for column, side in ((LEFT, "left"), (RIGHT, "right")):
        if any(c.side in (side, "both") for c in shown):
            truth[column], weight[column], said[column] = value, sure, sure
    if not said.any():
        said[ANYWHERE] = sure
    elif (said[[LEFT, RIGHT]] == 0).any():
        other = LEFT if said[LEFT] == 0 else RIGHT
        weight[other], silent[other] = _OTHER_SIDE, True
