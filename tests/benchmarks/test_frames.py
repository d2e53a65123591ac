"""The instruments that measure the scrubber on text: spans exact, halves apart, leaks and losses counted as said."""

from __future__ import annotations

from itertools import chain, combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.deid.frames import doubt, fillings
from benchmarks.deid.frames.fillings import SPLITS, STYLES, Gold, Text
from benchmarks.deid.frames.score import closed_words, judge, kept
from benchmarks.deid.frames.table import HARD
from benchmarks.deid.frames.values.people import names
from benchmarks.deid.public import in_sample, meaning


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Text]]:
    return {split: list(fillings.render(split, 1, 5)) for split in SPLITS}


def test_the_same_for_a_seed(rendered):
    assert rendered == {split: list(fillings.render(split, 1, 5)) for split in SPLITS}


def test_gold_and_protected_lie_apart_and_in_order(rendered):
    for text in chain(*rendered.values()):
        spans = sorted([(g.start, g.end) for g in text.gold] + [p for p in text.protected if p[0] < p[1]])
        assert all(a < b for a, b in spans) and spans[-1][1] <= len(text.text)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert "{" not in text.text


def test_no_two_splits_share_a_frame_or_a_name(rendered):
    ids = {split: {f["id"] for f in fillings.frames(split)} for split in SPLITS}
    mine = {split: {n for found in names(split).values() for n in found} for split in SPLITS}
    assert len(ids["dev"] | ids["test"]) >= 240
    for one, other in combinations(SPLITS, 2):
        assert not ids[one] & ids[other]
        assert not {n.casefold() for n in mine[one]} & {n.casefold() for n in mine[other]}
    for split in SPLITS:
        assert {f["style"] for f in fillings.frames(split)} - {"world"} == set(STYLES)
        people = {
            t.text[g.start : g.end].casefold()  # "Ann BECK" is of the list, too
            for t in rendered[split]
            for g in t.gold
            if t.case == "as written" and "name" in g.kind
        }
        assert {name for name in people if " " not in name} <= {n.casefold() for n in mine[split]}


def test_kinds_and_names_are_many(rendered):
    kinds = {g.kind for found in rendered.values() for t in found for g in t.gold if "name" not in g.kind}
    assert len(kinds) >= 25
    for split in SPLITS:
        assert len(names(split)["words as surnames"]) >= 150
        assert sum(len(found) for group, found in names(split).items() if not group.startswith("words")) >= 1000


@given(st.lists(st.text("ab .", min_size=1, max_size=6), min_size=2, max_size=9), st.booleans())
def test_what_stayed_is_found_whatever_was_masked(parts, masked_first):
    masked = [(i % 2 == 0) == masked_first for i in range(len(parts))]
    out = "".join("[NAME]" if m else p for p, m in zip(parts, masked, strict=True))
    stayed = kept("".join(parts), out)
    assert sum(stayed) == sum(len(p) for p, m in zip(parts, masked, strict=True) if not m)


def _text(text: str, *gold: tuple[str, str]) -> Text:
    spans = [Gold(text.index(value), text.index(value) + len(value), kind) for value, kind in gold]
    edges = [0, *(e for s in spans for e in (s.start, s.end)), len(text)]
    return Text("f", "us", "ct", "as written", text, tuple(spans), tuple(zip(edges[::2], edges[1::2], strict=True)), ())


def test_a_part_of_a_name_is_a_leak_and_a_perfect_output_is_none():
    text = _text("Mass seen; told Wang-Mass of it.", ("Wang-Mass", "other name"))
    assert judge(text, "Mass seen; told [NAME] of it.").leaks == ()
    assert judge(text, "Mass seen; told [NAME]-Mass of it.").leaks == text.gold
    assert judge(text, text.text).leaks == text.gold


@pytest.mark.parametrize(
    ("value", "kind", "out", "leaks"),
    [
        ("3 May 2020", "date", "Scan of [DATE] 2020.", False),
        ("3 May 2020", "date", "Scan of [ID] May 2020.", True),
        ("97", "age over 89", "Scan of 90.", False),
        ("90F", "age over 89", "Scan of 90F.", False),
        ("90th", "age over 89", "Scan of 90th.", True),
        ("Kirkmoor Hospital", "facility", "Scan of [FACILITY] Hospital.", False),
        ("Kirkmoor Hospital", "facility", "Scan of Kirkmoor [FACILITY].", True),
        ("j o n e s", "name, spelled", "Scan of j o [NAME].", True),
    ],
)
def test_what_of_a_span_may_stay(value, kind, out, leaks):
    assert bool(judge(_text(f"Scan of {value}.", (value, kind)), out).leaks) is leaks


