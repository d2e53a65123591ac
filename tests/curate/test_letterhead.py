"""What is cut from a report's edges as letterhead and signature, and that nothing else is."""

import csv
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.deid.notes.generate import clinical
from benchmarks.letterheads import caption, generate
from curate.sources.reports.text.letterhead import caption_sections, cut_letterhead
from curate.sources.reports.text.section import parse_sections, wanted_text
from tests.realdata import real

WANTED = ("findings", "impression", "body")
BODY = "There is a small effusion on the left.\nNo fracture."


@pytest.mark.parametrize(
    "end",
    [
        "Electronically signed by John Smith MD 01/02/2020",
        "Dictated by: J. Brown, MD\nTranscribed: 3/4/2019 10:33\nJB/mk",
        "Reported by: Dr. Priya Natarajan, Consultant Radiologist, GMC 7654321",
        "Kind regards\n\nDr A. Baker\nConsultant Radiologist\nDepartment of Radiology\nTel: 020 7946 0958\ncc: GP",
        "Yours sincerely,\nDr Siobhan O'Neill FRCR\nPage 1 of 2",
        "I have personally reviewed the images and agree with the resident's interpretation.\nAttending: Ann Lee, MD",
        "This report was electronically signed by Ann Lee MD on 3 May 2021 at 14:05\n*** END OF REPORT ***",
        "CONFIDENTIAL: This report is intended for the recipient only.",
    ],
)
@pytest.mark.parametrize("joint", ["\n", "\n\n", " "])
def test_signature_blocks(end, joint):
    text, cut = cut_letterhead(BODY + joint + (end.replace("\n", " ") if joint == " " else end))
    assert text == BODY
    assert set(cut) == {"SIGNATURE"}


@pytest.mark.parametrize(
    "top",
    [
        "ST MARY'S HOSPITAL\n12 High Street, London W2 1NY\nTel: 020 7946 0958\nDear Dr Jones,\n"
        "Re: John Smith DOB: 01/02/1960\nThank you for referring this patient.",
        "Springfield Imaging Associates\nPatient: Ann Lee  DOB: 1/2/1960  MRN: 1234567",
        "RADIOLOGY REPORT\nReferring Physician: Dr. Ann Lee",
    ],
)
def test_letterheads(top):
    text, cut = cut_letterhead(f"{top}\n\n{BODY}")
    assert text == BODY
    assert set(cut) == {"LETTERHEAD"}


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        "Thank you for referring this 54-year-old woman with chest pain. The lungs are clear.",
        "Dr. Smith was told of the pneumothorax at 10:30.",
        "Small effusion. Findings were discussed with Dr. Smith by telephone.",
        "Signed out as normal bowel gas pattern.",
        "5 mm nodule.",
        "Stable.",
        "Reported fall from a ladder. No fracture.",
        "Electronically signed by John Smith MD. There is also a small pneumothorax.",
        "2 Views Chest",
        "NO CHANGE. NORMAL HEART.",
    ],
)
def test_what_says_something_stays(text):
    kept, cut = cut_letterhead(text)
    assert kept == text.removeprefix("Electronically signed by John Smith MD. ")
    assert cut.total() == (kept != text)


@pytest.mark.parametrize(
    "sentence",
    [
        "Level: L4/5.",
        "Read on CT: PE.",
        "Line on 3/4/2020.",
        "PICC line: tip in SVC.",
        "Computer generated 3D images: intact.",
        "Images reviewed; no interval change.",
        "Compared to 01/02/2020.",
        "Age: indeterminate.",
        "Recommend clinic review.",
        "Base: clear.",
        "Right: Normal. Left: Normal.",
        "PMID: 16775270",
    ],
)
def test_short_sentences_with_the_words_of_letterheads_stay(sentence):
    other = "There is a small effusion on the left."
    for text in (f"{sentence} {other}", f"{other} {sentence}", f"{sentence}\n{other}", f"{other}\n{sentence}"):
        assert cut_letterhead(text) == (text, Counter())


