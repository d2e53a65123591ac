"""Names, addresses, numbers and hours as six countries write them, in capitals and in small letters too."""

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.finding import Finding
from curate.deid.verify.text import findings
from curate.deid.verify.vocabulary import language
from curate.deid.words.cognates import is_cognate
from curate.deid.words.language import require_known_sections, segments
from curate.deid.words.lexicon import CODES, LANGUAGES, lexicon
from curate.errors import DropRecord
from curate.record import Reason

PSEUDO = Pseudonymizer(b"0" * 32)
RULES = TextRules("mask", languages=LANGUAGES)
# language, text, what goes, what stays
CASES = [
    ("de", "Überwiesen von Frau Dr. med. Achterberg, Amselweg 12, 04103 Leipzig. Kein Nachweis einer Fraktur.",
     ("Achterberg", "Amselweg", "04103", "Leipzig"), "Kein Nachweis einer Fraktur."),
    ("de", "Herr Lang wurde um 17.45 Uhr angerufen. Lunge beidseits frei.", ("Lang", "17.45"), "Lunge beidseits frei."),
    ("es", "Informe de la Dra. Pardo Quiroga, Nº Col 28/28/41237. No se observa derrame pleural.",
     ("Pardo", "Quiroga", "41237"), "No se observa derrame pleural."),
    ("es", "Vive en la calle del Olmo, 14, 28012 Madrid. DNI 48391275K. Sin signos de fractura.",
     ("Olmo", "28012", "48391275"), "Sin signos de fractura."),
    ("fr", "Adressée par le Docteur Petit, 12 bis rue de la Gare, 35000 Rennes. Pas d'épanchement pleural.",
     ("Petit", "Gare", "35000", "Rennes"), "Pas d'épanchement pleural."),
    ("fr", "Madame Blanc, vue à 16h05, NIR 2 61 04 59 350 112 48. Absence de fracture.",
     ("Blanc", "16h05", "350", "112"), "Absence de fracture."),
    ("it", "Inviata dalla Dott.ssa Longo, via Mazzini 21, 40121 Bologna. Non versamento pleurico.",
     ("Longo", "Mazzini", "40121", "Bologna"), "Non versamento pleurico."),
    ("it", "Codice fiscale LNGMRA61D44A944K, uomo di anni 94. Assenza di fratture.",
     ("LNGMRA61D44A944K", "94"), "Assenza di fratture."),
    ("nl", "Verwezen door dr. van der Meer, Beukenlaan 8, 3521 AB Utrecht. Geen pleuravocht.",
     ("Meer", "Beukenlaan", "3521", "Utrecht"), "Geen pleuravocht."),
    ("nl", "Mevrouw de Groot, BSN 123456782, gebeld om 09.20. Geen fractuur links.",
     ("Groot", "123456782", "09.20"), "Geen fractuur links."),
    ("pt", "Pedido pela Dra. Leite Rego, Rua do Carmo, 31, 1200-093 Lisboa. Não há derrame pleural.",
     ("Leite", "Rego", "Carmo", "1200-093", "Lisboa"), "Não há derrame pleural."),
    ("pt", "Paciente de 92 anos, CPF 231.554.908-17, avisado às 14h25. Sem fraturas.",
     ("92", "231.554", "14h25"), "Sem fraturas."),
]  # fmt: skip


@pytest.mark.parametrize("change", [str, str.upper, str.lower], ids=["as written", "capitals", "small"])
@pytest.mark.parametrize("code,text,gone,kept", CASES)
def test_who_and_where_goes_and_the_finding_stays(code, text, gone, kept, change):
    out = scrub(change(text), [], "", PSEUDO, RULES)
    assert not [word for word in gone if change(word) in out], out
    assert change(kept) in out, out


@pytest.mark.parametrize("code,text,gone,kept", CASES)
def test_the_verifier_notices_a_text_left_as_it_was_and_is_quiet_about_the_cleaned(code, text, gone, kept):
    assert language(text) == code
    assert findings([text], (), [text])
    assert not findings([scrub(text, [], "", PSEUDO, RULES)], (), [text])


@pytest.mark.parametrize(
    "code,text,gone",
    [
        ("de", "Lunge frei, kein Erguss.\nFRAU STOLZ GEBETEN ZU WARTEN. KEIN ERGUSS.", "STOLZ"),
        ("pt", "O pulmão está limpo.\nDONA CLARA TEM UM NÓDULO À DIREITA.", "CLARA"),
        ("nl", "Patiënt P. de Wit is gezien. Geen fractuur.", "Wit"),
        ("nl", "Geen pleuravocht.\nDR. VAN DER MEER GEBELD. GEEN FRACTUUR.", "MEER"),
        ("nl", "Beoordeling door Grotheer besproken. Geen fractuur in de hand.", "Grotheer"),
        ("nl", "GEEN PLEURAVOCHT. DR. DE GROOT GEBELD. GEEN FRACTUUR.", "GROOT"),
    ],
)
def test_a_line_in_capitals_and_an_initial_before_a_particle_hide_no_name(code, text, gone):
    assert gone not in scrub(text, [], "P1", PSEUDO, RULES)


