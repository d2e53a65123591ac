"""The files that everyone reads: plain pictures with captions, and DICOM series, made of a synthetic archive."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.uid import generate_uid

from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom
from curate.sources.images.encode import encode_jpeg, encode_png, resize
from curate.sources.picture import PixelRules
from curate.synth.archive import SynthConfig, write_archive

SIDE = 256
SECRET = "ab" * 32


def synthetic(folder: Path, studies: int) -> Path:
    """An archive of `curate synth`, 512 px, once."""
    if not folder.exists():
        write_archive(folder, SynthConfig(studies=studies, seed=11, side=512))
    return folder


def plain(archive: Path, out: Path, n: int) -> Path:
    """``n`` pictures of 256 px, PNG and JPEG in turn, and pairs.csv: image, text, patient. Films that come again are
    moved by a few rows, so that no two files are equal; their texts come again, of other patients."""
    (out / "images").mkdir(parents=True)
    films = _films(archive)
    texts = [r["report"] for r in _reports(archive) if r["report"].strip()]
    with (out / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "patient"])
        for i in range(n):
            pixels = np.roll(films[i % len(films)], 3 * (i // len(films)), axis=0)
            name = f"{i:06d}.{'jpg' if i % 2 else 'png'}"
            (out / "images" / name).write_bytes(encode_jpeg(pixels, 92) if i % 2 else encode_png(pixels))
            writer.writerow([name, texts[i % len(texts)], f"P{i:06d}"])
    return out


def series(archive: Path, out: Path, n: int, slices: int) -> Path:
    """``n`` DICOM files: each of the archive's files is one of ``slices`` of its series, which share its header but for
    SOP Instance UID and Instance Number, and its pixels but for one row of native ones."""
    made = 0
    for number, path in enumerate(sorted(p for p in (archive / "dicom").rglob("*") if p.is_file())):
        try:
            dataset = pydicom.dcmread(path)
            pixels = bytearray(dataset.PixelData)
        except Exception:  # noqa: BLE001  the archive holds files broken on purpose
            continue
        encapsulated = dataset.file_meta.TransferSyntaxUID.is_encapsulated
        folder = out / f"{number:05d}"
        folder.mkdir(parents=True)
        for i in range(min(slices, n - made)):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(
                entropy_srcs=[str(number), str(i)]
            )
            dataset.InstanceNumber = i + 1
            if not encapsulated:
                pixels[: 2 * i + 2] = pixels[2 * i : 4 * i + 2]
                dataset.PixelData = bytes(pixels)
            dataset.save_as(folder / f"{i:04d}.dcm")
            made += 1
        if made == n:
            break
    return out


def _films(archive: Path) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for path in sorted(p for p in (archive / "dicom").rglob("*") if p.is_file()):
        try:
            pixels = resize(load_dicom(path, 0, PixelRules()).pixels, SIDE)
        except DropRecord:
            continue
        found.append(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    return found


def _reports(archive: Path) -> list[dict[str, str]]:
    with (archive / "reports" / "reports.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
