"""What surrogates do: to somebody who looks for the names that were overlooked, and to the text that is learnt from.

    python -m benchmarks.deid.notes.surrogates [--notes 300] [--seed 71] [--left 0.01] [--data FOLDER] [--out FILE]

The reader: of the notes' identities a share ``--left`` is put back as the scrubber overlooking it would leave it. He is
shown the text and knows nothing of its source. Among placeholders every name that he sees is a real one. Among
surrogates his best means is a detector: here this project's own scrubber, which finds real and invented names alike,
and the verifier's own idea of who is named. Precision is the share of real ones among the words that a detector takes
for names; recall the share of the real ones that it takes.

What is claimed: the findings that `filters.findings` reads, with surrogates and less the sentences that can be cut.

The text: words, distinct words, and the share of tokens that are placeholders, as written and with surrogates.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.deid.notes.generate import Note, generate
from benchmarks.deid.ours import PSEUDO
from benchmarks.deid.verifier.__main__ import _BESIDE, public
from curate.deid.replace.finish import finish
from curate.deid.replace.surrogates import originals
from curate.deid.rules import PLACEHOLDER, TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.names import person_names
from curate.errors import DropRecord
from filters.findings import extract

_RULES = TextRules(max_masked=1.0)
_INVENTED = TextRules(max_masked=1.0, replace="surrogates")
_CUT = TextRules(max_masked=1.0, cut=("priors", "signoffs"))
_NAME = re.compile(r"[^\W\d_]{3,}")
_LABELS = ("NAME", "FACILITY", "ADDRESS")


def two_ways(note: Note, rng: random.Random, share: float) -> tuple[str, str, set[str]] | None:
    """(with placeholders, with surrogates, the words of names that were overlooked in both); None where withheld."""
    try:
        masked = scrub(note.text, list(note.header), note.patient_id, PSEUDO, _RULES)
    except DropRecord:
        return None
    there = originals(note.text, masked)
    if there is None:
        return None
    shown = finish(note.text, masked, _INVENTED, PSEUDO, note.patient_id, tuple(note.header)).text
    invented = originals(shown, masked) or there
    real: set[str] = set()
    out: tuple[list[str], list[str]] = ([], [])
    at = 0
    for hit, original, made in zip(PLACEHOLDER.finditer(masked), there, invented, strict=True):
        overlooked = hit[0][1:-1] in _LABELS and rng.random() < share
        real |= set(_NAME.findall(original)) if overlooked else set()
        for text, value in zip(out, (hit[0], made), strict=True):
            text += [masked[at : hit.start()], original if overlooked else value]
        at = hit.end()
    return "".join([*out[0], masked[at:]]), "".join([*out[1], masked[at:]]), real


def by_scrubber(text: str) -> set[str]:
    """Words that our own scrubber takes for a name, a place or an address, told nothing."""
    try:
        masked = scrub(text, [], "", PSEUDO, _RULES)
    except DropRecord:
        return set()
    labels = [hit[0][1:-1] for hit in PLACEHOLDER.finditer(masked)]
    found = zip(labels, originals(text, masked) or [], strict=False)
    return {w for label, value in found if label in _LABELS for w in _NAME.findall(PLACEHOLDER.sub(" ", value))}


def by_verifier(text: str) -> set[str]:
    """Words that the verifier's cues take for a name."""
    plain = PLACEHOLDER.sub("[]", text)
    return {plain[start:end] for start, end, _ in person_names(plain)}


def attacked(notes: Sequence[Note], share: float, seed: int) -> dict[str, Any]:
    """Precision and recall of both detectors on both texts."""
    rng = random.Random(seed)
    pairs = [pair for note in notes if (pair := two_ways(note, rng, share)) is not None]
    told: dict[str, Any] = {"notes": len(pairs), "overlooked words": sum(len(real) for *_, real in pairs)}
    detectors: dict[str, Callable[[str], set[str]]] = {"scrubber": by_scrubber, "verifier": by_verifier}
    for name, detector in detectors.items():
        for at, kind in enumerate(("placeholders", "surrogates")):
            counts: Counter[str] = Counter()
            for pair in pairs:
                found = detector(pair[at])
                counts += Counter(found=len(found), right=len(found & pair[2]), real=len(pair[2]))
            told[f"{name}, {kind}"] = {
                "precision": round(counts["right"] / max(1, counts["found"]), 4),
                "recall": round(counts["right"] / max(1, counts["real"]), 4),
            }
    return told


