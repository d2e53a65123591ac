"""One DICOM file in, a clean one out: header by allow-list, every frame searched for text, the file built from scratch.

The order is fixed: the kind of object, its header, its pixels (decoded, searched, blanked where there is text,
described in the new header), then the verifier on the bytes to be written. Any failure drops the file with a Reason,
and nothing of it is written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code

from curate.deid.attest import SECOND_LOOK
from curate.deid.header.clean import clean_header, identifying_values
from curate.deid.header.codes import code_item
from curate.deid.header.iod import is_picture
from curate.deid.pixels.faces import check_face, is_defaced, may_show_face
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.finding import rejection_reason
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.dicom.frames import CodedFrames, Frames, read_frames
from curate.deid_export.dicom.gate import Gated, gate_frames, is_numbers, shown_views, uncompressed
from curate.deid_export.dicom.write import declare_lossy, describe, keep_palette, set_palette, set_tables, to_bytes
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import DicomFile, integer, open_dicom, text, value
from curate.sources.dicom.layout import COLOUR, GREY, declared_layout
from curate.sources.dicom.lut import Palette, read_palette


def clean_dicom(path: Path, rules: ReleaseRules, pseudo: Pseudonymizer) -> Outcome:
    """The outcome for the DICOM file at ``path``: the new file's bytes, or the reason why there are none.

    Every frame is decoded and gated (`curate.deid.pixels.gate`). Compressed frames stay compressed if nothing in
    them is painted over and their streams parse completely (`curate.deid_export.codestreams.clean`); all other pixels
    are written uncompressed, and big endian, implicit and deflated files become Explicit VR Little Endian. Bad data is
    never raised: it is the outcome's reason.
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
    named = "PhotometricInterpretation"
    if file.pixels is not None and named in source and text(source, named) not in GREY + COLOUR:
        source.PhotometricInterpretation = declared_layout(file).photometric  # in the standard's word
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
            _declare_defaced(header)
            actions["face declared removed"] += 1
    elif is_picture(text(header, "SOPClassUID")) or (integer(source, "Rows", 0) and integer(source, "Columns", 0)):
        raise DropRecord(Reason.NO_PIXELS)  # truncated, or stored elsewhere: an image object without pixels
    data = to_bytes(header, pixels.frames.written() if pixels is not None else None)
    codes = set(dicom_findings(data, source, retain=rules.header.retain, preamble=_preamble(file)))
    if pixels is not None and (views := views_to_verify(pixels, source, rules, pseudo)):
        codes |= set(pixel_findings(views, identifying_values(source)))
        actions[SECOND_LOOK] += not pixels.gated.boxes
    if codes:
        return Outcome(rejection_reason(codes), actions=+actions, findings=tuple(sorted(codes)))
    return Outcome(None, data, ".dcm", dict(+actions))


def _preamble(file: DicomFile) -> bytes:
    """The source's 128-byte preamble; empty if the file has no DICM prefix (PS3.10 7.1)."""
    head = file.read(0, 132)
    return head[:128] if head[128:] == b"DICM" else b""


_MODALITIES_WITH_TEXT = frozenset({"US", "IVUS", "ES", "XC", "SC", "DOC"})  # these usually have text in their pixels
_VERIFIED_FRAMES = 8  # at most so many frames of a file are verified, evenly spread
_PIXEL_EXTREMES = ("SmallestImagePixelValue", "LargestImagePixelValue")


@dataclass(frozen=True)
class Pixels:
    """Pixels ready to be written. ``searched``: the gate searched every frame for text; ``gated``: what it blanked;
    ``syntax``: the transfer syntax that the source's pixels really have, whatever its header says."""

    frames: Frames
    palette: Palette | None
    gated: Gated
    searched: bool
    actions: Counter[str]
    syntax: str


