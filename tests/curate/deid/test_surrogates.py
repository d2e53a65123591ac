"""Surrogates: of the same form, the same for the same, nobody's, and nothing of what they replace."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.finish import finish
from curate.deid.replace.surrogate_forms import age_like, day_like, month_like, time_like
from curate.deid.replace.surrogates import Surrogates, originals, pools, taken_names
from curate.deid.rules import PLACEHOLDER, TextRules
from curate.deid.text.scrub import placeholders, scrub
from curate.deid.verify.text import findings
from curate.deid.words.vocabulary import Kind, kind
from curate.engine import Engine
from curate.step import read_parts
from pipelines.recipe.recipe import Recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline

PSEUDO = Pseudonymizer(b"0123456789abcdef")
PHI = ("QUORVIK^ILVANE", "MRN-0012345", "19570312", "20180329")
RULES = TextRules(replace="surrogates")
NOTE = (
    "Ilvane Quorvik (MRN-0012345) was seen by Dr. Hemkel Dworzak at 14:37 on 04/02/2018. QUORVIK, ILVANE called "
    "(617) 555-0142. The lungs are clear. No effusion compared with April 2, 2018. Discussed with Dworzak. Mail "
    "h.dworzak@northfield.org. Transferred from Saltmarsh Medical Center, 2213 Willowmere Lane. A 94 year old."
)


def filled(text: str, patient: str = "P1", phi: tuple[str, ...] = PHI, taken: frozenset[str] = frozenset()) -> str:
    return finish(text, scrub(text, phi, patient, PSEUDO, RULES), RULES, PSEUDO, patient, phi, taken).text


def test_a_note_keeps_its_form_and_loses_everyone() -> None:
    out = filled(NOTE)
    for gone in ("quorvik", "ilvane", "dworzak", "hemkel", "0012345", "617", "northfield", "saltmarsh", "willowmere"):
        assert gone not in out.lower(), gone
    assert "The lungs are clear. No effusion compared with" in out
    assert not PLACEHOLDER.search(out)
    day = dt.date(2018, 4, 2) + PSEUDO.shift("P1")
    assert f"{day.month:02d}/{day.day:02d}/{day.year}" in out
    assert f"{day:%B} {day.day}, {day.year}" in out
    assert re.search(r"\(\d{3}\) \d{3}-\d{4}\.", out)
    assert re.search(r"Dr\. [A-Z][a-z]+ [A-Z][a-z]+ at \d\d:\d\d", out)
    assert re.search(r"A 8\d year old", out)


def test_one_person_is_one_surrogate_in_a_patients_texts_and_another_in_the_next() -> None:
    (first,) = re.findall(r"with ([A-Z]\w+)\.", filled("The case was discussed with Dworzak."))
    out = filled("Dr. Hemkel Dworzak and DWORZAK agree. No effusion.")
    assert first in out
    assert first.upper() in out
    assert first not in filled("The case was discussed with Dworzak.", "P2")
    both = filled(NOTE)
    (surname,) = re.findall(r"([A-Z]+), [A-Z]+ called", both)
    assert surname.capitalize() in both.split("(")[0]


def test_nobody_of_the_archive_is_a_surrogate() -> None:
    taken = taken_names(["BREWSTER^AMELIA", "Lathrop Hospital", "Nobody"])
    assert taken == {"brewster", "amelia", "lathrop"}
    every = frozenset(name for pool in pools().values() for name in pool)
    out = filled("The case was discussed with Dworzak.", taken=every)
    assert not {w.lower() for w in re.findall(r"\w+", out)} & (every | {"dworzak"})
    for i in range(40):
        assert "Brewster" not in filled(
            f"Discussed with Dr. Dworzak{'abcdefghij'[i % 10]}{'klmn'[i // 10]}.", taken=taken
        )


def test_no_surrogate_is_a_word_of_reports() -> None:
    for name in (name for pool in pools().values() for name in pool):
        assert not kind(name) & (Kind.KNOWN | Kind.CLINICAL | Kind.FUNCTION | Kind.EPONYM | Kind.BOUND), name


def test_gender_is_kept_where_it_is_told() -> None:
    s = Surrogates(PSEUDO, "P1")
    for given_name, pool in (("Mary", "women"), ("JOHN", "men"), ("fatima", "women"), ("Sergei", "men")):
        assert s._name(given_name.lower(), frozenset()) in pools()[pool]


def test_placeholders_are_counted_before_they_are_replaced() -> None:
    masked = scrub(NOTE, PHI, "P1", PSEUDO, RULES)
    done = finish(NOTE, masked, RULES, PSEUDO, "P1", PHI).done
    assert sum(n for name, n in done.items() if name.startswith("mask ")) == len(placeholders(masked))
    assert sum(n for name, n in done.items() if name.startswith("surrogate ")) == len(placeholders(masked))


def test_the_verifier_knows_the_patient_still() -> None:
    out = filled(NOTE)
    assert findings([out], PHI) == ()
    assert findings([f"{out} Quorvik."], PHI) != ()


@given(st.dates(dt.date(1990, 1, 1), dt.date(2022, 12, 28)), st.integers(-3650, 3650).filter(bool))
def test_every_form_of_a_day_says_the_other_day(day: dt.date, shift: int) -> None:
    new = day + dt.timedelta(days=shift)
    for form in ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%Y%m%d", "%m-%d-%y"):
        written = day_like(day.strftime(form), day, new)
        assert written is not None
        read = form.replace("%b", "%B") if day.month == 5 else form  # "May" is short and whole
        assert dt.datetime.strptime(written, read).date() == new, (form, written)


@pytest.mark.parametrize(
    ("original", "made"),
    [("94", "85"), ("93rd", "85th"), ("ninety-two", "eighty-five"), ("Ninety", "Eighty-five"), ("nineties", "eighties"),
     ("90's", "80's"), ("nonagenarian", "octogenarian"), ("noventa", None)],
)  # fmt: skip
def test_ages_over_89_become_ages_of_the_eighties(original: str, made: str | None) -> None:
    assert age_like(original, 5) == made


def test_months_and_times_keep_their_form() -> None:
    year = dt.timedelta(days=365)
    assert month_like("March 2019", year) == "March 2020"
    assert month_like("MAY 2nd", dt.timedelta(days=30)) == "JUNE 1st"
    assert month_like("2019", year) == "2020"
    assert month_like("last winter", year) is None
    assert re.fullmatch(r"\d{1,2}:\d\d PM", time_like("2:07 PM", 1234567) or "")
    assert re.fullmatch(r"\d{4} hours", time_like("0323 hours", 99) or "")


def test_what_a_source_masked_itself_stays() -> None:
    assert filled("Seen by [NAME] on [DATE]. No effusion.") == "Seen by [NAME] on [DATE]. No effusion."


@given(st.lists(st.sampled_from(["Dr. Dworzak ", "no effusion; ", "on 04/02/2018 ", "Quorvik ", "call 617-555-0142. ",
                                 "heart normal, ", "MRN-0012345 "]), min_size=1, max_size=8))  # fmt: skip
def test_originals_are_found_and_clinical_text_is_untouched(parts: list[str]) -> None:
    text = "".join(parts)
    out = scrub(text, PHI, "P1", PSEUDO, TextRules())
    there = originals(text, out)
    assert there is not None
    assert len(there) == len(placeholders(out))
    pieces = PLACEHOLDER.split(out)
    shown = filled(text)
    at = 0
    for piece in pieces:
        at = shown.index(piece, at) + len(piece)
    for name in ("Dworzak", "Quorvik", "0012345", "617-555-0142"):
        assert name not in shown


def test_a_run_writes_surrogates_and_says_so(tmp_path: Path, secret_file: Path, local_engine: Engine) -> None:
    texts = {"A1": f"FINDINGS: {NOTE}", "A2": "FINDINGS: Seen by Dr. Dworzak. Unchanged from prior. No effusion."}
    rows = [json.dumps({"accession": a, "patient": "77123", "report": t}) for a, t in texts.items()]
    (tmp_path / "reports.jsonl").write_text("\n".join(rows), encoding="utf-8")
    columns = {"text": "report", "accession": "accession", "patient": "patient"}
    recipe = Recipe.model_validate(
        {
            "out": tmp_path / "run",
            "secret": secret_file,
            "reports": [{"path": tmp_path / "reports.jsonl", "columns": columns}],
            "pair": {"unpaired_reports": "keep"},
            "text": {"cut": ["priors", "signoffs", "letterheads"]},
            "deid": {"replace": "surrogates", "max_masked": 0.9},
            "filters": {},
        }
    )
    assert any("surrogates" in line for line in recipe.warnings())
    recipe.out.mkdir()
    save_recipe(recipe)
    pipeline, _ = run_pipeline(recipe, local_engine, lambda *_: None)
    kept = read_parts(pipeline.ingest.folder(pipeline.run)).to_pylist()
    assert [r["drop_reason"] for r in kept] == [None, None]
    short = min((r["text"] for r in kept), key=len)
    (name,) = re.findall(r"^Seen by Dr\. ([A-Z][a-z]+)\. No effusion\.$", short)
    assert name in max((r["text"] for r in kept), key=len)  # one doctor in both of the patient's reports
    actions = [dict(r["actions"]) for r in kept]
    assert any(a.get("cut PRIORS") == 1 and a["mask NAME"] == a["surrogate NAME"] == 1 for a in actions)
