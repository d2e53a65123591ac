"""Archives as tests want them: entries in order, of any name, twice if asked."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curate.sources.images.encode import encode_png

Entries = Sequence[tuple[str, bytes]]


def png(seed: int, side: int = 48) -> bytes:
    """A picture of no text that is no other seed's."""
    return encode_png(np.random.default_rng(seed).integers(0, 255, (side, side)).astype(np.uint8))


def write_tar(path: Path, entries: Entries, links: Sequence[str] = ()) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return path


def write_tgz(path: Path, entries: Entries) -> Path:
    return write_tar(path, entries)


def write_zip(path: Path, entries: Entries, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as book:
        for name, data in entries:
            book.writestr(name, data)
    return path