def learnt(texts: Sequence[tuple[str, tuple[str, ...], str]]) -> dict[str, Any]:
    """Token statistics of (text, header, patient), with placeholders and with surrogates."""
    words: dict[str, Counter[str]] = {"placeholders": Counter(), "surrogates": Counter()}
    marks = kept = 0
    for text, phi, patient in texts:
        try:
            masked = scrub(text, list(phi), patient, PSEUDO, _RULES)
        except DropRecord:
            continue
        kept += 1
        shown = finish(text, masked, _INVENTED, PSEUDO, patient, phi).text
        marks += len(PLACEHOLDER.findall(masked))
        for kind, out in (
            ("placeholders", PLACEHOLDER.sub("[]", masked)),
            ("surrogates", PLACEHOLDER.sub("[]", shown)),
        ):
            words[kind].update(w.lower() for w in re.findall(r"[^\W\d_]+", out))
        words["surrogates"]["[left]"] += len(PLACEHOLDER.findall(shown))
    left = words["surrogates"].pop("[left]", 0)
    tokens = words["placeholders"].total() + marks
    return {
        "texts": kept,
        "placeholders": marks,
        "share of tokens that are placeholders": round(marks / max(1, tokens), 4),
        "... with surrogates": round(left / max(1, words["surrogates"].total() + left), 4),
        "words": {kind: c.total() for kind, c in words.items()},
        "distinct words": {kind: len(c) for kind, c in words.items()},
    }


def claimed(texts: Sequence[tuple[str, tuple[str, ...], str]]) -> dict[str, Any]:
    """What `filters.findings` reads of texts with surrogates, and of texts less the sentences that say nothing of the
    picture, against what it reads of the same texts with placeholders and whole."""
    told: Counter[str] = Counter()
    for text, phi, patient in texts:
        try:
            masked = scrub(text, list(phi), patient, PSEUDO, _RULES)
        except DropRecord:
            continue
        shown = finish(text, masked, _INVENTED, PSEUDO, patient, phi).text
        cut = finish(text, masked, _CUT, PSEUDO, patient, phi)
        before = _claims(masked)
        sentences = sum(n for kind, n in cut.done.items() if kind.startswith("cut "))
        told.update({"texts": 1, "claims": before.total(), "sentences cut": sentences})
        for name, after in (("surrogates", _claims(shown)), ("cuts", _claims(cut.text))):
            told[f"{name}: texts with other claims"] += after != before
            told[f"{name}: claims lost"] += (before - after).total()
            told[f"{name}: claims more"] += (after - before).total()
    return dict(told)


def _claims(text: str) -> Counter[tuple[str, str, str, str]]:
    return Counter((c.finding, c.state, c.side, c.level) for c in extract(text) if not c.historic)


def measure(data: Path | None, count: int, seed: int, share: float) -> dict[str, Any]:
    """All of it."""
    notes = generate(count, seed)
    result: dict[str, Any] = {"reader": attacked(notes, share, seed)}
    written = [(n.text, tuple(n.header), n.patient_id) for n in notes]
    result["learnt, notes"], result["claimed, notes"] = learnt(written), claimed(written)
    for name, texts in (public(data) if data else {}).items():
        rows = [(t, (), f"p{i}") for i, t in enumerate(texts)]
        result[f"learnt, {name}"] = learnt(rows)
        result[f"claimed, {name}"] = claimed(rows)
    return result


def main() -> None:
    """Print, and write as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--left", type=float, default=0.01)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    text = json.dumps(measure(chosen.data, chosen.notes, chosen.seed, chosen.left), indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
