"""The report stage of the ingest chain: what a record has of its report, and of the columns beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from curate.dedup.text import text_signature
from curate.deid.attest import DECLARED_CLEAN
from curate.deid.known.values import without_absent
from curate.deid.replace.finish import Finished, finish
from curate.deid.replace.masked import masked_words, require_words_left
from curate.deid.rules import WORDS, WORDS_MASKED
from curate.deid.text.scrub import scrub
from curate.deid.vault import SecretSource
from curate.deid.words.language import require_known_sections
from curate.errors import DropRecord
from curate.ingest.rules import ReportRules
from curate.ingest.sealed import read_shared_words, read_taken_names
from curate.memory import once, once_for
from curate.record import Reason
from curate.sources.identity import canonical_id
from curate.sources.reports.text.letterhead import caption_sections
from curate.sources.reports.text.section import parse_sections, wanted_text

ATTRIBUTES = ("modality", "body_part", "view", "laterality", "sex", "age", "date")


@dataclass(frozen=True)
class ReportStage:
    """One row's report: its wanted sections without letterheads, in a language that is known, scrubbed and signed."""

    rules: ReportRules
    secret: SecretSource
    index: str

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["text"] is None:
            text = header_caption(row)
            return {**row, "text": text, "sections": [("header", text)], **once(_signed, text)}
        if row["declared_clean"]:
            return {**row, **self._as_it_is(row)}
        meta = tuple((name, value) for name, value in row["meta"] or [] if value)
        phi = self._wanted(tuple(row["phi"] or ()), row["text"], *(value for _, value in meta))
        patient = row["patient_id"] if canonical_id(row["patient_id"] or "") else ""
        cleaned, done = once_for(patient, self._is_own, self._cleaned, row["text"], phi, meta)
        actions = [*(row["actions"] or []), *sorted((+done).items())]
        return {**row, **cleaned, "actions": actions, **_declared(row, dict(cleaned["meta"]))}

    def _as_it_is(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a record has of a report of which the recipe says that it names nobody: the wanted sections, whole."""
        sections = self._wanted_sections(row["text"])
        text = wanted_text(sections, self.rules.wanted.sections)
        if not text:
            raise DropRecord(Reason.NO_WANTED_SECTION)
        if len(text.split()) < self.rules.wanted.min_words:
            raise DropRecord(Reason.TEXT_TOO_SHORT)
        meta = {name: value for name, value in row["meta"] or [] if value}
        parts = {"sections": [(n, part) for n, part in sections.items() if part], "meta": list(meta.items())}
        actions = row["actions"] or [(DECLARED_CLEAN, 1)]
        return {"text": text, **parts, "actions": actions, **_signed(text), **_declared(row, meta)}

    def _cleaned(
        self, report: str, phi: tuple[str, ...], columns: tuple[tuple[str, str], ...], patient: str
    ) -> tuple[dict[str, Any], Counter[str]]:
        """What a record has of its report and of the columns beside it, and the counts of what was done."""
        sections, cut = self._sections(report)
        if self.rules.text.vocabulary:
            once(require_known_sections, report, tuple(sections.values()), self.rules.text.languages)
        source = wanted_text(sections, self.rules.wanted.sections)
        if not source:
            raise DropRecord(Reason.NO_WANTED_SECTION)
        scrubbed = {name: self._scrub(text, phi, patient) for name, text in sections.items()}
        clean = {name: self._finish(sections[name], scrubbed[name], phi, patient) for name in sections}
        text = wanted_text({name: each.text for name, each in clean.items()}, self.rules.wanted.sections)
        if len(text.split()) < self.rules.wanted.min_words:
            raise DropRecord(Reason.TEXT_TOO_SHORT)
        gone, words = masked_words(source, wanted_text(scrubbed, self.rules.wanted.sections))
        require_words_left(gone, words, self.rules.text.max_masked)
        meta = {
            name: self._finish(v, self._scrub(v, phi, patient), phi, patient, cut=False)
            for name, v in dict(columns).items()
        }
        done = Counter({WORDS: words, WORDS_MASKED: gone, **{f"cut {name}": n for name, n in cut.items()}})
        parts = [*clean.values(), *meta.values()]
        done += sum((each.done for each in parts), Counter[str]())
        cleaned = {
            "text": text,
            "sections": [(name, each.text) for name, each in clean.items() if each.text],
            "meta": [(name, each.text) for name, each in meta.items()],
            "raw": report,
            "masked": [each.masked for each in parts] if self.rules.text.replace == "surrogates" else None,
        }
        return cleaned | _signed(text), done

    def _is_own(self, cleaned: tuple[dict[str, Any], Counter[str]]) -> bool:
        """Whether another patient's same words would become others: by their days, or their surrogates."""
        found = cleaned[0]
        parts = [found["text"], *(part for _, part in found["sections"] + found["meta"])]
        return self.rules.text.replace == "surrogates" or any("[DATE:" in part for part in parts)

    def _sections(self, report: str) -> tuple[dict[str, str], Counter[str]]:
        if "letterheads" in self.rules.wanted.cut:
            return once(caption_sections, report, self.rules.wanted.sections)
        return self._wanted_sections(report), Counter()

    def _wanted_sections(self, report: str) -> dict[str, str]:
        return {n: part for n, part in parse_sections(report).items() if n in self.rules.wanted.sections}

    def _finish(self, source: str, scrubbed: str, phi: tuple[str, ...], patient: str, *, cut: bool = True) -> Finished:
        rules = self.rules.text
        named = rules.replace == "surrogates"
        taken = read_taken_names(self.index, self.secret) if named else frozenset[str]()
        return finish(source, scrubbed, rules, self.secret.pseudonymizer(), patient, phi, taken, cut=cut)

    def _scrub(self, text: str, phi: tuple[str, ...], patient: str) -> str:
        """Once in a partition for equal texts of a patient: the columns of a study hold few values."""
        words = read_shared_words(self.index, self.secret)
        wanted = self._wanted(phi, text)
        return once(scrub, text, wanted, patient, self.secret.pseudonymizer(), self.rules.text, words)

    def _wanted(self, phi: tuple[str, ...], *texts: str) -> tuple[str, ...]:
        """What is sought in the texts; the same for all pictures of a series, which differ in their UIDs. Surrogates
        are chosen in view of every value."""
        return without_absent(texts, phi) if self.rules.text.replace == "placeholders" else phi


_KINDS = {"CR": "radiograph", "DX": "radiograph", "MG": "mammogram", "MR": "MRI", "US": "ultrasound", "CT": "CT"}
_KINDS |= {"PT": "PET", "NM": "nuclear medicine image", "XA": "angiogram", "RF": "fluoroscopy", "OT": "medical image"}


def header_caption(row: dict[str, Any]) -> str:
    """A caption for an image without a report, from attributes that passed the header's allow-list: 'chest radiograph,
    PA view, left'. Its section is called ``header``, so that nobody takes it for a radiologist's words."""
    kind = _KINDS.get(row["modality"] or "OT", f"{row['modality']} image")
    part = f"{row['body_part'].lower().replace('_', ' ')} " if row["body_part"] else ""
    sides = {"L": "left", "R": "right", "B": "bilateral"}
    view = f"{row['view']} view" if row["view"] else ""
    return ", ".join(x for x in (part + kind, view, sides.get(row["laterality"] or "", "")) if x)


def _signed(text: str) -> dict[str, Any]:
    hashed, signed = text_signature(text)
    return {"text_hash": hashed, "minhash": signed}


def _declared(row: dict[str, Any], meta: dict[str, str]) -> dict[str, Any]:
    """Attributes the recipe took from report columns, where the image's own header has none."""
    found: dict[str, Any] = {
        n: meta[n] for n in ATTRIBUTES if row.get(n) is None and n in meta and n not in ("age", "date")
    }
    if row.get("age") is None and meta.get("age", "").split(".")[0].isdigit():
        found["age"] = min(int(meta["age"].split(".")[0]), 90)
    return found
