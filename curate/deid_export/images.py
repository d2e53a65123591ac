"""Plain image files: every page through the pixel gate, out again as a file that holds pixels and nothing else."""

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
from curate.deid.verify.finding import kept_back
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
    """An image file with pixels only: JPEG and TIFF as such, PNG, BMP, WebP and JPEG 2000 as PNG, or as TIFF where
    PNG does not hold their depth.

    Pixels are kept exactly as `curate.sources.images.read.decode` reads them, every page of a TIFF. A JPEG keeps its
    coded data, but where text was blanked, it had to be turned, or its data holds more than pixels: then it is encoded
    again with quality 97, or as PNG where its values were coded losslessly or have over 8 bits. Of an animation the
    first frame is kept. ``phi`` are values to look for in what is written, ``rules.max_bytes`` bounds all pages
    decoded. Never raises for bad data.
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
    read = rules.pixels.burned_in != "trust" and (blanked or _sampled(image.data, rules.second_look, pseudo))
    actions[SECOND_LOOK] += read and not blanked
    if read and (seen := pixel_findings(pages, phi)):
        return Outcome(kept_back(seen), actions=+actions, findings=tuple(seen))
    actions.update({"turn pixels": int(turned), "drop frames": image.left, "drop metadata": 1})
    written, suffix = _encode(image, pages, untouched=not actions["blank pixels"] and not turned)
    found = file_findings(written, suffix, phi)
    if found:
        return Outcome(kept_back(found), findings=tuple(found))
    return Outcome(None, written, suffix, dict(sorted((+actions).items())))


def _sampled(data: bytes, share: float, pseudo: Pseudonymizer) -> bool:
    """Is this one of those that the verifier reads whatever the gate said? Told by the content alone."""
    if share <= 0:
        return False
    drawn = pseudo.digest("second-look", hashlib.sha256(data).hexdigest())
    return int.from_bytes(drawn[:8], "big") < share * 2.0**64


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
    """The JPEG without its metadata, proven to decode as before, and its coded data to be needed to the end."""
    bare = bare_jpeg(data)
    before = _decoded(data) if bare is not None else np.empty(0)
    if bare is None or not before.size or not np.array_equal(before, _decoded(bare)):
        return None
    return None if any(np.array_equal(before, _decoded(cut)) for cut in cut_short(bare)) else bare


def _decoded(data: bytes) -> np.ndarray:
    """The pixels by Pillow; of what it refuses none."""
    try:
        with call_third_party(Reason.UNDECODABLE, Image.open, io.BytesIO(data), formats=("JPEG",)) as image:
            call_third_party(Reason.UNDECODABLE, image.load)
            return np.asarray(image)
    except DropRecord:
        return np.empty(0)
