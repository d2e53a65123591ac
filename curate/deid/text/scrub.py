"""Report text: what identifies is replaced by a typed placeholder, what is clinical stays as it was written.

Three sources of spans: the patient's own values (`phi`), rules for anyone's (`rules`, `names`, `dates`, `seasons`) and
the decision per word (`decide`). A span is widened, never narrowed, where two overlap. `explain` says what found each.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from curate.deid.known.values import phi_spans
from curate.deid.patterns.prefilter import Span
from curate.deid.patterns.rules import find_spans
from curate.deid.patterns.seasons import find_vague
from curate.deid.presidio import presidio_spans
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import LABELS as LABELS
from curate.deid.rules import NAME_THRESHOLD
from curate.deid.rules import PLACEHOLDER as PLACEHOLDER
from curate.deid.rules import TextRules as TextRules
from curate.deid.text import closed_class, revision, tagger
from curate.deid.text.closed_class import BY_TAGGER, Found
from curate.deid.text.dates import find_dates, header_days
from curate.deid.text.decide import Thresholds, name_spans, read, reasons
from curate.deid.text.features import State
from curate.deid.text.fold import BARRIER, fold, has_wide, tidy
from curate.deid.text.names import find_names
from curate.deid.text.text_index import TextIndex
from curate.deid.words.language import require_known_language, segments
from curate.deid.words.lexicon import CODES
from curate.deid.words.other_languages import decide_words
from curate.deid.words.technical import technical_words
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import canonical_id

STAYS = "stays"  # in place of a placeholder, of what the tagger took back
_IN_ENGLISH = ("NAME", "ADDRESS", "FACILITY")  # what rules find by English words
_NO_PROSE = 1000  # characters: no word, number or address is as long: encoded bytes, in which nothing is found
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_REPEATED = re.compile(r"(\[NAME\])(?:[ \xa0]{1,2}\[NAME\])+")


class Gone(NamedTuple):
    """What a scrubbed text has no more: the words, their placeholder, what found them; or a word that was taken back,
    which `STAYS`."""

    words: str
    placeholder: str
    by: str


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
    return _scrubbed(text, phi, patient_id, pseudo, rules, archive, None)


def explain(
    text: str,
    phi: Sequence[str],
    patient_id: str,
    pseudo: Pseudonymizer,
    rules: TextRules,
    archive: frozenset[str] = frozenset(),
) -> list[Gone]:
    """What `scrub` takes from a text and why, in the order in which it was found; the words are in it: to be shown to
    who may see the text, never to be written."""
    gone: list[Gone] = []
    _scrubbed(text, phi, patient_id, pseudo, rules, archive, gone)
    return gone


def _scrubbed(
    text: str,
    phi: Sequence[str],
    patient_id: str,
    pseudo: Pseudonymizer,
    rules: TextRules,
    archive: frozenset[str],
    gone: list[Gone] | None,
) -> str:
    shift = pseudo.shift(patient_id) if rules.dates == "shift" and canonical_id(patient_id) else None
    text = tidy(text)
    if len(text) >= _NO_PROSE and max(map(len, text.split()), default=0) >= _NO_PROSE:
        raise DropRecord(Reason.TEXT_UNPROVEN)
    if rules.vocabulary:
        require_known_language(text, report=False, languages=rules.languages)
    # Ends: every pass that changes anything turns at least one character outside placeholders into a placeholder.
    phi, known = tuple(dict.fromkeys(phi)), dict[str, None]()
    while True:
        after = _pass(text, phi, known, shift, rules, archive, gone)
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


@dataclass(frozen=True)
class Looked:
    """What rules and the decision per word have found in a folded text, before the tagger looks.

    ``spans``: sorted and apart; ``cued``: those of a cue or the patient's own values as they were found; ``labels``: of
    the placeholders that stand in it; ``states``: the English parts as they were decided on, with where each begins;
    ``other``: where the text is in another language than English.
    """

    folded: str
    index: Sequence[int]
    spans: list[Found]
    cued: list[Found]
    labels: list[str]
    states: list[tuple[int, State]]
    other: list[tuple[int, int]]

    def likely(self) -> dict[int, float]:
        """Where a word begins that was decided on -> how likely it is a name."""
        return {
            state.words[i].start + first: state.words[i].likely for first, state in self.states for i in state.which
        }


def first_look(
    text: str,
    phi: tuple[str, ...],
    known: dict[str, None],
    shift: dt.timedelta | None,
    rules: TextRules,
    archive: frozenset[str],
    *,
    why: bool = False,
) -> Looked:
    """Everything that is found without the tagger; ``known`` takes in the names that a cue gave away."""
    folded, index = fold(text, PLACEHOLDER)
    text_index = TextIndex(folded)
    parts = _parts(text, index, rules)
    other = [(start, end) for start, end, code in parts if code in CODES]
    names = [span for span in find_names(folded, text_index) if not _inside(span, other)]
    known.update(dict.fromkeys(_cued(folded, names)))
    if known and not rules.vocabulary:
        names += [(at, at + len(w), "NAME") for w in known if w in text_index.words for at in text_index.places(w)]
    accents = (
        () if text.isascii() else {i for i, at in enumerate(index[:-1]) if text[at].isalpha() and text[at] > "\x7f"}
    )
    spans = _spans(text_index, phi, shift, names, rules, other)
    if has_wide(text):
        spans = sorted([*spans, *_wide_spans(text, phi, index)], key=_order)
    merged, states = _merged(spans), list[tuple[int, State]]()
    cued = [one for one in spans if one.by.startswith(closed_class.CUED)]
    if rules.vocabulary:
        decided = _decided(
            folded,
            _taken(text, folded, merged),
            parts,
            archive,
            _Context(frozenset(known), accents, rules, why),
            states,
        )
        merged = _merged(sorted([*merged, *decided], key=_order)) if decided else merged
    return Looked(folded, index, merged, cued, placeholders(text), states, other)


def _pass(
    text: str,
    phi: tuple[str, ...],
    known: dict[str, None],
    shift: dt.timedelta | None,
    rules: TextRules,
    archive: frozenset[str],
    gone: list[Gone] | None,
) -> str:
    """One look at everything; ``known`` takes in the names that a cue gave away."""
    draft = first_look(text, phi, known, shift, rules, archive, why=gone is not None)
    folded, index, merged = draft.folded, draft.index, draft.spans
    if rules.vocabulary:
        merged = _merged(_revised(draft, rules, gone, shifted=shift is not None))
    merged = [*closed_class.without(folded, merged, draft.cued)]
    out: list[str] = []
    at = 0
    for start, end, placeholder, by in merged:
        if BARRIER in folded[start:end]:
            start, end = _clear(folded, start, end)
        if start < end:
            first, last = index[start], index[end]
            out += [text[at:first], placeholder]
            if gone is not None:
                gone.append(Gone(text[first:last], placeholder, by))
            at = last
    after = "".join([*out, text[at:]])
    return _REPEATED.sub(r"\1", after) if rules.vocabulary else after


@dataclass(frozen=True)
class _Context:
    """What the decision per word is told besides the text."""

    known: frozenset[str]
    accents: Container[int]  # places of the folded text at which the source has a letter beyond ASCII
    rules: TextRules
    why: bool


def _parts(text: str, index: Sequence[int], rules: TextRules) -> list[tuple[int, int, str]]:
    """The stretches of folded text in one language each, where any is cleaned by another than English; else none.

    The language is read from the source's own letters: accents tell.
    """
    if not rules.vocabulary or not set(rules.languages) & set(CODES):
        return []
    found = segments(PLACEHOLDER.sub(lambda hit: " " * len(hit[0]), text))
    allowed: list[tuple[int, int, str]] = [
        (bisect_left(index, s), bisect_left(index, e), code if code in rules.languages else "en")
        for s, e, code in found
    ]
    return allowed if any(code in CODES for _, _, code in allowed) else []


def _taken(text: str, folded: str, spans: list[Found]) -> list[Span]:
    """What is masked already or will be, sorted."""
    taken = [(s, e, placeholder[1:-1]) for s, e, placeholder, _ in spans]
    if BARRIER in folded:
        stand = zip(re.finditer(BARRIER, folded), PLACEHOLDER.finditer(text), strict=True)
        taken = sorted([*taken, *((at.start(), at.end(), hit[0][1:-1]) for at, hit in stand)])
    return taken


def _decided(
    folded: str,
    taken: list[Span],
    parts: Sequence[tuple[int, int, str]],
    archive: frozenset[str],
    context: _Context,
    states: list[tuple[int, State]],
) -> list[Found]:
    """What the decision per word adds, each part of the text by its own language; it leaves alone what is covered.

    ``states`` takes in the English parts as they were decided on.
    """
    found: list[Found] = []
    for first, last, code in parts or [(0, len(folded), "en")]:
        inside = [(max(s, first) - first, e - first, label) for s, e, label in taken if s < last and e > first]
        part = folded[first:last]
        if code in CODES:
            by = f"decision per word ({code})"
            found += [
                Found(s + first, e + first, f"[{k}]", by) for s, e, k in decide_words(part, code, archive, inside)
            ]
            continue
        accents = frozenset(i for i in range(len(part)) if i + first in context.accents) if context.accents else ()
        state = read(part, archive, inside, context.known, accents)
        explained = reasons(state) if context.why else {}
        found_names = [*name_spans(state, Thresholds.from_one(context.rules.name_threshold))]
        acting = sorted(state.words[i].start for i in state.which if state.words[i].likely == 1.0)
        for start, end, label in found_names:
            because = [why for (s, e), why in explained.items() if start <= s and e <= end]
            acts = bisect_left(acting, start) < bisect_left(acting, end)
            by = "; ".join([revision.ACTS if acts else "decision per word", *because])
            found.append(Found(start + first, end + first, f"[{label}]", by))
        states.append((first, state))
    return found


def _revised(draft: Looked, rules: TextRules, gone: list[Gone] | None, *, shifted: bool) -> list[Found]:
    """What the tagger makes of it, where the text is English; ``gone`` takes in which words it took back."""
    tokens = tagger.read(draft.folded, draft.spans, draft.labels, draft.likely())
    if not tokens.forms:
        return draft.spans
    chances = tagger.probabilities(tagger.embedded(tokens))
    limits = tagger.limits(rules.name_threshold / NAME_THRESHOLD, shifted=shifted)
    found, back = revision.revised(tokens, draft.spans, chances, limits)
    if gone is not None:
        for i in back:
            stays = Gone(tokens.forms[i], STAYS, f"{BY_TAGGER}; {tagger.reasons(tokens, i, '')}")
            gone += [stays] if stays not in gone else []
        found = [_with_reasons(one, tokens) if one.by == BY_TAGGER else one for one in found]
    if not draft.other:
        return found
    kept = [one for one in draft.spans if _inside(one[:3], draft.other)]
    return sorted([*kept, *(one for one in found if not _inside(one[:3], draft.other))], key=_order)


def _with_reasons(one: Found, tokens: tagger.Tokens) -> Found:
    because = [
        tagger.reasons(tokens, i, one.placeholder[1:-1])
        for i, start in enumerate(tokens.starts)
        if one.start <= start < one.end and tokens.forms[i][0].isalnum()
    ]
    return one._replace(by="; ".join([BY_TAGGER, *because]))


def _order(span: Found) -> tuple[int, int]:
    return span.start, -span.end


def _wide_spans(text: str, phi: tuple[str, ...], index: Sequence[int]) -> list[Found]:
    """The patient's values where the text writes them with other letters: Müller of a MUELLER, Петров of a PETROV."""
    wide, origin = fold(text, PLACEHOLDER, wide=True)
    found = []
    for start, end, label in phi_spans(wide, phi):
        last = origin[end - 1] + 1  # a letter written as two is taken whole
        found.append(Found(bisect_left(index, origin[start]), bisect_left(index, last), f"[{label}]", "known value"))
    return [span for span in found if span.start < span.end]


