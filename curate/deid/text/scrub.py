"""Report text: what identifies is replaced by a typed placeholder, what is clinical stays as it was written.

Two sources of spans: the patient's own values (`text_phi`) and rules for anyone's (`text_rules`, `text_names`,
`text_dates`). The place for more (a vocabulary gate, a model's second opinion) is `_spans`. A span is widened, never
narrowed, where two overlap.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from curate.deid.header.phi import technical_words
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text.contacts import find_contacts
from curate.deid.text.dates import find_dates, header_days
from curate.deid.text.fold import BARRIER, fold, has_wide, tidy
from curate.deid.text.gate import gate_spans
from curate.deid.text.glance import Glance
from curate.deid.text.language import require_known_language, segments
from curate.deid.text.lexicon import CODES, LANGUAGES
from curate.deid.text.names import find_names
from curate.deid.text.other_languages import decide_words
from curate.deid.text.phi import phi_spans
from curate.deid.text.presidio import presidio_spans
from curate.deid.text.rules import Span, find_spans
from curate.deid.text.seasons import find_vague
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import canonical_id

LABELS = ("NAME", "ID", "DATE", "TIME", "PHONE", "EMAIL", "URL", "ADDRESS", "AGE", "FACILITY")
# A shifted date says that it is one, or a second scrub would shift it again.
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(LABELS)})\]|\[DATE:\d{{4}}-\d\d-\d\d\]")
_NO_PROSE = 1000  # characters: no word, number or address is as long: encoded bytes, in which nothing is found
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_REPEATED = re.compile(r"(\[NAME\])(?:[ \xa0]{1,2}\[NAME\])+")


@dataclass(frozen=True)
class TextRules:
    """How text is scrubbed.

    ``dates``: "shift" writes [DATE:2019-05-02], moved as the patient's header dates are; "mask" writes [DATE].
    ``vocabulary``: words that neither the vocabulary nor the archive knows go, and a text in a language that is not
    of ``languages`` is withheld. ``second_opinion``: what an installed Presidio finds goes as well. ``max_masked``: a
    report of whose words a larger share is masked is withheld (`curate.deid.text.masked`).
    """

    dates: Literal["mask", "shift"] = "shift"
    vocabulary: bool = True
    second_opinion: Literal["none", "presidio"] = "none"
    max_masked: float = 0.25
    languages: tuple[str, ...] = LANGUAGES


def scrub(
    text: str,
    phi: Sequence[str],
    patient_id: str,
    pseudo: Pseudonymizer,
    rules: TextRules,
    archive: frozenset[str] = frozenset(),
) -> str:
    """``text`` with every identifying value replaced by [NAME] [ID] [DATE] [TIME] [PHONE] [EMAIL] [URL] [ADDRESS] [AGE]
    [FACILITY].

    ``phi`` are the patient's own values (`curate.deid.header.phi`, report columns), masked in every
    variant, also where they are clinical words. Dates without a whole day, or of no known patient (``patient_id``
    empty), are masked whatever ``rules`` say. Control and zero-width characters are removed. Idempotent: placeholders
    are left alone, which also means that a source that writes them itself is believed.
    """
    shift = pseudo.shift(patient_id) if rules.dates == "shift" and canonical_id(patient_id) else None
    text = tidy(text)
    if len(text) >= _NO_PROSE and max(map(len, text.split()), default=0) >= _NO_PROSE:
        raise DropRecord(Reason.TEXT_UNPROVEN)
    if rules.vocabulary:
        require_known_language(text, report=False, languages=rules.languages)
    # Ends: every pass that changes anything turns at least one character outside placeholders into a placeholder.
    phi, known = tuple(dict.fromkeys(phi)), dict[str, None]()
    while True:
        after = _pass(text, phi, known, shift, rules, archive)
        if after == text:
            return text
        text = after


def placeholders(text: str) -> list[str]:
    """The labels of the placeholders in a scrubbed text, in order: what an attestation counts."""
    return [hit[0][1:-1].partition(":")[0] for hit in PLACEHOLDER.finditer(text)]


def _cued(folded: str, names: Sequence[Span]) -> Iterator[str]:
    """Names that a cue gives away ("Dr. Abiodun"), in lower case: to be found where they stand without one as well."""
    technical = technical_words()
    for start, end, label in names:
        if label == "NAME":
            words = _LONG_WORD.findall(folded, start, end)
            yield from (low for w in words if w[0].isupper() and (low := w.lower()) not in technical)


def _pass(
    text: str,
    phi: tuple[str, ...],
    known: dict[str, None],
    shift: dt.timedelta | None,
    rules: TextRules,
    archive: frozenset[str],
) -> str:
    """One look at everything; ``known`` takes in the names that a cue gave away."""
    folded, index = fold(text, PLACEHOLDER)
    glance = Glance(folded)
    names = list(find_names(folded, glance))
    known.update(dict.fromkeys(_cued(folded, names)))
    if known:
        names += [(at, at + len(w), "NAME") for w in known if w in glance.words for at in glance.places(w)]
    parts = _parts(folded, rules)
    spans = _spans(glance, phi, shift, names, rules, day_first=bool(parts))
    if has_wide(text):
        spans = sorted([*spans, *_wide_spans(text, phi, index)], key=_order)
    merged = _merged(spans)
    if rules.vocabulary:
        merged = _gated(text, folded, merged, archive, parts)
    out: list[str] = []
    at = 0
    for start, end, placeholder in merged:
        if BARRIER in folded[start:end]:
            start, end = _clear(folded, start, end)
        if start < end:
            first, last = index[start], index[end]
            out += [text[at:first], placeholder]
            at = last
    after = "".join([*out, text[at:]])
    return _REPEATED.sub(r"\1", after) if rules.vocabulary else after


def _parts(folded: str, rules: TextRules) -> list[tuple[int, int, str]]:
    """The stretches of folded text in one language each, where any is cleaned by another than English; else none."""
    found = segments(folded.replace(BARRIER, " ")) if rules.vocabulary else []
    allowed = [(s, e, code if code in rules.languages else "en") for s, e, code in found]
    return allowed if any(code in CODES for _, _, code in allowed) else []


def _gated(
    text: str, folded: str, spans: list[Span], archive: frozenset[str], parts: Sequence[tuple[int, int, str]]
) -> list[Span]:
    """``spans`` and what the words of each part's language add; they leave alone what is covered."""
    taken = [(s, e, placeholder[1:-1]) for s, e, placeholder in spans]
    if BARRIER in folded:
        labels = (hit[0][1:-1] for hit in PLACEHOLDER.finditer(text))
        taken += [(i, i + 1, label) for i, label in zip(_barriers(folded), labels, strict=True)]
        taken.sort()
    gated = []
    for first, last, code in parts or [(0, len(folded), "en")]:
        inside = [(max(s, first) - first, e - first, label) for s, e, label in taken if s < last and e > first]
        part = folded[first:last]
        other = code in CODES
        found = decide_words(part, code, archive, inside) if other else gate_spans(part, archive, inside)
        gated += [(s + first, e + first, f"[{label}]") for s, e, label in found]
    return _merged(sorted([*spans, *gated], key=_order)) if gated else spans


