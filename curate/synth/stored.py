"""From a rendered picture to the integers that a modality stores: bit depth, polarity, rescale, window, colour; the
transfer syntaxes that fit them, and the encoded pixel data (PS3.5 section 10 and annex A)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder

from curate.synth.canvas import Image
from curate.synth.faults import rescale_contrast

Frames = NDArray[Any]  # uint8, uint16 or int16: [n, h, w], or [n, h, w, 3] for colour

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
_CT_WINDOW = {"HEAD": (40.0, 80.0), "CHEST": (-500.0, 1500.0), "ABDOMEN": (60.0, 400.0)}


@dataclass(frozen=True)
class Stored:
    """Pixels as stored, and the attributes of PS3.3 C.7.6.3 and C.11 that describe them."""

    frames: Frames
    photometric: str
    bits_stored: int
    rescale: tuple[float, float] | None = None  # slope, intercept
    window: tuple[float, float] | None = None  # centre, width, after the rescale

    @property
    def signed(self) -> bool:
        """PixelRepresentation is 1."""
        return bool(np.issubdtype(self.frames.dtype, np.signedinteger))

    @property
    def colour(self) -> bool:
        """Three samples a pixel."""
        return self.frames.ndim == 4

    @property
    def ink(self) -> int:
        """The stored value displayed brightest in this picture; text in it stays visible with any window."""
        return int(self.frames.min() if self.photometric == "MONOCHROME1" else self.frames.max())


def store(images: list[Image], modality: str, body_part: str, rng: np.random.Generator) -> Stored:
    """The frames of one object as its modality would store them; ``rng`` chooses among the possible forms."""
    frames = np.stack(images)
    if modality == "CT":
        return _store_ct(frames, _CT_WINDOW[body_part], rng)
    if modality == "US":
        return _store_us(frames, rng)
    if modality == "MR":
        top = float(rng.choice([900.0, 1800.0, 3600.0]))
        window = (top * 0.45, top * 0.95) if rng.random() < 0.6 else None
        return Stored((frames * top).astype(np.uint16), "MONOCHROME2", 12, None, window)
    return _store_film(frames, rng)


def _store_ct(frames: Image, window: tuple[float, float], rng: np.random.Generator) -> Stored:
    if rng.random() < 0.25:
        whole = np.round(frames).astype(np.int16)
        return Stored(whole, "MONOCHROME2", 16, (1.0, 0.0), window)
    return Stored(
        np.clip(np.round(frames) + 1024, 0, 4095).astype(np.uint16), "MONOCHROME2", 12, (1.0, -1024.0), window
    )


def _store_film(frames: Image, rng: np.random.Generator) -> Stored:
    """8 or 12 bits; a fourth of the films is stored as a negative (MONOCHROME1)."""
    eight, negative = rng.random() < 0.3, rng.random() < 0.25
    bits = 8 if eight else 12
    top = (1 << bits) - 1
    values = np.round((0.05 + 0.85 * frames) * top)
    whole = (top - values if negative else values).astype(np.uint8 if eight else np.uint16)
    middle, width = 0.5 * top, 0.9 * top
    window = (middle, width) if rng.random() < 0.5 else None
    return Stored(whole, "MONOCHROME1" if negative else "MONOCHROME2", bits, None, window)


def _store_us(frames: Image, rng: np.random.Generator) -> Stored:
    grey = np.round(frames * 255).astype(np.uint8)
    if rng.random() < 0.3:
        return Stored(grey, "MONOCHROME2", 8)
    tint = np.array([1.0, 0.97, 0.9]) if rng.random() < 0.4 else np.ones(3)
    colour = (grey[..., None] * tint).astype(np.uint8)
    height, width = grey.shape[1:]
    bar = np.linspace(255, 0, height // 3)[None, :, None, None]
    colour[:, height // 8 : height // 8 + height // 3, width - 10 : width - 4] = bar  # the grey-scale bar
    return Stored(colour, "RGB", 8)


def as_displayed(stored: Stored) -> NDArray[np.uint8]:
    """The frames with 8 bits as a workstation displays them, white is bright."""
    if stored.frames.dtype == np.uint8:
        return 255 - stored.frames if stored.photometric == "MONOCHROME1" else stored.frames
    values = stored.frames.astype(np.float32)
    slope, intercept = stored.rescale or (1.0, 0.0)
    centre, width = stored.window or (float(values.mean()), 4.0 * float(values.std()) + 1.0)
    displayed = np.clip((values * slope + intercept - centre) / width + 0.5, 0, 1) * 255
    return np.asarray(255 - displayed if stored.photometric == "MONOCHROME1" else displayed).astype(np.uint8)


def near_copy(stored: Stored, rng: np.random.Generator) -> Stored:
    """The same picture windowed to 8 bits, with slightly different contrast and size."""
    return Stored(rescale_contrast(as_displayed(stored), rng), "RGB" if stored.colour else "MONOCHROME2", 8)


def blank(stored: Stored, rng: np.random.Generator) -> Stored:
    """The same object with one value everywhere."""
    value = int(rng.choice([stored.frames.min(), stored.frames.max(), np.median(stored.frames)]))
    return replace(stored, frames=np.full_like(stored.frames, value))


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
