"""Plain image files: every page through the pixel gate, then written as a file with pixels and nothing else."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from curate.deid.attest import SECOND_LOOK
from curate.deid.pixels.gate import gate
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.verify.files import file_findings
from curate.deid.verify.finding import rejection_reason
from curate.deid.verify.pixels import pixel_findings
from curate.deid_export.image_write import bare_jpeg, cut_short, encode_tiff
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.jpeg import is_lossless
from curate.sources.images.read import Opened, decode, encode_jpeg, encode_png, open_image
from curate.sources.third_party import call_third_party

_QUALITY = 97  # of a JPEG that must be encoded again


def clean_image(path: Path, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str] = ()) -> Outcome:
    """An image file with pixels only: JPEG and TIFF stay so, PNG, BMP, WebP and JPEG 2000 become PNG, or TIFF if PNG
    cannot hold their depth.

    Pixels are kept exactly as `curate.sources.images.read.decode` reads them, every page of a TIFF. A JPEG keeps its
    coded data unless text was blanked, it had to be turned, or its data holds more than pixels: then it is encoded
    again with quality 97, or as PNG if its values were coded losslessly or have over 8 bits. Of an animation the
    first frame is kept. ``phi`` are values to search for in the output, ``rules.max_bytes`` limits all decoded pages
    together. Never raises for bad data.
    """
    try:
        return _clean(open_image(path, rules.max_bytes), rules, pseudo, phi)
    except DropRecord as dropped:
        return Outcome(dropped.reason)


def _clean(image: Opened, rules: ReleaseRules, pseudo: Pseudonymizer, phi: Sequence[str]) -> Outcome:
    if sum(page.rows * page.columns * page.bytes_per_pixel for page in image.pages) > rules.max_bytes:
        raise DropRecord(Reason.TOO_LARGE)
    actions: Counter[str] = Counter()
    pages, turned = [], False
    for page in image.pages:
        stored, orientation = decode(image, page)
        turned |= orientation in range(2, 9)
        gated = gate(stored, None, rules.pixels)
        if gated.reason is not None:
            return Outcome(gated.reason)
        actions["blank pixels"] += len(gated.regions) if gated.pixels is not stored else 0
        pages.append(gated.pixels)
    blanked = actions["blank pixels"] > 0
    verified = rules.pixels.burned_in != "trust" and (blanked or _sampled(image.data, rules.second_look, pseudo))
    actions[SECOND_LOOK] += verified and not blanked
    if verified and (pixel_codes := pixel_findings(pages, phi)):
        return Outcome(rejection_reason(pixel_codes), actions=+actions, findings=tuple(pixel_codes))
    actions.update({"turn pixels": int(turned), "drop frames": image.left, "drop metadata": 1})
    written, suffix = _encode(image, pages, untouched=not actions["blank pixels"] and not turned)
    codes = file_findings(written, suffix, phi)
    if codes:
        return Outcome(rejection_reason(codes), findings=tuple(codes))
    return Outcome(None, written, suffix, dict(sorted((+actions).items())))


def _sampled(data: bytes, share: float, pseudo: Pseudonymizer) -> bool:
    """Is this file in the sample that the verifier reads whatever the gate said? Decided by its content alone."""
    if share <= 0:
        return False
    number = pseudo.digest("second-look", hashlib.sha256(data).hexdigest())
    return int.from_bytes(number[:8], "big") < share * 2.0**64


def _encode(image: Opened, pages: list[np.ndarray], untouched: bool) -> tuple[bytes, str]:
    first = pages[0]
    if image.kind == "jpeg":
        bare = _same_jpeg(image.data) if untouched else None
        if bare is not None:
            return bare, ".jpg"
        if first.dtype == np.uint8 and not is_lossless(image.data):
            return encode_jpeg(first, _QUALITY), ".jpg"
    if image.kind == "tiff" or first.dtype not in (np.uint8, np.uint16):
        return encode_tiff(pages), ".tif"
    return encode_png(first), ".png"


def _same_jpeg(data: bytes) -> bytes | None:
    """The JPEG without its metadata, proven to decode to the same pixels and to need its coded data to the end; or
    None."""
    bare = bare_jpeg(data)
    before = _decoded(data) if bare is not None else np.empty(0)
    if bare is None or not before.size or not np.array_equal(before, _decoded(bare)):
        return None
    return None if any(np.array_equal(before, _decoded(cut)) for cut in cut_short(bare)) else bare


def _decoded(data: bytes) -> np.ndarray:
    """The pixels by Pillow; empty for what it cannot decode."""
    try:
        with call_third_party(Reason.UNDECODABLE, Image.open, io.BytesIO(data), formats=("JPEG",)) as image:
            call_third_party(Reason.UNDECODABLE, image.load)
            return np.asarray(image)
    except DropRecord:
        return np.empty(0)
