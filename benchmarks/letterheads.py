"""Letterhead removal: letterheads and signature blocks of four countries around clinical sentences.

    python -m benchmarks.letterheads [--count 400] [--seed 5] [--show 5]

Names and addresses are Faker's, the clinical sentences those of the generated notes. A report is right where its
caption is its clinical sentences and nothing else; a clinical word that is not in the caption is lost.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from faker import Faker

from benchmarks.deid.notes.generate import clinical
from curate.sources.reports.text.letterhead import caption_sections
from curate.sources.reports.text.section import wanted_text

_WANTED = ("findings", "impression", "body")


@dataclass(frozen=True)
class Report:
    """A report's full text and its clinical sentences; ``style`` is the country's style of letterhead."""

    text: str
    clinical: str
    style: str


class _Writer:
    """Slots of a letterhead, filled for one country."""

    def __init__(self, locale: str, rng: random.Random) -> None:
        self.fake, self.rng = Faker(locale), rng
        self.fake.seed_instance(rng.randrange(1 << 30))

    def name(self) -> str:
        return f"{self.fake.first_name()} {self.fake.last_name()}"

    def initialled(self) -> str:
        return f"{self.rng.choice('ABCDEJKLMPRST')}. {self.fake.last_name()}"

    def day(self) -> str:
        date = self.fake.date_object()
        return self.rng.choice(
            [f"{date:%d/%m/%Y}", f"{date:%m/%d/%Y}", f"{date:%d %B %Y}", f"{date:%d-%b-%Y}", f"{date:%Y-%m-%d}"]
        )

    def clock(self) -> str:
        return self.rng.choice(
            [
                f"{self.rng.randrange(7, 22):02}:{self.rng.randrange(60):02}",
                f"{self.rng.randrange(1, 12)}:{self.rng.randrange(10, 60)} PM",
            ]
        )

    def number(self, digits: int = 7) -> str:
        return "".join(str(self.rng.randrange(10)) for _ in range(digits))

    def address(self) -> str:
        return self.fake.address().replace("\n", self.rng.choice(["\n", ", "]))

    def phone(self) -> str:
        return self.fake.phone_number()


def _us_top(w: _Writer) -> list[str]:
    town = w.fake.city()
    return w.rng.choice([
        [f"{town.upper()} MEDICAL CENTER", "DEPARTMENT OF RADIOLOGY", w.address(),
            f"Phone: {w.phone()}  Fax: {w.phone()}", "",
         f"PATIENT NAME: {w.name().upper()}", f"DOB: {w.day()}   MRN: {w.number()}",
             f"ORDERING PHYSICIAN: {w.initialled()}, MD"],
        [f"{town} Imaging Associates",
            f"Patient: {w.name()}  DOB: {w.day()}  MRN: {w.number()}  Accession: {w.number(8)}",
                f"Date of Exam: {w.day()}"],
        [f"St. {w.fake.first_name()}'s Hospital", "RADIOLOGY REPORT", f"Name: {w.name()}",
            f"Date of Birth: {w.day()}", f"Referring Physician: Dr. {w.name()}"],
    ])  # fmt: skip


def _us_end(w: _Writer) -> list[str]:
    return w.rng.choice([
        [f"Electronically signed by: {w.name()}, MD {w.day()} {w.clock()}"],
        [f"Dictated by: {w.initialled()}, M.D.", f"D: {w.day()} {w.clock()}", f"T: {w.day()} {w.clock()}",
            f"{w.rng.choice(['JB/mk', 'RGS/tt', 'AB:cd'])}"],
        ["I have personally reviewed the images and agree with the resident's interpretation.",
            f"Attending Radiologist: {w.name()}, MD", f"Resident: {w.name()}, DO"],
        [f"This report was electronically signed by {w.name()} MD on {w.day()} at {w.clock()}",
            "*** END OF REPORT ***"],
        [f"Interpreting Radiologist: {w.initialled()}, M.D.", "Page 1 of 1",
            "CONFIDENTIAL: This document contains privileged patient information intended for the recipient only."],
    ])  # fmt: skip


def _uk_top(w: _Writer) -> list[str]:
    town = w.fake.city()
    return w.rng.choice([
        [f"{town} General Hospital", f"{town} NHS Foundation Trust", w.address(), f"Tel: {w.phone()}", "",
            f"Dear Dr {w.fake.last_name()},",
         f"Re: {w.name()}, DOB {w.day()}, NHS No: {w.number(10)}", "Thank you for referring this patient."],
        [f"Royal {town} Infirmary", "Diagnostic Imaging Department",
            f"Hospital No: {w.number()}   NHS No: {w.number(10)}", f"Name: {w.name()}"],
        [f"Dear Dr {w.fake.last_name()}", "Many thanks for referring this gentleman.",
            f"RE: Mr {w.name()} D.O.B. {w.day()}"],
    ])  # fmt: skip


def _uk_end(w: _Writer) -> list[str]:
    return w.rng.choice([
        [f"Reported by: Dr {w.name()}, Consultant Radiologist, GMC {w.number()}"],
        ["Kind regards", "", f"Dr {w.initialled()}", "Consultant Radiologist", f"GMC: {w.number()}", "cc: GP"],
        ["Yours sincerely", f"Dr {w.name()} FRCR", "Consultant Radiologist", "Dictated but not read"],
        [f"Verified by: Dr {w.name()} on {w.day()} {w.clock()}", "Page 1 of 2"],
        [f"Reporting radiographer: {w.name()}", f"Reported: {w.day()} {w.clock()}"],
    ])  # fmt: skip


def _au_top(w: _Writer) -> list[str]:
    town = w.fake.city()
    return w.rng.choice([
        [f"{town} Radiology", w.address(), f"Ph: {w.phone()} Fax: {w.phone()}", f"ABN: {w.number(11)}",
            f"Patient: {w.name()}", f"UR No: {w.number()}"],
        [f"{town} Medical Imaging Clinic", f"Our Ref: {w.number(6)}", f"Dear Dr {w.fake.last_name()},",
            f"Thank you for your kind referral of Mrs {w.name()}."],
        [f"{town} Base Hospital - Department of Medical Imaging",
            f"Patient: {w.name()} DOB: {w.day()} Medicare No: {w.number(10)}"],
    ])  # fmt: skip


def _au_end(w: _Writer) -> list[str]:
    return w.rng.choice([
        ["Yours faithfully,", f"Dr {w.name()} MBBS FRANZCR", f"Radiologist: Dr {w.name()}"],
        [f"Reported by Dr {w.name()}", f"Electronically signed {w.day()} {w.clock()} AEST"],
        [f"Dr {w.name()}", "Consultant Radiologist", f"www.{w.fake.domain_word()}.com.au", f"Ph: {w.phone()}"],
        ["Kind regards,", f"Dr. {w.initialled()}", f"Typed by: {w.fake.first_name()}"],
    ])  # fmt: skip


def _in_top(w: _Writer) -> list[str]:
    town = w.fake.city()
    return w.rng.choice([
        [f"{town} Diagnostics & Imaging Centre", w.address(), f"Mobile: {w.phone()}",
            f"Patient Name: {w.name()}  Age/Sex: 45 Y/F",
         f"Ref. By: Dr. {w.name()}", f"Date: {w.day()}"],
        [f"{town} Institute of Medical Sciences", "DEPARTMENT OF RADIODIAGNOSIS",
            f"Name: {w.name()}   UHID: {w.number(9)}"],
        [f"{town} District Hospital", f"Patient ID: {w.number()}", f"Referred by: Dr. {w.name()}"],
    ])  # fmt: skip


def _in_end(w: _Writer) -> list[str]:
    return w.rng.choice([
        [f"Dr. {w.name()}", "MBBS, MD (Radiodiagnosis)", "Consultant Radiologist", f"Reg. No: {w.number(5)}"],
        [f"Dr {w.name()}, DMRD", "Thanks for the referral.", "---- End of Report ----"],
        [f"Reported by: Dr. {w.initialled()} MD", f"Printed on: {w.day()} {w.clock()}",
            "Not valid for medico-legal purposes"],
        [f"Verified By: Dr. {w.name()}", f"Typed by: {w.fake.first_name()}", "Page 1 of 1"],
    ])  # fmt: skip


_STYLES: dict[str, tuple[str, Callable[[_Writer], list[str]], Callable[[_Writer], list[str]]]] = {
    "US": ("en_US", _us_top, _us_end),
    "UK": ("en_GB", _uk_top, _uk_end),
    "AU": ("en_AU", _au_top, _au_end),
    "IN": ("en_IN", _in_top, _in_end),
}


def generate(count: int, seed: int) -> list[Report]:
    """``count`` reports, the styles in turn: with headings or none, in lines or flattened to one."""
    rng = random.Random(seed)
    return [_report(list(_STYLES)[i % len(_STYLES)], rng) for i in range(count)]


def _report(style: str, rng: random.Random) -> Report:
    locale, top, end = _STYLES[style]
    writer = _Writer(locale, rng)
    sentences = [s for lines in clinical().values() for s in lines]
    findings, impression = rng.sample(sentences, rng.randrange(2, 6)), rng.sample(sentences, rng.randrange(1, 3))
    head = top(writer) if rng.random() < 0.8 else []
    tail = end(writer) if rng.random() < 0.9 or not head else []
    joint = rng.choice(["\n", " "])
    if rng.random() < 0.5:
        body = ["FINDINGS: " + joint.join(findings), "IMPRESSION: " + joint.join(impression)]
    else:
        body = [joint.join(findings), joint.join(impression)]
    flat = rng.random() < 0.25
    text = " ".join(x for x in (*head, *body, *tail) if x) if flat else "\n".join([*head, "", *body, "", *tail])
    return Report(
        text.replace("\n", " ") if flat else text, " ".join([*findings, *impression]), style + (" flat" if flat else "")
    )


def caption(text: str) -> str:
    """The caption that a run would extract from the report, before scrubbing."""
    return wanted_text(caption_sections(text, _WANTED)[0], _WANTED)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def main() -> None:
    """Print the share of correct captions by style, and the number of clinical words lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--show", type=int, default=0)
    args = parser.parse_args()
    reports = generate(args.count, args.seed)
    right: dict[str, list[bool]] = {}
    lost, shown = 0, 0
    for report in reports:
        text = caption(report.text)
        missing = _words(report.clinical) - _words(text)
        lost += missing.total()
        right.setdefault(report.style, []).append(_words(text) == _words(report.clinical))
        if (missing or not right[report.style][-1]) and shown < args.show:
            shown += 1
            print(repr(report.text), "->", repr(text), dict(missing))
    for style, results in sorted(right.items()):
        print(f"{style:8} cut wholly {sum(results):4} of {len(results):4} ({sum(results) / len(results):.1%})")
    total = [x for results in right.values() for x in results]
    share = sum(total) / len(total)
    print(f"all      cut wholly {sum(total):4} of {len(total):4} ({share:.1%}), clinical words lost: {lost}")


if __name__ == "__main__":
    main()
