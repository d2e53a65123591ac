"""Forms of identifiers of no one shape: times, ages, streets, wards, facilities, spelled names; and what is alike.

The sentences are of this test alone; none is of a benchmark. What is in braces goes, the rest stays.
"""

from __future__ import annotations

import re

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import PLACEHOLDER, TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.text import findings

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")


def clean(text: str) -> str:
    return scrub(text, [], "P1", PSEUDO, TextRules(dates="mask"))


def check(marked: str) -> None:
    """What is in braces must be gone, to the word; every other word must be there."""
    gone = [word for span in re.findall(r"\{(.*?)\}", marked) for word in re.findall(r"[^\W_]{2,}", span)]
    stays = re.findall(r"[^\W_]{2,}", re.sub(r"\{.*?\}", " ", marked))
    out = clean(re.sub(r"[{}]", "", marked))
    left = re.findall(r"[^\W_]{2,}", PLACEHOLDER.sub(" ", out))
    assert not [word for word in gone if word in left], out
    assert not [word for word in stays if word not in left], out


@pytest.mark.parametrize(
    "text",
    [
        "Drain flushed, {07.25}.",
        "Scan started {13.05} and ended {1342}.",
        "Dr. {Okafor} {18.20}: no change.",
        "The ward was rung {2215}.",
        "Seen at {six forty five p m} on the ward.",
        "Seen at {eleven in the morning} with pain.",
        "Ratio 0.85, volume 12.40 ml, velocity 11.30 cm/s and SUV 10.25 are normal.",
        "Lesion at 11 o'clock, b 1000, TE 14, image 1230 mm below the 12.5 mm node.",
    ],
)
def test_times_of_the_day_go_and_measures_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "{97}f with a nodule.",
        "After a fall, {101}m, known osteoporosis.",
        "Mr. {Okafor} is {96} today.",
        "She turned {ninety six} last week.",
        "Aged about {94}, frail.",
        "Frail lady in her {tenth decade} with pain.",
        "On her {one hundred second} birthday she fell.",
        "Walks 100 m, stopped by pain; heart rate 96 and saturation 97%.",
        "Angle of 94 degrees, 98 ml of contrast, 102 images, T11 to L2.",
    ],
)
def test_ages_over_89_go_and_other_numbers_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "lives at {14 kingfisher close}, no falls.",
        "letter to {231 harbour blvd}, no reply.",
        "Resident of {52 Tagore Marg}; diabetic.",
        "he comes from h.no {17 lotus enclave} with pain.",
        "Two vessels cross the lesion, 3 views close to the fracture, 2 mm from the lower rise.",
        "PIN {682 031}, no further details.",
        "Fell at {63 the paddock}, no loss of consciousness.",
        "Follow up for 4W, then to 6 W/kg; reduced to 3 or 4 mm, close to the hill of the cyst.",
    ],
)
def test_streets_go_in_any_case_and_words_alike_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Chest film obtained on {7N} overnight.",
        "{5D}/bed {3}, now back from OR {11} with a drain; {W31}: results phoned.",
        "Moved from {Juniper Ward} to theatre.",
        "moved from {juniper ward} to theatre.",
        "Now on {West 6}, drain out; returned to {8S} and seen {6C}, 2 lines in.",
        "sister {9b}, bed {14}: film in the corridor. back on {11e} since.",
        "{W3 b14}: film clear. {W22}, no change. B{17}: drain out.",
        "Films of {beds 21, 23 and 26}; C-arm in OR#{12}, then ICU # {16}.",
        "HIP REDUCED IN OR {14}; FILM OF PATIENT FROM {7K WARD}.",
        "Vitamin B12, folate; core biopsy: B3. From 6w to 12w, 45W to 65W, 3 or 4 nodes; west 3 mm, east 4 patients.",
        "FLAT T WAVES; THEATRE C ARM USED IN ROOM C SPINE; 3D seen in B mode and on T2W, seen 38C.",
        "Films from {St. Winifred's} were lost.",
        "films from {st winifred's hospital} were lost.",
        "TRANSFERRED FROM {BALLARAT BASE HOSPITAL} WITH A FRACTURE.",
        "transferred from {kettering district general}, no report.",
        "Referred to the pain clinic and the stroke ward; seen in our local hospital.",
        "Seen in the fracture clinic, the general ward and the emergency department of this hospital.",
        "CONSIDER CHEST CLINIC REVIEW, SPINE IMAGING AND ROUTINE LABS.",
    ],
)
def test_facilities_go_by_their_name_and_not_by_their_kind(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Her name is spelled {k u b i a k} on the form.",
        "this is {w o j t a s} with chest pain",
        "an m r c p and an e r c p and an i v c filter",
        "Send it to {kubiak underscore j at clinic dot org} please.",
        "{w.b.t.} dictated, p.o. and b.i.d. as before",
        "Agreed with Dr. {Okafor} ({WBT}) today.",
        "No effusion.\n{WBT/KH}",
        "Signed: {K.W.} for the team; A.P. and I.V. as before.",
    ],
)
def test_what_is_spelled_letter_by_letter(text):
    out = clean(re.sub(r"[{}]", "", text))
    for span in re.findall(r"\{(.*?)\}", text):
        assert span not in out, out
    assert all(piece.strip() in out for piece in re.sub(r"\{.*?\}", "\0", text).split("\0")), out


