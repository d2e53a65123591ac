"""Records as shards, and choices of them as files of keys: what a training and an exam are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import webdataset

from curate.storage import commit_bytes, table_bytes
from filters.method import Records

_SUFFIX = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpg"))


def write_shards(
    folder: Path, records: Records, facts: Sequence[Mapping[str, Any]] | None = None, per_shard: int = 500
) -> Path:
    """``records`` as tars in ``folder``, whole or not at all; their patients and ``facts`` in each .json."""
    if folder.is_dir():
        return folder
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for number, start in enumerate(range(0, len(records), per_shard)):
        with webdataset.TarWriter(str(making / f"{number:06d}.tar"), mtime=0) as tar:
            for i in range(start, min(start + per_shard, len(records))):
                said = {"key": records.keys[i], "patient": records.groups[i], **(facts[i] if facts else {})}
                image = records.images[i]
                parts = {_suffix(image): image, "txt": records.texts[i], "json": json.dumps(said)}
                tar.write({"__key__": records.keys[i], **parts})
    making.rename(folder)
    return folder


def _suffix(image: bytes) -> str:
    return next(name for start, name in _SUFFIX if image.startswith(start))


def write_keys(path: Path, keys: Iterable[str]) -> str:
    """A Parquet file of ``keys``, each once, as `TrainingJob.only` takes it."""
    named = list(keys)
    weights = pa.array(np.ones(len(named)), pa.float32())
    commit_bytes(path, table_bytes(pa.table({"key": pa.array(named, pa.string()), "weight": weights})))
    return str(path)


def as_jpeg(image: bytes, quality: int = 95) -> bytes:
    """A grey picture as JPEG."""
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
