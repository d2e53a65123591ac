"""Each finder of the text scrubber switched off in turn: the verifier must notice whatever that leaves in.

Where another finder still takes what one leaves, nothing leaks and there is nothing to notice: such a mutant is counted
as covered. So that there are few, each kind of PHI is also switched off in all finders at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

import pytest

from curate.deid.patterns.prefilter import Rule
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import LABELS, TextRules
from curate.deid.text import scrub as scrubber
from curate.deid.text.scrub import scrub
from curate.deid.verify.text import findings

PSEUDO = Pseudonymizer(b"0123456789abcdef")
PHI = ["VANDERBEEK^WILHELMINA", "HX-4471203", "19610214", "Northfield General Hospital", "ACC7741902"]
# What is planted, and the note around it.
NOTES = [
    ("Vanderbeek", "FINDINGS: Ms. Vanderbeek was scanned supine. The lungs are clear."),
    ("Wilhelmina", "The patient, wilhelmina, tolerated the procedure well."),
    ("Kowalczyk", "Findings were discussed with Dr. Kowalczyk by telephone. No effusion."),
    ("Abiodun", "IMPRESSION: no acute disease. Electronically signed by: Tunde Abiodun, M.D."),
    ("Okonkwo", "There is no change since Okonkwo looked at the study. The heart is normal."),
    ("Pemberton", "Reading physician: Pemberton, Alice. Both kidneys are normal in size."),
    ("HX-4471203", "MRN: HX-4471203. The liver is normal."),
    ("ACC7741902", "Accession number ACC7741902. The spleen is normal."),
    ("9034417", "Compared with study 9034417 of the left knee."),
    ("K88213947", "Device serial K88213947 was implanted. No fracture."),
    ("412-77-9031", "SSN 412-77-9031. The bowel gas pattern is normal."),
    ("1.2.826.0.1.3680043.9.7241.77", "Series 1.2.826.0.1.3680043.9.7241.77 was reviewed."),
    ("555-0142", "Please call (617) 555-0142 with questions about the chest radiograph."),
    ("44 20 7946 0958", "Reachable at +44 20 7946 0958 until the evening. Normal heart."),
    ("a.roe@northfield.org", "Results were sent to a.roe@northfield.org today. No nodule."),
    ("www.northfield-imaging.org", "See www.northfield-imaging.org/r/1 for the images. No mass."),
    ("03/29/2018", "Comparison: radiograph of 03/29/2018. The lungs are clear."),
    ("March 29, 2018", "Comparison is made to March 29, 2018. The lungs are clear."),
    ("29.03.2018", "Vergleich mit 29.03.2018. No change in the lungs."),
    ("20180329", "Prior examination 20180329 was reviewed. No change."),
    ("02/14/1961", "DOB: 02/14/1961. The examination is limited by motion."),
    ("14:37", "The result was telephoned at 14:37 to the ward. No pneumothorax."),
    ("94", "This 94 year old woman has cough. No consolidation."),
    ("ninety-two", "A ninety-two year old man after a fall. No fracture."),
    ("2213 Willowmere Lane", "Lives at 2213 Willowmere Lane, Springfield. No acute disease."),
    ("Northfield", "Transferred from Northfield General Hospital for CT. No bleed."),
    ("Saltmarsh", "Prior films from Saltmarsh Medical Center were not available. No effusion."),
]  # fmt: skip
FINDERS = ("phi_spans", "find_dates", "find_spans", "find_names", "find_vague", "name_spans")
RULES = (  # lists of patterns that finders go through
    ("patterns.rules", "RULES"),
    ("patterns.rules", "STRICT_RULES"),
    ("text.dates", "_DATES"),
    ("patterns.seasons", "RULES"),
    ("patterns.days", "RULES"),
)
PLAIN = TextRules("mask", vocabulary=False)

Tally = dict[str, int]


def judge(name: str, rules: TextRules, tally: Tally, survivors: list[str]) -> None:
    """Scrub every note with the rule ``name`` off, and ask the verifier about what leaks."""
    for planted, note in NOTES:
        out = scrub(note, PHI, "HX-4471203", PSEUDO, rules)
        if planted.lower() not in out.lower():
            tally["covered"] += 1
        elif findings([out], PHI, [note]):
            tally["noticed"] += 1
        else:
            survivors.append(f"{name}: {planted!r}")


def test_what_is_scrubbed_is_quiet():
    for planted, note in NOTES:
        for rules in (TextRules(), TextRules("mask")):
            out = scrub(note, PHI, "HX-4471203", PSEUDO, rules)
            assert planted.lower() not in out.lower(), (planted, out)
            assert findings([out], PHI, [note]) == (), out


def test_notes_that_were_not_scrubbed_at_all_are_noticed():
    assert [planted for planted, note in NOTES if not findings([note], PHI, [note])] == []


def test_each_finder_switched_off_is_noticed(monkeypatch, capsys):
    tally, survivors = {"covered": 0, "noticed": 0}, list[str]()
    for name in FINDERS:
        if hasattr(scrubber, name):
            for rules in (TextRules("mask"), PLAIN):
                with monkeypatch.context() as patch:
                    patch.setattr(scrubber, name, lambda *_, **__: iter(()))
                    judge(f"{name} {rules.vocabulary}", rules, tally, survivors)
    for module, name, n, patch_list in pattern_lists():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, patch_list)
            judge(f"{module.__name__} {name} {n}", PLAIN, tally, survivors)
    with capsys.disabled():
        leaking = tally["noticed"] + len(survivors)
        print(
            f"\ntext mutants: {tally['noticed']} of {leaking} that leak noticed, {tally['covered']} covered elsewhere"
        )
    assert survivors == []
    assert tally["noticed"] > 40


def pattern_lists() -> Iterator[tuple[object, str, int, list[object]]]:
    """(module, list, n, its patterns, of which the n-th matches nothing)."""
    for name, listed in RULES:
        module = import_module(f"curate.deid.{name}")
        patterns = list(getattr(module, listed))
        for n in range(len(patterns)):
            yield module, listed, n, [*patterns[:n], never(patterns[n]), *patterns[n + 1 :]]


def never(rule: object) -> object:
    """A rule, a pattern or a tuple that holds one, which matches nothing."""
    if isinstance(rule, Rule):
        return replace(rule, pattern=re.compile(r"(?!)"))
    if isinstance(rule, tuple):
        return tuple(map(never, rule))
    return re.compile(r"(?!)") if isinstance(rule, re.Pattern) else rule


@pytest.mark.parametrize("label", LABELS)
def test_each_kind_switched_off_everywhere_is_noticed(label, monkeypatch):
    tally, survivors = {"covered": 0, "noticed": 0}, list[str]()
    for name in FINDERS:
        if hasattr(scrubber, name):
            monkeypatch.setattr(scrubber, name, without(getattr(scrubber, name), label))
    judge(label, TextRules("mask"), tally, survivors)
    assert survivors == []


def without(finder: Callable[..., Iterator[tuple[int, int, object]]], label: str) -> Callable[..., Iterator[object]]:
    """A finder that does not find ``label``; what finds dates tells days, not labels."""

    def found(*args: object, **kwargs: object) -> Iterator[object]:
        for start, end, kind in finder(*args, **kwargs):
            if kind != label and not (label == "DATE" and not isinstance(kind, str)):
                yield start, end, kind

    return found
