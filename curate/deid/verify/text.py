"""The verifier: does any identifier survive in the output that is about to be written?

It shares no code, patterns or tables with the cleaning (`curate.deid.header`, `curate.deid.text`,
`curate.deid.pixels`): it has its own normalisation and its own definitions of names and dates, so that mistakes there
are not repeated here. It also checks the container: an image file may contain pixels and nothing else.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify import dates
from curate.deid.verify.dates import ages_and_births
from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.identifiers import text_identifiers
from curate.deid.verify.images import JPEG, PNG, jpeg_is_bare, png_is_bare
from curate.deid.verify.known_values import KnownValues, unprovable
from curate.deid.verify.names import names_in_part
from curate.deid.verify.normalise import BARRIER, normalise
from curate.memory import once

_NUMBER_IN_PART = re.compile(
    r"\[(?:ID|PHONE)\][-./ ]\d{2,}(?![\w.,/]|\s?(?:[mc]m|m[lg]|%))|(?<![\w.,/])\d{2,}[-./ ]\[(?:ID|PHONE)\]"
)
_LABEL = re.compile(r"\[(?:NAME|ID|DATE|TIME|PHONE|EMAIL|URL|ADDRESS|AGE|FACILITY)(?=[\]:])")


def findings(
    outputs: Sequence[str | bytes], phi: Sequence[str], sources: Sequence[str] = (), whole: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Identities of a record that survive in ``outputs``: codes, sorted, each once; () for none.

    Text (str, or bytes read as UTF-8, Latin-1 and UTF-16), with its markup and escapes and without, is searched
    without case and accents for every value of ``phi`` whole, for each part of 4 and more letters of a name, for
    numbers of 5 and more digits whatever separates their digits, and for dates in other written forms; for names also
    with their umlauts written out, in the Latin spellings of Cyrillic and Greek, and, if of two letters, where they
    stand capitalised. Values of ``whole`` are searched for as they are, not in parts. From ``sources``, the original
    texts, contacts, numbers, dates and times, addresses, facilities and names are extracted
    (`curate.deid.verify.identifiers`), none of which may be in ``outputs``. Ages over 89 and dates of birth are always
    findings; dates marked as shifted are if all of them are dates of the source.

    Bytes that begin as PNG or JPEG must hold pixels only (`curate.deid.verify.images`), else CONTAINER. UNPROVABLE is
    Latin words beside a person whose name is known in a script of which no romanisation is certain, and in that alone.
    """
    texts = [text for output in outputs for text in _readings(output)]
    codes = [Finding.CONTAINER for output in outputs if isinstance(output, bytes) and not _is_bare(output)]
    possible, possible_whole = _possible_values(texts, phi), _possible_values(texts, whole)
    codes += once(_in_all, tuple(texts), possible, tuple(sources), possible_whole, bool(phi or whole))
    return sorted_unique(codes)


def _in_all(
    texts: tuple[str, ...], phi: tuple[str, ...], sources: tuple[str, ...], whole: tuple[str, ...], known: bool
) -> tuple[Finding, ...]:
    """``known``: some value was, if none that is possible; ages and births are sought all the same."""
    found = tuple(text_findings(texts, phi, sources, whole))
    return found if phi or whole or sources or not known else (*found, *ages_and_births(texts))


_DOTTED = re.compile(r"\d+(?:\.\d+){3,}")
_CODE = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]+")


def _possible_values(texts: Sequence[str], values: Sequence[str]) -> tuple[str, ...]:
    """The values that can occur in ``texts``: without UIDs that have more digits than any text, and without ids of
    letters and digits, but days, that none contains even without its spaces and punctuation. The remaining values are
    the same for all pictures of a series, and often for other patients with the same report, which helps caching."""
    if not all(map(str.isascii, texts)):
        return tuple(values)
    numbers = [re.sub(r"[^0-9]", "", text) for text in texts]
    digits = max(map(len, numbers), default=0)
    solid = [re.sub(r"[^a-z0-9]", "", each.lower()) for text in texts for each in (text, normalise(text))]

    def may_occur(value: str) -> bool:
        if _DOTTED.fullmatch(value):
            return len(value) - value.count(".") <= digits
        if not _CODE.fullmatch(value) or dates.day_of(value) is not None:
            return True
        run = re.sub(r"[^0-9]", "", value)
        in_digits = len(run) > 4 and any(run.lstrip("0") in each for each in numbers)
        return in_digits or any(value.lower() in text for text in solid)

    return tuple(filter(may_occur, values))


