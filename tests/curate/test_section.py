"""Headings are found where they are written and nowhere else; no word of a report is lost."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.sources.reports.text.section import SECTIONS, canonical, parse_sections, wanted_text
from tests.realdata import real

BOTH = {"findings": "Lungs clear.", "impression": "Normal."}


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS: Lungs clear.\nIMPRESSION: Normal.",
        "FINDINGS:\r\n\r\nLungs clear.\r\n\r\nIMPRESSION:\r\nNormal.",
        "findings: Lungs clear.\nimpression: Normal.",
        "Findings - Lungs clear.\nConclusion – Normal.",
        "FINDINGS\nLungs clear.\nIMPRESSION\nNormal.",
        "FINDINGS Lungs clear.\nIMPRESSION Normal.",
        "## Findings\n\nLungs clear.\n\n## Impression\nNormal.",
        "**Findings:** Lungs clear.\n\n**Impression**: Normal.",
        "Findings\n--------\nLungs clear.\nImpression\n==========\nNormal.",
        "  * Findings: Lungs clear.\n  * Impression: Normal.",
        "FINDINGS: Lungs clear. IMPRESSION: Normal.",
        "Findings: Lungs clear. Impression: Normal.",
        "FINDINGS:Lungs clear.IMPRESSION:Normal.",
        "CT CHEST FINDINGS: Lungs clear.\nFINAL IMPRESSION: Normal.",
        "PA AND LATERAL VIEWS OF THE CHEST: Lungs clear.\nIMPRESSION: Normal.",
        "Hallazgos: Lungs clear.\nConclusión: Normal.",
        "HALLAZGOS\nLungs clear.\nIMPRESIÓN DIAGNÓSTICA: Normal.",
        "Befund:\nLungs clear.\nBeurteilung:\nNormal.",
        "Résultats : Lungs clear.\nConclusion : Normal.",
        "【所見】\nLungs clear.\n【画像診断】\nNormal.",
        "所見：Lungs clear.\n診断：Normal.",
    ],
)
def test_headings_in_many_hands(text):
    assert parse_sections(text) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        "The findings are stable. No impression of mass.",
        "FINDINGS ARE CONSISTENT WITH PNEUMONIA.",
        "Stable findings: none worse, history of: cough.",
        "Seen at 10:30 on comparison with report: none",
        "Findingsx: no\nun-impression: no",
        "Lungs are clear",
    ],
)
def test_words_that_are_no_headings(text):
    assert parse_sections(text) == {"body": text}


def test_headings_of_the_parts_of_the_body_stay_in_the_findings():
    text = "FINDINGS:\nLUNGS: Clear.\nHEART: Normal.\nBones: Intact."
    assert parse_sections(text) == {"findings": "LUNGS: Clear.\nHEART: Normal.\nBones: Intact."}


def test_a_whole_report():
    text = """                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 CLINICAL HISTORY: Cough.
 REASON FOR EXAM: Pneumonia?

 TECHNIQUE:  Two views.

 COMPARISON:  None.

 FINDINGS:

 Lungs clear.

 IMPRESSION: Normal.
 RECOMMENDATION(S): None.
 ADDENDUM: Seen again.
 Electronically signed by: A. Doctor"""
    got = parse_sections(text.replace("RECOMMENDATION(S)", "RECOMMENDATIONS"))
    assert got == {
        "exam": "CHEST (PA AND LAT)",
        "indication": "Cough.\nPneumonia?",
        "technique": "Two views.",
        "comparison": "None.",
        **BOTH,
        "recommendation": "None.",
        "addendum": "Seen again.",
        "signature": "A. Doctor",
    }
    assert list(got) == [name for name in got if name in SECTIONS]


def test_the_letterhead_is_apart_and_ends_with_its_line():
    text = "PATIENT NAME: Doe, John\nMRN: 123\nThe lungs are clear.\nDate of birth: 1950\nStill clear."
    assert parse_sections(text) == {"other": "Doe, John\n123\n1950", "body": "The lungs are clear.\nStill clear."}


def test_text_before_a_heading_and_headings_again():
    text = "Chest PA.\nFindings: a\nImpression: b\nFindings: c"
    assert parse_sections(text) == {"body": "Chest PA.", "findings": "a\nc", "impression": "b"}


@pytest.mark.parametrize("text", ["", " \n\t", "FINDINGS:\nIMPRESSION:\n"])
def test_nothing_is_no_section(text):
    assert parse_sections(text) == {}


def test_wanted_sections_in_the_wanted_order_on_one_line():
    sections = {"impression": " b\n c", "findings": "a\t\u00a0d", "indication": "x", "body": "  "}
    assert wanted_text(sections, ["findings", "impression"]) == "a d b c"
    assert wanted_text(sections, ["body", "addendum"]) == ""


def test_canonical_names_stand_for_themselves_but_for_the_letterhead():
    assert [n for n in SECTIONS if canonical(n) != n] == ["other"]
    assert canonical("Clinical  HISTORY") == "indication"
    assert canonical("Lungs") is None


LINES = st.sampled_from(
    [
        "FINDINGS:",
        "Impression -",
        "## Technique",
        "lungs clear.",
        "MRN: 12",
        "NO MASS",
        "Comparison",
        "a: b",
        "",
        "1. x",
    ]
)


@given(
    st.lists(st.one_of(LINES, st.text(st.characters(codec="utf-8"), max_size=15)), max_size=12),
    st.sampled_from([" ", "\n"]),
)
def test_no_word_is_lost(lines, between):
    text = between.join(lines)
    sections = parse_sections(text)
    assert set(sections) <= set(SECTIONS)
    assert all(part.strip() for part in sections.values())

    def left(whole: str) -> list[str]:
        return [w for w in re.findall(r"[^\W_]+", whole) if canonical(w) is None]  # a lone "_" is a mark, no word

    assert sorted(left(" ".join(sections.values()))) == sorted(left(text))


COLUMNS = ("comparison", "indication", "findings", "impression")


def test_real_reports_come_apart_as_they_were_put_together():
    with (real("reports") / "iu_reports.jsonl").open(encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    for between in ("\n\n", " "):  # as lines, and flattened
        texts = [between.join(f"{c.upper()}: {r[c]}" for c in COLUMNS if r[c]) for r in records]
        start = time.thread_time()
        parsed = [parse_sections(text) for text in texts]
        assert len(texts) / (time.thread_time() - start) > 1_000  # reports a second
        same = sum(
            all(" ".join(r[c].split()) == " ".join(p.get(c, "").split()) for c in COLUMNS)
            for r, p in zip(records, parsed, strict=True)
        )
        assert same / len(records) > 0.99  # the rest hold headings within a section


@pytest.mark.parametrize(
    "text", ["#" * 50_000, "A " * 25_000 + "VIEWS:", ":" * 20_000, "*_ " * 20_000, "FINDINGS " * 9_000]
)
def test_no_text_takes_long(text):
    start = time.thread_time()
    parse_sections(text)
    assert time.thread_time() - start < 1


def test_what_is_said_of_the_patient_is_no_field():
    for said in ("Patient: no acute distress.", "PATIENT: ROTATED. No fracture.", "Patient: supine; lungs clear."):
        assert parse_sections(said) == {"body": said}
    for field in (
        "Patient: Maria Schmidt",
        "Patient: smith, john",
        "patient: 12345",
        "Name: no.",
        "Patient: Jones. Clear.",
    ):
        assert "other" in parse_sections(field)