def test_fields_with_headings_of_their_own_do_not_take_the_report_with_them():
    text = "Imaging Clinic Patient: Ann Lee MRN: 1234567 Rigler sign indicates pneumoperitoneum. The spleen is normal."
    sections, cut = caption_sections(text, WANTED)
    assert wanted_text(sections, WANTED).endswith("Rigler sign indicates pneumoperitoneum. The spleen is normal.")
    assert "1234567" not in wanted_text(sections, WANTED)
    assert cut["LETTERHEAD"]


def test_what_is_cut_is_counted_where_a_heading_cut_it_too():
    text = "MRN: 1234567\nFINDINGS: No fracture.\nSIGNED BY: Dr. Ann Lee"
    assert caption_sections(text, WANTED) == (
        {"findings": "No fracture."},
        Counter({"LETTERHEAD": 1, "SIGNATURE": 1}),
    )


SENTENCES = st.lists(st.sampled_from([s for lines in clinical().values() for s in lines]), min_size=1, max_size=4)
EDGES = st.sampled_from(
    ["", "Kind regards", "Dr. Ann Lee, MD", "Page 1 of 2", "Tel: 020 7946 0958", "01/02/2020 10:30"]
)


@given(SENTENCES, EDGES, EDGES, st.sampled_from(["\n", " "]))
def test_no_clinical_sentence_is_lost(sentences, top, end, joint):
    text, _ = cut_letterhead("\n".join(x for x in (top, joint.join(sentences), end) if x))
    assert joint.join(sentences) in text


def test_letterheads_of_four_countries():
    reports = generate(200, seed=11)
    words = [(Counter(caption(r.text).split()), Counter(r.clinical.split())) for r in reports]
    assert not any(said - made for made, said in words)
    assert sum(made == said for made, said in words) >= 0.93 * len(reports)


def test_real_reports_lose_nothing_clinical():
    texts = []
    for line in (real("reports") / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()[:1000]:
        row = json.loads(line)
        texts.append(f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}")
    with (real("radiology_pairs") / "pairs.csv").open(encoding="utf-8", newline="") as file:
        texts += [row["caption"] for row in csv.DictReader(file)]
    for text in texts:
        before = wanted_text({n: t for n, t in parse_sections(text).items() if n in WANTED}, WANTED)
        after = wanted_text(caption_sections(text, WANTED)[0], WANTED)
        lost = before.replace(after, "").strip()
        assert lost in ("", "END OF REPORT.") or lost.startswith("http"), "a sentence was cut"


@pytest.mark.parametrize(
    "text",
    [
        "Heart size normal. No effusion. Attending: Brown. No pneumothorax. Tel: 555-1234567.",
        "No effusion. Dictated by: J Quill. No pneumothorax. Typed by: AB",
        "Attending: Dr Brown. No pneumothorax.",
    ],
)
def test_a_short_denial_between_two_signs_stays(text: str) -> None:
    sections, _ = caption_sections(text, ("findings", "impression", "body"))
    said = " ".join(sections.values())
    assert "No pneumothorax." in said and "Brown" not in said and "Quill" not in said


def test_a_hospitals_name_above_fields_goes_with_them_and_a_word_of_the_report_stays() -> None:
    fields = "Patient: Ann Lee\nMRN: QH10377558\n\n"
    for above in ("Ravensbourne-Ashdell Medical Centre, Ashdellford\n", ""):
        found, cut = caption_sections(f"{above}{fields}FINDINGS: No fracture.", WANTED)
        assert found == {"findings": "No fracture."} and cut["LETTERHEAD"] == 2 + bool(above)
    assert caption_sections(f"{fields}Stable.", WANTED)[0] == {"body": "Stable."}
    assert caption_sections(f"Unremarkable.\n{fields}FINDINGS: No fracture.", WANTED)[0]["body"] == "Unremarkable."
