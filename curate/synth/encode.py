"""Transfer syntaxes: which ones fit which pixels, and the encoded pixel data (PS3.5 section 10 and annex A)."""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder

from curate.synth.stored import Frames, Stored

LOSSY = (uid.JPEGBaseline8Bit,)
_NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
_COMPRESSED = (uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless)
_SHARE = {
    uid.ImplicitVRLittleEndian: 3.0,
    uid.ExplicitVRLittleEndian: 5.0,
    uid.ExplicitVRBigEndian: 0.7,
    uid.DeflatedExplicitVRLittleEndian: 0.7,
    uid.RLELossless: 1.0,
    uid.JPEGLosslessSV1: 1.5,
    uid.JPEGLSLossless: 1.0,
    uid.JPEG2000Lossless: 1.5,
    uid.HTJ2KLossless: 0.7,
    uid.JPEGBaseline8Bit: 2.5,
}


@dataclass(frozen=True)
class PixelData:
    """The value of (7FE0,0010), the VR to write it with, and the photometric interpretation it now has."""

    data: bytes
    vr: str
    photometric: str


def allowed_syntaxes(stored: Stored, lossless: bool = False, compressed: bool = False) -> list[uid.UID]:
    """The syntaxes these pixels may be written in; ``lossless`` and ``compressed`` narrow the choice."""
    syntaxes = [*(() if compressed else _NATIVE), uid.RLELossless]
    if not stored.signed:
        syntaxes += [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless]
        if not stored.colour:
            syntaxes.append(uid.JPEGLosslessSV1)
        if stored.bits_stored == 8 and not lossless:
            syntaxes.append(uid.JPEGBaseline8Bit)
    return syntaxes


def choose_syntax(choices: list[uid.UID], rng: np.random.Generator) -> uid.UID:
    """One of ``choices``, the common ones more often."""
    share = np.array([_SHARE[c] for c in choices])
    return choices[int(rng.choice(len(choices), p=share / share.sum()))]


def encode(stored: Stored, syntax: uid.UID, quality: int = 90) -> PixelData:
    """The pixel data of all frames; ``quality`` is JPEG baseline's."""
    if syntax in _NATIVE:
        return _native(stored, syntax)
    photometric = stored.photometric
    if stored.colour:
        photometric = {
            uid.JPEGBaseline8Bit: "YBR_FULL_422",
            uid.JPEG2000Lossless: "YBR_RCT",
            uid.HTJ2KLossless: "YBR_RCT",
        }.get(syntax, photometric)
    coded = [_encode_frame(f, stored, syntax, quality) for f in stored.frames]
    return PixelData(encapsulate(coded), "OB", photometric)


def _native(stored: Stored, syntax: uid.UID) -> PixelData:
    """Native pixels; 8-bit ones as OB where the VR is explicit, so that no byte order applies to them."""
    frames = stored.frames
    stored_order = frames.dtype.newbyteorder(">" if syntax == uid.ExplicitVRBigEndian else "<")
    data = frames.astype(stored_order).tobytes()
    words = frames.dtype.itemsize == 2 or syntax == uid.ImplicitVRLittleEndian
    return PixelData(data + b"\0" * (len(data) % 2), "OW" if words else "OB", stored.photometric)


def _encode_frame(frame: Frames, stored: Stored, syntax: uid.UID, quality: int) -> bytes:
    if syntax == uid.RLELossless:
        return _encode_rle(frame, stored)
    if syntax == uid.JPEGBaseline8Bit:
        return bytes(imagecodecs.jpeg8_encode(frame, level=quality, subsampling="422" if stored.colour else None))
    if syntax == uid.JPEGLosslessSV1:
        return bytes(imagecodecs.ljpeg_encode(frame, bitspersample=stored.bits_stored))
    if syntax == uid.JPEGLSLossless:
        return bytes(imagecodecs.jpegls_encode(frame))
    if syntax == uid.JPEG2000Lossless:
        return bytes(imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, mct=stored.colour))
    assert syntax == uid.HTJ2KLossless, syntax
    return bytes(imagecodecs.htj2k_encode(frame, reversible=True, rgb=stored.colour))


def _encode_rle(frame: Frames, stored: Stored) -> bytes:
    coder = get_encoder(uid.RLELossless)
    return bytes(
        coder.encode(
            frame,
            encoding_plugin="pylibjpeg",
            rows=frame.shape[0],
            columns=frame.shape[1],
            number_of_frames=1,
            samples_per_pixel=3 if stored.colour else 1,
            bits_allocated=8 * frame.dtype.itemsize,
            bits_stored=stored.bits_stored,
            pixel_representation=int(stored.signed),
            photometric_interpretation=stored.photometric,
            planar_configuration=0,
        )
    )


assert set(_SHARE) == {*_NATIVE, *_COMPRESSED, *LOSSY}
