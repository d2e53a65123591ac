"""A command imports what it uses: no plan and no finished run waits for a model's libraries, Ray or pandas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.pipelines.archive import make_archive, recipe_for

HEAVY = ("torch", "torchvision", "open_clip", "open_clip_train", "transformers", "timm", "tensorboardX", "sklearn")
HEAVY += ("scipy", "pandas", "ray", "webdataset", "rapidocr", "rapidocr_onnxruntime", "onnxruntime", "faiss")
_RUN = """
import json, sys
sys.argv = ["curate", *sys.argv[1:]]
from pipelines.cli import main
code = 0
try:
    main()
except SystemExit as end:
    code = end.code or 0
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(*arguments: str) -> set[str]:
    """The packages that a command has imported when it ends; it must end well."""
    done = subprocess.run([sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=True)
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(names)


def test_a_plan_and_a_finished_run_import_no_model_no_ray_and_no_pandas(secret_file: Path, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 6)
    filters = {
        "ours": {},
        "blip": {},
        "blip2": {},
        "medclip": {},
        "binary": {},
        "image_quality": {},
        "text_quality": {},
    }
    recipe = recipe_for(archive, tmp_path / "run", secret_file, filters=filters, select={"by": "ours", "keep": 0.5})
    assert not loaded("plan", str(recipe)).intersection(HEAVY)
    plain = {"filters": {}, "select": {}, "deid": {"burned_in": "trust"}, "engine": {"workers": 1}}
    recipe = recipe_for(archive, tmp_path / "run", secret_file, **plain)
    for command in ("run", "run", "plan"):
        assert not loaded(command, str(recipe)).intersection(HEAVY)


def test_help_waits_for_nothing() -> None:
    assert not loaded("--help").intersection({*HEAVY, "pydantic", "pyarrow", "polars", "numpy", "pydicom"})


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
