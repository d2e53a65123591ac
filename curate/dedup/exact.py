"""Exact duplicates: a hash of the pixels, a hash of what the text says, and the links of equal hashes.

What may be linked shares a value (a hash, a patient) and so a bucket of `bucket_of`: the links of a whole archive are
those of its buckets together, and the work can be spread.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from zlib import crc32

import numpy as np
import numpy.typing as npt

Pairs = npt.NDArray[np.int64]

# What de-identification leaves where something identifying stood: [NAME], [DATE 2], XXXX, ___, ***. A side or a
# negation in brackets is somebody's emphasis and stays. Each is looked for where its beginning is in the text: a
# pattern that begins with a word is found several times as fast as one of several.
_PLACEHOLDERS = {
    "[": re.compile(r"\[(?!(?:LEFT|RIGHT|BILATERAL|L|R|NO|NOT|NONE|WITHOUT|ABSENT)\])[A-Z][A-Z_ -]*[0-9]*\]"),
    "XXXX": re.compile(r"XXXX(?<=\bXXXX)X*\b"),
    "__": re.compile(r"__+"),
    "***": re.compile(r"\*\*\*+"),
}
# Symbols that change what is said ("> 3 cm", "pneumonia?", "+"); every other symbol only separates.
_MEANT = frozenset("<>≤≥±+%?")
_POINT = "\ue000"  # private use: holds a decimal point or a minus sign's place while punctuation goes
_MINUS = "\ue001"
_NUMBER_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_NUMBER_MINUS = re.compile(r"(?:(?<=\s)|^)[-\u2212](?=\d)")


class _Fold(dict[int, str]):
    """A `str.translate` table filled as characters turn up: what becomes of each in `normalise`."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if char == _POINT:
            out = "."
        elif char == _MINUS:
            out = "-"
        elif char in _MEANT:
            out = f" {char} "
        elif category == "Cf":  # soft hyphen, zero-width joiner: invisible, inside words
            out = ""
        else:
            out = " " if category[0] in "PSZC" else char
        self[code] = out
        return out


_FOLD = _Fold()


def pixel_hash(pixels: np.ndarray) -> str:
    """32 hex digits (BLAKE2b-128) over shape, dtype and the pixels in C order, little endian.

    The same picture at another depth, size or with another channel count is another image.
    """
    little = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    digest = blake2b(f"{little.dtype.str}{list(pixels.shape)}".encode(), digest_size=16)
    digest.update(little.data)
    return digest.hexdigest()


# The same for a text in plain ASCII in small letters: a number keeps its point and its minus, a symbol stands alone.
_ASCII_TOKEN = re.compile(r"(?:(?:(?<=\s)|^)-(?=[0-9]))?[a-z0-9]+(?:(?<=[0-9])\.(?=[0-9])[a-z0-9]+)*|[<>+%?]")
_ASCII_LETTERS = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_ASCII_KINDS = bytes.maketrans(b".-0123456789<>+%?", b"..0000000000?????")  # what there is to look for, by its kind


def normalise(text: str) -> str:
    """What two reports must share to say the same: placeholders out, NFKC, case folded, punctuation to one blank.

    Decimal points and minus signs of numbers and the symbols ``< > ≤ ≥ ± + % ?`` stay, since they carry meaning.
    Idempotent.
    """
    for beginning, pattern in _PLACEHOLDERS.items():
        if beginning in text:
            text = pattern.sub(" ", text)
    if text.isascii():  # most reports, and several times as fast
        small = text.lower()
        kinds = small.encode().translate(_ASCII_KINDS)
        if b"?" in kinds or b".0" in kinds:
            return " ".join(_ASCII_TOKEN.findall(small))
        return " ".join(small.encode().translate(_ASCII_LETTERS).decode().split())
    return _normalise_any(text)


def _normalise_any(text: str) -> str:
    """`normalise` of any script, placeholders gone."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace(_POINT, " ").replace(_MINUS, " ")
    text = _NUMBER_MINUS.sub(_MINUS, _NUMBER_POINT.sub(_POINT, text))
    # Invisible characters gone, letters and marks may meet that had been apart: compose them.
    return " ".join(unicodedata.normalize("NFKC", text.translate(_FOLD)).split())


def text_hash(text: str) -> str:
    """32 hex digits (BLAKE2b-128) over ``normalise(text)``."""
    return plain_hash(normalise(text))


def plain_hash(plain: str) -> str:
    """`text_hash` of a text that is *normalised* already."""
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def bucket_of(values: Sequence[str | bytes], buckets: int) -> npt.NDArray[np.int32]:
    """int32[n] in [0, buckets): the bucket of each value, the same on every machine."""
    encoded = (v.encode("utf-8", "surrogatepass") if isinstance(v, str) else v for v in values)
    return np.fromiter((crc32(v) % buckets for v in encoded), np.int32, len(values))


def exact_pairs(ids: npt.NDArray[np.int64], group: npt.NDArray[np.int64] | None = None) -> Pairs:
    """int64[m, 2]: each row linked to the first row of the same id (and group), so m < n however many are equal.

    ids: int64[n], equal where the hashes are; negative where there is no hash, which is never equal to another.
    """
    rows = np.flatnonzero(ids >= 0)
    where = np.zeros(len(ids), dtype=np.int64) if group is None else group
    rows = rows[np.lexsort((rows, ids[rows], where[rows]))]
    if len(rows) == 0:
        return np.empty((0, 2), dtype=np.int64)
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (ids[rows[1:]] != ids[rows[:-1]]) | (where[rows[1:]] != where[rows[:-1]])
    first = rows[fresh][np.cumsum(fresh) - 1]
    return np.stack([first, rows], axis=1)[~fresh]
