"""Word lists as the package carries them: of each line how many letters of the line before it go and what comes in
their place, then bz2.

Half of what gzip makes of a sorted list; the order is kept, so that a list by frequency may be packed too.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from os.path import commonprefix

_ZERO = ord("0")  # stands for none


def read_word_list(folder: str, name: str) -> list[str]:
    """The lines of the list ``name`` below ``folder`` of `curate.deid`, comments ("# ...") and empty ones apart."""
    packed = (files("curate.deid") / folder / f"{name}.words").read_bytes()
    return [line for line in unpack(packed) if line and not line.startswith("# ")]


def words(text: str) -> frozenset[str]:
    """What stands between blanks."""
    return frozenset(text.split())


@cache
def word_sections(name: str, folder: str = "words/data") -> dict[str, frozenset[str]]:
    """ "## title" and the words under it, of a list in plain text below ``folder`` of `curate.deid`, comments
    apart."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in (files("curate.deid") / folder / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title = line[3:].strip()
        elif not line.startswith("#"):
            found.setdefault(title, []).extend(line.split())
    return {key: frozenset(listed) for key, listed in found.items()}


def unpack(packed: bytes) -> list[str]:
    """The lines that `pack` was given."""
    lines = []
    last = ""
    for line in bz2.decompress(packed).decode("utf-8").split("\n"):
        last = last[: len(last) - (ord(line[0]) - _ZERO)] + line[1:]
        lines.append(last)
    return lines


def pack(lines: Iterable[str]) -> bytes:
    """``lines``, which hold no line break, as a file's bytes."""
    last, coded = "", []
    for line in lines:
        shared = len(commonprefix((last, line)))  # noqa: RUF071  of strings is meant
        coded.append(chr(_ZERO + len(last) - shared) + line[shared:])
        last = line
    return bz2.compress("\n".join(coded).encode("utf-8"), 9)
