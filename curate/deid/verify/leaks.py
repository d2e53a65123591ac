"""The second reader: does anything that identifies survive in what is about to be written?

It shares no code, no patterns and no tables with what cleans (`curate.deid.header`, `curate.deid.text`,
`curate.deid.pixels`): another normalisation, another idea of what a name or a date is, so that a mistake there is not
repeated here. It also reads the container: an image file may hold pixels and nothing else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify import dates
from curate.deid.verify.ages import ages_and_births
from curate.deid.verify.direct import Direct, direct
from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.flat import BARRIER
from curate.deid.verify.known import Known
from curate.deid.verify.names import unprovable
from curate.deid.verify.pictures import PNG, jpeg_is_bare, png_is_bare

__all__ = ["Finding", "findings", "leaks"]

_LABEL = re.compile(r"\[(?:NAME|ID|DATE|TIME|PHONE|EMAIL|URL|ADDRESS|AGE|FACILITY)(?=[\]:])")


def findings(outputs: Sequence[str | bytes], phi: Sequence[str], sources: Sequence[str] = ()) -> tuple[Finding, ...]:
    """What of a record's identities survives in ``outputs``: codes, sorted, each once; () where nothing was found.

    Text (str, or bytes read as UTF-8, Latin-1 and UTF-16), with its markup and escapes and without, is searched without
    case and accents for every value of ``phi`` whole, for each part of 4 and more letters of a name, for numbers of 5
    and more digits whatever separates their digits, and for dates in other written forms; for names also with their
    umlauts written out, in the Latin spellings of Cyrillic and Greek, and, if of two letters, where they stand
    capitalised. From ``sources``, the texts as they came, the reader takes contacts, numbers, dates and times,
    addresses, facilities and names by its own means (`curate.deid.verify.direct`), none of which may be in ``outputs``.
    An age over 89 and a date of birth are found by themselves. Dates that say they were shifted are found where all of
    them are dates of the source.

    Bytes that begin as PNG or JPEG must hold pixels only (`curate.deid.verify.pictures`), else CONTAINER. UNPROVABLE is
    Latin words beside a person whose name is known in a script of which no romanisation is certain, and in that alone.
    """
    texts = [text for output in outputs for text in _readings(output)]
    found = [Finding.CONTAINER for output in outputs if isinstance(output, bytes) and not _is_bare(output)]
    found += text_findings(texts, phi, sources)
    return sorted_unique(found)


def text_findings(
    texts: Sequence[str], phi: Sequence[str], sources: Sequence[str] = (), *, together: bool = True
) -> Iterator[Finding]:
    """What `findings` finds in texts; ``together``: they are of one patient, so that their dates tell an age."""
    known, own = Known(phi), direct(sources)
    if together:
        yield from _in_texts(texts, known, own)
    else:
        yield from (finding for text in texts for finding in _in_texts([text], known, own))
    if phi or sources:
        yield from ages_and_births(texts, together=together)
    if unprovable(texts, phi):
        yield Finding.UNPROVABLE


def leaks(outputs: Sequence[str | bytes], phi: Sequence[str]) -> bool:
    """True if `findings` finds anything."""
    return bool(findings(outputs, phi))


def _in_texts(texts: Sequence[str], known: Known, own: Direct) -> Iterator[Finding]:
    placeholders: set[date] = set()
    columns: set[date] = set()
    for text in texts:
        rest, shifted = dates.set_apart(text.replace(BARRIER, ""))
        (placeholders if rest else columns).update(shifted)
        rest = _LABEL.sub("[", rest)  # someone may be called Name
        yield from known.in_text(rest)
        yield from own.in_text(rest)
    days = known.days | own.days
    if dates.is_unshifted(frozenset(placeholders), days) or dates.is_unshifted(frozenset(columns), days):
        yield Finding.DATE


def _is_bare(output: bytes) -> bool:
    if output.startswith(PNG):
        return png_is_bare(output)
    return not output.startswith(b"\xff\xd8") or jpeg_is_bare(output)


def _readings(output: str | bytes) -> list[str]:
    """An output as text, bytes in each way that they could be meant; of a picture nothing."""
    if isinstance(output, str):
        return list(dict.fromkeys([output, _unwrapped(output)]))
    if output.startswith((PNG, b"\xff\xd8")):
        return []
    readings = [output.decode("utf-8", "replace"), output.decode("latin-1")]
    if b"\0" in output:
        readings += [output[i:].decode(code, "replace") for code in ("utf-16-le", "utf-16-be") for i in (0, 1)]
    return list(dict.fromkeys([*readings, *map(_unwrapped, readings)]))


_MARKUP = re.compile(r"<[A-Za-z/!?][^<>]{0,400}>")
_ESCAPE = re.compile(r"\\X((?:[0-9A-F]{2})+)\\|\\u00([0-9A-F]{2})|\\x([0-9A-F]{2})|_x00([0-9A-F]{2})_", re.IGNORECASE)


def _unwrapped(text: str) -> str:
    """The text as a viewer of its markup would show it: a name in which tags or escapes stand is a name all the same.

    It is only searched in, so nothing need prove that the marks are meant as such."""
    if not any(mark in text for mark in "&<\\_"):
        return text
    shown = _ESCAPE.sub(lambda found: bytes.fromhex(next(filter(None, found.groups()))).decode("latin-1"), text)
    for _ in range(2):  # tags may be escaped themselves
        shown = html.unescape(_MARKUP.sub("", shown))
    return _MARKUP.sub("", shown)
