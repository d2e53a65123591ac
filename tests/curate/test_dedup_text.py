"""Near-duplicate reports are found; a side, a negation, a number or a finding never gets lost in the similarity."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.cluster import components
from curate.dedup.exact import normalise, text_hash
from curate.dedup.text import (
    MINHASH_SIZE,
    near_text_pairs,
    near_texts,
    rows_per_band,
    text_signature,
)
from tests.curate.deduplicating import jaccards, near_pairs, sign
from tests.realdata import real

REPORT = (
    "Comparison with the prior examination. The cardiac silhouette and mediastinal contours are within normal limits. "
    "There is a small pleural effusion on the left and a nodule of 8 mm on the right. No pneumothorax is seen. "
    "The visualised osseous structures show degenerative changes of the thoracic spine, and the lungs are otherwise "
    "clear without focal consolidation. The soft tissues are unremarkable and the upper abdomen is partly included."
)


def pairs(texts: list[str], **options: object) -> list[list[int]]:
    return near_pairs(texts, **options).tolist()


@pytest.mark.parametrize(
    "other",
    [
        REPORT.upper().replace(". ", ".\n\n"),
        REPORT + " Electronically signed.",
        "RADIOGRAPH REPORT " + REPORT,
        REPORT.replace("thoracic", "thoarcic"),
        REPORT.replace("silhouette", "silhouete"),
        REPORT.replace("Comparison with", "[NAME] Comparison with"),
    ],
)
def test_near_duplicates_meet(other: str):
    assert pairs([REPORT, other]) == [[0, 1]]


CRITICAL = {
    "side": ("left", "right"),
    "sides exchanged": (
        "on the left and a nodule of 8 mm on the right",
        "on the right and a nodule of 8 mm on the left",
    ),
    "findings exchanged": ("small pleural effusion", "small nodule"),
    "negation removed": ("No pneumothorax", "Pneumothorax"),
    "negation added": ("lungs are otherwise", "lungs are not otherwise"),
    "negation by contraction": ("is seen", "isn't seen"),
    "without": ("without focal", "with focal"),
    "number": ("8 mm", "9 mm"),
    "decimal": ("8 mm", "0.8 mm"),
    "degree": ("small pleural", "large pleural"),
    "normal": ("within normal", "within abnormal"),
    "finding replaced": ("pneumothorax", "cardiomegaly"),
    "uncertain": ("No pneumothorax", "No pneumothorax?"),
    "level": ("upper abdomen", "lower abdomen"),
}


@pytest.mark.parametrize("edit", CRITICAL.values(), ids=CRITICAL)
def test_one_critical_word_keeps_two_reports_apart(edit: tuple[str, str]):
    other = REPORT.replace(*edit)
    if edit[0] == "small pleural effusion":
        other = other.replace("a nodule of", "a pleural effusion of")
    assert other != REPORT
    assert pairs([REPORT, other]) == []


def test_swapped_findings_are_apart_though_guard_and_similarity_agree():
    other = REPORT.replace("effusion", "@").replace("nodule", "effusion").replace("@", "nodule")
    signatures, both = sign([REPORT, other]), np.array([[0, 1]])
    assert (signatures[0, :4] == signatures[1, :4]).all() and jaccards([REPORT, other], both)[0] > 0.85
    assert not near_texts(signatures, [REPORT, other], both, 0.85).any()


def test_empty_texts_and_placeholders_match_nothing():
    assert pairs(["", " ", "[NAME]", "...", ""]) == []


def test_other_scripts_match_only_where_every_word_does():
    slevа = "В лёгких слева определяется очаговая тень размером восемь миллиметров, плевральной жидкости нет"
    assert pairs([slevа, slevа.upper() + ".", slevа.replace("слева", "справа")]) == [[0, 1]]


def test_only_pairs_of_one_group():
    assert pairs([REPORT] * 4, group=np.array([3, 1, 3, 1])) == [[0, 2], [1, 3]]
    changed = REPORT.replace("thoracic", "thoarcic")
    assert pairs([REPORT, changed, changed], group=np.array([0, 1, 0])) == [[0, 2]]


def test_many_equal_texts_are_linked_to_one():
    found = pairs([REPORT] * 500 + [REPORT + " Signed."])
    assert found == [[0, i] for i in range(1, 501)]


def test_a_crowded_bucket_makes_a_bounded_number_of_pairs_and_stays_connected():
    texts = [f"{REPORT} seen by {a}{b}" for a in "bcdfghjkmq" for b in "bcdfghjkmq"]
    found = near_pairs(texts)
    assert len(found) < 66 * len(texts)
    assert set(range(len(texts))) == set(np.unique(found).tolist())


@pytest.mark.parametrize("swapped", ["unremarakble", "degeneraitve", "nodlue", "incldued"])
def test_a_slip_of_the_pen_is_no_other_statement(swapped: str):
    word = {"u": "unremarkable", "d": "degenerative", "n": "nodule", "i": "included"}[swapped[0]]
    assert pairs([REPORT, REPORT.replace(word, swapped)]) == [[0, 1]]


def varied(n: int, seed: int) -> list[str]:
    """Reports of real phrases with a slip, a heading or a sentence more; some with another side."""
    rng = np.random.default_rng(seed)
    phrases = [f"{a} of the {b}" for a in ("calcification", "density", "scarring") for b in ("hilum", "apex", "base")]
    texts = []
    for _ in range(n):
        text = f"{REPORT} {phrases[rng.integers(9)]}" if rng.random() < 0.5 else REPORT
        text = text.replace("left", "right") if rng.random() < 0.2 else text
        extra = ["", " Dictated.", " Signed electronically.", " Thank you for the referral."][rng.integers(4)]
        texts.append(text.replace("thoracic", "thoarcic" if rng.random() < 0.3 else "thoracic") + extra)
    return texts


@pytest.mark.parametrize("seed", range(4))
def test_components_are_those_of_comparing_all_pairs(seed: int):
    texts = varied(60, seed)
    both = np.stack(np.triu_indices(60, 1), axis=1)
    near = both[near_texts(sign(texts), texts, both)]
    assert components(60, np.array(pairs(texts))).tolist() == components(60, near).tolist()


def test_a_hot_bucket_is_linked_to_its_leaders():
    """A report, and many that add a word of their own: some links each, and all of them one component."""
    some = "bcdfghjkmqrst"
    texts = [REPORT, *(f"{REPORT} {a}{b}{c}." for a in some for b in some for c in some)]
    found = near_pairs(texts)
    assert len(found) < 10 * len(texts)
    assert components(len(texts), found).max() == 0


def test_the_signature_is_the_same_bytes_everywhere():
    assert len(text_signature("")[1]) == 4 * MINHASH_SIZE
    assert text_signature("No  Effusion.") == text_signature("no effusion")
    assert text_signature("no effusion")[1][:24].hex() == "fd5712b364ea9c8ad29b911c3929853929c732b880523055"


def test_bands_promise_the_pairs_at_the_threshold():
    for jaccard in (0.5, 0.7, 0.8, 0.9, 0.95):
        rows = rows_per_band(jaccard)
        assert 60 % rows == 0 and 1 - (1 - jaccard**rows) ** (60 // rows) >= 0.999
    assert rows_per_band(0.9) == 6 and rows_per_band(0.8) == 4


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
@settings(deadline=None)
def test_jaccard_is_of_the_sets_of_words(one: str, other: str):
    a, b = set(normalise(one).split()), set(normalise(other).split())
    want = len(a & b) / len(a | b) if a and b else 0
    assert jaccards([one, other], np.array([[0, 1]]))[0] == pytest.approx(want)
    assert text_signature(one)[0] == text_hash(one)


def test_minima_agree_as_often_as_the_texts_are_similar():
    words = [f"word{i}" for i in range(400)]
    one, other = " ".join(words), " ".join(words[:360] + [f"term{i}" for i in range(40)])
    a, b = sign([one, other])[:, 4:]
    assert abs((a == b).mean() - jaccards([one, other], np.array([[0, 1]]))[0]) < 0.2


def test_signatures_of_another_size_are_refused():
    with pytest.raises(ValueError, match="want signatures of shape"):
        near_text_pairs(np.zeros((1, 8), np.uint32), ["a"], np.zeros(1, np.int64))


def test_no_pair_of_real_reports_differs_in_side_negation_or_number():
    lines = (real("reports") / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [f"{r['findings']} {r['impression']}".strip() for r in map(json.loads, lines)]
    found = near_pairs(reports)
    assert len(found) > 200
    critical = re.compile(r"\b(?:left|right|bilateral|no|not|without|normal|abnormal|[0-9.]*[0-9]+)\b")
    for i, j in found.tolist():
        assert critical.findall(normalise(reports[i])) == critical.findall(normalise(reports[j]))
