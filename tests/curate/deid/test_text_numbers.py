"""Numbers, places and days by the one grammar of their kind: what goes, and what looks like it and stays.

The sentences are of this test alone; none is of a benchmark. What is in braces goes, the rest stays.
"""

from __future__ import annotations

import pytest

from tests.curate.deid.test_text_forms import check, clean


@pytest.mark.parametrize(
    "text",
    [
        "Follow up film {14.2.19} shows healing.",
        "Drain out on {9.11.20}, wound dry.",
        "Prior study {21/6-2018} was normal.",
        "Compared with the study of {05 09 2017}, no change.",
        "Exam date {11 08 21}.",
        "Seen in clinic {9-ii-19}.",
        "The next review is on {19-8}.",
        "For the theatre list {23/11}.",
        "His scan on the {ninth of june two thousand and eleven} was normal.",
        "Compared with {six nine twenty nineteen}.",
        "Referred {Fri 21st} by the practice.",
        "Protocol version 4.11.20, chapter 2.3.19 and 0.8.12 mm.",
        "Suture 5-0, ribs 10-8, from 10-7 o'clock, power 5-3, 9-6 weeks, segment 8-5 and L5-4.",
        "Left effusion drained 9-4 cc, grade 3-2, level at L4/5 in the same plane.",
    ],
)
def test_days_in_numbers_go_and_falling_counts_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Cyclist hit by van {M318 WKT}, driver unhurt.",
        "Passenger in car {TRK 51P} with chest pain.",
        "Lorry {MH 14 CT 2290} overturned.",
        "Hit by a bike at 30 km, bus driver, 2 cars, van 3 weeks ago.",
        "NHS no {731 - 204 - 9918}, hospital no {TK 55821}.",
        "Case no {9044/18/771}.",
        "Aadhaar XXXX XXXX {8842}.",
        "Registration: GDC {KT 40912}, Reg. No. {MK 88410}.",
        "Pager {four one nine}.",
        "G4P2012, 3vv and 4ch normal, tooth LL6, KL3, pT3b, FIGO IIIC1, W1500 L-600, LDH-3101.",
        "TR/TE 4200/90/2500, matrix 256x192, calcium 2140, native T1 1068, CPT 71046, risk 1:8200.",
    ],
)
def test_numbers_that_are_somebodys_go_and_codes_of_medicine_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "He's {97} but plays golf.",
        "Her mum is {96}.",
        "Lady {98} off her feet.",
        "Surgery is unwise @ {96}.",
        "In her {tenth decade}, well.",
        "Pulse steady at 98, angle 101, sats of 94, liver span 101, Tc-99m, walks 98 m with a frame.",
        "She is 94 kg and 98 on air; he is 101 cm tall.",
    ],
)
def test_ages_in_a_sentence_go_and_vital_signs_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Film done {0910}, bed {4}.",
        "Told the ward {9:50a}, read back.",
        "Arrived {8.40}, scanned.",
        "Reported {1410 AEST}.",
        "Nurse told at {06:12}, TR band 14 ml.",
        "Right breast lump at 2:00, left 10:30 axis, tear from 1:00 to 3:00.",
        "Fluoro time 2:48, ratio 1:10, dilution 1:200, T21 risk 1:150.",
    ],
)
def test_hours_go_and_faces_of_a_clock_stay(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "Care at {07, 4-2-118 Lotus Colony}, near the tank.",
        "He lives at {31 kestrel place}.",
        "Patient on MAU {K3}, stable.",
        "Admitted to theatre {12.07} for a nail.",
        "On ward {5 north}, afebrile.",
        "Moved from {6c} bed {14}.",
        "Plot no {14/2}, and door no {3-118}.",
        "ER 95%, PR 60%, 2 north facing ends, 3 west African patients, POD 3, 12 rib ends meet.",
        "Seen in the hand clinic, cross-sectional imaging, 2 main renal arteries.",
    ],
)
def test_places_go_and_counts_stay(text):
    check(text)


def test_two_letters_before_a_department_are_somebody():
    assert "KO" not in clean("INFORMED TO KO (ORTHO), WHO WILL REVIEW.")
    assert "ED (" in clean("INFORMED TO ED (RESUS), WHO WILL REVIEW.")
