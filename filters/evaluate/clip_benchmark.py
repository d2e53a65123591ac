"""clip_benchmark's WebDataset layout, read and written, so that public benchmarks and this product's sets exchange.

    FOLDER/dataset_type.txt                     "retrieval", or absent or "classification"
    FOLDER/classnames.txt                       a class a line, in the order of the labels
    FOLDER/zeroshot_classification_templates.txt  a template a line, {c} for the class
    FOLDER/<split>/nshards.txt                  how many shards there are
    FOLDER/<split>/<0..n-1>.tar     key.webp|png|jpg|jpeg, and key.cls (a number) or key.txt (a caption a line)

(LAION-AI/CLIP_benchmark, `datasets/builder.py`: build_wds_dataset, and `webdataset_builder.py`.)
"""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from curate.errors import RecipeError
from curate.storage import commit_bytes
from filters.evaluate.sets import MOST_IMAGE, MOST_TEXT, EvalSet, Lazy, matches, unique
from filters.training.shards import CUT_SHORT

TYPE, CLASSES, TEMPLATES, SHARDS = (
    "dataset_type.txt", "classnames.txt", "zeroshot_classification_templates.txt", "nshards.txt",
)  # fmt: skip
_IMAGES = (".webp", ".png", ".jpg", ".jpeg")
_PNG, _RIFF = b"\x89PNG\r\n\x1a\n", b"RIFF"
_PER_SHARD = 10_000
Span = tuple[Path, int, int]  # of a member: its tar, offset and size


def is_clip_benchmark(folder: Path, split: str) -> bool:
    """Whether ``folder`` is laid out so; RecipeError where it is, but for the split."""
    part = _part(folder, split)
    named = any((folder / n).is_file() for n in (TYPE, CLASSES))
    if part is None and named:
        held = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "none"
        raise RecipeError("data", f"{folder} holds no split {split!r} (found: {held})", "--split with one of these")
    return part is not None and (named or (part / SHARDS).is_file())


def read_clip_benchmark(folder: Path, split: str) -> EvalSet:
    """A classification or retrieval set. RecipeError where its files do not fit each other."""
    part = _part(folder, split)
    assert part is not None
    kind = (_text(folder / TYPE) or "classification").strip().lower()
    if kind not in ("classification", "retrieval"):
        raise RecipeError("data", f"{folder / TYPE} says {kind[:40]!r}", "classification or retrieval")
    skipped: Counter[str] = Counter()
    told = "txt" if kind == "retrieval" else "cls"
    held = (sample for tar in _tars(part) for sample in _samples(tar, skipped))
    found = [(key, members) for key, members in held if _usable(members, told, skipped)]
    keys = unique([key for key, _ in found])
    images = [Lazy(partial(_read, members["image"])) for _, members in found]
    plain = EvalSet(folder.name, keys, images, [()] * len(keys), list(keys), known_patients=False, skipped=skipped)
    said = [_read(members[told]).decode("utf-8", "replace") for _, members in found]
    return _with_captions(plain, said) if kind == "retrieval" else _with_labels(plain, said, folder)


def _with_captions(plain: EvalSet, captions: list[str]) -> EvalSet:
    lines = [tuple(x.strip() for x in text.splitlines() if x.strip()) for text in captions]
    told = [i for i, found in enumerate(lines) if found]
    plain.skipped["without a caption"] += len(lines) - len(told)
    found = plain.take(told)
    return EvalSet(
        found.name, found.keys, found.images, [lines[i] for i in told], found.groups,
        known_patients=False, skipped=+found.skipped,
    )  # fmt: skip


def _with_labels(plain: EvalSet, numbers: list[str], folder: Path) -> EvalSet:
    classes = tuple(x.strip() for x in (_text(folder / CLASSES) or "").rstrip().splitlines())
    if not classes:
        raise RecipeError("data", f"{folder / CLASSES} is not there or empty", "a class a line, in the labels' order")
    labels = [int(x) if x.strip().isdecimal() and len(x) < 10 else -1 for x in numbers]
    told = [i for i, label in enumerate(labels) if 0 <= label < len(classes)]
    plain.skipped[f"with a label that {CLASSES} does not have"] += len(labels) - len(told)
    found = plain.take(told)
    templates = tuple(x.strip() for x in (_text(folder / TEMPLATES) or "").splitlines() if "{c}" in x)
    return EvalSet(
        found.name, found.keys, found.images, found.texts, found.groups, known_patients=False,
        labels=[labels[i] for i in told], classes=classes, templates=templates, skipped=+found.skipped,
    )  # fmt: skip