@pytest.mark.parametrize(
    "text",
    [
        "Accession {CT-22-41190} no change since the last study.",
        "Slides {E481 220} and {E481 223} reviewed.",
        "Call {1-555-318-2277}. No reply.",
        "Plate {kd19 wpx}, seat belt worn.",
        "Dr. {Okafor}\nBoth lungs are clear.",
        "At levels L4-5, S1 and T12; BI-RADS 4a; pT2N1M0; Gleason 4+3.",
        "Biopsy {7/5} by Dr. {Okafor}; strength 4/5, nodes 2/11, pain 6/10.",
        "Follow up booked for {3/8}.",
        "Prior CT {04.2017}, stable since {10.2015}.",
        "Given 02 500 ml, series 03 350 images, dose 04.1250 mGy.",
    ],
)
def test_numbers_with_a_cue_and_days_without_a_year(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Lives in flat {C}, no stairs. Hip reduced in theatre {B} at night.",
        "No fracture. Small effusion.\n{MKB}",
        "no fracture, small effusion. {j.k.}",
        "NO FRACTURE, SMALL EFFUSION ({PKW})",
        "Normal study - {R.K.W.}",
        "Informed to {OM} (ortho) at once; phoned {jak} (rn) as well.",
        "1) {KJW} - 54F gallstones. 2) {R.K.} (61 y) hernia.",
        "Her initials are {BHK} on the card. Mother of {K.W.} informed.",
        "Both views, L.A. and R.V. normal, P.A. film as well. No fracture. NAD",
        "Seen in ED (resus), told him (ortho) and RN (triage). CT - 54F. Clear lungs, no PE",
        "IVC - 24 mm, CBD (6 mm). Initials are missing. Clear lungs (MRI)",
    ],
)
def test_letters_of_someone_go_and_abbreviations_stay(text):
    out = clean(re.sub(r"[{}]", "", text))
    plain = PLACEHOLDER.sub(" ", out)
    assert not [gone for gone in re.findall(r"\{(.*?)\}", text) if re.search(rf"(?<!\w){re.escape(gone)}", plain)], out
    stays = re.findall(r"\w+", re.sub(r"\{.*?\}", " ", text))
    assert not [word for word in stays if word not in re.findall(r"\w+", plain)], out


@pytest.mark.parametrize(
    "text",
    [
        "Dear Dr {Penrose}, CT abdomen of your patient is normal.",
        "Reported by Dr {Kavita Shenoy}, HRCT thorax shows no nodule.",
        "d/w {J Pettigrew} at the desk.",
        "The lungs are clear. I work at {Quillfeather}, and my knees hurt.",
        "A marathon athlete {Trevor R. Sharuk} collapsed. No fracture.",
        "Results emailed to {p.ashdown@wexmail.org}. No fracture.",
    ],
)
def test_a_name_is_whole_with_its_initial_and_ends_before_an_abbreviation(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Position of Swan-Ganz Catheter: main PA. Position of TIPS Stent patent.",
        "POSITION OF ETT IS GOOD. POSITION OF THE SWAN GANZ CATHETER IS UNCHANGED.",
        "PATIENT EMPLOYED BY {KESTREL} NO FRACTURE OF THE WRIST.",
        "The catheter worked by Seldinger technique. The block worked for C5 and T1.",
        "He works at the {Harwick Foundry}. An employee of {Hale} & {Moss}, no fracture.",
    ],
)
def test_an_employer_goes_and_where_a_device_lies_stays(text):
    check(text)


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("CT head 58 F Okonkwo, Ada. No bleed.", "CT head 58 F [NAME]. No bleed."),
        ("Pt is 45 M Okonkwo from clinic.", "Pt is 45 M [NAME] from clinic."),
        ("CT T/A/P. Lau KM.", "CT T/A/P. [NAME] KM."),
        ("Child-Pugh class B. Okonkwo informed.", "Child-Pugh class B. [NAME] informed."),
        ("Hepatitis C. Okonkwo aware.", "Hepatitis C. [NAME] aware."),
        ("Segment V. Okonkwo informed.", "Segment V. [NAME] informed."),
        ("No PE. R. Okonkwo, consultant.", "No PE. [NAME], consultant."),
        ("Name: Nguyen, PE\nChest: no embolus.", "Name: [NAME]\nChest: no embolus."),
    ],
)
def test_a_letter_that_says_sex_place_or_grade_is_no_initial(text, out):
    assert clean(text) == out


@pytest.mark.parametrize("study", ["HRCT thorax", "CECT abdomen", "MRCP"])
def test_what_stays_behind_a_name_is_no_name_to_the_verifier(study):
    text = f"Reported by Dr Kavita Shenoy, {study} shows no nodule."
    out = clean(text)
    assert study in out
    assert not findings([out], [], sources=[text])
