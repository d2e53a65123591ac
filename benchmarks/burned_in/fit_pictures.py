"""The half of pictures that the gate's weights and thresholds were fitted on, and the other that they were chosen by.

Fitting and testing share neither pictures nor fonts: pictures are parted by number (the first half of each folder is
for fitting), those of pairs by group, synthetic ones by seed, fonts by `benchmarks.drawn_text.fonts`. DATA holds
vision/brain_tumor_mri, vision/cxr_labelled, radiology_pairs, cxr_pairs and dicom/manifest.csv. Where publishers or
technologists wrote on the borders, a picture counts as clean in its central part only (`PARTS`), with nothing left out
there; of the DICOM files those in which a person reads text or a letter (`WRITTEN`) are left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pydicom

from curate.deid.pixels.intensity_views import views
from curate.deid.quiet import UNPARSEABLE, quiet
from curate.synth.anatomy import render
from curate.synth.case import draw_case

# Of the grey DICOM set: text that a person reads, and a file that decodes to a pattern. The rest look clean.
WRITTEN = ("GH355", "presidio", "JPEGLossless_1s_1f_i_16_16_bad", "CR-ModalitySequenceLUT", "RG3_")
PARTS = {"cxr_labelled": (0.2, 0.2), "radiology_pairs": (0.14, 0.1), "cxr_pairs": (0.2, 0.2)}  # cut off each side: y, x
_LEAST_SIDE = 120  # px of a central part
Named = tuple[str, np.ndarray]
T = TypeVar("T")


def clean_pictures(data: Path | None, half: int, n: int) -> list[Named]:
    """Pictures without text, named by their set: of a half 0 (for fitting) or 1 (for the report)."""
    found = [("synthetic", synthetic(half, k)) for k in range(n)]
    if data is None:
        return found
    for folder in sorted((data / "vision" / "brain_tumor_mri" / "Training").glob("*")):
        found += [("MR", _read(p, cv2.IMREAD_GRAYSCALE)) for p in of_half(folder, half, n)]
    for folder in sorted((data / "vision" / "cxr_labelled").glob("*/")):
        found += [("CR", _central(path, "cxr_labelled")) for path in of_half(folder, half, n)]
    return found + [("DICOM", frame) for _, frame in dicom_pictures(data)[half::2]]


def of_half(folder: Path, half: int, n: int) -> list[Path]:
    """``n`` files, evenly spread over the first or the second half of a folder in the order of the numbers in names.

    Neighbours by number are often slices of one patient: they stay in one half.
    """
    paths = sorted(folder.glob("*"), key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", p.name)])
    middle = len(paths) // 2
    return spread(paths[middle:] if half else paths[:middle], n)


def spread(things: Sequence[T], n: int) -> list[T]:
    """``n`` of them, evenly spread; all where they are fewer."""
    return [things[k * len(things) // n] for k in range(n)] if len(things) > n else list(things)


def pair_pictures(data: Path, half: int, n: int, each: int = 1) -> list[Named]:
    """The central parts of pictures of pairs: ``n`` groups of each set that belong to the half, ``each`` of a group.

    Of small pictures the publisher's writing takes more than the borders; they are left out.
    """
    found = []
    for name in ("radiology_pairs", "cxr_pairs"):
        images: dict[str, dict[str, None]] = {}
        for row in csv.DictReader((data / name / "pairs.csv").open()):
            images.setdefault(row["group_id"], {})[row["image"]] = None
        groups = spread([images[group] for group in sorted(images)][half::2], n)
        chosen = [image for group in groups for image in sorted(group)[:each]]
        found += [(name, _central(data / name / image, name)) for image in chosen]
    return [(name, picture) for name, picture in found if min(picture.shape) >= _LEAST_SIDE]


def _central(path: Path, name: str) -> np.ndarray:
    whole = _read(path, cv2.IMREAD_GRAYSCALE)
    y, x = (int(part * side) for part, side in zip(PARTS[name], whole.shape, strict=True))
    return np.ascontiguousarray(whole[y : whole.shape[0] - y, x : whole.shape[1] - x])


def _read(path: Path, how: int = cv2.IMREAD_COLOR) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), how), np.uint8)


def synthetic(half: int, k: int) -> np.ndarray:
    """The k-th picture of a synthetic archive, uint8, windowed where it is CT."""
    case = draw_case(100 + half, k, False, False)
    image: np.ndarray = render(case, 100 + half, 0, 400)
    if case.scene.modality == "CT":
        low, high = (-160, 240) if k % 2 else (-1000, 600)
        image = (image - low) / (high - low)
    return np.asarray(np.clip(image, 0, 1) * 255, np.uint8)


def dicom_pictures(data: Path) -> list[Named]:
    """The first frame of every grey CT, MR, PT, CR, DX and MG file that decodes and shows no text."""
    found = []
    for row in csv.DictReader((data / "dicom" / "manifest.csv").open()):
        if row["modality"] not in ("CT", "MR", "PT", "CR", "DX", "MG") or row["samples"] != "1":
            continue
        pixels = _decoded(data / "dicom" / row["file"])
        frame = pixels if pixels is None or pixels.ndim == 2 else pixels[0]
        if frame is not None and min(frame.shape) >= 64 and not any(w in row["file"] for w in WRITTEN):
            found.append((row["file"], frame))
    return found


def _decoded(path: Path) -> np.ndarray | None:
    try:
        with quiet():
            return np.asarray(pydicom.dcmread(path, force=True).pixel_array)
    except (*UNPARSEABLE, RuntimeError):  # what pydicom's decoders raise
        return None


def eight(frame: np.ndarray) -> np.ndarray:
    """Its first view: what text is drawn on."""
    return frame if frame.dtype == np.uint8 else next(views(frame))
