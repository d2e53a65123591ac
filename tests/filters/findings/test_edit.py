"""Edited reports say something else of the picture, and nothing else than was asked."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.findings import EDITS, edit, extract
from tests.realdata import real

REPORT = (
    "FINDINGS: There is a small left pleural effusion. The heart is enlarged. No pneumothorax.\n\n"
    "IMPRESSION: Small left pleural effusion."
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


EDITED = {
    ("side", REPORT): REPORT.replace("left", "right"),
    ("side", "Bilateral pleural effusions."): None,  # one of two
    ("side", "RUL nodule, Lt hydronephrosis."): "LUL nodule, Rt hydronephrosis.",
    ("side", "L frontal glioma."): "R frontal glioma.",
    ("side", "Ascites. The left atrium is normal."): "",
    ("severity", REPORT): REPORT.replace("small", "large").replace("Small", "Large"),
    ("severity", "Markedly dilated common bile duct."): "Slightly dilated common bile duct.",
    ("severity", "There is an extensive haemorrhage in the brain."): "There is a minimal haemorrhage in the brain.",
    ("severity", "No large effusion."): "",
    ("level", "T1 weighted image."): "",
    ("negation", "There is a large left pleural effusion."): "There is no left pleural effusion.",
    ("negation", "The spleen is enlarged."): "The spleen is not enlarged.",
    ("negation", "A 4 cm mass is seen in the liver."): "No 4 cm mass is seen in the liver.",
    ("negation", "Axial CT demonstrates a small renal stone."): "Axial CT demonstrates no renal stone.",
    ("negation", "T2 image: Large disc herniation."): "T2 image: No disc herniation.",
    ("negation", "Opacity at the left base, in keeping with a small effusion."): None,
    ("drop", "1. Ascites.\n2. Normal heart size and clear lungs."): "2. Normal heart size and clear lungs.",
    ("drop", "Ascites."): "",
    ("drop", "No ascites. Clear lungs."): "",
}


@pytest.mark.parametrize(("kind", "text"), EDITED)
def test_edits(kind: str, text: str) -> None:
    made, expected = edit(text, kind, rng()), EDITED[kind, text]
    if expected is None:
        assert made is not None and made != text
    else:
        assert (made or "") == expected


def test_both_sides_become_one() -> None:
    made = {edit("Bilateral pleural effusions.", "side", rng(seed)) for seed in range(8)}
    assert made == {"Left-sided pleural effusions.", "Right-sided pleural effusions."}


def test_levels_move_in_the_way_they_were_written() -> None:
    made = {edit("Disc protrusion at L4/5.", "level", rng(seed)) for seed in range(20)}
    assert {"Disc protrusion at L2/3.", "Disc protrusion at L3/4."} <= made
    assert "Disc protrusion at L5/S1." in made and None not in made


def test_measures_change_where_no_word_says_the_size() -> None:
    assert edit("Nodule of 6 x 9 mm in the left lung.", "severity", rng()) in (
        "Nodule of 2 x 3 mm in the left lung.",
        "Nodule of 18 x 27 mm in the left lung.",
    )


def test_a_finding_is_denied_everywhere_or_affirmed() -> None:
    made = {edit(REPORT, "negation", rng(seed)) for seed in range(60)}
    denied = REPORT.replace("is a small left", "is no left").replace("Small left", "No left")
    assert denied in made and REPORT.replace("is enlarged", "is not enlarged") in made
    affirmed = [m for m in made if m and "pneumothorax|present" in {f"{c.finding}|{c.state}" for c in extract(m)}]
    assert affirmed


def test_what_else_was_denied_stays_denied() -> None:
    made = edit("No pleural effusion, pneumothorax or consolidation.", "negation", rng(1))
    assert made is not None
    states = {c.finding: c.state for c in extract(made)}
    assert sorted(states.values()) == ["absent", "absent", "present"] and len(states) == 3


def test_an_unknown_kind_is_a_bug() -> None:
    with pytest.raises(ValueError, match="severity"):
        edit("Ascites.", "size", rng())


SENTENCES = (
    "Small right pneumothorax.",
    "There is a large left renal stone.",
    "The heart is mildly enlarged.",
    "No consolidation or effusion.",
    "T12 compression fracture, severe.",
    "The lungs are clear.",
    "CT shows a 3 cm mass in the right lobe of the liver.",
    "No acute abnormality.",
    "Bilateral hydronephrosis, right greater than left.",
    "Moderate ascites is noted.",
    "Stable left-sided subdural haematoma with midline shift to the right.",
    "Discussed with the surgeon.",
)


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6, unique=True),
    st.sampled_from(EDITS),
    st.integers(0, 99),
)
@settings(max_examples=250, deadline=None)
def test_every_edit_says_something_else(sentences: list[str], kind: str, seed: int) -> None:
    text = " ".join(sentences)
    made = edit(text, kind, rng(seed))
    assert made == edit(text, kind, rng(seed))
    if made is None:
        return
    before, after = said(text), said(made)
    assert before != after
    parts = {"side": 2, "severity": 3, "level": 4}
    if kind in parts and "cm" not in text and "greater" not in text:  # measures and comparisons are no part of a claim
        rest = [tuple(v for i, v in enumerate(c) if i != parts[kind]) for c in before]
        assert rest == [tuple(v for i, v in enumerate(c) if i != parts[kind]) for c in after]
    assert "  " not in made and " ." not in made and not made.endswith(",")


def said(text: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [(c.finding, c.state, c.side, c.size, c.level) for c in extract(text)]
    return [*found, ("text", text)] if "cm" in text or "greater" in text else found


def test_captions_of_a_teaching_archive() -> None:
    """On real captions: what is made reads on, differs, and most captions that affirm something can be negated."""
    with (real("radiology_pairs") / "pairs.csv").open(encoding="utf-8") as file:
        captions = sorted({row["caption"] for row in csv.DictReader(file)})[:300]
    made = {kind: [edit(c, kind, rng(i)) for i, c in enumerate(captions)] for kind in EDITS}
    shown = [any(x.state == "present" for x in extract(c)) for c in captions]
    assert np.mean([m is not None for m, s in zip(made["negation"], shown, strict=True) if s]) >= 0.9
    assert all(m != c for kind in EDITS for m, c in zip(made[kind], captions, strict=True) if m is not None)
