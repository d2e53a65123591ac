"""One DICOM file in, a clean one out: header by allow-list, every frame looked at, the file written from nothing.

The order is fixed: what kind of object it is, its header, its pixels (read, looked at, blanked where there is text,
described in the new header), the written bytes under the verifier. What fails on the way ends the file with a Reason;
nothing of it is written then.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from curate.deid.attest import SECOND_LOOK
from curate.deid.header.clean import clean_header, identifying_values
from curate.deid.header.iod import is_picture
from curate.deid.pixels.faces import check_face, is_defaced, may_show_face
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.verify.dicom import dicom_findings
from curate.deid.verify.finding import kept_back
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.dicom_coded import CodedFrames, read_coded
from curate.deid_export.dicom_gate import Gated, gate_frames, is_numbers, shown_views, uncompressed
from curate.deid_export.dicom_native import Frames, read_native
from curate.deid_export.dicom_write import describe, keep_palette, lossy, set_palette, set_tables, to_bytes
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import DicomFile, integer, open_dicom, text, value
from curate.sources.dicom.lut import Palette, read_palette
from curate.sources.dicom.prove import prove


def clean_dicom(path: Path, rules: ReleaseRules, pseudo: Pseudonymizer) -> Outcome:
    """What becomes of the DICOM file at ``path``: CLEAN with the new file's bytes, or the reason why not.

    Every frame is decoded and gated (`curate.deid.pixels.gate`). Compressed frames stay compressed where nothing in
    them is painted over and their streams are wholly understood (`curate.deid_export.stream`); all other pixels are
    written uncompressed, and big endian, implicit and deflated files become Explicit VR Little Endian. Nothing is
    raised for what is wrong with the file.
    """
    try:
        with quiet(), open_dicom(path, rules.max_bytes) as file:
            return _clean(file, rules, pseudo)
    except DropRecord as dropped:
        return Outcome(dropped.reason)


def _clean(file: DicomFile, rules: ReleaseRules, pseudo: Pseudonymizer) -> Outcome:
    source = file.dataset
    if file.pixels is None and not len(source) and not len(source.file_meta):
        raise DropRecord(Reason.NOT_AN_IMAGE)
    cleaned = clean_header(source, pseudo, rules.header)
    header, actions = cleaned.dataset, Counter(cleaned.actions)
    keep_palette(header, source)
    set_tables(header, source)
    pixels = None
    if file.pixels is not None and file.pixels.length:
        pixels = clean_pixels(file, rules)
        describe_pixels(header, pixels, file)
        actions.update(pixels.actions)
        if may_show_face(source) and is_defaced(source):
            _say_defaced(header)
            actions["face declared removed"] += 1
    elif is_picture(text(header, "SOPClassUID")) or (integer(source, "Rows", 0) and integer(source, "Columns", 0)):
        raise DropRecord(Reason.NO_PIXELS)  # cut off, or kept elsewhere: a picture without its pixels is none
    data = to_bytes(header, pixels.frames.written() if pixels is not None else None)
    found = set(dicom_findings(data, source, retain=rules.header.retain, preamble=_preamble(file)))
    if pixels is not None and (again := second_look(pixels, source, rules, pseudo)):
        found |= set(pixel_findings(again, identifying_values(source)))
        actions[SECOND_LOOK] += not pixels.found.boxes
    if found:
        return Outcome(kept_back(found), actions=+actions, findings=tuple(sorted(found)))
    return Outcome(None, data, ".dcm", dict(+actions))


def _preamble(file: DicomFile) -> bytes:
    """The source's 128 bytes before its prefix, none where it has no prefix (PS3.10 7.1)."""
    head = file.read(0, 132)
    return head[:128] if head[128:] == b"DICM" else b""


_WRITTEN_ON = frozenset({"US", "IVUS", "ES", "XC", "SC", "DOC"})  # modalities with text in their pixels by habit
_SECOND_LOOK = 8  # frames of one file, evenly spread, that the verifier is given
_OF_OLD_PIXELS = ("SmallestImagePixelValue", "LargestImagePixelValue")


@dataclass(frozen=True)
class Pixels:
    """Pixels ready to be written. ``looked``: the gate was asked about every frame; ``found``: what it blanked;
    ``syntax``: what the source's pixels were coded in, whatever its header says."""

    frames: Frames
    palette: Palette | None
    found: Gated
    looked: bool
    actions: Counter[str]
    syntax: str


def clean_pixels(file: DicomFile, rules: ReleaseRules) -> Pixels:
    """Every frame decoded, gated unless the pixels are numbers, blanked, its unused bits masked.

    Raises DropRecord: FACE, the gate's reason, the decoder's, BAD_HEADER, TRUNCATED, TOO_LARGE, UNSUPPORTED_SYNTAX.
    """
    check_face(file.dataset, rules.pixels)
    proven = prove(file)
    layout = proven.layout
    palette = read_palette(file.dataset, signed=layout.signed) if layout.photometric == "PALETTE COLOR" else None
    coded = proven.fragments is not None
    frames: Frames = read_coded(proven, file.syntax, rules.max_bytes) if coded else read_native(proven.file, layout)
    looked = rules.pixels.burned_in != "trust" and not is_numbers(file.dataset)
    found = Gated()
    if looked or coded:  # a stream is decoded in any case: what does not decode is not known to be a picture
        policy = rules.pixels if looked else replace(rules.pixels, burned_in="trust")
        found = gate_frames(frames, file.dataset, policy, palette)
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
    several = "NumberOfFrames" in file.dataset or frames.layout.frames > 1
    describe(header, frames.layout, file.element.tag, frames=several)
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
        _say_done(header, "113101", "Clean Pixel Data Option")


def _say_defaced(header: Dataset) -> None:
    """Tell on that the source calls its face removed (PS3.3 C.7.6.1, C.12.1): it was believed, and not looked at."""
    header.RecognizableVisualFeatures = "NO"
    header.DeidentificationMethod = [
        text(header, "DeidentificationMethod"),
        "face removed before, as the source declares",
    ]
    _say_done(header, "113102", "Clean Recognizable Visual Features Option")


def _say_done(header: Dataset, code: str, meaning: str) -> None:
    """Add an option of PS3.16 CID 7050 to what was done, in the codes' order."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
    done = value(header, "DeidentificationMethodCodeSequence") or []
    items = [*(known for known in done if text(known, "CodeValue") != code), item]
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
    return [view for k in chosen for view in shown_views(pixels.frames.stored(k), pixels.frames, pixels.palette)]
