"""Injected faults: each says something else than the right text, every right pair stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from filters.findings import concept
from filters.method import Records
from filters.methods.ours.inject import FAULTS, RIGHT, inject
from filters.towers.preprocess import decode

TEXTS = [
    "Moderate right pleural effusion. The left lung is clear.",
    "No pleural effusion. No pneumothorax. Normal study.",
    "Small left pneumothorax. The heart is normal in size.",
]
IMAGES = [b"1", b"2", b"3"]
RECORDS = Records(["a", "b", "c"], IMAGES, TEXTS, ["p", "q", "r"])


def test_right_pairs_stay_and_every_fault_differs_from_its_origin():
    injected = inject(RECORDS, seed=0, copies=8)
    assert set(injected.faults) == {RIGHT, *FAULTS}
    for image, text, fault, origin in zip(
        injected.records.images, injected.records.texts, injected.faults, injected.origin, strict=True
    ):
        pair = (IMAGES[origin], TEXTS[origin])
        assert ((image, text) == pair) == (fault == RIGHT)
    assert injected.faults.count(RIGHT) == 3


def test_each_fault_is_what_it_is_called():
    injected = inject(RECORDS, seed=1, copies=8)
    rows = list(zip(injected.records.images, injected.records.texts, injected.faults, injected.origin, strict=True))
    for image, text, fault, origin in rows:
        if fault == "side":
            assert concept(text) != concept(TEXTS[origin]) and len(text) in range(len(TEXTS[origin]) - 9, 99)
        if fault == "boilerplate":
            assert concept(text) in ("", "normal") and concept(TEXTS[origin]) not in ("", "normal")
        if fault == "mismatch":
            assert text in TEXTS and text != TEXTS[origin]
        if fault in ("blank", "nonradiology"):
            assert decode(image, 32) is not None
    blank = [decode(image, 32) for image, _, fault, _ in rows if fault == "blank"]
    assert all(b is not None and np.std(b) < 6 for b in blank)


def test_a_seed_gives_the_same_plants_and_another_seed_others():
    one, same, other = (inject(RECORDS, seed=s, copies=2).records for s in (0, 0, 1))
    assert one.texts == same.texts and one.images == same.images
    assert one.texts != other.texts or one.images != other.images


def test_one_patient_alone_has_no_mismatch():
    alone = replace(RECORDS, groups=["p", "p", "p"])
    assert "mismatch" not in inject(alone, seed=0, copies=3).faults
