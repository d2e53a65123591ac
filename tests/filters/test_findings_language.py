"""Findings are read in English only."""

import pytest

from filters.findings import READS, extract


@pytest.mark.parametrize(
    "text", ["Kein Pneumothorax. Kein Erguss.", "Sin derrame pleural ni pneumothorax.", "Geen pneumothorax gezien."]
)
def test_a_denial_in_another_language_is_no_claim(text):
    assert READS == ("en",)
    assert extract(text) == ()


def test_of_a_mixed_report_the_english_part_is_read():
    claims = extract("There is a small left pleural effusion.\nKein Nachweis eines Pneumothorax.")
    assert {c.state for c in claims} == {"present"} and len(claims) == 1