def _clear(folded: str, start: int, end: int) -> tuple[int, int]:
    """The longest stretch of a span that holds no placeholder; the rest is the next pass's."""
    pieces = [
        (m.start() + start, m.end() + start) for m in re.finditer(rf"[^{BARRIER}]*\w[^{BARRIER}]*", folded[start:end])
    ]
    return max(pieces, key=lambda p: p[1] - p[0], default=(start, start))


def _spans(
    text_index: TextIndex,
    phi: tuple[str, ...],
    shift: dt.timedelta | None,
    names: Sequence[Span],
    rules: TextRules,
    other: Sequence[tuple[int, int]],
) -> list[Found]:
    """The spans of all finders, sorted, overlapping; ``other``: where the text is in another language than English."""
    folded = text_index.text
    # dates first: of two spans alike, the one that can be shifted is meant
    days = find_dates(folded, header_days(phi), text_index, day_first=bool(other))
    found = [Found(s, e, _dated(day, shift), "date") for s, e, day in days]
    finders: list[tuple[str, Iterable[Span]]] = [
        ("known value", phi_spans(folded, phi, text_index)),
        ("rule", _rule_spans(text_index, rules, other)),
        ("name by its cue", names),
    ]
    if rules.vocabulary:
        finders.append(("date without a day", find_vague(folded, text_index)))
    if rules.second_opinion == "presidio":
        finders.append(("Presidio", presidio_spans(folded)))
    found += [Found(s, e, f"[{label}]", by) for by, finder in finders for s, e, label in finder]
    return sorted((span for span in found if span.start < span.end), key=_order)


def _rule_spans(text_index: TextIndex, rules: TextRules, other: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """The rules' spans; what is English in them (streets, initials) is not asked of another language's text."""
    for span in find_spans(text_index.text, text_index, strict=rules.vocabulary):
        if not (other and span[2] in _IN_ENGLISH and _inside(span, other)):
            yield span


def _inside(span: Sequence[Any], parts: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span[0] < end for start, end in parts)


def _dated(day: dt.date | None, shift: dt.timedelta | None) -> str:
    if day is None or shift is None:
        return "[DATE]"
    try:
        return f"[DATE:{(day + shift).isoformat()}]"
    except OverflowError:
        return "[DATE]"


def _merged(spans: list[Found]) -> list[Found]:
    """Overlapping spans as one, with the longest one's placeholder."""
    merged: list[Found] = []
    widest = 0
    for span in spans:
        size = span.end - span.start
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            widest = size
            continue
        last = merged[-1]
        best = span if size > widest else last
        widest = max(size, widest)
        merged[-1] = Found(last.start, max(last.end, span.end), best.placeholder, best.by)
    return merged
