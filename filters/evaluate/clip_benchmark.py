"""clip_benchmark's WebDataset layout, in which public benchmarks are exchanged.

    FOLDER/dataset_type.txt                     "retrieval", or absent or "classification"
    FOLDER/classnames.txt                       a class a line, in the order of the labels
    FOLDER/zeroshot_classification_templates.txt  a template a line, {c} for the class
    FOLDER/<split>/nshards.txt                  how many shards there are
    FOLDER/<split>/<0..n-1>.tar     key.webp|png|jpg|jpeg, and key.cls (a number) or key.txt (a caption a line)

(LAION-AI/CLIP_benchmark, `datasets/builder.py`: build_wds_dataset, and `webdataset_builder.py`.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from curate.errors import RecipeError
from filters.evaluate.sets import MAX_IMAGE_BYTES, MAX_TEXT_BYTES, EvalSet, Lazy, matches, unique
from filters.training.shards import tar_members

TYPE, CLASSES, TEMPLATES, SHARDS = (
    "dataset_type.txt", "classnames.txt", "zeroshot_classification_templates.txt", "nshards.txt",
)  # fmt: skip
_IMAGES = (".webp", ".png", ".jpg", ".jpeg")
Span = tuple[Path, int, int]  # of a member: its tar, offset and size


def is_clip_benchmark(folder: Path, split: str) -> bool:
    """Is ``folder`` in this layout? RecipeError if it is but has no such split."""
    part = _part(folder, split)
    named = any((folder / n).is_file() for n in (TYPE, CLASSES))
    if part is None and named:
        splits = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "none"
        raise RecipeError("data", f"{folder} holds no split {split!r} (found: {splits})", "--split with one of these")
    return part is not None and (named or (part / SHARDS).is_file())


def read_clip_benchmark(folder: Path, split: str) -> EvalSet:
    """A classification or retrieval set. RecipeError if its files contradict each other."""
    part = _part(folder, split)
    assert part is not None
    kind = (_text(folder / TYPE) or "classification").strip().lower()
    if kind not in ("classification", "retrieval"):
        raise RecipeError("data", f"{folder / TYPE} says {kind[:40]!r}", "classification or retrieval")
    skipped: Counter[str] = Counter()
    suffix = "txt" if kind == "retrieval" else "cls"
    samples = (sample for tar in _tars(part) for sample in _samples(tar, skipped))
    usable = [(key, members) for key, members in samples if _usable(members, suffix, skipped)]
    keys = unique([key for key, _ in usable])
    images = [Lazy(partial(_read, members["image"])) for _, members in usable]
    bare = EvalSet(folder.name, keys, images, [()] * len(keys), list(keys), known_patients=False, skipped=skipped)
    values = [_read(members[suffix]).decode("utf-8", "replace") for _, members in usable]
    return _with_captions(bare, values) if kind == "retrieval" else _with_labels(bare, values, folder)


def _with_captions(bare: EvalSet, captions: list[str]) -> EvalSet:
    lines = [tuple(x.strip() for x in text.splitlines() if x.strip()) for text in captions]
    rows = [i for i, taken in enumerate(lines) if taken]
    bare.skipped["without a caption"] += len(lines) - len(rows)
    taken = bare.take(rows)
    return replace(taken, texts=[lines[i] for i in rows], skipped=+taken.skipped)


def _with_labels(bare: EvalSet, numbers: list[str], folder: Path) -> EvalSet:
    classes = tuple(x.strip() for x in (_text(folder / CLASSES) or "").rstrip().splitlines())
    if not classes:
        raise RecipeError("data", f"{folder / CLASSES} is not there or empty", "a class a line, in the labels' order")
    labels = [int(x) if x.strip().isdecimal() and len(x) < 10 else -1 for x in numbers]
    rows = [i for i, label in enumerate(labels) if 0 <= label < len(classes)]
    bare.skipped[f"with a label that {CLASSES} does not have"] += len(labels) - len(rows)
    taken = bare.take(rows)
    templates = tuple(x.strip() for x in (_text(folder / TEMPLATES) or "").splitlines() if "{c}" in x)
    labels = [labels[i] for i in rows]
    return replace(taken, labels=labels, classes=classes, templates=templates, skipped=+taken.skipped)


def _part(folder: Path, split: str) -> Path | None:
    """The split's folder, under any of its usual names."""
    if (folder / split).is_dir():
        return folder / split
    return next((p for p in sorted(folder.iterdir()) if p.is_dir() and matches(p.name, split)), None)


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise RecipeError("data", f"{path} is over a megabyte", "a short list, a line each")
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _tars(part: Path) -> list[Path]:
    count = _text(part / SHARDS)
    if count is None:
        return sorted(part.glob("*.tar"))
    if not count.strip().isdecimal() or len(count.strip()) > 7:
        raise RecipeError("data", f"{part / SHARDS} holds no number", "how many shards there are")
    tars = [part / f"{i}.tar" for i in range(int(count))]
    missing = [t.name for t in tars if not t.is_file()]
    if missing:
        problem = f"{part} lacks {missing[0]}, and {SHARDS} says {len(tars)} shards"
        raise RecipeError("data", problem, "fetch the missing shards, or correct the number")
    return tars


def _samples(tar: Path, skipped: Counter[str]) -> Iterator[tuple[str, dict[str, Span]]]:
    """Records of one tar: members that share a name up to its last suffix, since a key may contain dots (a UID). Of a
    truncated tar the readable members are returned."""
    records: dict[str, dict[str, Span]] = {}
    for name, offset, size in tar_members(tar, skipped):
        stem, suffix = name.rpartition("/")[2].rpartition(".")[::2]
        part = "image" if f".{suffix.lower()}" in _IMAGES else suffix.lower()
        if part in ("image", "cls", "txt"):
            records.setdefault(stem, {}).setdefault(part, (tar, offset, size))
    return iter(records.items())


def _usable(members: dict[str, Span], wanted: str, skipped: Counter[str]) -> bool:
    problem = (
        "without an image" if "image" not in members
        else "without a caption" if wanted not in members and wanted == "txt"
        else "without a label" if wanted not in members
        else "too large" if members["image"][2] > MAX_IMAGE_BYTES or members[wanted][2] > MAX_TEXT_BYTES
        else ""
    )  # fmt: skip
    if problem:
        skipped[problem] += 1
    return not problem


def _read(span: Span) -> bytes:
    path, offset, size = span
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
