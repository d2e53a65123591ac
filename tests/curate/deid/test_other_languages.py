"""Reports in the six languages beside English: meaning stays, people go."""

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.words.lexicon import CODES, LANGUAGES, lexicon
from curate.deid.words.other_languages import is_near

PSEUDO = Pseudonymizer(b"0" * 32)

CASES = [
    ("Frau Klein wurde von Dr. med. Weber zugewiesen. Kein Erguss.", ("Klein", "Weber"), ("Kein Erguss",)),
    ("Remitida por la Dra. Leal el 12 de marzo de 2024. No se observa"
        " derrame.", ("Leal", "marzo"), ("No se observa derrame",)),
    ("Madame Petit, née le 3 mars 1941. Pas d'épanchement"
        " pleural.", ("Petit", "mars", "1941"), ("Pas d'épanchement pleural",)),
    ("Mevr. van der Berg, geboren 3 mrt. 1950. Geen pneumothorax.", ("Berg", "mrt", "1950"), ("Geen pneumothorax",)),
    ("Inviata dal Dott. Ferrari il 12 gennaio 2024. Non versamento"
        " pleurico.", ("Ferrari", "gennaio"), ("Non versamento pleurico",)),
    ("Solicitado pelo Dr. Leal em 12 de março de 2024. Sem derrame"
        " pleural.", ("Leal", "março"), ("Sem derrame pleural",)),
    ("The lungs are clear. No effusion is seen.\nKein Nachweis einer Fraktur. Besprochen mit Herrn Brandauer.",
     ("Brandauer",), ("The lungs are clear. No effusion is seen.", "Kein Nachweis einer Fraktur")),
    ("Zum Vergleich CT vom 12.2016, seit 10.2015 unverändert. Kein Rundherd links.",
     ("12.2016", "10.2015"), ("Kein Rundherd links.",)),
    ("Die 93-jährige Patientin ist gestürzt. Keine Fraktur.", ("93",), ("Keine Fraktur", "gestürzt")),
]  # fmt: skip


@pytest.mark.parametrize("text,gone,kept", CASES)
def test_people_go_and_meaning_stays(text, gone, kept):
    out = scrub(text, [], "", PSEUDO, TextRules("mask", languages=LANGUAGES))
    assert not [word for word in gone if word in out], out
    assert all(part in out for part in kept), out


@pytest.mark.parametrize("text", [text for text, _, _ in CASES])
def test_a_second_look_changes_nothing(text):
    once = scrub(text, [], "", PSEUDO, TextRules("mask", languages=LANGUAGES))
    assert scrub(once, [], "", PSEUDO, TextRules("mask", languages=LANGUAGES)) == once


def test_german_compounds_are_known_by_their_parts_and_surnames_are_not():
    words = lexicon("de")
    known = ("lungenoberlappen", "gelenkerguss", "facettengelenksarthrose", "vergroesserter", "mittelstandig")
    assert all(words.is_known(word) for word in known)
    assert not any(words.is_known(word) for word in ("kowalczyk", "brzezinski", "haller"))


@pytest.mark.parametrize("code", CODES)
def test_the_closed_class_is_known_whatever_else_it_is(code):
    words = lexicon(code)
    assert all(words.is_known(word) and words.is_closed(word) for word in words.closed)


def test_a_letter_wrong_in_a_word_of_reports():
    assert is_near("verschatung", "de")
    assert is_near("atelectsia", "es")
    assert not is_near("kowalczyk", "de")