def _part(folder: Path, split: str) -> Path | None:
    """The split's folder: the set's own name of it."""
    if (folder / split).is_dir():
        return folder / split
    return next((p for p in sorted(folder.iterdir()) if p.is_dir() and matches(p.name, split)), None)


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MOST_TEXT:
            raise RecipeError("data", f"{path} is over a megabyte", "a short list, a line each")
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _tars(part: Path) -> list[Path]:
    told = _text(part / SHARDS)
    if told is None:
        return sorted(part.glob("*.tar"))
    if not told.strip().isdecimal() or len(told.strip()) > 7:
        raise RecipeError("data", f"{part / SHARDS} holds no number", "how many shards there are")
    tars = [part / f"{i}.tar" for i in range(int(told))]
    missing = [t.name for t in tars if not t.is_file()]
    if missing:
        problem = f"{part} lacks {missing[0]}, and {SHARDS} says {len(tars)} shards"
        raise RecipeError("data", problem, "fetch the missing shards, or correct the number")
    return tars


def _samples(tar: Path, skipped: Counter[str]) -> Iterator[tuple[str, dict[str, Span]]]:
    """Records of one tar: members of one name but for its last suffix, as a key may hold dots (a UID). What a tar cut
    short still holds is read."""
    records: dict[str, dict[str, Span]] = {}
    size = tar.stat().st_size
    try:
        with tarfile.open(tar, "r:") as held:
            for member in held:
                stem, suffix = member.name.rpartition("/")[2].rpartition(".")[::2]
                part = "image" if f".{suffix.lower()}" in _IMAGES else suffix.lower()
                if member.isfile() and part in ("image", "cls", "txt") and member.offset_data + member.size <= size:
                    records.setdefault(stem, {}).setdefault(part, (tar, member.offset_data, member.size))
    except (tarfile.TarError, OSError, EOFError):
        skipped[CUT_SHORT] += 1
    return iter(records.items())


def _usable(members: dict[str, Span], wanted: str, skipped: Counter[str]) -> bool:
    why = (
        "without an image" if "image" not in members
        else "without a caption" if wanted not in members and wanted == "txt"
        else "without a label" if wanted not in members
        else "too large" if members["image"][2] > MOST_IMAGE or members[wanted][2] > MOST_TEXT
        else ""
    )  # fmt: skip
    if why:
        skipped[why] += 1
    return not why


def _read(span: Span) -> bytes:
    path, offset, size = span
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def write_clip_benchmark(data: EvalSet, folder: Path, split: str = "test") -> None:
    """Write ``data`` so that clip_benchmark reads it: as classes where it has labels, else with its captions.

    Images go out as they are where they are PNG, JPEG or WebP, and are left out otherwise. Equal sets give equal
    bytes. RecipeError where the set has neither labels nor texts.
    """
    labels = data.labels
    if labels is None and not any(data.texts):
        raise RecipeError("data", f"{data.name} has neither classes nor texts", "a set with one of them")
    told = "cls" if labels is not None else "txt"
    rows = [i for i in range(len(data)) if (labels[i] >= 0 if labels is not None else data.texts[i])]
    starts = range(0, len(rows), _PER_SHARD)
    for number, start in enumerate(starts):
        chosen = rows[start : start + _PER_SHARD]
        values = [str(labels[i]) if labels is not None else "\n".join(_line(t) for t in data.texts[i]) for i in chosen]
        _write_tar(folder / split / f"{number}.tar", start, [data.images[i]() for i in chosen], told, values)
    commit_bytes(folder / split / SHARDS, f"{len(starts)}\n".encode())
    commit_bytes(folder / TYPE, b"classification\n" if labels is not None else b"retrieval\n")
    if labels is not None:
        commit_bytes(folder / CLASSES, "".join(f"{_line(c)}\n" for c in data.classes).encode())
        templates = data.templates or ("{c}", "an image of {c}")
        commit_bytes(folder / TEMPLATES, "".join(f"{_line(t)}\n" for t in templates).encode())


def _line(text: str) -> str:
    return " ".join(text.split())


def _write_tar(path: Path, start: int, images: list[bytes], told: str, values: list[str]) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, (image, value) in enumerate(zip(images, values, strict=True), start):
            suffix = _suffix(image)
            if suffix is None:
                continue
            for name, data in ((suffix, image), (told, value.encode("utf-8", "replace"))):
                info = tarfile.TarInfo(f"s{number:07d}.{name}")
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))
    commit_bytes(path, sink.getvalue())


def _suffix(image: bytes) -> str | None:
    if image.startswith(_PNG):
        return "png"
    if image.startswith(b"\xff\xd8\xff"):
        return "jpg"
    return "webp" if image.startswith(_RIFF) and image[8:12] == b"WEBP" else None
