"""Sets of image files: a table with paths, or a folder with a subfolder a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from curate.errors import DropRecord, RecipeError
from curate.record import Reason
from curate.sources.reports.formats import as_string
from curate.sources.reports.rows import named_rows, open_records
from filters.evaluate.sets import MAX_TEXT_BYTES, EvalSet, file_image, gather, inside, matches, plain, unique

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
COLUMNS = {
    "image": ("image", "image_path", "path", "file", "filename", "file_name", "filepath"),
    "text": ("text", "caption", "report", "impression", "findings"),
    "label": ("label", "class", "target"),
    "patient": ("group_id", "patient", "patient_id", "subject_id", "patientid"),
    "key": ("key", "image_id", "id"),
    "split": ("split", "fold"),
}  # names of columns, the most likely first
_IDS = {*COLUMNS["patient"], *COLUMNS["key"]}  # identifiers, no facts
_NAMES = {"region": "body_part", "location_category": "body_part", "plane": "view", "gender": "sex", "site": "source"}


def read_pairs(table: Path, split: str) -> EvalSet:
    """The rows of ``split`` (all, if there is no such column) whose image lies in the table's folder.

    RecipeError if the table has no column of images, or none of texts or labels, or no such split.
    """
    rows, columns, skipped = _rows(table)
    if "image" not in columns or not {"text", "label"} & columns.keys():
        fix = "a column 'image' with paths below the table's folder, and 'text' or 'label'"
        raise RecipeError("data", f"{table} has the columns {', '.join(rows[0]) if rows else 'none'}", fix)
    rows = _of_split(table, rows, columns.get("split"), split)
    root, usable, images = table.parent, [], []
    for row in rows:
        path = inside(root, row[columns["image"]])
        text = row.get(columns.get("text", ""), "").strip()
        label = row.get(columns.get("label", ""), "").strip()
        problem = (
            "with an image that is not in the table's folder" if path is None
            else "without a text or a label" if not (text or label)
            else "with a text of over a megabyte" if len(text) > MAX_TEXT_BYTES
            else ""
        )  # fmt: skip
        if problem or path is None:
            skipped[problem] += 1
            continue
        usable.append(row)
        images.append(path)
    return _assembled(table.parent.name, usable, images, columns, skipped)


def _rows(table: Path) -> tuple[list[dict[str, str]], dict[str, str], Counter[str]]:
    """(rows, role -> column, counts of skipped rows) of the whole table, every value a string."""
    try:
        with open_records(table) as opened:
            names, rows = named_rows(opened)
            records = list(rows)
    except DropRecord as dropped:
        raise RecipeError("data", f"{table} cannot be read ({dropped.reason})", "write it again") from None
    skipped: Counter[str] = Counter()
    read = []
    for row in records:
        if isinstance(row, Reason):
            skipped[f"in rows that cannot be read ({row.value})"] += 1
        else:
            read.append({name: as_string(row.get(name)) for name in names})
    low = {n.strip().lower(): n for n in reversed(names)}
    by_role = {role: [low[a] for a in wanted if a in low] for role, wanted in COLUMNS.items()}
    return read, {role: names[0] for role, names in by_role.items() if names}, skipped


def _of_split(table: Path, rows: list[dict[str, str]], column: str | None, split: str) -> list[dict[str, str]]:
    if column is None:
        return rows
    chosen = [r for r in rows if matches(r[column], split)]
    if rows and not chosen:
        splits = ", ".join(sorted({r[column] for r in rows})[:8])
        raise RecipeError("data", f"{table} has no split {split!r} (found: {splits})", "--split with one of these")
    return chosen


def _assembled(
    name: str, rows: Sequence[dict[str, str]], images: Sequence[Path], columns: dict[str, str], skipped: Counter[str]
) -> EvalSet:
    not_facts = {c for role, c in columns.items() if role != "label"} | {
        n for n in (rows[0] if rows else ()) if n.lower() in _IDS
    }
    facts = [{_NAMES.get(c.lower(), c.lower()): v for c, v in row.items() if c not in not_facts} for row in rows]
    texts = [plain(row.get(columns.get("text", ""), "")).strip() for row in rows]
    labels = [row.get(columns.get("label", ""), "").strip() for row in rows]
    classes = tuple(sorted({x for x in labels if x}))
    patients = [row.get(columns.get("patient", ""), "").strip() for row in rows]
    keys = unique([row.get(columns.get("key", ""), "").strip() or row[columns["image"]] for row in rows])
    if "label" in columns:
        for fact in facts:
            fact.pop(columns["label"].lower(), None)  # the label is the class, not a fact as well
    return EvalSet(
        name=name,
        keys=keys,
        images=[file_image(p) for p in images],
        texts=[(t,) if t else () for t in texts],
        groups=[p or k for p, k in zip(patients, keys, strict=True)],
        facts=gather(facts),
        known_patients=any(patients),
        labels=[classes.index(x) if x else -1 for x in labels] if classes else None,
        classes=tuple(words(c) for c in classes),
        skipped=skipped,
    )


def class_folders(folder: Path) -> list[Path]:
    """Subfolders that hold images, by name."""
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and any(_images(p))]


def read_classes(folder: Path, name: str) -> EvalSet:
    """Every image of the subfolders of ``folder``; a subfolder's name is the class."""
    folders = class_folders(folder)
    classes = [words(p.name) for p in folders]
    keys: list[str] = []
    images: list[Path] = []
    labels: list[int] = []
    skipped: Counter[str] = Counter()
    for number, part in enumerate(folders):
        for file in _images(part):
            path = inside(folder, f"{part.name}/{file.name}")
            if path is None:
                skipped["with an image that leads out of the folder"] += 1
                continue
            keys.append(f"{part.name}/{file.name}")
            images.append(path)
            labels.append(number)
    return EvalSet(
        name=name, keys=keys, images=[file_image(p) for p in images], texts=[()] * len(keys), groups=list(keys),
        known_patients=False, labels=labels, classes=tuple(classes), skipped=skipped,
    )  # fmt: skip


def _images(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES)


def words(name: str) -> str:
    """A class's name in words: ``glioma_tumor`` is "glioma tumor"."""
    return " ".join(plain(name).replace("_", " ").split())