@pytest.mark.parametrize(
    "code,text",
    [
        ("de", "Fleischner-Kriterien erfüllt. Kein Erguss."),
        ("de", "Kein Endoleck, gruppierter Mikrokalk links. Knie-TEP rechts regelrecht."),
        ("de", "Die Kollegen der Neurologie wurden informiert."),
        ("fr", "Coxalgie droite, échographie transfontanellaire normale, odontoïde centrée."),
        ("it", "Stenosi senza compressione radicolare né canalicolare."),
        ("nl", "Bakercyste links, kruisbanden intact. Geen fractuur."),
        ("es", "Conducto de Wirsung no dilatado."),
    ],
)
def test_words_of_medicine_stay_by_how_they_are_built(code, text):
    assert scrub(text, [], "P1", PSEUDO, RULES) == text


def test_units_and_abbreviations_tell_no_language():
    text = "The fetus is alive.\nFHR 152 bpm, CRL 61 mm, BPD 47 mm, FL 32 mm, HC 171 mm."
    assert scrub(text, [], "P1", PSEUDO, TextRules("mask")) == text


@pytest.mark.parametrize("code", CODES)
def test_roots_that_medicine_shares_are_known_and_names_are_not(code):
    words = lexicon(code)
    shared = {"de": "Arthrodese", "es": "artrodesis", "fr": "arthrodèse", "it": "artrodesi", "nl": "artrodese",
              "pt": "artrodese"}  # fmt: skip
    assert words.is_known(shared[code].lower().replace("è", "e"))
    assert is_cognate("mediastinale") and is_cognate("mediastinicas")
    assert not any(is_cognate(name) for name in ("quattrocchi", "wesselmann", "carballeira", "hoogeveen"))


def test_a_short_sentence_is_in_the_language_of_its_text():
    text = "Herzgröße normal. Kein Erguss. Diffuse Osteopenie. Lunge beidseits frei belüftet."
    assert segments(text) == [(0, len(text), "de")]


def test_a_section_in_a_language_that_the_recipe_did_not_choose_withholds_the_report():
    findings_ = "The lungs are clear. The heart is normal in size. No effusion is seen. There is no fracture."
    impression = "Kein Erguss."
    report = f"FINDINGS: {findings_}\nIMPRESSION: {impression}"
    require_known_sections(report, [findings_, impression], ("en", "de"))
    with pytest.raises(DropRecord) as dropped:
        require_known_sections(report, [findings_, impression], ("en", "es"))
    assert dropped.value.reason is Reason.LANGUAGE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("We will move to Leeds in September", "en"),
        ("Khayamnandi Community Health Centre", "en"),
        ("SISTER MARY JOSEPH NODULE 21 MM", "en"),
        ("edema partes moles 3o dedo", "pt"),
    ],
)
def test_a_line_without_grammar_is_english_where_english_knows_half_of_it(text, code):
    assert language(text) == code


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Untersucher: Dr. Mann. Kein Pneumothorax, die Lunge ist frei.", True),
        ("Frau Kind wurde untersucht. Kein Pneumothorax, die Lunge ist frei.", True),
        ("Patient: Mann, 45 Jahre. Die Lunge ist frei und kein Erguss.", False),
        ("Paciente: varon de 45 anos. No hay derrame en el pulmon.", False),
    ],
)
def test_the_verifier_tells_a_name_behind_a_title_from_a_person_by_sex(text, named):
    assert (Finding.NAME in findings([text], [], sources=[text])) == named


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Überwiesen wurde Frau\nStolz, Thorax. Die Lunge ist frei.", "Stolz"),
        ("El informe de la Dra.\nPardo fue comunicado. No hay derrame.", "Pardo"),
        ("Le scanner est demandé par le Docteur\nPetit pour douleur. Pas de fracture.", "Petit"),
        ("De uitslag is doorgebeld aan dr.\nde Groot. Geen fractuur.", "Groot"),
        ("O resultado foi comunicado à Dra.\nLeite. Sem fratura.", "Leite"),
    ],
)
def test_a_lines_end_parts_no_name_from_its_title(text, gone):
    assert gone not in scrub(text, [], "P1", PSEUDO, RULES)


@pytest.mark.parametrize(
    "text",
    [
        "Zuweiser: Dr.\nBefund: Kein Erguss, keine Fraktur.",
        "Zuweiser: Dr.\nKleiner Erguss links, keine Fraktur.",
        "Médecin : Dr\nPetit épanchement pleural droit. Pas de fracture.",
        "Medico: Dr.\nNo se observa derrame pleural.",
    ],
)
def test_what_a_report_says_below_a_bare_title_stays(text):
    assert scrub(text, [], "P1", PSEUDO, RULES) == text
