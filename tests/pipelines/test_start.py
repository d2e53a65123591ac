"""A command imports what it uses, and a finished run does nothing again."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from curate.engine import Engine
from curate.task import Deferred, LeavesFiles, defer
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import CARD, FILES, summary_of
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from tests.pipelines.archive import make_archive, recipe_for

HEAVY = ("torch", "torchvision", "open_clip", "open_clip_train", "transformers", "timm", "tensorboardX", "sklearn")
HEAVY += ("scipy", "pandas", "ray", "webdataset", "rapidocr", "rapidocr_onnxruntime", "onnxruntime", "faiss")
WORKERS = ("polars", "pydicom", "cv2", "PIL", "imagecodecs", "jinja2", "curate.deid.text.scrub", "curate.ingest.chain")
WORKERS += ("curate.ingest.index", "curate.deid.verify.text", "filters.task", "curate.dedup.resolve")
PLAIN = {"filters": {}, "select": {}, "deid": {"burned_in": "trust"}, "engine": {"workers": 1}}
_RUN = """
import json, sys
sys.argv = ["curate", *sys.argv[1:]]
from pipelines.cli import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
ours = [name for name in sys.modules if name.startswith(("curate.", "filters."))]
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules}) + ours]))
"""


def loaded(*arguments: str) -> set[str]:
    """The packages, and the modules of ours, that a command has imported when it ends; it must end well."""
    done = subprocess.run([sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=True)
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(names)


def test_a_plan_and_a_finished_run_import_what_they_use(secret_file: Path, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 6)
    filters = {
        "ours": {},
        "blip": {},
        "blip2": {},
        "findings": {},
        "binary": {},
        "image_quality": {},
        "text_quality": {},
    }
    recipe = recipe_for(
        archive, tmp_path / "run", secret_file, filters=filters, select={"by": "ours", "keep": 0.5, "force": True}
    )
    assert not loaded("plan", str(recipe), "--probe", "0").intersection(HEAVY)  # what tries records needs networks
    recipe = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
    theirs = {*WORKERS} - {"polars", "cv2", "PIL", "imagecodecs", "jinja2", "filters.task"}  # the report is drawn here
    assert not loaded("run", str(recipe)).intersection({*HEAVY, *theirs})
    for command in ("run", "plan"):
        assert not loaded(command, str(recipe)).intersection({*HEAVY, *WORKERS})


def test_help_waits_for_nothing() -> None:
    assert not loaded("--help").intersection({*HEAVY, "pydantic", "pyarrow", "polars", "numpy", "pydicom"})


COMMANDS = {  # each ends where it finds that there is nothing to work on; seconds of CPU it may take until then
    "run": ("none.yaml",), "plan": ("none.yaml",), "compare": ("none.yaml",), "train": ("none.yaml",),
    "train-filter": ("none.yaml",), "status": ("none",), "explain": ("none", "00"), "report": ("none",),
    "verify": ("none",), "prune": ("none",), "remove": ("none", "--key", "0"), "browse": ("none",),
    "analyze": ("none",), "init": ("none",), "deid": ("none", "clean"), "crosswalk": ("none",), "schema": (),
    "evaluate": (".", "none"), "fetch": ("none",), "doctor": ("--secret", "none"),
}  # fmt: skip
_FAST = ("verify", "compare", "deid", "evaluate", "doctor", "browse")  # the others are slow to ask one by one
_SECONDS, _MARGIN = 1.0, 1.6  # of a quiet core; other processes share its caches


def cpu_of(*arguments: str, cwd: Path) -> tuple[int, float]:
    """The exit code, and the least CPU-seconds of two starts: what is not the program's own only adds."""
    spent = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent.append(usage.ru_utime + usage.ru_stime)
    return process.returncode, min(spent)


