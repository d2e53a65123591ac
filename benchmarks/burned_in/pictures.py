"""Real pictures of the data folder: those seen by eye to be free of text, and the parts of them that are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pydicom

from curate.deid.quiet import UNPARSEABLE, quiet

LIST = Path(__file__).with_name("clean_pictures.csv")


@dataclass(frozen=True)
class Picture:
    """``pixels``: [H, W] or [H, W, 3] (red first) as stored; ``name``: of the file; ``modality``: as DICOM says it."""

    name: str
    modality: str
    pixels: np.ndarray


def clean_pictures(data: Path, every: int = 1) -> list[Picture]:
    """The listed parts, each seen to be free of text; ``every``: takes each so many-th."""
    lines = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    found = []
    for row in list(csv.DictReader(lines))[::every]:
        pixels = read(data / row["file"])
        if pixels is not None:
            if row["x"]:
                x, y, w, h = (int(row[k]) for k in ("x", "y", "width", "height"))
                pixels = np.ascontiguousarray(pixels[y : y + h, x : x + w])
            found.append(Picture(row["file"], row["modality"], pixels))
    return found


def read(path: Path) -> np.ndarray | None:
    """The first frame of a DICOM file, colours for a palette, or an image file's pixels; None: it does not decode."""
    if path.suffix != ".dcm":
        pixels = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)
        grey = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all()
        return np.ascontiguousarray(pixels[..., 0]) if grey else pixels
    try:
        with quiet():
            ds = pydicom.dcmread(path, force=True)
            pixels = np.asarray(ds.pixel_array)
            if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
                pixels = np.asarray(pydicom.pixels.apply_color_lut(pixels, ds))
                pixels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    except (*UNPARSEABLE, RuntimeError):  # what pydicom's decoders raise
        return None
    return pixels[0] if int(ds.get("NumberOfFrames") or 1) > 1 else pixels
