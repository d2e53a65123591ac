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
from dataclasses import replace
from functools import partial
from pathlib import Path

from curate.errors import RecipeError
from filters.evaluate.sets import MAX_TEXT_BYTES, EvalSet, Lazy, matches, unique
from filters.training.shards import Shards, shards_in

TYPE, CLASSES, TEMPLATES, SHARDS = (
    "dataset_type.txt", "classnames.txt", "zeroshot_classification_templates.txt", "nshards.txt",
)  # fmt: skip


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
    try:
        shards = shards_in(part, ".txt" if kind == "retrieval" else ".cls", _names(part))
    except RecipeError as error:
        raise RecipeError("data", error.problem, error.fix) from None
    keys = unique([str(key) for key in shards.keys])
    images, skipped = images_of(shards), Counter(shards.skipped)
    bare = EvalSet(folder.name, keys, images, [()] * len(keys), list(keys), known_patients=False, skipped=skipped)
    values = [shards.text(i) for i in range(len(keys))]
    return _with_captions(bare, values) if kind == "retrieval" else _with_labels(bare, values, folder)


def _with_captions(bare: EvalSet, captions: list[str]) -> EvalSet:
    lines = [tuple(x.strip() for x in text.splitlines() if x.strip()) for text in captions]
    rows = [i for i, taken in enumerate(lines) if taken]
    bare.skipped["without a text"] += len(lines) - len(rows)
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


def _names(part: Path) -> list[str] | None:
    """The shards that the split says it has, RecipeError where one is missing; None where it does not say."""
    count = _text(part / SHARDS)
    if count is None:
        return None
    if not count.strip().isdecimal() or len(count.strip()) > 7:
        raise RecipeError("data", f"{part / SHARDS} holds no number", "how many shards there are")
    names = [f"{i}.tar" for i in range(int(count))]
    if missing := [name for name in names if not (part / name).is_file()]:
        problem = f"{part} lacks {missing[0]}, and {SHARDS} says {int(count)} shards"
        raise RecipeError("data", problem, "fetch the missing shards, or correct the number")
    return names


def images_of(shards: Shards) -> list[Lazy]:
    """The pictures of shards, each read when it is asked for."""
    return [Lazy(partial(_image, shards, i)) for i in range(len(shards))]


def _image(shards: Shards, i: int) -> bytes:
    return shards.read(i).image
