"""Days without a year, ages over 89, times and places: what goes, and what looks like it and stays."""

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub

PSEUDO = Pseudonymizer(b"a secret that only the tests know")
BEFORE = "The heart is normal in size. "


def clean(text: str) -> str:
    return scrub(BEFORE + text, [], "patient", PSEUDO, TextRules("mask"))[len(BEFORE) :]


@pytest.mark.parametrize(
    "text, gone",
    [
        ("Nephrectomy 4/9, now flank pain.", "4/9"),
        ("Cystogram (11/2) and CT (4/19) reviewed.", "4/19"),
        ("Unchanged since 2/6, 2/8 and 2/10.", "2/10"),
        ("Between 4/4 and 9/4 the collection grew.", "9/4"),
        ("Dressing changed on the 21st.", "21st"),
        ("Cast off Thursday the 9th, check union.", "9th"),
        ("Admitted from 6th-9th April with cholangitis.", "6th"),
        ("compared with june eleven and the second of july period", "eleven"),
        ("Tapped apr 4-6 without relief.", "4-6"),
        ("Angiogram dated 8.4., no stenosis.", "8.4"),
        ("Elderly lady, 97, found at home.", "97"),
        ("Grandfather lived to 98.", "98"),
        ("HISTORY: F 96. COUGH.", "96"),
        ("Seen by the SHO, 95 y 4 m old man.", "95"),
        ("Father ( 92 ) and mother (91) both well.", "91"),
        ("Needle in 1610, out 1622.", "1610"),
        ("Phoned between 1610 and 1622.", "1622"),
        ("Told the ward, 16.10.", "16.10"),
        ("Bedside film in ICU 7 today.", "ICU 7"),
        ("Moved to Bay D this morning.", "Bay D"),
        ("portable film in room four sixteen period", "sixteen"),
        ("Nurse on 6 west is aware.".lower(), "6 west"),
        ("Lives in Tas 7250 with her son.", "7250"),
        ("Follow-up Q3 2019.", "Q3"),
        ("Stable since the third quarter of 2018.", "third"),
    ],
)
def test_what_is_a_day_an_age_a_time_or_a_place_goes(text, gone):
    assert gone not in clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "Power 4/5 on the left and 5/5 on the right.",
        "Nodes: 3/14 positive, cores 5/12 positive.",
        "Pain in the hip 6/10 at rest.",
        "Cough for 3/12, fever for 2/7.",
        "L3/4 and L4/5 discs are narrowed, also 5/1.",
        "Images 10-12 of series 4.",
        "On the third attempt the wire passed.",
        "The 4th and 5th metatarsals are intact.",
        "Temp 101F, pulse 96, saturation 95 on air.",
        "CRP 96, creatinine 101, platelets 112.",
        "Walks 100 m, flexes to 95 degrees.",
        "DLP 1015, dose 1430 mGy.",
        "ANA 1:40 and a ratio of 2:10.",
        "Fluoroscopy time: 2:40 minutes.",
        "ALT 1120, lipase of 1640.",
        "Ten to twelve cysts, five to ten mm each.",
        "Station 7 node of 9 mm, flat feet.",
        "Stepped down from ICU after 3 days.",
        "Lesions are seen on MR.  Cysts do not enhance.",
    ],
)
def test_what_looks_like_it_stays(text):
    assert "[" not in clean(text), clean(text)


def test_a_day_goes_whatever_case_it_is_written_in():
    for text in ("Since Mar 12th no change.", "SINCE MAR 12TH NO CHANGE.", "since mar 12th no change."):
        assert "12" not in clean(text)
