"""Every place in the product that removes something, and why it can only be the product's own. A new one fails here."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_REMOVERS = {"rmtree", "unlink", "rmdir", "removedirs", "remove_tree", "remove_below", "rm", "rm_file"}
_OF_OS = {"remove", "replace", "rename", "renames", "truncate"}

# (file, function) -> how many calls, and why what they remove is ours
WHY = {
    ("curate/storage.py", "_committed"): (1, "the temporary file it has just made, named by a random number"),
    ("curate/storage.py", "commit_folder"): (1, "the temporary folder that the caller has just made"),
    ("curate/storage.py", "remove_tree"): (
        2,
        "the one rmtree, and the one of an object store: below a folder of ours, not through a link",
    ),
    ("curate/storage.py", "sweep"): (2, "names that end in our mark of a half-written file and 8 hex digits"),
    ("curate/storage.py", "scratch_folder"): (1, "the temporary folder it has made"),
    ("curate/places.py", "unlink"): (1, "`Path.unlink` of an object: its callers are those listed here"),
    ("curate/places.py", "remove_below"): (1, "of a prefix: remove_tree alone calls it"),
    ("curate/lease.py", "take"): (1, "leases of lower numbers than the one that was just taken"),
    ("curate/sources/scan.py", "forget_dropped"): (
        1,
        "headers of a scanned chunk, below RUN/private/scan, by our names",
    ),
    ("curate/intact.py", "doubt"): (1, "verified.json of a step, which a run made"),
    ("curate/intact.py", "forget"): (2, "manifest and markers of a step, by their fixed names, below RUN/steps"),
    ("curate/ingest/index_job.py", "run"): (1, "its own inner tables, in memory"),
    ("curate/ingest/index_parts.py", "make"): (1, "its own inner tables, below RUN/private/index-*"),
    ("curate/step.py", "forget_inner"): (1, "the inner steps it has made, below a step's folder"),
    ("curate/fetch/urls.py", "_leave_reasons"): (1, "its own list of what did not come, when all has come"),
    ("curate/export/webdataset.py", "reset_shards"): (
        2,
        "after check_shards (our marker and no foreign name): the splits, and two files by name; the marker stays",
    ),
    ("curate/engine/ray_start.py", "close"): (1, "the folder that mkdtemp has made for this Ray"),
    ("curate/engine/share.py", "shared"): (
        1,
        "a partition's file in the temporary folder that the driver has made for them",
    ),
    ("curate/engine/ray_train.py", "run_ranks"): (
        1,
        "its scratch folder in the training's, which _claim owns",
    ),
    ("curate/deid_export/job.py", "release"): (1, "DST/.work, after check_folders and _claim: this job's"),
    ("curate/deid_export/job.py", "_remove_unnamed"): (
        1,
        "names that only this command gives, else RunError and nothing goes",
    ),
    ("curate/deid_export/task.py", "_released_row"): (1, "files this very call has committed"),
    ("pipelines/upkeep/withdrawal.py", "withdraw"): (1, "its own sealed note"),
    ("pipelines/upkeep/withdrawal.py", "_forget_models"): (
        2,
        "steps of filters by names that runs give, and the page by its files' names",
    ),
    ("pipelines/upkeep/verify.py", "prune_locked"): (
        2,
        "below RUN/steps and RUN/private, a run's names, no links",
    ),
    ("pipelines/run/execute.py", "execute_step"): (1, "the export step's folder below RUN/steps"),
    ("pipelines/final/train.py", "_export"): (2, "an export of before, below the training's folder, which _claim owns"),
    ("filters/task.py", "run"): (1, "the step's own model folder"),
    ("filters/training/launch.py", "_following_curve"): (1, "ended-*.json in a training's folder, which _claim owns"),
    ("filters/training/export/open_clip.py", "new_folder"): (
        2,
        "an empty folder (rmdir), and the temporary one it has made",
    ),
    ("filters/training/job.py", "drop_state"): (1, "the two checkpoints of a training, by their fixed names"),
    ("filters/training/job.py", "_save"): (1, "the temporary folder it has made"),
    ("filters/methods/ours/method.py", "train"): (
        1,
        "parts of the filter that is being made, in the folder made for it",
    ),
}


def _removals() -> Iterator[tuple[str, str]]:
    for package in ("curate", "filters", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from ((str(path.relative_to(ROOT)), name) for name in _in(ast.parse(path.read_text())))


def _in(tree: ast.Module) -> Iterator[str]:
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            of = call.func
            if isinstance(of, ast.Name) and of.id in _REMOVERS:
                yield function.name
            if isinstance(of, ast.Attribute):
                by_os = isinstance(of.value, ast.Name) and of.value.id == "os" and of.attr in _OF_OS
                if of.attr in _REMOVERS or by_os:
                    yield function.name


def test_every_removal_is_known_and_has_its_reason() -> None:
    assert Counter(_removals()) == Counter({place: count for place, (count, _) in WHY.items()})


def test_one_function_alone_removes_trees() -> None:
    users = [
        p for d in ("curate", "filters", "pipelines") for p in (ROOT / d).rglob("*.py") if "rmtree" in p.read_text()
    ]
    assert [str(p.relative_to(ROOT)) for p in users] == ["curate/storage.py"]
    users = [p for d in ("curate", "filters", "pipelines") for p in (ROOT / d).rglob("*.py")]
    users = [p for p in users if "remove_below" in p.read_text()]
    assert sorted(str(p.relative_to(ROOT)) for p in users) == ["curate/places.py", "curate/storage.py"]
