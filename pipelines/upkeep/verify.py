"""`curate verify` and `curate prune`: is a run as it was written, and what in it does nothing refer to any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import is_whole
from curate.errors import RecipeError, RunError
from curate.intact import doubt, files_of, partition_of
from curate.step import FINISHED, INNER, Step
from curate.storage import (
    OWNER,
    TEMPORARY,
    beside,
    digest_file,
    exclusive,
    is_run,
    name_from,
    private_folder,
    read_marker,
    remove_tree,
)
from pipelines.build import Pipeline, pool_pipeline
from pipelines.report.drawn import read_summary
from pipelines.run.progress import LOG, TEXTFILE

_STEP = re.compile(r"[A-Za-z0-9_.-]+-[0-9a-f]{16}")
_INDEX = re.compile(r"index-[0-9a-f]{16}")
_SCANNED = re.compile(r"([0-9a-f]{32})\.(list|headers)")
_UNCHECKED = ("train", "compare")  # what training leaves: nothing says what their bytes should be

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verified:
    """``checked``: files, ``bytes`` of them; ``damaged``: (name in the run, what is wrong); ``unchecked``: files for
    which nothing says what they should be."""

    checked: int
    bytes: int
    damaged: tuple[tuple[str, str], ...]
    unchecked: tuple[str, ...]


def verify_run(run: Path, pseudo: Pseudonymizer | None, progress: Progress | None = None) -> Verified:
    """Compare every file of the run with the digest that was written beside it, or with its own check.

    ``pseudo``: opens the sealed listings; without it those count as unchecked. A step in which something is damaged
    is compared anew by the next `curate run`, which makes exactly that again. RecipeError where ``run`` is no run.
    """
    _require_run(run)
    expected = dict(_expected(run))
    files = {name_from(path, run): path for path in sorted(run.rglob("*")) if _is_a_file(path)}
    names = sorted(files.keys() | expected.keys())
    damaged: list[tuple[str, str]] = []
    unchecked: list[str] = []
    size = 0
    with ThreadPoolExecutor() as pool:
        judged = pool.map(lambda name: _judge(name, files.get(name), expected.get(name), pseudo), names)
        for done, (name, (wrong, read)) in enumerate(zip(names, judged, strict=True), 1):
            size += read
            if wrong is None:
                unchecked.append(name)
            elif wrong:
                damaged.append((name, wrong))
            if progress:
                progress("verify", done, len(names))
    for folder in {run / "steps" / _step_of(name, expected) for name, _ in damaged if _step_of(name, expected)}:
        doubt(folder)
    return Verified(len(names) - len(unchecked), size, tuple(damaged), tuple(unchecked))


def _require_run(run: Path) -> None:
    if not is_run(run):
        raise RecipeError(str(run), "holds no run", "give the recipe's 'out' folder")


def _is_a_file(path: Path) -> bool:
    """Not a folder, nor what a killed run left half written, nor what tells of a command at work."""
    if TEMPORARY in path.name or path.parent.name == "lock.lease" or path.name in ("lock", LOG, TEXTFILE):
        return False
    return path.is_file()


def _expected(run: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """File, as named from the run -> (the step's folder that says so, its sha256), of all that a marker speaks of."""
    steps = run / "steps"
    for folder in sorted([*steps.glob("*"), *steps.glob(f"*/{INNER}/steps/*")]):  # of a killed spread step
        step = name_from(folder, steps)
        for marker_file in folder.glob("part-*.json"):
            marker = read_marker(marker_file)
            if marker is None:
                continue
            for name, sha256 in files_of(folder, partition_of(marker_file), marker).items():
                path = beside(folder, name)
                yield name_from(path, run), (step, sha256)
    if (report := read_summary(run)) is not None:
        for name, sha256 in report["files"].items():
            yield name_from(beside(run / "report", name).resolve(), run.resolve()), ("", sha256)
    owner = read_marker(run / OWNER)
    if owner is not None and "recipe" in owner:
        yield "recipe.yaml", ("", str(owner["recipe"]))


def _step_of(name: str, expected: dict[str, tuple[str, str]]) -> str:
    parts = name.split("/")
    return expected[name][0] if name in expected else parts[1] if parts[0] == "steps" and len(parts) > 2 else ""


def _judge(
    name: str, path: Path | None, noted: tuple[str, str] | None, pseudo: Pseudonymizer | None
) -> tuple[str | None, int]:
    """(what is wrong, empty where nothing is, None where nobody can say; bytes read)."""
    if path is None:
        return "missing", 0
    try:
        return _wrong(name, path, noted, pseudo), path.stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror or type(error).__name__})", 0


def _wrong(name: str, path: Path, noted: tuple[str, str] | None, pseudo: Pseudonymizer | None) -> str | None:
    if noted is not None:
        return "" if digest_file(path) == noted[1] else "damaged"
    if name.split("/")[0] in _UNCHECKED:
        return None
    if path.suffix == ".json":
        return "" if read_marker(path) is not None else "damaged"
    if path.suffix in (".headers", ".list"):
        return None if pseudo is None else "" if is_whole(path, pseudo) else "damaged"
    if name.startswith("steps/") and path.suffix == ".parquet":
        return "its marker is missing or damaged"
    return None


@dataclass(frozen=True)
class Pruned:
    """Folders and sealed listings that were removed, as named from the run, and their bytes."""

    names: tuple[str, ...]
    bytes: int


def prune_run(pipeline: Pipeline, dry: bool = False) -> Pruned:
    """Remove the steps, sealed indexes and sealed listings that neither the last finished run nor the run's recipe,
    over its archive as last walked, refers to; ``dry``: only say which.

    Names that no run gives, and links, are left. RunError where another run is at work there, or none has ended.
    """
    _require_run(pipeline.run)
    with exclusive(private_folder(pipeline.run / "private") / "lock"):
        return prune_locked(pipeline, dry)


def prune_locked(pipeline: Pipeline, dry: bool = False) -> Pruned:
    """`prune_run`, for who holds the run's lock."""
    run, names = pipeline.run, list(_unused(pipeline))
    size = sum(_size(run / name) for name in names)
    for name in names if not dry else ():
        path = run / name
        if path.is_dir():
            remove_tree(path, path.parent)
        else:
            path.unlink(missing_ok=True)
    return Pruned(tuple(names), size)


def _unused(pipeline: Pipeline) -> Iterator[str]:
    run, finished = pipeline.run, read_marker(pipeline.run / FINISHED)
    if finished is None:
        raise RunError("no run has ended here, so what it uses is not known; end it first: curate run RECIPE")
    used = {*finished["steps"], *(step.folder(run).name for step in _steps(pipeline))}
    for folder in sorted((run / "steps").glob("*")):
        if folder.name not in used and _STEP.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield f"steps/{folder.name}"
    for folder in sorted((run / "private").glob("index-*")):
        if folder.name not in used and _INDEX.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            yield f"private/{folder.name}"
    listing = read_marker(run / "listing.json")
    chunks = set(listing["chunks"]) if listing is not None and "chunks" in listing else None
    for path in sorted((run / "private" / "scan").glob("*")) if chunks is not None else ():
        found = _SCANNED.fullmatch(path.name)
        if found and chunks is not None and found[1] not in chunks:
            yield f"private/scan/{path.name}"


def _steps(pipeline: Pipeline) -> list[Step]:
    """Of the recipe, and of its comparison where there is one."""
    more = pool_pipeline(pipeline).steps() if (pipeline.run / "compare").is_dir() else []
    return [*pipeline.steps(), *more]


def _size(path: Path) -> int:
    files = [path] if not path.is_dir() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)
