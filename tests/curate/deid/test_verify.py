"""The verifier: it must notice everything that was left in, and be quiet where nothing was."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread

from curate.deid.header.clean import identifying_values
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.text import findings
from tests.realdata import real

PHI = ["SMITH^JOHN^A", "MRN-0012345", "19570312", "1.2.840.99.4711", "Mercy General Hospital", "MÜLLER^ZOË",
       "HONG^GILDONG=洪^吉洞"]  # fmt: skip


def leaks(outputs, phi):
    return bool(findings(outputs, phi))


PICTURE = (np.arange(64 * 48).reshape(48, 64) % 251).astype(np.uint8)


@pytest.mark.parametrize(
    "text",
    ["seen by smith", "SMITH", "Smith's", "Smíth", "S M I T H", "Smi-\nth", "Smi\u200bth", "Ｓｍｉｔｈ", "john a smith",
     "MRN 0012345", "mrn0012345", "id 12345", "0 0 1 2 3 4 5", "00-12-345", "12 March 1957", "March 12th, 1957",
     "03/12/1957",
     "3/12/57", "1957-03-12", "12.3.1957", "born 19570312", "1.2.840.99.4711", "MERCY  general\nhospital",
     "Muller", "Mu\u0308ller",
     "患者 吉洞"],
)  # fmt: skip
def test_what_was_left_in_is_noticed(text):
    assert leaks([f"findings: {text}. normal."], PHI)
    assert leaks(["nothing here", f"{text}".encode()], PHI)


def test_latin1_and_utf16_bytes_are_read():
    assert leaks(["M\u00fcller".encode("latin-1")], PHI)
    assert leaks(["x Smith y".encode("utf-16-le")], PHI)
    assert leaks([b"\x01" + "Smith".encode("utf-16-be")], PHI)


@pytest.mark.parametrize(
    "text",
    ["Smithson-like artefact, blacksmith", "series 3 image 45, 123 mm", "12 March 1958", "Johnston", "1234567",
     "general hospital bed",
     "[NAME] was seen on [DATE] at [FACILITY]", "", "no acute disease"],
)  # fmt: skip
def test_clean_text_is_quiet(text):
    assert not leaks([text, text.encode()], PHI)


def test_json_of_a_record_is_read():
    assert leaks([json.dumps({"meta": {"who": "Smith"}})], PHI)
    assert not leaks([json.dumps({"modality": "CT", "date": "2019-05-02", "age": 61})], PHI)


def test_without_identities_only_containers_are_judged():
    assert not leaks(["Smith", b"Smith"], [])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["J. Smith", "Smith, John", "03/12/1957", "MRN 0012345", "Mercy General Hospital",
                                 "lungs clear", "Zoë Müller", "at 10:22", "1.2.840.99.4711",
                                 "Dr. Roe"]), max_size=6))  # fmt: skip
def test_scrubbed_text_passes(parts):
    text = "; ".join(parts)
    assert not leaks([scrub(text, PHI, "P1", Pseudonymizer(b"0123456789abcdef"), TextRules("mask"))], PHI)


HELD_BACK = [
    (["Müller-Lüdenscheidt^Jürgen"], "Herr mueller-luedenscheidt"),
    (["Müller-Lüdenscheidt^Jürgen"], "Herr Muller"),
    (["Mueller^Juergen"], "Herr Müller"),
    (["Mueller^A"], "Herr Muller"),
    (["Loew^A"], "Löw"),
    (["Sørensen^Åse"], "Soerensen"),
    (["Weiß^Anna"], "Weiss"),
    (["Haakon^Bo"], "Håkon"),
    (["Петров^Иван"], "Petrov Ivan"),
    (["Щербаков^Дмитрий"], "seen: Dmitry"),
    (["Παπαδόπουλος^Γιώργος"], "Papadopoulos"),
    (["洪^吉洞"], "Gildong is well"),
    (["やまだ^たろう"], "who is that"),
    (["קבאני"], "who is that"),
    (["Ng^Li"], "Ng is stable"),
    (["Ng^Li"], "with LI."),
    (["Ли^Анна"], "with Li."),
    (["ROE^JANE"], "a ninety-five year old"),
    (["ROE^JANE"], "in her nineties"),
    (["ROE^JANE"], "nonagenarian"),
    (["ROE^JANE"], "DOB: [DATE:1941-05-02]"),
    (["ROE^JANE"], "born on 7 May 1934"),
    (["ROE^JANE"], "[DATE:1931-05-02] and [DATE:2022-05-02]"),
]


@pytest.mark.parametrize("phi,text", HELD_BACK)
def test_other_letters_short_names_and_ages_are_noticed(phi, text):
    assert leaks(["no acute disease", text], phi)


@pytest.mark.parametrize("phi,text", HELD_BACK)
def test_what_the_scrubber_leaves_of_them_passes_unless_it_cannot_be_proven(phi, text):
    out = scrub(text, phi, "P1", Pseudonymizer(b"0123456789abcdef"), TextRules())
    unprovable = phi[0][0] in "洪やק"
    assert leaks([out], phi) == (unprovable or "[DATE:" in text)  # a source's own placeholders are believed by scrub


@pytest.mark.parametrize(
    "phi,text",
    [
        (["Hong^Gildong=洪^吉洞", "洪^吉洞", "吉洞"], "The lungs are clear in this patient."),
        (["洪^吉洞"], "患者は異常なし。CT 5 mm"),
        (["洪^吉洞"], "chest radiograph, PA view, left"),
        (["東京大学病院", "ROE^JANE=洪^吉洞"], "The lungs are clear."),
        (["Петров^Иван"], "The lungs are clear, heart normal."),
        (["Ng^Li"], "5 ng/mL, 3 NG/ML; feeling li, lithium"),
        (["ROE^JANE^^MR"], "MR of the knee"),
        (["Loew^A", "Doe^B"], "low volumes, do not repeat"),
        (
            ["ROE^JANE"],
            "a 67 year old, born at 34 weeks; [DATE:1941-05-02] and [DATE:2022-05-02]; rate in the nineties",
        ),
    ],
)
def test_clean_text_of_people_with_such_names_is_quiet(phi, text):
    assert not leaks([text], phi)


def test_real_names_with_a_latin_group_are_provable():
    latin = other = 0
    for path in sorted((real("dicom")).glob("*/chr*.dcm")):
        phi = identifying_values(dcmread(path, stop_before_pixels=True))
        provable = not leaks(["these lungs are clear"], phi)
        if any(re.match(r"[A-Za-z^]+=", value) for value in phi):
            assert provable, path.name
            latin += 1
        other += not provable
    assert latin >= 3
    assert other >= 3


def png(**save: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PICTURE).save(out, "PNG", **save)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def test_bare_pictures_of_our_encoders_pass():
    rgb = np.repeat(PICTURE[..., None], 3, axis=2)
    for picture in (PICTURE, rgb, PICTURE.astype(np.uint16) * 200):
        assert not leaks([cv2.imencode(".png", picture)[1].tobytes(), imagecodecs.png_encode(picture)], PHI)
    for picture in (PICTURE, rgb):
        assert not leaks([cv2.imencode(".jpg", picture)[1].tobytes(), imagecodecs.jpeg8_encode(picture)], PHI)
    assert not leaks([png()], PHI)


def test_a_png_that_holds_more_than_pixels_leaks():
    good = png()
    end = good.rindex(b"IEND") - 4
    for extra in (chunk(b"tEXt", b"Author\0x"), chunk(b"eXIf", b"x"), chunk(b"IDAT", b"hidden")):
        assert leaks([good[:end] + extra + good[end:]], [])
    assert leaks([good + b"x"], [])
    assert leaks([good[:-6]], [])
    raw = zlib.decompress(good[good.index(b"IDAT") + 4 : end - 4])
    head = good[: good.index(b"IDAT") - 4]
    assert leaks([head + chunk(b"IDAT", zlib.compress(raw + b"SMITH JOHN")) + chunk(b"IEND", b"")], [])
    assert not leaks([head + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")], [])


def test_a_jpeg_that_holds_more_than_pixels_leaks():
    good = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    for marker in (b"\xff\xfe", b"\xff\xe1", b"\xff\xed"):
        assert leaks([good[:2] + marker + b"\x00\x06abcd" + good[2:]], [])
    assert leaks([good + b"SMITH"], [])
    assert leaks([good[:-2]], [])
    progressive = io.BytesIO()
    Image.fromarray(PICTURE).save(progressive, "JPEG", progressive=True)
    assert not leaks([progressive.getvalue()], [])


def test_a_surname_without_its_prefix_and_a_short_age_are_seen():
    assert leaks(["donoghue is calm"], ["O'DONOGHUE^MARY"])
    assert leaks(["92F with cough"], ["DOE^J"]) and not leaks(["92 m of tubing, 45F"], ["DOE^J"])


@pytest.mark.parametrize(
    "text",
    [
        "Hausarzt: unbekannt. Patient: stabil. Die Mutter ist anwesend, der Arzt hat zugestimmt. Kein Erguss links.",
        "Das Krankenhaus Befund liegt vor. CCT in 6 Stunden. Neurochirurg Dr. [NAME] informiert. Kein Hirninfarkt.",
        "Médecin : radiologue. La mère est diabétique, le père est présent. Cabinet de radiologie. Pas de fracture.",
        "Mise en place d'un drain de 8 F à droite, sans difficulté. Tél. [PHONE] Patient : homme de 54 ans.",
    ],
)
def test_offices_kin_and_kinds_of_houses_before_ordinary_words_are_nobody(text):
    source = text.replace("[NAME]", "Ahlswede").replace("[PHONE]", "0515 1244-837")
    for case in (str, str.upper, str.lower):
        clean = case(text).replace("[name]", "[NAME]").replace("[phone]", "[PHONE]")
        assert findings([clean], [], [case(source)]) == ()


@pytest.mark.parametrize("text", ["Voraufnahme vom 11.2018 liegt vor.", "Compared with 06/2024, no change."])
def test_a_month_in_digits_is_seen(text):
    assert findings([text], [], [text]) == ("date",)


@pytest.mark.parametrize("text", ["Hausarzt: Wolf. Kein Erguss links.", "Médecin : Petit. Pas de fracture du poignet."])
def test_ordinary_words_that_people_are_called_by_are_somebody_there(text):
    for case in (str, str.upper, str.lower):
        assert findings([case(text)], [], [case(text)]) == ("name",)