def _barriers(folded: str) -> Iterator[int]:
    at = folded.find(BARRIER)
    while at >= 0:
        yield at
        at = folded.find(BARRIER, at + 1)


def _order(span: Span) -> tuple[int, int]:
    return span[0], -span[1]


def _wide_spans(text: str, phi: tuple[str, ...], index: Sequence[int]) -> list[Span]:
    """The patient's values where the text writes them with other letters: Müller of a MUELLER, Петров of a PETROV."""
    wide, origin = fold(text, PLACEHOLDER, wide=True)
    found = []
    for start, end, label in phi_spans(wide, phi):
        last = origin[end - 1] + 1  # a letter written as two is taken whole
        found.append((bisect_left(index, origin[start]), bisect_left(index, last), f"[{label}]"))
    return [span for span in found if span[0] < span[1]]


def _clear(folded: str, start: int, end: int) -> tuple[int, int]:
    """The longest stretch of a span that holds no placeholder; the rest is the next pass's."""
    pieces = [
        (m.start() + start, m.end() + start) for m in re.finditer(rf"[^{BARRIER}]*\w[^{BARRIER}]*", folded[start:end])
    ]
    return max(pieces, key=lambda p: p[1] - p[0], default=(start, start))


def _spans(
    glance: Glance,
    phi: tuple[str, ...],
    shift: dt.timedelta | None,
    names: Sequence[Span],
    rules: TextRules,
    *,
    day_first: bool,
) -> list[Span]:
    """(start, end, placeholder) of all finders, sorted, overlapping."""
    folded = glance.text
    # dates first: of two spans alike, the one that can be shifted is meant
    found = [
        (s, e, _dated(day, shift)) for s, e, day in find_dates(folded, header_days(phi), glance, day_first=day_first)
    ]
    finders: list[Iterable[Span]] = [phi_spans(folded, phi, glance), find_spans(folded, glance), names]
    if rules.vocabulary:
        finders += [find_contacts(folded, glance), find_vague(folded, glance)]
    if rules.second_opinion == "presidio":
        finders.append(presidio_spans(folded))
    found += [(s, e, f"[{label}]") for finder in finders for s, e, label in finder]
    return sorted((s for s in found if s[0] < s[1]), key=_order)


def _dated(day: dt.date | None, shift: dt.timedelta | None) -> str:
    if day is None or shift is None:
        return "[DATE]"
    try:
        return f"[DATE:{(day + shift).isoformat()}]"
    except OverflowError:
        return "[DATE]"


def _merged(spans: list[Span]) -> list[Span]:
    """Overlapping spans as one, with the longest one's placeholder."""
    merged: list[Span] = []
    widest = 0
    for start, end, placeholder in spans:
        if not merged or start >= merged[-1][1]:
            merged.append((start, end, placeholder))
            widest = end - start
            continue
        first, last, label = merged[-1]
        if end - start > widest:
            label, widest = placeholder, end - start
        merged[-1] = (first, max(last, end), label)
    return merged