def clean_pixels(file: DicomFile, rules: ReleaseRules) -> Pixels:
    """Every frame decoded, gated unless the pixels are numbers, blanked, its unused bits masked.

    Raises DropRecord: FACE, the gate's reason, the decoder's, BAD_HEADER, TRUNCATED, TOO_LARGE, UNSUPPORTED_SYNTAX.
    """
    check_face(file.dataset, rules.deid)
    proven, frames = read_frames(file, rules.max_bytes)
    layout = proven.layout
    palette = read_palette(file.dataset, signed=layout.signed) if layout.photometric == "PALETTE COLOR" else None
    coded = proven.fragments is not None
    searched = rules.deid.burned_in != "trust" and not is_numbers(file.dataset)
    gated = Gated()
    if searched or coded:  # a stream is always decoded: only that proves that it is a picture
        policy = rules.deid if searched else replace(rules.deid, burned_in="trust")
        gated = gate_frames(frames, file.dataset, policy, palette)
    actions = Counter(frames.changes)
    if gated.boxes:
        actions["blank pixels"] += layout.frames
        frames = uncompressed(frames, gated, rules.max_bytes)
    elif isinstance(frames, CodedFrames) and not frames.kept:
        actions["decompress pixels"] += layout.frames
        frames = uncompressed(frames, gated, rules.max_bytes)
    return Pixels(frames, palette, gated, searched, actions, proven.file.syntax)


def describe_pixels(header: Dataset, pixels: Pixels, file: DicomFile) -> None:
    """Describe the written pixels in ``header``: Image Pixel module, palette, lossy compression, de-identification.

    Burned In Annotation becomes NO if something was blanked or text was to be expected, and is left out otherwise.
    """
    frames = pixels.frames
    several = "NumberOfFrames" in file.dataset or frames.layout.frames > 1
    describe(header, frames.layout, file.element.tag, frames=several)
    declare_lossy(header, pixels.syntax)
    if pixels.palette is not None:
        set_palette(header, pixels.palette)
    if pixels.gated.boxes:
        for keyword in _PIXEL_EXTREMES:
            if keyword in header:
                delattr(header, keyword)
    if "BurnedInAnnotation" in header:
        del header.BurnedInAnnotation
    if pixels.searched:
        if pixels.gated.boxes or expects_text(file.dataset):
            header.BurnedInAnnotation = "NO"
        _add_method_code(header, "113101", "Clean Pixel Data Option")


def _declare_defaced(header: Dataset) -> None:
    """Pass on the source's declaration that the face was removed (PS3.3 C.7.6.1, C.12.1); the pixels do not prove
    it."""
    header.RecognizableVisualFeatures = "NO"
    header.DeidentificationMethod = [
        text(header, "DeidentificationMethod"),
        "face removed before, as the source declares",
    ]
    _add_method_code(header, "113102", "Clean Recognizable Visual Features Option")


def _add_method_code(header: Dataset, code: str, meaning: str) -> None:
    """Add an option of PS3.16 CID 7050 to De-identification Method Code Sequence, in the codes' order."""
    done = value(header, "DeidentificationMethodCodeSequence") or []
    items = [*(o for o in done if text(o, "CodeValue") != code), code_item(Code(code, "DCM", meaning))]
    header.DeidentificationMethodCodeSequence = Items(sorted(items, key=lambda option: text(option, "CodeValue")))


def expects_text(source: Dataset) -> bool:
    """Is text in the pixels to be expected, by the modality or by Burned In Annotation?"""
    annotated = text(source, "BurnedInAnnotation").upper() == "YES"
    return annotated or text(source, "Modality").upper() in _MODALITIES_WITH_TEXT


def views_to_verify(pixels: Pixels, source: Dataset, rules: ReleaseRules, pseudo: Pseudonymizer) -> list[np.ndarray]:
    """The frames, as displayed, that the verifier should read: of pictures with blanked or expected text, and of a
    sample."""
    sampled = int(pseudo.key("second-look", text(source, "SOPInstanceUID")), 16) / 2**128 < rules.deid.second_look.share
    if not pixels.searched or not (pixels.gated.boxes or expects_text(source) or sampled):
        return []
    count = pixels.frames.layout.frames
    chosen = sorted({round(k * (count - 1) / (_VERIFIED_FRAMES - 1)) for k in range(_VERIFIED_FRAMES)})
    return [view for k in chosen for view in shown_views(pixels.frames.stored(k), pixels.frames, pixels.palette)]
