"""Report text: identities go in every way of writing them, clinical words stay, and a second scrub changes nothing."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import PLACEHOLDER, TextRules
from curate.deid.text.scrub import scrub
from tests.realdata import real

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
PHI = ["SMITH^JOHN^A", "SMITH", "JOHN", "MRN-0012345", "19570312", "Mercy General Hospital", "O'BRIEN^JOSÉ",
       "12 Elm Street, Springfield", "洪^吉洞", "Ng^Li", "Иванов^Иван"]  # fmt: skip
# Rules and header alone; the vocabulary gate has its own tests.
MASK = TextRules(dates="mask", vocabulary=False)


def clean(text: str, phi: list[str] = PHI, rules: TextRules = MASK) -> str:
    return scrub(text, phi, "P1", PSEUDO, rules)


@pytest.mark.parametrize(
    "text",
    [
        "J. Smith", "Smith, John", "John SMITH", "JOHN A. SMITH", "john smith", "Smith J", "Smith's", "SMITH^JOHN",
        "John\u00a0Smith", "Smi-\nth", "Smi\nth", "Smi\u200bth", "Smi\u00adth", "S M I T H", "Ｓｍｉｔｈ", "SMITH_JOHN",
        "Jose O Brien", "JOSE\u0301 OBRIEN", "José O’Brien", "JohnSmith", "洪 吉洞", "Smíth",
    ],
)  # fmt: skip
def test_the_patients_name_goes_in_every_writing(text):
    assert clean(f"Film of {text} shows no change.") == "Film of [NAME] shows no change."


def test_a_surname_that_is_a_clinical_word_goes_too():
    assert clean("Chest film of Mr. Chest. The chest is clear.", ["CHEST^LITTLE"]).lower().count("chest") == 0
    assert clean("With little fluid.", ["LITTLE^ANN"]) == "With [NAME] fluid."


@pytest.mark.parametrize(
    "text,expected",
    [
        ("Dr. Jane Roe was called", "Dr. [NAME] was called"),
        ("Dictated by: jane roe on call", "Dictated by: [NAME] on call"),
        ("Electronically signed by JANE ROE MD", "Electronically signed by [NAME] MD"),
        ("Referring physician: Alan Grant", "Referring physician: [NAME]"),
        ("cc: Alan Grant", "cc: [NAME]"),
        ("discussed with Jane Roe by phone", "discussed with [NAME] by phone"),
        ("Jane Q. Roe, MD", "[NAME], MD"),
        ("at 10:22 AM", "at [TIME]"),
        ("at 1430 hours", "at [TIME]"),
        ("MRN: 998877", "MRN: [ID]"),
        ("Accession #A99-1234", "Accession #[ID]"),
        ("UID 1.2.840.113619.2.1.99", "UID [ID]"),
        ("call (555) 123-4567 ext 12", "call [PHONE]"),
        ("555-123-4567", "[PHONE]"),
        ("a.b@c.org and https://x.org/a?b=1", "[EMAIL] and [URL]"),
        ("at 334 Michael Manor Lane, Sarahview, PA 56560", "at [ADDRESS]"),
        ("seen at St. Mary's Hospital", "seen at [FACILITY]"),
        ("at University of Iowa Medical Center", "at [FACILITY]"),
        ("a 94 year old", "a [AGE] year old"),
        ("mercy general hospital", "[FACILITY]"),
    ],
)
def test_rules_for_anyone(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize(
    "text",
    ["2024-03-01", "03/01/2024", "1 March 2024", "March 1st, 2024", "20240301", "01-MAR-2024", "2024/3/1", "3/1/24",
     "Mar. 1 2024", "1st of March, 2024", "2024-03-01T10:22:03", "2024年3月1日", "1 de marzo de 2024"],
)  # fmt: skip
def test_dates_in_every_writing_are_masked_or_moved_alike(text):
    assert clean(f"Compared to {text}.") == "Compared to [DATE]."
    moved = PSEUDO.shift_date("P1", "2024-03-01")
    assert clean(f"Compared to {text}.", rules=TextRules()) == f"Compared to [DATE:{moved}]."


@pytest.mark.parametrize(
    "name,text,expected",
    [
        ("Müller-Lüdenscheidt^Jürgen", "Herr mueller-luedenscheidt was", "Herr [NAME] was"),
        ("Müller-Lüdenscheidt^Jürgen", "Muel-\nler, MULLER, Mu\u0308ller", "[NAME]"),
        ("MUELLER^JUERGEN", "Müller and Jürgen and Muller", "[NAME] and [NAME] and [NAME]"),
        ("Bär^A", "Baer", "[NAME]"),
        ("Baer^A", "Bär, bar", "[NAME], bar"),
        ("Doe^Jane", "do not", "do not"),
        ("Sørensen^Åse", "Soerensen and Aase and Ase", "[NAME] and [NAME] and [NAME]"),
        ("Haakon^X", "Håkon", "[NAME]"),
        ("Weiß^A", "Weiss", "[NAME]"),
        ("Kjær^A", "Kjaer", "[NAME]"),
        ("Петров^Иван", "Petrov Ivan was", "[NAME] was"),
        ("Щербаков^Юрий", "Shcherbakov; Scherbakow; Jurij; Iurii", "[NAME]; [NAME]; [NAME]; [NAME]"),
        ("Соловьёв^Дмитрий", "Solovyov or Solovev, Dmitry or Dmitriy", "[NAME] or [NAME] or [NAME]"),
        ("Παπαδόπουλος^Γιώργος", "Papadopoulos or Yiorgos", "[NAME] or [NAME]"),
        ("Petrov^Ivan", "Петров Иван", "[NAME]"),
        ("Ng^Li", "Ng is stable, with Li, by LI", "[NAME] is stable, with [NAME], by [NAME]"),
        ("Ng^Li", "5 ng/mL, 3 NG/mL, ng tube", "5 ng/mL, 3 NG/mL, ng tube"),
        ("Ng^Li", "NG IS STABLE", "[NAME] IS STABLE"),
        ("An^Li", "AN OPACITY", "AN OPACITY"),
        ("Smith^Ben", "Ben fell", "[NAME] fell"),
        ("De La Cruz^Ana", "De novo", "De novo"),
        ("CT ONE", "CT was done", "CT was done"),
    ],
)
def test_names_in_other_letters_and_of_two_letters(name, text, expected):
    assert clean(text, [name]) == expected


@pytest.mark.parametrize(
    "text,expected",
    [
        ("Ninety-five year old man", "[AGE] year old man"),
        ("aged ninety-five", "aged [AGE]"),
        ("a nonagenarian; centenarian", "a [AGE]; [AGE]"),
        ("in her late nineties", "in her late [AGE]"),
        ("one hundred and two years old", "[AGE] years old"),
        ("rate in the nineties, ninety degrees", "rate in the nineties, ninety degrees"),
        ("a sixty-five year old", "a sixty-five year old"),
    ],
)
def test_ages_over_89_go_in_words_too(text, expected):
    assert clean(text, []) == expected


@pytest.mark.parametrize(
    "text",
    ["DOB {05/07/1954}", "DOB: {5/7/34}", "born {5/7/34}", "born on {7 May 1954}", "b. {1954}", "b. {7.5.54}",
     "nacido el {7 de mayo de 1954}", "date of birth: {May 7, '54}", "{1954年5月7日}生まれ", "born {may 7}",
     "Geburtsdatum: {07.05.1954}", "{5/7/34}", "{5/7/1934}, seen [DATE:2018-04-15]"],
)  # fmt: skip
def test_a_day_of_birth_is_masked_and_never_shifted(text):
    expected = re.sub(r"\{.*?\}", "[DATE]", text)
    given_text = re.sub(r"[{}]", "", text).replace("[DATE:2018-04-15]", "2024-03-01")
    out = scrub(given_text, [], "P1", PSEUDO, TextRules(vocabulary=False))
    assert re.sub(r"\[DATE:[\d-]+\]", "[DATE:2018-04-15]", out) == expected


def test_a_day_of_birth_is_known_from_the_header():
    assert clean("5/7/1960", ["19600507", "20240301"], TextRules()) == "[DATE]"
    assert clean("5/7/1930", ["20240301"], TextRules()) == "[DATE]"
    assert clean("born at 34 weeks. b. 3 cm nodule", [], TextRules()) == "born at 34 weeks. b. 3 cm nodule"


def test_two_digit_years_are_not_in_the_future_of_the_newest_date():
    moved = {day: PSEUDO.shift_date("P1", day) for day in ("2024-03-01", "1961-05-07", "1999-12-01", "2024-12-01")}
    for written, day in (("5/7/61", "1961-05-07"), ("12/1/99", "1999-12-01"), ("12/1/24", "2024-12-01")):
        out = clean(f"{written} and 2024-03-01", [], TextRules())
        assert out == f"[DATE:{moved[day]}] and [DATE:{moved['2024-03-01']}]"
    assert clean("5/7/45", [], TextRules()) == "[DATE]"  # nothing says of which century


def test_a_date_without_a_day_or_a_patient_is_masked():
    assert clean("in March 2024 and 03/2024", rules=TextRules()) == "in [DATE] and [DATE]"
    assert scrub("on 2024-03-01", [], " ", PSEUDO, TextRules()) == "on [DATE]"


@pytest.mark.parametrize(
    "text",
    [
        "A 3.2 x 1.4 cm mass at L4-L5, T12 (series 3 image 45), BI-RADS 4, in a 67-year-old.",
        "Colles fracture, Baker cyst, Hill-Sachs lesion, Chance fracture of T12.",
        "Strength 3/5. There may be 2 mm of offset; T1/T2 hypointense, at the 3:00 position.",
        "DR chest. MR BRAIN without contrast. CT ABDOMEN AND PELVIS. CR portable.",
        "Right lower lobe opacity 12 mm (series 4, image 112), 40 HU, dose 1250 mGy*cm, 150000 units.",
        "Comparison: None. Findings: The heart is normal. Impression: No acute disease.",
        "Grade 2/6 murmur, 1:1 ratio, 50% stenosis, C5-C6, S1, 120 kVp, TR/TE 600/15 ms, b=1000.",
        "Swan-Ganz catheter, Kerley B lines, Hickman line, Dobhoff tube, Bochdalek hernia.",
    ],
)
def test_clinical_text_stays_word_for_word(text):
    assert clean(text) == text


def test_what_cannot_be_seen_is_removed():
    assert clean("a\x00b\x07\u200bc\r\nd\ufeff\ud800 \ue000", []) == "abc\nd\ufffd \ufffd"


WORDS = st.sampled_from(
    ["Smith", "JOHN", "Dr.", "03/01/2024", "[NAME]", "[DATE:2024-01-02]", "MRN 1234567", "at", "St. Mary's Hospital",
     "signed by", "chest", "12 Elm Street", "10:22", "555-123-4567", "March", "2024", "1", "[", "DATE",
     "]", "\n", "-", "é", "x@y.org", "PA", "56560", "Ng", "LI", "ö", "Иван", "born", "5/7/34", "1931", "ninety"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=12), st.sampled_from([" ", "", "\n", ", "]),
       st.sampled_from(["mask", "shift"]))  # fmt: skip
def test_scrubbing_twice_is_scrubbing_once(words, glue, dates):
    rules = TextRules(dates, vocabulary=False)
    once = clean(glue.join(words), rules=rules)
    assert clean(once, rules=rules) == once


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_the_name_never_survives_its_surroundings(before, after):
    out = clean(f"{before} SMITH {after}")
    assert "smith" not in PLACEHOLDER.sub(" ", out).lower().split()


def test_real_reports_keep_their_words():
    words = lost = 0
    lines = (real("reports") / "iu_reports.jsonl").read_text().splitlines()
    for line in lines[::10]:
        doc = json.loads(line)
        text = "\n".join(doc[s] or "" for s in ("comparison", "indication", "findings", "impression"))
        before = Counter(re.findall(r"\w+", text))
        words += before.total()
        lost += (before - Counter(re.findall(r"\w+", PLACEHOLDER.sub(" ", clean(text))))).total()
    assert words > 10_000
    assert lost / words < 0.002


def test_labelled_persons_known_to_the_header_are_all_gone():
    seen = 0
    for line in (real("deid") / "text" / "edgecare_en.jsonl").read_text().splitlines()[::3]:
        doc = json.loads(line)
        names = [s["text"] for s in doc["spans"] if s["label"] == "PERSON"]
        out = clean(doc["text"], names).casefold()
        assert not [n for n in names if n.casefold() in out], doc["id"]
        seen += len(names)
    assert seen > 100


def test_names_without_their_prefix_or_their_cue_and_short_ages():
    pseudo = Pseudonymizer(b"s" * 32)

    def clean(text: str, *phi: str) -> str:
        return scrub(text, phi, "P1", pseudo, TextRules())

    assert clean("Donoghue is calm.", "O'DONOGHUE^MARY") == "[NAME] is calm."
    assert clean("92F with cough. 92 M. 45F.", "X") == "[AGE]F with cough. [AGE] M. 45F."
    assert clean("Called to Dr. Abiodun at noon; discussed with abiodun.", "X").count("biodun") == 0
    twice = clean("Dr. Abiodun agrees. No pneumothorax. Abiodun notified.", "X")
    assert clean(twice, "X") == twice and "pneumothorax" in twice


def test_a_nickname_of_the_patients_own_name_goes():
    assert clean("Seen with Ben today", ["DOE^BENJAMIN"]) == "Seen with [NAME] today"
    assert clean("Seen with Bert today", ["DOE^ALBERT"]) == "Seen with [NAME] today"
