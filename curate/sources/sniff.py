"""Is this file a DICOM file, an image or neither? Decided by its first bytes, never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydicom.valuerep import VR

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.faults import open_source

HEAD_BYTES = 160  # the 128-byte preamble, "DICM" and the first data elements
NOT_FETCHED = b"radsift-not-fetched: "  # what `curate fetch --urls` leaves for a picture that did not come; its reason
_URL_REASONS = {r.value.encode(): r for r in (Reason.URL_NOT_FOUND, Reason.URL_REFUSED, Reason.URL_FAILED)}
_VRS = frozenset(str(vr).encode() for vr in VR if len(str(vr)) == 2)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    *((magic, "tiff") for magic in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),  # a bare code stream
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "other"),
    (b"\xff\x0a", "other"),  # a bare JPEG XL code stream
    (b"II\xbc\x01", "other"),  # JPEG XR
)
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes of the known BITMAP*HEADER structures


def sniff(path: Path) -> Literal["dicom", "image", "none"]:
    """Kind of the file by content; reads ``HEAD_BYTES`` bytes.

    DICOM is the "DICM" prefix (PS3.10 7.1) or a data set without preamble that starts in group 0002 or 0008, either
    byte order. Images are what `image_kind` knows. "DICM" wins over an image's magic number: the
    preamble of a dual-personality file holds a TIFF header.

    Raises DropRecord EMPTY_FILE, UNREADABLE_FILE, or the reason that stands for a picture that was not fetched;
    SourceError where the archive cannot be read.
    """
    with open_source(path) as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise DropRecord(Reason.EMPTY_FILE)
    if reason := _URL_REASONS.get(head.removeprefix(NOT_FETCHED)):
        raise DropRecord(reason)
    return kind_of(head)


def kind_of(head: bytes) -> Literal["dicom", "image", "none"]:
    """Kind of what begins with ``head`` (`HEAD_BYTES` of it)."""
    if head[128:132] == b"DICM":
        return "dicom"
    if image_kind(head) is not None:
        return "image"
    return "dicom" if _starts_dataset(head) else "none"


def image_kind(head: bytes) -> str | None:
    """The format by the magic number in ``head`` (at least 32 bytes):
    png, jpeg (JPEG-LS too), tiff, jp2, bmp, webp; "other": known by name only."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return "other"
    return "bmp" if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS else None


def _starts_dataset(head: bytes) -> bool:
    """A first data element of group 0002 or 0008 whose VR is known, or whose implicit length fits such an element."""
    if len(head) < 8:
        return False
    order: Literal["little", "big"] = "little" if head[1] == 0 else "big"
    group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    if head[4:6] in _VRS:
        return True
    # implicit VR: an even length; what may come first in these groups (group length, charset, type, dates) is short
    length = int.from_bytes(head[4:8], order)
    return length % 2 == 0 and length <= 1024
