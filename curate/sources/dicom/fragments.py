"""Encapsulated pixel data (PS3.5 A.4): which fragments are which frame, by what the fragments hold.

A frame begins where a code stream begins. Offset tables, basic and extended, are not asked: they say the same or they
are wrong.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codestream import HEAD, starts_frame
from curate.sources.dicom.file import UNDEFINED, DicomFile
from curate.sources.third_party import call_third_party

ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
Span = tuple[int, int]  # offset and length in the file


@dataclass(frozen=True)
class Fragments:
    """``frames``: the fragments of each frame. ``whole`` is False where the file ended before the sequence did."""

    frames: tuple[tuple[Span, ...], ...]
    whole: bool

    def read(self, file: DicomFile, frame: int) -> bytes:
        """The frame's code stream; DropRecord TRUNCATED where the file ends inside it, FRAME_COUNT without one."""
        if frame >= len(self.frames):
            raise DropRecord(Reason.FRAME_COUNT if self.whole else Reason.TRUNCATED)
        return b"".join(_read(file, span) for span in self.frames[frame])


def find_fragments(file: DicomFile, frames: int) -> Fragments | None:
    """The frames of the pixel data, None where it is no sequence of fragments.

    Where no fragment is known for the beginning of a stream, ``frames`` fragments are that many frames, and others one.
    """
    spans, whole = _items(file)
    if spans is None:
        return None
    groups: list[list[Span]] = []
    for span in spans:
        if starts_frame(_read(file, (span[0], min(span[1], HEAD)), cut=True)):
            groups.append([span])
        elif groups:
            groups[-1].append(span)
    if not groups and spans:
        groups = [[span] for span in spans] if len(spans) == frames else [spans]
    return Fragments(tuple(tuple(group) for group in groups), whole)


def bare_stream(file: DicomFile) -> Fragments | None:
    """A code stream that lies in the element as it is, without items; None where there is none."""
    assert file.pixels is not None
    there = file.size - file.pixels.offset
    length = there if file.pixels.length == UNDEFINED else file.pixels.length
    head = _read(file, (file.pixels.offset, min(length, HEAD)), cut=True)
    if not head.startswith(b"\xff") or not starts_frame(head):
        return None
    return Fragments((((file.pixels.offset, length),),), length <= there)


def _items(file: DicomFile) -> tuple[list[Span] | None, bool]:
    """Every fragment, the offset table left out, and whether the sequence came to its end."""
    assert file.pixels is not None
    at = file.pixels.offset
    spans: list[Span] | None = None
    end = file.size if file.pixels.length == UNDEFINED else file.pixels.offset + file.pixels.length
    while True:
        file.source.seek(at)
        head = file.source.read(8)
        if head[:4] != ITEM or len(head) < 8:
            break
        (length,) = struct.unpack_from("<L", head, 4)
        if length == UNDEFINED:
            raise DropRecord(Reason.UNDECODABLE)
        table = spans is None and not starts_frame(_read(file, (at + 8, min(length, HEAD)), cut=True))
        spans = spans or []
        if length and not table:
            spans.append((at + 8, length))
        at += 8 + length
    return spans, head[:4] == DELIMITER or (at == end <= file.size and file.pixels.length != UNDEFINED)


def _read(file: DicomFile, span: Span, *, cut: bool = False) -> bytes:
    file.source.seek(span[0])
    data = call_third_party(Reason.UNREADABLE_FILE, file.source.read, span[1])
    if len(data) < span[1] and not cut:
        raise DropRecord(Reason.TRUNCATED)
    return data
