"""The pixels of one file: read, looked at, blanked where there is text, and described in the new header."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from curate.deid.pseudonym import Pseudonymizer
from curate.deid_export.dicom_coded import CodedFrames, read_coded
from curate.deid_export.dicom_file import describe, lossy
from curate.deid_export.dicom_frames import Frames
from curate.deid_export.dicom_look import Look, is_numbers, look, seen, uncompressed
from curate.deid_export.dicom_native import read_native
from curate.deid_export.dicom_tables import set_palette
from curate.deid_export.rules import ReleaseRules
from curate.sources.dicom.file import DicomFile, text, value
from curate.sources.dicom.palette import Palette, read_palette
from curate.sources.dicom.prove import prove

_WRITTEN_ON = frozenset({"US", "IVUS", "ES", "XC", "SC", "DOC"})  # modalities with text in their pixels by habit
_SECOND_LOOK = 8  # frames of one file, evenly spread, that the verifier is given
_OF_OLD_PIXELS = ("SmallestImagePixelValue", "LargestImagePixelValue")


@dataclass(frozen=True)
class Pixels:
    """Pixels ready to be written. ``looked``: the gate was asked about every frame; ``found``: what it blanked;
    ``syntax``: what the source's pixels were coded in, whatever its header says."""

    frames: Frames
    palette: Palette | None
    found: Look
    looked: bool
    actions: Counter[str]
    syntax: str


def clean_pixels(file: DicomFile, rules: ReleaseRules) -> Pixels:
    """Every frame decoded, gated unless the pixels are numbers, blanked, its unused bits masked.

    Raises DropRecord: the gate's reason, the decoder's, BAD_HEADER, TRUNCATED, TOO_LARGE, UNSUPPORTED_SYNTAX.
    """
    proven = prove(file)
    layout = proven.layout
    palette = read_palette(file.dataset, signed=layout.signed) if layout.photometric == "PALETTE COLOR" else None
    coded = proven.fragments is not None
    frames: Frames = read_coded(proven, file.syntax, rules.max_bytes) if coded else read_native(proven.file, layout)
    looked = rules.pixels.burned_in != "trust" and not is_numbers(file.dataset)
    found = Look()
    if looked or coded:  # a stream is decoded in any case: what does not decode is not known to be a picture
        policy = rules.pixels if looked else replace(rules.pixels, burned_in="trust")
        found = look(frames, file.dataset, policy, palette)
    actions = Counter(frames.changes)
    if found.boxes:
        actions["blank pixels"] += layout.frames
        frames = uncompressed(frames, found, rules.max_bytes)
    elif isinstance(frames, CodedFrames) and not frames.kept:
        actions["decompress pixels"] += layout.frames
        frames = uncompressed(frames, found, rules.max_bytes)
    return Pixels(frames, palette, found, looked, actions, proven.file.syntax)


def describe_pixels(header: Dataset, pixels: Pixels, file: DicomFile) -> None:
    """Make ``header`` say what is written: the Image Pixel module, the palette, what was lost, what was looked for.

    Burned In Annotation becomes NO where it took an OCR engine or a rule to clear the picture, and is left out where a
    fast look at a plain picture did.
    """
    frames = pixels.frames
    assert file.pixels is not None
    several = "NumberOfFrames" in file.dataset or frames.layout.frames > 1
    describe(header, frames.layout, file.pixels.tag, frames=several)
    lossy(header, pixels.syntax)
    if pixels.palette is not None:
        set_palette(header, pixels.palette)
    if pixels.found.boxes:
        for keyword in _OF_OLD_PIXELS:
            if keyword in header:
                delattr(header, keyword)
    if "BurnedInAnnotation" in header:
        del header.BurnedInAnnotation
    if pixels.looked:
        if pixels.found.boxes or is_written_on(file.dataset):
            header.BurnedInAnnotation = "NO"
        _say_cleaned(header)


def _say_cleaned(header: Dataset) -> None:
    """Add the Clean Pixel Data Option (PS3.16 CID 7050) to what was done, in the codes' order."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113101", "DCM", "Clean Pixel Data Option"
    done = value(header, "DeidentificationMethodCodeSequence") or []
    items = [*(known for known in done if text(known, "CodeValue") != "113101"), item]
    header.DeidentificationMethodCodeSequence = Items(sorted(items, key=lambda known: text(known, "CodeValue")))


def is_written_on(source: Dataset) -> bool:
    """Is text in the pixels to be expected, by the modality or by the header's own word?"""
    annotated = text(source, "BurnedInAnnotation").upper() == "YES"
    return annotated or text(source, "Modality").upper() in _WRITTEN_ON


def second_look(pixels: Pixels, source: Dataset, rules: ReleaseRules, pseudo: Pseudonymizer) -> list[np.ndarray]:
    """The frames, as shown, that the verifier should read: of blanked and written-on pictures, and of a sample."""
    drawn = int(pseudo.key("second-look", text(source, "SOPInstanceUID")), 16) / 2**128 < rules.second_look
    if not pixels.looked or not (pixels.found.boxes or is_written_on(source) or drawn):
        return []
    count = pixels.frames.layout.frames
    chosen = sorted({round(k * (count - 1) / (_SECOND_LOOK - 1)) for k in range(_SECOND_LOOK)})
    return [view for k in chosen for view in seen(pixels.frames.stored(k), pixels.frames, pixels.palette)]
