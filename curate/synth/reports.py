"""The report of a case: sections, synonyms, sides, negation and uncertainty, with identifiers throughout the text."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from curate.synth.case import Case, spine_level
from curate.synth.catalogue import Finding
from curate.synth.faults import swap_sides
from curate.synth.identities import Ledger, Patient, Visit, write_date

_GRADES = {"small": "mild", "moderate": "moderate", "large": "severe"}
_DOUBT = ("Possible {}", "Findings suggest {}", "Likely {}", "{} cannot be excluded")
_NOTHING = (
    "No acute abnormality.",
    "Normal study.",
    "No acute findings.",
    "Unremarkable examination.",
    "No acute process.",
)
_DATE_FORMS = ("us", "dots", "long", "british", "dash")
_OPTIONAL = {"INDICATION": 0.1, "TECHNIQUE": 0.25, "COMPARISON": 0.25}  # how often each is left out
_NAME_FORMS = ("comma", "upper", "full", "short")


@dataclass(frozen=True)
class Author:
    """The header values that a report contains, and the ledger to which they are added."""

    patient: Patient
    visit: Visit
    ledger: Ledger
    seed: int

    def date(self, rng: np.random.Generator, days_ago: int = 0) -> str:
        """The date of the study, or ``days_ago`` before it, in a random form."""
        day = self.visit.date - dt.timedelta(days=days_ago)
        return write_date(day, str(rng.choice(_DATE_FORMS)), self.ledger)

    def doctor(self, physician: tuple[str, str]) -> str:
        """A physician as named in text."""
        return self.ledger.note(f"Dr. {physician[1]}. {physician[0]}", physician[0])


def write_report(case: Case, exam: str, fault: str, author: Author, rng: np.random.Generator) -> str:
    """The whole report of ``case`` as a radiologist would dictate it, with ``fault`` injected.

    ``exam`` is the title of the study it is filed under: another one if the report is mismatched.

    wrong_side, negated and boilerplate change the words; every other fault leaves them alone.
    """
    # decided first, because the ledger may hold only what is really written
    left_out = {name for name, share in _OPTIONAL.items() if rng.random() < share}
    sections = {}
    if "INDICATION" not in left_out:
        sections["INDICATION"] = _indication(case, author, rng)
    if "TECHNIQUE" not in left_out:
        sections["TECHNIQUE"] = str(rng.choice(case.scene.techniques))
    if "COMPARISON" not in left_out:
        sections["COMPARISON"] = _comparison(case, author, rng)
    sections["FINDINGS"], sections["IMPRESSION"] = _body(case, fault, author, rng)
    layout = str(rng.choice(["block", "inline", "title"]))
    lines = [_header(exam, author, rng)]
    for name, text in sections.items():
        if layout == "block":
            lines.append(f"{name}:\n{text}")
        else:
            lines.append(f"{name.capitalize() if layout == 'title' else name}: {text}")
    lines.append(_signature(author, rng))
    return "\n\n".join(lines)


def _header(exam: str, author: Author, rng: np.random.Generator) -> str:
    patient, visit, note = author.patient, author.visit, author.ledger.note
    lines = [
        f"{note(visit.institution)}, {note(visit.town)}",
        f"Patient: {patient.name(str(rng.choice(_NAME_FORMS)), author.ledger)}",
        f"MRN: {note(patient.mrn)}   DOB: {write_date(patient.birth, str(rng.choice(_DATE_FORMS)), author.ledger)}",
        f"Accession: {note(visit.accession)}   Exam date: {author.date(rng)}",
        f"Exam: {exam}   Referring: {author.doctor(visit.referring)}",
    ]
    if rng.random() < 0.4:
        lines.insert(3, f"Address: {note(patient.address)}   Phone: {note(patient.phone)}")
    return "\n".join(lines)


def _indication(case: Case, author: Author, rng: np.random.Generator) -> str:
    age = (author.visit.date - author.patient.birth).days // 365
    who = f"{age}-year-old {'woman' if author.patient.sex == 'F' else 'man'}"
    why = str(rng.choice(case.scene.indications))
    if rng.random() < 0.5:
        return f"{who} with {why}."
    return f"{author.patient.name(str(rng.choice(['title', 'full'])), author.ledger)} is a {who} with {why}."


def _comparison(case: Case, author: Author, rng: np.random.Generator) -> str:
    if rng.random() < 0.35:
        return "None available."
    where = f" at {author.ledger.note(author.visit.institution)}" if rng.random() < 0.3 else ""
    return f"{case.scene.title} of {author.date(rng, int(rng.integers(20, 900)))}{where}."


def _signature(author: Author, rng: np.random.Generator) -> str:
    line = f"Electronically signed by {author.doctor(author.visit.reader)} on {author.date(rng)}."
    return line + (f" Questions: {author.ledger.note(author.visit.phone)}." if rng.random() < 0.5 else "")


def _body(case: Case, fault: str, author: Author, rng: np.random.Generator) -> tuple[str, str]:
    """Findings and impression, sometimes with a note on whom they were discussed with."""
    if fault == "boilerplate":
        normal = [str(s) for s in rng.permutation(case.scene.normal)[: int(rng.integers(1, 3))]]
        findings, impression = " ".join([*normal, str(rng.choice(_NOTHING))]), str(rng.choice(_NOTHING))
    elif case.finding is None or fault == "negated":
        findings, impression = _denial(case, rng)
    else:
        findings, impression = _affirmation(case, case.finding, author.seed, rng)
    if fault == "wrong_side":
        findings, impression = swap_sides(findings), swap_sides(impression)
    if rng.random() < 0.3:
        physician, visit = author.doctor(author.visit.referring), author.visit
        call = f" at {author.ledger.note(visit.phone)}" if rng.random() < 0.5 else ""
        discussed = f"Discussed with {physician} by telephone{call} on {author.date(rng)}."
        impression = f"{impression} {discussed}" if rng.random() < 0.6 else impression
        findings = findings if discussed in impression else f"{findings} {discussed}"
    return findings, impression


def _denial(case: Case, rng: np.random.Generator) -> tuple[str, str]:
    """A report without a finding; a finding that the picture shows is denied explicitly."""
    denied = [f for f in case.scene.findings if f is not case.finding]
    lines = [str(rng.choice(f.absent)) for f in denied if rng.random() < 0.7]
    lines += [str(s) for s in rng.permutation(case.scene.normal)[:2]]
    impression = str(rng.choice(_NOTHING))
    if case.finding is not None:
        lines.append(str(rng.choice(case.finding.absent)))
        impression = f"No {case.finding.name}."
    return " ".join(str(s) for s in rng.permutation(lines)), impression


def _affirmation(case: Case, finding: Finding, seed: int, rng: np.random.Generator) -> tuple[str, str]:
    """The finding stated, others denied, sometimes with uncertainty."""
    words = _words(case, seed)
    lines = [str(rng.choice(finding.present)).format(**words)]
    if case.side and rng.random() < 0.4:
        lines.append(str(rng.choice(case.scene.other_side)).format(**words))
    lines += [str(rng.choice(f.absent)) for f in case.scene.findings if f is not finding and rng.random() < 0.5]
    lines += [str(s) for s in rng.permutation(case.scene.normal)[: int(rng.integers(0, 3))]]
    summary = str(rng.choice(finding.summary)).format(**words)
    if rng.random() < 0.15:
        doubt = str(rng.choice(_DOUBT)).format(summary[0].lower() + summary[1:].rstrip("."))
        summary = doubt[0].upper() + doubt[1:] + "."
    more = " ".join(str(s) for s in rng.permutation(lines[1:]))
    ordered = f"{lines[0]} {more}" if rng.random() < 0.7 else f"{more} {lines[0]}"
    return ordered.strip(), summary if rng.random() < 0.8 else f"1. {summary}\n2. No other acute finding."


def _words(case: Case, seed: int) -> dict[str, str]:
    side = case.side or "right"  # unused by findings without a side
    other = "left" if side == "right" else "right"
    words = {"side": side, "other": other, "size": case.size, "grade": _GRADES[case.size]}
    capital = {k.capitalize(): v.capitalize() for k, v in words.items()}
    return {**words, **capital, "level": spine_level(seed, case.index)}
