"""One DICOM file in, a clean one out: header by allow-list, every frame looked at, the file written from nothing.

The order is fixed: what kind of object it is, its header, its pixels, the written bytes under the verifier. What
fails on the way ends the file with a Reason; nothing of it is written then.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from curate.deid.attest import SECOND_LOOK
from curate.deid.header.clean import clean_header, identifying_values
from curate.deid.header.iod import is_picture
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.verify.dicom import dicom_findings
from curate.deid.verify.finding import kept_back
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.dicom_file import to_bytes
from curate.deid_export.dicom_pixels import clean_pixels, describe_pixels, second_look
from curate.deid_export.dicom_tables import keep_palette, set_tables
from curate.deid_export.outcome import Outcome
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import DicomFile, integer, open_dicom, text


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
    file.source.seek(0)
    head = file.source.read(132)
    return head[:128] if head[128:] == b"DICM" else b""
