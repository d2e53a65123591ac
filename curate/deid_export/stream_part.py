"""Reading a codestream part by part, never past its end."""

from __future__ import annotations

import numpy as np

_RUN = 16  # bytes; a run of letters this long comes by chance once in 10^9 bytes of entropy-coded data
_DISTINCT = 6  # a flat picture repeats a few bytes, which may happen to be letters


class Unparsed(ValueError):
    """The stream does not parse completely. Carries no value of it."""


class Cursor:
    """A place in a stream. Every read checks that the bytes are there; Unparsed where they are not."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise Unparsed
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count: int) -> int:
        """The next ``count`` bytes as a big-endian number."""
        return int.from_bytes(self.take(count), "big")

    def marker(self) -> int:
        """The code of the marker that must come next, fill bytes before it skipped (ITU-T T.81 B.1.1.2)."""
        if self.take(1) != b"\xff":
            raise Unparsed
        code = self.number(1)
        while code == 0xFF:
            code = self.number(1)
        return code

    def segment(self) -> bytes:
        """The parameters of a marker segment: its length, which counts itself, is read and taken off."""
        return self.take(self.number(2) - 2)


def segment(code: int, payload: bytes) -> bytes:
    """A marker segment: FF, its code, its length, its parameters."""
    return bytes((0xFF, code)) + (len(payload) + 2).to_bytes(2, "big") + payload


_LETTERS = np.zeros(256, bool)
_LETTERS[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789^ .,:;=/-_'@")] = True


def seems_text(data: bytes) -> bool:
    """Does entropy-coded ``data`` contain a run of letters and digits too long to be chance?"""
    if len(data) < _RUN:
        return False
    runs = _LETTERS[np.frombuffer(data, np.uint8)]
    for step in (1, 2, 4, 8):  # after these, runs[i] says that the 16 bytes from i on are letters
        runs = runs[:-step] & runs[step:]
    return any(len(set(data[i : i + _RUN])) >= _DISTINCT for i in np.flatnonzero(runs).tolist())
