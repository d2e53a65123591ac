"""Planted identities and the search for them: every string has a ledger entry, every output is searched for all of it.

A planted string leaks where it is anywhere in an output file: in the raw bytes, in any encoding a DICOM character set
or a text file could have given it; inside an inflated stream; or in what pydicom decodes from any element at any
depth. The search is this benchmark's own and shares no line with the product, so it may disagree with the product's
verifier.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset

SURNAMES = ("Quillfeather", "Brankovitz", "Oyelarandi", "Thistlewane", "Vandersmoot", "Kirchgartner", "Abeyratnam",
            "Szczepkowska", "Mbazulike", "Hartshornely")  # fmt: skip
COMMON = ("SMITH", "BAKER", "YOUNG", "PATEL", "GARCIA", "WALKER", "TURNER", "PARKER")  # words as well as names
GIVEN = ("Zephyrine", "Tobiasz", "Oluwaseun", "Marigolda", "Caspiana", "Ignatiusz", "Perpetuah", "Lysandros")
ENCODINGS = ("utf-8", "latin-1", "iso8859-5", "iso8859-7", "iso2022_jp", "euc_kr", "gb18030", "shift_jis", "utf-16-le",
             "utf-16-be", "euc_jp", "big5")  # fmt: skip
_READ_FAILS = (ValueError, TypeError, KeyError, AttributeError, IndexError, NotImplementedError, ArithmeticError,
               LookupError, EOFError, OSError, RecursionError, RuntimeError)  # fmt: skip
_MAX_DEPTH = 40  # deeper names are found in the raw bytes


@dataclass
class Ledger:
    """What was planted in one case; ``seed`` makes every case's identities its own."""

    seed: int
    strings: list[str] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    everywhere: frozenset[str] = frozenset()  # what every file of the benchmark holds, beside what the case is about

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def plant(self, text: str, *parts: str) -> str:
        """``text`` itself; ``parts`` (default: all of it) must not survive."""
        self.strings += [p for p in (parts or (text,)) if p not in self.strings]
        return text

    def blob(self, size: int = 24) -> bytes:
        """Random bytes that must not survive as they are."""
        self.blobs.append(self.rng.randbytes(size))
        return self.blobs[-1]

    def name(self, form: str = "{s}^{g}", common: bool = False) -> str:
        """A person: surname and given name, where the form has them, are planted each on its own."""
        s, g = self._fresh(COMMON if common else SURNAMES), self._fresh(GIVEN)
        parts = [part for part, mark in ((s, "{s}"), (g, "{g}")) if mark in form]
        return self.plant(form.format(s=s.upper() if "^" in form else s, g=g), *parts)

    def _fresh(self, names: tuple[str, ...]) -> str:
        """One not planted yet in this case, as long as there are any: a name of its own is told from the patient's."""
        return self.rng.choice([n for n in names if n not in self.strings] or names)

    def number(self, form: str = "########") -> str:
        """``form`` with every # a digit, the first one not zero."""
        digits = [str(self.rng.randint(1, 9) if i == 0 else self.rng.randint(0, 9)) for i in range(form.count("#"))]
        return self.plant("".join(digits.pop(0) if c == "#" else c for c in form))

    def uid(self) -> str:
        """An instance UID of an invented root."""
        return self.plant(f"1.2.826.0.1.{self.rng.randint(10**6, 10**7)}.{self.rng.randint(10**14, 10**15)}")

    def date(self, low: int = 1990, high: int = 2023) -> str:
        """A day as YYYYMMDD."""
        r = self.rng
        return self.plant(f"{r.randint(low, high)}{r.randint(1, 12):02d}{r.randint(13, 28)}")


@lru_cache(maxsize=4096)
def forms_of(text: str) -> tuple[bytes, ...]:
    """``text`` in every encoding that can hold it, lower case where it has case, without repeats."""
    found: dict[bytes, None] = {}
    for encoding in ENCODINGS:
        for shape in (text, text.lower(), text.upper()):
            try:
                raw = shape.encode(encoding)
            except UnicodeEncodeError:
                continue
            if encoding == "iso2022_jp":
                raw = raw.removeprefix(b"\x1b$B").removesuffix(b"\x1b(B")
            found[raw.lower()] = None
    return tuple(found)


def _inflated(data: bytes) -> Iterator[bytes]:
    """The data set of a Deflated file (PS3.5 A.5): everything after the file meta, inflated."""
    try:
        meta = pydicom.filereader.read_file_meta_info(BytesIO(data))
        start = 144 + int(meta.FileMetaInformationGroupLength)
        if meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.99":
            yield zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:])
    except (*_READ_FAILS, zlib.error):
        return


def decoded(data: bytes) -> str:
    """Every value pydicom can read from a file, at any depth, as text: lower case, one a line."""
    try:
        ds = pydicom.dcmread(BytesIO(data), force=True)
    except _READ_FAILS:
        return ""
    lines: list[str] = []
    for part in (getattr(ds, "file_meta", None), ds):
        if part is not None:
            _values(part, lines, 0)
    return "\n".join(lines).lower()


def _values(ds: Dataset, lines: list[str], depth: int) -> None:
    for tag in list(ds.keys()):
        if tag.group == 0x7FE0 or depth > _MAX_DEPTH:
            continue
        try:
            element = ds[tag]
            value = element.value
        except _READ_FAILS:
            continue
        if element.VR == "SQ":
            for item in value:
                _values(item, lines, depth + 1)
        elif isinstance(value, bytes):
            lines += [value.decode("latin-1"), value.decode("utf-16-le", "ignore")]
        else:
            lines.append(str(value))


def survivors(outputs: list[bytes], ledger: Ledger) -> list[str]:
    """The planted strings (and "bytes[i]" of the planted blobs) found anywhere in ``outputs``."""
    found: dict[str, None] = {}
    for data in outputs:
        haystacks = [data.lower(), *(d.lower() for d in _inflated(data))]
        text = decoded(data)
        for string in ledger.strings:
            if string.lower() in text or any(form in hay for form in forms_of(string) for hay in haystacks):
                found[string] = None
        for i, blob in enumerate(ledger.blobs):
            if blob in data or any(blob in d for d in _inflated(data)):
                found[f"bytes[{i}]"] = None
    return list(found)


def pixels_of(data: bytes) -> np.ndarray | None:
    """The decoded pixels of a file by pydicom alone; None where they do not decode."""
    try:
        return np.asarray(pydicom.dcmread(BytesIO(data), force=True).pixel_array)
    except _READ_FAILS:
        return None
