"""Names that are words: what gives them away is a capital where reports write none, and what only people do."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import PLACEHOLDER, TextRules
from curate.deid.text.scrub import scrub
from curate.deid.word_lists import word_sections
from curate.deid.words import context_words as roles

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
MASK = TextRules(dates="mask")


def clean(text: str, *phi: str) -> str:
    return scrub(text, phi, "P1", PSEUDO, MASK)


@pytest.mark.parametrize(
    "text",
    [
        "The film {Cord} brought is here. Seen with her husband {Tibia}. Shown to {Ostrowska} and {Over} in clinic.",
        "{Lumen} held the child still. {Among} will bring the disc. {Meniscus} called 1 of the nurses back.",
        "{Disc} drove her here. {Facet} would not consent. {Stent} was unable to lie flat.",
        "The cyst that {Page} measured is unchanged. Known to {Okonkwo} since the fall. Treated by {Ilium} before.",
        "Attending radiologist: {Base}, {Omar}\nTechnologist: {Lobe}, {Anita}\nNo acute disease.",
        "Image 4 is labelled {T. Lobe}. See the film of {Per Ostrowska}, which is not hers.",
        "Read with {Wiktor Eleven}, who agrees. {Ramus} and {Ostrowska} concur. Requested by {Facet}.",
        "The lungs are clear. {Coil} and {Eleven} concur.",
        "Marked by {hilum} on the workstation. Saved by {vertex} on the console. Dr. {Order} was present.",
        "Signed: {Date} MD\nHistory: {Canal} (DOB 1950) has cough. {Lobe Canal} presents with pain.",
        "According to {Antoni} the clip is new. Placed by {Facet} on the ward. {Apex, Wiktor} was unable to lie flat.",
        "Pt {LOBE WIKTORIA} is s/p surgery. Carried by {Morison} from outside. {Sept} spoke to the family.",
    ],
)
def test_a_word_of_reports_goes_where_its_place_makes_a_name_of_it(text):
    out = PLACEHOLDER.sub(" ", clean(re.sub(r"[{}]", "", text)))
    kept = Counter(re.findall(r"[^\W_]+", out))
    wanted = Counter(re.findall(r"[^\W_]+", re.sub(r"\{.*?\}", " ", text)))
    planted = {w for span in re.findall(r"\{(.*?)\}", text) for w in re.findall(r"[^\W_]{2,}", span)}
    assert not {w for w in planted if kept[w] > wanted[w]}, out
    assert sum((wanted - kept).values()) <= 1, out


@pytest.mark.parametrize(
    "text",
    [
        "Alert and Oriented. Date of Birth: none. Assessment and Plan: none. Family History: none.",
        "Fracture of the Left femur, seen on Image 4. The patient was seen in Radiology and Orthopedics.",
        "The Onyx cast is unchanged; placed on Plavix. In-111 scan. A Vein of Galen malformation.",
        "Surgery called the ward. Radiology will call the family. Heparin held for now. Staff held the child.",
        "Cullen and Grey Turner signs cannot be assessed. Caldwell-Luc defect. Roux limb. Dawson fingers.",
        "Hypodensity in segment VI and segment IVa is too small to characterize. Tree-in-bud opacities.",
        "Results called to the ward. Otherwise agree. As noted before, stable. Small Right pleural effusion.",
        "Doctor: Did you fall? Patient: Yes.",
    ],
)
def test_capitals_of_another_kind_stay(text):
    assert clean(text) == text


def test_what_follows_an_address_is_no_part_of_it():
    assert clean("Sent to a.roe@example.org.\nNo effusion.") == "Sent to [EMAIL].\nNo effusion."
    assert clean("See https://x.org/a. Fat necrosis.") == "See [URL]. Fat necrosis."
    assert clean("Sent to a.roe @ example . org today.") == "Sent to [EMAIL] today."


WORDS = st.sampled_from(
    ["Per", "Seven", "Cord", "Date", "Doctor", "Nurse", "Left", "Lobe", "Okonkwo", "and", "held", "the", "child",
     "will", "bring", "that", "measured", "by", "of", "J.", "Dr.", "[NAME]", "[URL]", "VI", "Pt", "STONE", "MARIA",
     ":", ",", ".", "\n", "-", "was", "crying", "Antoni", "Cullen", "sign", "called", "2233", "image", "4"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=14), st.sampled_from([" ", "", "\n", ", "]))
def test_scrubbing_twice_is_scrubbing_once(words, glue):
    once = clean(glue.join(words), "STONE^GRANT")
    assert clean(once, "STONE^GRANT") == once
    assert clean(once) == once


# Words that a report's meaning stands and falls with go only where a cue says that they are a name.
EXEMPT = roles.PROTECTED | roles.LICENSED | roles.HUMANS | roles.GRAMMAR | roles.TITLES | roles.BEFORE_VERBS


FRAMES = ["The disc {} carried is here.", "{} held the child.", "{} will call the ward."]


@pytest.mark.parametrize("each", [len(FRAMES), pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("frame", FRAMES)
def test_no_word_of_reports_stays_where_only_a_name_can_stand(frame, each):
    """Every word in one of the frames, or in all of them."""
    found = word_sections("radiology")
    words = sorted(
        {w for w in found["medical"] | found["plain"] if w.isalpha() and 2 < len(w) < 9} - EXEMPT - found["function"]
    )
    words = [w for w in words if w.isalpha() and 2 < len(w) < 9 and not w.endswith((*roles.DEPARTMENTS, "ly"))]
    assert len(words) > 4000
    words = words[FRAMES.index(frame) % each :: each]
    assert [w for w in words if w.capitalize() in clean(frame.format(w.capitalize()))] == []
