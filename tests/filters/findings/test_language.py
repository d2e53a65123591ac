"""Findings are read in English only."""

import pytest

from filters.findings import READS, concept, extract, language_read

DENIALS = [
    "Kein Pneumothorax. Kein Erguss.", "KEIN PNEUMOTHORAX. KEINE STAUUNG.",
    "Sin derrame pleural ni pneumothorax.", "No se observa pneumothorax ni consolidación.",
    "Pas de pneumothorax ni d'opacité nodulaire.", "Absence de cardiomégalie, pas d'emphysème.",
    "Non pneumotorace né versamento. Non cardiomegalia.", "Assenza di atelectasie e di enfisema.",
    "Geen pneumothorax gezien.", "Geen emphysema en geen oedema, hart niet vergroot.",
    "Sem pneumothorax. Não há cardiomegalia.", "Ausência de atelectasia ou de edema pulmonar.",
]  # fmt: skip


@pytest.mark.parametrize("text", DENIALS)
def test_a_denial_in_another_language_is_no_claim(text):
    assert READS == ("en",)
    assert extract(text) == ()


def test_of_a_mixed_report_the_english_part_is_read():
    claims = extract("There is a small left pleural effusion.\nKein Nachweis eines Pneumothorax.")
    assert {c.state for c in claims} == {"present"} and len(claims) == 1


@pytest.mark.parametrize("text", DENIALS)
def test_of_what_is_not_read_the_language_is_null(text):
    assert language_read(text) is None
    assert concept(text) == ""


def test_of_english_and_of_mixed_reports_the_language_read_is_english():
    assert language_read("There is a small left pleural effusion.") == "en"
    assert language_read("There is a small left pleural effusion.\nKein Nachweis eines Pneumothorax.") == "en"