@pytest.mark.parametrize(
    ("value", "out", "tells"),
    [
        ("Dept of Neurology, 4 Tern Road", "Dept of Neurology, [ADDRESS]", False),
        ("Dept of Neurology, 4 Tern Road", "Dept of Neurology, 4 [NAME] Road", False),  # 4: one sign
        ("41 Tern Road, Holmbury", "41 [ADDRESS]", True),
        ("Tern Road, HOLMBURY", "[ADDRESS], HOLMBURY", True),
        ("Ashdown Wynn Clinic", "[NAME] Wynn Clinic", True),
        ("the corner shop", "the corner shop", True),  # whole
    ],
)
def test_of_what_is_left_names_numbers_and_what_is_whole_tell(value, out, tells):
    text = Text("f", "us", "CT", "as written", f"Seen at {value}.", (Gold(8, 8 + len(value), "address"),), (), ())
    found = judge(text, f"Seen at {out}.")
    assert found.leaks and (found.telling == found.leaks) == tells


def test_withholding_by_an_oracle_leaves_less_and_by_no_doubt_as_much():
    texts = [
        Text(str(n), "us", "CT", "as written", "Dr. Ashdown", (Gold(4, 11, "id" if n % 2 else "address"),), (), ())
        for n in range(40)
    ]
    some = [
        doubt.Read(text, judge(text, text.text if n < 4 else "Dr. [NAME]", 1.0), (), 0, 0)
        for n, text in enumerate(texts)
    ]
    by_oracle = doubt.curve(some, doubt.DOUBTS["an oracle: identifiers left"])
    assert by_oracle["0"][HARD] == 0.1 and by_oracle["0.1"][HARD] == by_oracle["0.1"]["telling"] == 0
    assert by_oracle["0.05"][HARD] == pytest.approx(2 / 38, abs=1e-4)
    by_none = doubt.curve(some, lambda _: 0.0)
    assert by_none["0"][HARD] == 0.1 and by_none["0.3"][HARD] > 0.03


def test_lost_words_are_counted_and_closed_class_words_by_kind():
    text = _text("1.No left effusion of 12 mm at L4-5, Dr. Ek said", ("Ek", "other name"))
    assert {k for _, _, k in closed_words(text)} == {"list number", "negation", "side", "number and unit", "level"}
    found = judge(text, "[ID] left [NAME] of 12 mm at L4-5, [NAME] said")
    assert sorted(found.lost) == [("", "effusion"), ("list number", "1."), ("negation", "No")]
    assert judge(text, "1.No left effusion of 12 mm at L4-5, Dr. [NAME] said").lost == ()


@pytest.mark.parametrize(
    ("written", "span", "denials"),
    [
        ("NHS No 412 771", ("412 771", "health number"), 0),
        ("Reg. no. 5512, no mass", ("5512", "licence"), 1),
        ("She said no. Beck left", ("Beck", "name that is a word"), 1),
        ("w/o Asha", ("Asha", "other name"), 0),
        ("w/o contrast, Asha", ("Asha", "other name"), 1),
    ],
)
def test_a_cue_is_no_denial(written, span, denials):
    assert [kind for _, _, kind in closed_words(_text(written, span))].count("negation") == denials


def test_a_name_that_is_a_finding_is_no_claim_of_the_text_it_is_measured_against():
    text = _text("No effusion, says Mass.", ("Mass", "name that is a word"))
    assert meaning.claims(meaning.ideal(text)) == meaning.claims("No effusion.")


def test_a_lost_negation_changes_the_meaning():
    assert meaning.claims("No effusion.") != meaning.claims("[ID] effusion.")
    assert meaning.claims("Small left effusion.") != meaning.claims("Small [NAME] effusion.")


def test_what_is_quoted_is_found(tmp_path, monkeypatch):
    (tmp_path / "tests").mkdir()
    sentence = "No frobnicated widget of the distal sprocket is seen"
    (tmp_path / "tests" / "test_x.py").write_text(f'scrub("{sentence}")')
    monkeypatch.setattr(in_sample, "_ROOT", tmp_path)
    monkeypatch.setattr(in_sample, "sets", lambda data: {"one": [sentence + "."]})
    row = in_sample.measure(None)["one"]
    assert row["sentences found"] == row["sentences"] == 1
    assert row["sequences of 6 found"] == row["sequences of 6"] == 4


def test_a_perfect_scrubber_leaks_and_loses_nothing_and_an_idle_one_loses_nothing_and_leaks_all(rendered):
    for text in chain(*rendered.values()):
        perfect, idle = judge(text, meaning.ideal(text)), judge(text, text.text)
        assert (perfect.leaks, perfect.lost, idle.lost) == ((), (), ())
        assert {g.kind for g in text.gold if g not in idle.leaks} <= {"age over 89, spelled", "age over 89"}


@pytest.fixture(scope="module")
def quoted() -> set[tuple[str, ...]]:
    return in_sample.grams(in_sample.product().values(), 6)


@pytest.mark.parametrize("split", ["test", "fresh", "third"])
def test_what_is_held_out_is_quoted_nowhere(split, quoted):
    """Six words in a row by chance ("there is no evidence of a") are allowed in one of fifty sequences."""
    wanted = in_sample.grams(in_sample.sentences([f["text"] for f in fillings.frames(split)]), 6)
    found = wanted & quoted
    assert len(wanted) > 300
    assert len(found) * 50 <= len(wanted)
