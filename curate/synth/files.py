"""One image file: rendered, stored, damaged as planned, written with its header; bytes in memory."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import dataclass, replace

import numpy as np
from pydicom import dcmwrite, uid

from curate.synth.anatomy import render
from curate.synth.case import Case, Purpose, rng_for
from curate.synth.faults import BROKEN_FILES, Plan, SynthConfig, burn_text, file_fault, garble, truncate
from curate.synth.identities import Ledger, Patient, Visit, write_date
from curate.synth.stored import LOSSY, Stored, allowed_syntaxes, blank, choose_syntax, encode, near_copy, store
from curate.synth.tags import Subject, make_header

_CINE_FRAMES, _CINE_SHARE = 4, 0.15
_BARE_SHARE = 0.04  # files without preamble


@dataclass(frozen=True)
class ImageFile:
    """An image file: its bytes, its transfer syntax (None if it is no DICOM file), and the identifying strings in
    it."""

    data: bytes
    syntax: uid.UID | None
    ledger: Ledger


def make_file(config: SynthConfig, plan: Plan, patient: Patient, visit: Visit, number: int) -> ImageFile:
    """Image ``number`` of a planned study."""
    case = plan.source or plan.case
    ledger, rng = Ledger(), rng_for(config.seed, Purpose.DAMAGE, plan.index, number)
    fault = file_fault(plan, number)
    if fault == "empty":
        return ImageFile(b"", None, ledger)
    if fault == "not_dicom":
        return ImageFile(_stray_letter(patient, visit, ledger, rng), None, ledger)
    stored, syntax = picture(config, case, number)
    stored, syntax = _apply_fault(stored, syntax, fault, rng)
    if plan.burned_in:
        frames = stored.frames.copy()
        burn_text(frames, _burned_lines(patient, visit, ledger, rng), stored.ink, rng)
        stored = replace(stored, frames=frames)
    subject = Subject(config.seed, plan.index, number, case, patient, visit, ledger)
    bare = rng.random() < _BARE_SHARE and fault not in BROKEN_FILES
    quality = 70 if fault == "near_duplicate" else 90
    data, pixel_bytes = write_dicom(subject, stored, syntax, plan.burned_in, bare, quality)
    if fault == "truncated":
        data = truncate(data, pixel_bytes)
    elif fault == "corrupt":
        data = garble(data, pixel_bytes, rng)
    elif bare:
        data = data[132:]  # without preamble and DICM prefix: it starts with the file meta information
    return ImageFile(data, syntax, ledger)


def picture(config: SynthConfig, case: Case, number: int) -> tuple[Stored, uid.UID]:
    """Image ``number`` of a case as stored, and its transfer syntax unless a fault changes it."""
    rng = rng_for(config.seed, Purpose.PIXELS, case.index, number)
    cine = case.scene.modality == "US" and rng.random() < _CINE_SHARE
    # each frame of a cine loop has its own generator, numbered after those of the images
    parts = [number + 16 * f for f in range(_CINE_FRAMES if cine else 1)]
    frames = [render(case, config.seed, part, config.side) for part in parts]
    stored = store(frames, case.scene.modality, case.scene.body_part, rng)
    return stored, choose_syntax(allowed_syntaxes(stored), rng)


def _apply_fault(stored: Stored, syntax: uid.UID, fault: str, rng: np.random.Generator) -> tuple[Stored, uid.UID]:
    """The picture and its transfer syntax after the file's fault."""
    if fault == "exact_duplicate":  # sent again, maybe in another transfer syntax; lossy data stays as it is
        resent = choose_syntax(allowed_syntaxes(stored, lossless=True), rng)
        return stored, syntax if syntax in LOSSY else resent
    if fault == "near_duplicate":
        copy = near_copy(stored, rng)
        return copy, uid.JPEGBaseline8Bit if rng.random() < 0.5 else choose_syntax(allowed_syntaxes(copy), rng)
    if fault == "blank":
        return blank(stored, rng), syntax
    if fault == "truncated" and syntax == uid.DeflatedExplicitVRLittleEndian:
        return stored, uid.ExplicitVRLittleEndian
    if fault == "corrupt":
        return stored, choose_syntax(allowed_syntaxes(stored, compressed=True), rng)
    return stored, syntax


def write_dicom(
    subject: Subject, stored: Stored, syntax: uid.UID, burned: bool, bare: bool, quality: int
) -> tuple[bytes, int]:
    """A whole DICOM file, and the length in bytes of its pixel data's value, which comes last."""
    rng = rng_for(subject.seed, Purpose.TAGS, subject.index, subject.number)
    ds = make_header(subject, syntax, len(stored.frames), burned, bare, rng)
    pixels = encode(stored, syntax, quality)
    ds.SamplesPerPixel = 3 if stored.colour else 1
    ds.PhotometricInterpretation = pixels.photometric
    if stored.colour:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = stored.frames.shape[1:3]
    ds.BitsAllocated = 8 * stored.frames.dtype.itemsize
    ds.BitsStored, ds.HighBit = stored.bits_stored, stored.bits_stored - 1
    ds.PixelRepresentation = int(stored.signed)
    if stored.rescale:
        ds.RescaleSlope, ds.RescaleIntercept = stored.rescale
        ds.RescaleType = "HU"
    if stored.window:
        ds.WindowCenter, ds.WindowWidth = stored.window
    if syntax in LOSSY:
        ds.LossyImageCompression = "01"
    ds.add_new("PixelData", pixels.vr, pixels.data)
    ds["PixelData"].is_undefined_length = syntax.is_encapsulated
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue(), len(pixels.data)


def _burned_lines(patient: Patient, visit: Visit, ledger: Ledger, rng: np.random.Generator) -> list[str]:
    """Name (or the MRN, if the name has no ASCII letters) and date, as drawn into the picture."""
    plain = [
        unicodedata.normalize("NFKD", s).encode("ascii", "ignore").decode() for s in (patient.surname, patient.given)
    ]
    surname, given = (s.upper() for s in plain)
    scratch = Ledger()  # drawn strings go into the real ledger with `note_drawn`
    date = ledger.note_drawn(write_date(visit.date, str(rng.choice(["dash", "us", "dots"])), scratch))
    if min(len(surname), len(given)) < 6:
        return [ledger.note_drawn(patient.mrn), date]
    return [ledger.note_drawn(f"{surname}, {given}", surname, given), f"{date}  {ledger.note_drawn(patient.mrn)}"]


def _stray_letter(patient: Patient, visit: Visit, ledger: Ledger, rng: np.random.Generator) -> bytes:
    """A letter that was filed among the images by mistake."""
    text = (
        f"Dear Dr. {ledger.note(visit.referring[0])},\n\nregarding {patient.name('full', ledger)} "
        f"({ledger.note(patient.mrn)}), seen on {write_date(visit.date, 'long', ledger)}.\n"
    )
    return (("%PDF-1.4\n" if rng.random() < 0.5 else "") + text).encode()