@pytest.mark.parametrize(
    "command", [n if n in _FAST else pytest.param(n, marks=pytest.mark.slow) for n in COMMANDS], ids=list(COMMANDS)
)
def test_a_command_says_what_is_wrong_before_it_imports_what_works(command: str, tmp_path: Path) -> None:
    code, spent = cpu_of(command, *COMMANDS[command], cwd=tmp_path)
    assert code == {"schema": 0, "doctor": 1}.get(command, 2) and spent <= _SECONDS * _MARGIN


def test_help_is_there_at_once(tmp_path: Path) -> None:
    code, spent = cpu_of("--help", cwd=tmp_path)
    assert code == 0 and spent <= 0.3 * _MARGIN


def test_a_workers_main_module_imports_no_command() -> None:
    code = "import sys, pipelines.cli; print(sorted({'typer', 'rich', 'pydantic', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_report_is_drawn_again_where_it_is_of_something_else_or_damaged(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    archive = make_archive(tmp_path / "archive", 6, side=64)
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    recipe.out.mkdir()

    def told(name: str = "run", keep: int = 1000) -> dict[str, int]:
        """The times of the report's files after a run."""
        export = recipe.export.model_copy(update={"records_per_shard": keep})
        made = recipe.model_copy(update={"name": name, "export": export})
        save_recipe(made)
        pipeline, manifests = run_pipeline(made, inline_engine, lambda *_: None)
        said = summary_of(pipeline, manifests)
        assert sum(s["records"] for s in said.shards) == manifests[-1].kept > 0
        assert said.attestation["inputs"] == 6
        return {n: (recipe.out / "report" / n).stat().st_mtime_ns for n in FILES}

    first = told()
    assert told() == first
    assert set(told("another").items()).isdisjoint(first.items())  # the page has the recipe in it
    second = told("another")
    assert set(told("another", keep=3).items()).isdisjoint(second.items())
    third = told("another", keep=3)
    for damaged in (*FILES, "summary.json"):
        path = recipe.out / "report" / damaged
        path.write_bytes(path.read_bytes()[:-9])
        assert set(told("another", keep=3).items()).isdisjoint(third.items())
        third = told("another", keep=3)
    for name in CARD:
        card = recipe.out / "report" / name
        whole, drawn = card.read_bytes(), card.stat().st_mtime_ns
        assert told("another", keep=3) and card.stat().st_mtime_ns == drawn
        card.write_bytes(whole[:-9])
        assert told("another", keep=3) and card.read_bytes() == whole
    (recipe.out / "report" / "index.html").unlink()
    told("another", keep=3)
    assert (recipe.out / "report" / "index.html").exists()


def test_a_deferred_task_is_sent_without_what_it_makes(secret_file: Path, tmp_path: Path) -> None:
    task = defer("curate.export.webdataset:ExportTask", str(tmp_path), str(tmp_path), str(tmp_path / "shards"))
    sent = pickle.dumps(task)
    with pytest.raises(FileNotFoundError):  # no parts lie there
        task.rows(0)  # made, and asked
    assert isinstance(task, LeavesFiles) and "_task" in vars(task)
    assert pickle.dumps(task) == sent and len(sent) < 1000
    held = defer("filters.evaluate.marks:MarksTask", (("x", "test"),))
    assert list(held.beside(0)) == []  # a task that leaves nothing beside its part


def test_a_step_is_named_before_its_task_is_made(secret_file: Path, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 6, side=64)
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    from pipelines.run.listing import list_archive

    pipeline = Pipeline(recipe, list_archive(recipe, recipe.secret_source().pseudonymizer(), write=False))
    assert all(step.hash for step in pipeline.steps())
    assert all(isinstance(step.task, Deferred) and "_task" not in vars(step.task) for step in pipeline.steps())


def test_arrow_does_without_pandas_until_somebody_wants_it() -> None:
    code = """
import sys
import curate.record
import pyarrow as pa
table = pa.table({"a": pa.array([1, None], pa.int32())})
assert "pandas" not in sys.modules
assert table.to_pandas()["a"].isna().tolist() == [False, True]
import pandas as pd
assert pa.array(pd.Series([1, 2], dtype="int32")).type == pa.int32()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