def text_findings(
    texts: Sequence[str],
    phi: Sequence[str],
    sources: Sequence[str] = (),
    whole: Sequence[str] = (),
    *,
    together: bool = True,
) -> Iterator[Finding]:
    """The findings of `findings` in texts; ``together``: they are of one patient, so that their dates give an age."""
    known, source_texts = KnownValues(phi, whole), tuple(sources)
    if together:
        yield from _in_texts(texts, known, source_texts)
    else:
        yield from (finding for text in texts for finding in _in_texts([text], known, source_texts))
    if phi or whole or sources:
        yield from ages_and_births(texts, together=together)
    if unprovable(texts, phi):
        yield Finding.UNPROVABLE


def placeholders_masked(text: str) -> str:
    """``text`` without the labels of placeholders: someone may be called Name."""
    return _LABEL.sub("[", text)


def _in_texts(texts: Sequence[str], known: KnownValues, sources: tuple[str, ...]) -> Iterator[Finding]:
    placeholders: set[date] = set()
    columns: set[date] = set()
    for text in texts:
        rest, shifted = dates.without_shifted(text.replace(BARRIER, ""))
        (placeholders if rest else columns).update(shifted)
        if sources and "[" in rest:
            yield from (Finding.ID for _ in _NUMBER_IN_PART.finditer(rest))
            yield from (Finding.NAME for _ in names_in_part(rest))
        rest = placeholders_masked(rest)
        yield from known.in_text(rest)
        yield from once(_of_sources, sources, rest)
    days = known.days | once(text_identifiers, sources).days
    if dates.is_unshifted(frozenset(placeholders), days) or dates.is_unshifted(frozenset(columns), days):
        yield Finding.DATE


def _of_sources(sources: tuple[str, ...], text: str) -> tuple[Finding, ...]:
    """Findings of ``sources`` in ``text``, cached for repeated reports."""
    return tuple(once(text_identifiers, sources).in_text(text))


def _is_bare(output: bytes) -> bool:
    return not output.startswith((PNG, JPEG)) or png_is_bare(output) or jpeg_is_bare(output)


def _readings(output: str | bytes) -> list[str]:
    """An output as text, bytes in each possible encoding; nothing for a picture."""
    if isinstance(output, str):
        return list(dict.fromkeys([output, unwrapped(output)]))
    if output.startswith((PNG, JPEG)):
        return []
    readings = [output.decode("utf-8", "replace"), output.decode("latin-1")]
    if b"\0" in output:
        readings += [output[i:].decode(code, "replace") for code in ("utf-16-le", "utf-16-be") for i in (0, 1)]
    return list(dict.fromkeys([*readings, *map(unwrapped, readings)]))


_MARKUP = re.compile(r"<[A-Za-z/!?][^<>]{0,400}>")
_ESCAPE = re.compile(r"\\X((?:[0-9A-F]{2})+)\\|\\u00([0-9A-F]{2})|\\x([0-9A-F]{2})|_x00([0-9A-F]{2})_", re.IGNORECASE)


def unwrapped(text: str) -> str:
    """The text without markup and escapes, as a viewer displays it, to find names that contain tags.

    It is only searched, so it does not matter whether the marks are really markup."""
    if not any(mark in text for mark in "&<\\_"):
        return text
    visible = _ESCAPE.sub(lambda match: bytes.fromhex(next(filter(None, match.groups()))).decode("latin-1"), text)
    for _ in range(2):  # tags may be escaped themselves
        visible = html.unescape(_MARKUP.sub("", visible))
    return _MARKUP.sub("", visible)
