"""The grounds that text is drawn on for fitting, with what is written on them already marked by an OCR package."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.fit_crops import Ground
from benchmarks.burned_in.fit_pictures import PARTS, dicom_pictures, eight, of_half, spread, synthetic
from benchmarks.burned_in.fit_text import Image8
from benchmarks.burned_in.pictures import LIST, clean_pictures
from curate.deid.pixels.boxes import Box, grown, within
from curate.deid.pixels.intensity_views import views
from curate.deid.pixels.text_detector import detected

_EACH = 60  # pictures of a folder
_GROUPS = {"radiology_pairs": 300, "cxr_pairs": 100}
_OF_TESTS = ("693_J2KR.dcm", "CT1_JLSN.dcm")  # slices that the unit tests ask about
_SIDE = 1400  # px: larger pictures are made smaller
_ALIKE = 24  # of 256 bits of a difference hash: a picture of the benchmark, or nearly
_SURE = 0.75  # of the reader, from which two characters and more are text; other finds are not asked about
SEEN = Path(__file__).with_name("fit_seen.csv")
_ABOUT, _TIMES = 180, 3  # px about what is no text that are shown alone, and how often
_SHRUNK = 0.22  # of a line's height, on each side


def grounds(data: Path) -> list[Ground]:
    """Pictures of the half for fitting; none of the benchmark's, and none that looks like one of them."""
    listed = {line.split(",")[0] for line in LIST.read_text().splitlines()}
    tested = [_hash(eight(p.pixels) if p.pixels.ndim == 2 else p.pixels.max(axis=2)) for p in clean_pictures(data)]
    others = (_read(path) for path in (data / "vqa_rad" / "images").glob("*"))
    tested += [_hash(picture) for picture in others if picture is not None]
    dicom = dict(dicom_pictures(data))
    tested += [_hash(_small(eight(frame))) for name, frame in dicom.items() if name.endswith(_OF_TESTS)]
    known, ocr, found = np.array(tested), _ocr(), []
    for path, part in _files(data):
        picture = None if str(path.relative_to(data)) in listed else _read(path)
        if picture is None or _alike(picture, known):
            continue
        free = _free(picture, part)
        found.append(Ground(picture, _marked(picture, ocr, free), free))
    bare = [synthetic(0, k) for k in range(40)]
    for name, frame in list(dicom.items())[0::2]:
        if f"dicom/{name}" not in listed and not _alike(_small(eight(frame)), known):
            bare += [_small(view) for view in views(frame)]
    return found + [Ground(p, np.zeros(p.shape, np.uint8), np.ones(p.shape, np.uint8)) for p in bare]


def doubted(on: list[Ground], least: float = 0.55) -> list[Ground]:
    """The same grounds, less what the detector as fitted so far takes for text: the OCR package misses letters of lead,
    small print and watermarks. It is not asked about, but where a person saw that there is none."""
    out = []
    for ground in on:
        marks = ground.written.copy()
        for line in detected(ground.pixels, least):
            for x, y, w, h in (within(box, marks.shape) for box in line.boxes()):
                at = np.s_[y : y + h, x : x + w]
                if not (marks[at] == 1).any():
                    marks[at][(marks[at] == 0) & (ground.free[at] == 0)] = 2
        out.append(Ground(ground.pixels, marks, ground.free))
    return out


def seen(on: list[Ground]) -> list[Ground]:
    """The same grounds with what a person saw there of the detector's finds (`SEEN`): text and signs are not asked
    about, the rest is ground, and what is about it is shown oftener."""
    told: dict[str, list[tuple[Box, bool]]] = defaultdict(list)
    for row in csv.DictReader(line for line in SEEN.open() if not line.startswith("#")):
        x, y, w, h, text = (int(row[name]) for name in ("x", "y", "width", "height", "text"))
        told[row["hash"]].append(((x, y, w, h), bool(text)))
    out = []
    for ground in on:
        marks, shape, about = ground.written.copy(), ground.pixels.shape, []
        for box, text in told.get(np.packbits(_hash(ground.pixels)).tobytes().hex(), ()):
            at = marks[_slices(within(grown(box, 2, 2), shape))]
            at[at == (0 if text else 2)] = 2 if text else 0
            about += [] if text else [_slices(within(grown(box, _ABOUT, _ABOUT), shape))] * _TIMES
        out.append(Ground(ground.pixels, marks, ground.free))
        out += [Ground(ground.pixels[part], marks[part], ground.free[part]) for part in about]
    return out


def _slices(box: Box) -> tuple[slice, slice]:
    x, y, w, h = box
    return np.s_[y : y + h, x : x + w]


def _alike(picture: Image8, known: np.ndarray) -> bool:
    return bool(((known != _hash(picture)).sum(axis=1) <= _ALIKE).any())


def _files(data: Path) -> Iterator[tuple[Path, str]]:
    """Files, and the set whose central part is known to be free of text ("": none is known)."""
    for folder in sorted((data / "vision" / "brain_tumor_mri" / "Training").glob("*")):
        yield from ((path, "") for path in of_half(folder, 0, _EACH))
    for folder in sorted((data / "vision" / "cxr_labelled").glob("*/")):
        yield from ((path, "cxr_labelled") for path in of_half(folder, 0, _EACH))
    for name, n in _GROUPS.items():
        images: dict[str, dict[str, None]] = {}
        for row in csv.DictReader((data / name / "pairs.csv").open()):
            images.setdefault(row["group_id"], {})[row["image"]] = None
        for group in spread([images[g] for g in sorted(images)][0::2], n):
            yield from ((data / name / image, name) for image in sorted(group)[:2])


def _read(path: Path) -> Image8 | None:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return None if picture is None or min(picture.shape) < 64 else _small(np.asarray(picture, np.uint8))


def _small(picture: Image8) -> Image8:
    by = min(1.0, _SIDE / max(picture.shape))
    return picture if by == 1 else np.asarray(cv2.resize(picture, None, fx=by, fy=by, interpolation=cv2.INTER_AREA))


def _hash(picture: Image8) -> np.ndarray:
    small = cv2.resize(picture, (17, 16), interpolation=cv2.INTER_AREA).astype(int)
    return np.asarray(small[:, 1:] > small[:, :-1]).ravel()


def _ocr() -> Any:  # an untyped package
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1, text_score=0.0)


def _free(picture: Image8, part: str) -> Image8:
    """uint8[H, W], 1 where the pictures of a set were seen to be free of text."""
    free = np.zeros(picture.shape, np.uint8)
    if part:
        dy, dx = (round(p * side) for p, side in zip(PARTS[part], picture.shape, strict=True))
        free[dy : picture.shape[0] - dy, dx : picture.shape[1] - dx] = 1
    return free


def _marked(picture: Image8, ocr: Any, free: Image8) -> Image8:
    """uint8[H, W]: 1 in the core of what is read, 2 where something may be."""
    marks = np.zeros(picture.shape, np.uint8)
    lines, _ = ocr(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    for corners, text, sure in lines or ():
        x, y, w, h = cv2.boundingRect(np.array(corners, np.float32))
        read = len(text) > 1 and float(sure) >= _SURE
        by = round(_SHRUNK * min(w, h)) if read else -3
        marks[max(0, y + by) : y + h - by, max(0, x + by) : x + w - by] = 1 if read else 2
    marks[(marks == 2) & (free == 1)] = 0
    return marks
