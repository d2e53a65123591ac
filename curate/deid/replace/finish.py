"""What follows the scrubber: sentences cut, surrogates set, and what was done counted, before anything is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.boilerplate import counted, cut_spans, without
from curate.deid.replace.surrogates import Surrogates
from curate.deid.rules import TextRules
from curate.deid.text.scrub import placeholders
from curate.sources.identity import canonical_id


@dataclass(frozen=True)
class Finished:
    """``text`` as it is written; ``masked``: the same with its placeholders, which is what can be proven clean against
    the source; ``done``: counts of what was masked, cut and replaced."""

    text: str
    masked: str
    done: Counter[str]


def finish(
    source: str,
    scrubbed: str,
    rules: TextRules,
    pseudo: Pseudonymizer,
    patient_id: str,
    phi: tuple[str, ...],
    taken: frozenset[str] = frozenset(),
    *,
    cut: bool = True,
) -> Finished:
    """``scrubbed``, made of ``source``, as the rules want it; ``cut`` is False for what is no report's text.

    ``patient_id`` is whose texts share surrogates: of no known patient this text alone does.
    """
    spans = cut_spans(scrubbed, rules.cut) if cut else []
    done = Counter(f"mask {label}" for label in placeholders(scrubbed)) + counted(spans)
    masked = without(scrubbed, spans)
    if rules.replace == "placeholders":
        return Finished(masked, masked, done)
    known = bool(canonical_id(patient_id))
    scope = canonical_id(patient_id) if known else pseudo.digest("surrogates of a text", source).hex()
    shift = pseudo.shift(patient_id) if known and rules.dates == "shift" else None
    text, replaced = Surrogates(pseudo, scope, phi, taken, shift).fill(source, scrubbed, spans)
    return Finished(text, masked, done + replaced)
