"""Whether a text is taken for another language than English."""

import json

import pytest

from benchmarks.deid.languages.detector import english, rates, texts
from benchmarks.deid.notes.generate import generate
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.words.language import foreign_language, language_preview, require_known_language, segments
from curate.errors import DropRecord
from curate.record import Reason
from tests.realdata import real

GERMAN = "Herz normal groß. Lunge beidseits frei. Kein Erguss. Kein Pneumothorax."


@pytest.mark.parametrize(
    "sentence",
    [
        "Kein Erguss.", "Keine Infiltrate.", "Ohne Befund.", "Pas de fracture.", "Aucune lésion.",
        "Absence de pneumothorax.", "Sin fractura.",
        "No hay derrame.", "Non fratture.", "Nessuna frattura.", "Geen fractuur.", "Sem fratura.",
        "Bez płynu w opłucnej.", "Ingen fraktur.",
    ],
)  # fmt: skip
def test_a_short_denial_in_another_language_is_not_masked_away(sentence):
    text = f"The heart is normal in size. {sentence} No acute bony abnormality."
    with pytest.raises(DropRecord):
        require_known_language(text, languages=("en",))


@pytest.mark.parametrize(
    "sentence", ["NON-TARGET: nodes, non-CR.", "Sent to PAS|RQX.", "Kellgren-Lawrence 3.", "Sin Lee, MD."]
)
def test_words_that_only_look_like_a_denial(sentence):
    require_known_language(f"The heart is normal in size. {sentence} No acute bony abnormality.", languages=("en",))


@pytest.mark.parametrize(
    "text",
    [
        "Kein Erguss. Kein Pneumothorax.",
        "KEIN NACHWEIS EINER FRAKTUR. WEICHTEILE UNAUFFAELLIG.",
        "FINDINGS: Lunge gut belüftet, keine flächigen Infiltrate. IMPRESSION: Unauffälliger Befund.",
        "Vergroesserter Herzschatten, kleine Pleuraerguesse beidseits.",
        "Sin derrame pleural ni neumotorax.",
        "Pas d'épanchement. Les poumons sont clairs.",
        "The heart is normal in size. The lungs are clear. No effusion is seen on either side. The bones are intact.\n"
        "Im rechten Oberlappen findet sich ein kleiner Rundherd ohne Verkalkung.",
        "胸水なし。気胸なし。",
    ],
)
def test_reports_in_other_languages(text):
    with pytest.raises(DropRecord) as dropped:
        require_known_language(text, languages=("en",))
    assert dropped.value.reason is Reason.LANGUAGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Normal.",
        "Cardiomegaly. No effusion.",
        "NO ACUTE CARDIOPULMONARY DISEASE.",
        "Malignant melonoma of the skin.",  # a misspelling
        "Situs inversus. Vena cava inferior filter in situ, status post TIPS.",
        "Tuberous sclerosis with a cafe-au-lait lesion; pars interarticularis defect.",
        "Discussed with Dr. Agnieszka Kowalczyk and Dr. Günther Müller by telephone at 10:30.",
        "Dictated by Dr. Jean-Pierre de la Fontaine, Hôpital Saint-Luc. No fracture is seen in the left hand.",
    ],
)
def test_english_reports(text):
    assert foreign_language(text) is None


@pytest.mark.parametrize(
    "text,code",
    [
        ("Os trigonum. Spina bifida occulta.", "en"),
        ("sagital and coronal T2, fgre; hx of masectomy; atalectasis, hydropnemothorax.", "en"),
        ("Normal. Kein Tumor.", "de"),
        ("Sin derrame pleural.", "es"),
        ("Pas d'épanchement pleural.", "fr"),
        ("Non versamento pleurico.", "it"),
        ("Geen pneumothorax, geen pleuravocht.", "nl"),
        ("Sem derrame pleural, não há pneumotórax.", "pt"),
        ("Płuca bez zmian ogniskowych. Serce w normie.", "unknown"),
        ("胸水なし。気胸なし。", "unknown"),
    ],
)
def test_the_language_of_a_text(text, code):
    assert {found for _, _, found in segments(text)} == {code}


def test_each_part_of_a_mixed_report_has_its_language():
    english, german = "The lungs are clear. No pneumothorax is seen.\n", "Kein Hinweis auf eine Pneumonie."
    found = segments(english + german)
    assert found == [(0, len(english), "en"), (len(english), len(english + german), "de")]


def test_texts_held_back_from_the_fit():
    held = texts("held")
    assert len({language for language, _ in held}) >= 15
    assert sum(foreign_language(text) is not None for _, text in held) >= 0.96 * len(held)
    assert not [note.text for note in generate(60, seed=31) if foreign_language(note.text)]


def test_words_that_an_archives_patients_share_do_not_make_it_english():
    archive = frozenset(w.strip(".").lower() for w in GERMAN.split())
    with pytest.raises(DropRecord) as dropped:
        scrub(GERMAN, [], "", None, TextRules("mask", languages=("en",)), archive)
    assert dropped.value.reason is Reason.LANGUAGE


def test_a_cell_of_a_few_words_may_be_a_name():
    require_known_language("Weber und Söhne GmbH", report=False)
    long = "Die Lunge ist seitengleich belüftet, kein Nachweis von Infiltraten oder Ergüssen."
    with pytest.raises(DropRecord):
        require_known_language(long, report=False, languages=("en",))


def test_the_preview_counts_languages_and_quotes_nothing():
    told = language_preview([GERMAN, GERMAN, "Pas de foyer. Les poumons sont clairs.", "The lungs are clear."])
    assert told == [
        "language: 2 of 4 reports look German: they are cleaned; findings are read in English only",
        "language: 1 of 4 reports look French: they are cleaned; findings are read in English only",
    ]
    told = language_preview([GERMAN, "Płuca bez zmian ogniskowych."], ("en",))
    assert told == [
        "language: 1 of 2 reports look German: they would be withheld",
        "language: 1 of 2 reports look Polish: they would be withheld",
    ]
    assert language_preview(["The lungs are clear."]) == []


def test_real_english_reports_and_spanish_histories():
    folder = real("reports").parent
    found = rates(english(folder))
    reports = [found[name] for name in ("iu reports", "radiology_pairs", "cxr_pairs")]
    assert sum(taken for taken, _ in reports) <= 0.001 * sum(n for _, n in reports)
    spanish = (real("deid") / "text" / "meddocan_es.jsonl").read_text(encoding="utf-8").splitlines()[:100]
    assert all(foreign_language(json.loads(line)["text"]) == "Spanish" for line in spanish)
