"""How stored values lie: what the header declares of it (Image Pixel module, PS3.3 C.7.6.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import FLOAT_PIXELS, DicomFile, integer, text

GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# However a term is spelt, and what writers say in its place that can mean nothing else
_SPELLINGS = {re.sub(r"[ _]", "", term): term for term in GREY + COLOUR} | {
    "PALETTE": "PALETTE COLOR", "PALETTECOLOUR": "PALETTE COLOR", "YBR": "YBR_FULL", "YCBCR": "YBR_FULL",
    **dict.fromkeys(("MONOCHROME", "MONO", "GRAYSCALE", "GREYSCALE", "GRAY", "GREY"), "MONOCHROME2"),
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How the stored values lie. ``high`` is High Bit as declared, None where it is the bit below Bits Stored."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    signed: bool
    planar: int
    frames: int
    high: int | None = None

    @property
    def bits_a_frame(self) -> int:
        """Size of one native frame; YBR_FULL_422 stores two of three samples."""
        bits = self.rows * self.columns * self.samples * self.allocated
        return bits * 2 // 3 if self.photometric == "YBR_FULL_422" else bits

    @property
    def bytes_of_all(self) -> int:
        """Size of all native frames, without the byte that makes the length even."""
        return -(-self.bits_a_frame * self.frames // 8)


def declared_layout(file: DicomFile) -> Layout:
    """The header's word, not yet held against the data; Bits Stored may be over Bits Allocated.

    Raises DropRecord BAD_HEADER where there is no size, UNDECODABLE for a photometric interpretation that is none.
    """
    dataset = file.dataset
    rows, columns = integer(dataset, "Rows", 0), integer(dataset, "Columns", 0)
    allocated = integer(dataset, "BitsAllocated", 0)
    if min(rows, columns, allocated) <= 0:
        raise DropRecord(Reason.BAD_HEADER)
    photometric, samples = _colours(dataset)
    stored = max(integer(dataset, "BitsStored", allocated), 1)
    if file.pixels is not None and file.pixels.tag in FLOAT_PIXELS:
        allocated = stored = 32 if file.pixels.tag == FLOAT_PIXELS[0] else 64
    high = integer(dataset, "HighBit", stored - 1)
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=photometric,
        allocated=allocated,
        stored=stored,
        signed=integer(dataset, "PixelRepresentation", 0) == 1,
        planar=int(integer(dataset, "PlanarConfiguration", 0) == 1) if photometric in COLOUR or samples > 1 else 0,
        frames=max(integer(dataset, "NumberOfFrames", 1), 1),
        high=high if 0 <= high < allocated and high != stored - 1 else None,
    )


def _colours(dataset: Dataset) -> tuple[str, int]:
    photometric = re.sub(r"[^A-Z0-9]", "", text(dataset, "PhotometricInterpretation").upper())
    photometric = _SPELLINGS.get(photometric, photometric)
    samples = integer(dataset, "SamplesPerPixel", 0)
    if samples <= 0:
        samples = 3 if photometric.startswith(("RGB", "YBR")) else 1
    if not photometric:
        photometric = "MONOCHROME2" if samples == 1 else "RGB"
    if samples not in (1, 3) or photometric not in GREY + COLOUR:
        raise DropRecord(Reason.UNDECODABLE)
    return photometric, samples


def is_swapped(file: DicomFile, layout: Layout) -> bool:
    """Are 8-bit cells stored as big-endian words (PS3.5 Annex D)?"""
    return file.element.vr == "OW" and not file.syntax.is_little_endian and layout.allocated == 8


def clamped(layout: Layout) -> Layout:
    """The layout with no more bits stored than allocated."""
    stored = min(layout.stored, layout.allocated)
    return replace(layout, stored=stored, high=layout.high if stored == layout.stored else None)


def with_samples(layout: Layout, samples: int, colours: str | None) -> Layout:
    """The layout with the samples that the data have; their meaning must be told by the header or by ``colours``, else
    DropRecord STREAM_SIZE."""
    grey = layout.photometric not in COLOUR
    if samples == 1:  # of a colour name the luminance: larger is brighter
        return replace(layout, samples=1, planar=0, photometric=layout.photometric if grey else "MONOCHROME2")
    if not grey:
        return replace(layout, samples=3)
    if colours is None:  # three samples of nobody knows what
        raise DropRecord(Reason.STREAM_SIZE)
    return replace(layout, samples=3, photometric="RGB")
