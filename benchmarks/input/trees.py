"""Three archives as they lie in the world, made small, and their recipes run on them: from the recipe to shards.

    python -m benchmarks.input.trees [--studies 40] [--out benchmarks/results/trees.json]

MIMIC-CXR's folders, a PACS export with a table of the RIS, a Hugging Face image folder. Of each it is counted that
every file has a row in the funnel, and that every record ends as it was made to.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.input.layouts import Made, hf_folder, mimic_cxr, pacs_ris
from curate.engine import Engine, start_engine
from curate.engine.resources import Resources
from curate.ingest.index import image_key
from curate.report.funnel import StepCount
from curate.sources.walk import as_text, walk
from curate.step import read_parts
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import funnel
from pipelines.run.check import check
from pipelines.run.execute import run_pipeline

RECIPES = Path(__file__).parents[2] / "pipelines" / "recipes"
LAYOUTS: dict[str, Callable[[Path, int], Made]] = {
    "mimic_cxr": mimic_cxr,
    "pacs_ris": pacs_ris,
    "hf_folder": hf_folder,
}
# Quick, and of no say in what is counted: no search for text in pixels, no filter
QUICK = ("deid.burned_in=trust", "filters={}", "select={}", "dedup.image_near=off")


@dataclass(frozen=True)
class Outcome:
    """What became of one tree."""

    files: int  # below the folders that the recipe names
    in_funnel: int  # of them, those with a row of the index, or read as reports
    expected: dict[str, int]  # reason, or "kept" -> how many rows
    found: dict[str, int]
    splits: dict[str, int]  # records in shards
    expected_splits: dict[str, int]
    steps: list[StepCount]

    @property
    def right(self) -> bool:
        """Whether all of it is as it was made to be."""
        splits = not self.expected_splits or self.expected_splits == self.splits
        kept = sum(self.splits.values()) == self.expected["kept"]
        return splits and kept and (self.files, self.expected) == (self.in_funnel, self.found)


def run_layout(name: str, folder: Path, studies: int, secret: Path, engine: Engine, *overrides: str) -> Outcome:
    """Write the tree of one layout into ``folder``/tree and run its recipe on it, as it is but for the paths."""
    made = LAYOUTS[name](folder / "tree", studies)
    places = [f"{field}={path}" for field, path in made.places.items()]
    recipe = load_recipe(
        RECIPES / f"{name}.yaml", [*places, f"out={folder / 'run'}", f"secret={secret}", *QUICK, *overrides]
    )
    check(recipe)
    pipeline, manifests = run_pipeline(recipe, engine, lambda *_: None)
    fates = read_parts(pipeline.index.folder(pipeline.run))
    found = Counter(reason or "kept" for reason in fates["drop_reason"].to_pylist())
    shards = Counter[str]()
    for index in pipeline.shards.rglob("*.parquet"):
        shards[index.parent.name] += pq.read_metadata(index).num_rows
    files, known = _files(pipeline, set(fates["key"].to_pylist()))
    return Outcome(files, known, made.expected, dict(found), dict(shards), made.splits, funnel(manifests))


def _files(pipeline: Pipeline, keys: set[str]) -> tuple[int, int]:
    """Files below the images' and reports' folders, and those that the index knows: by a row, or as a table of
    reports, whose rows are counted in its place."""
    pseudo = pipeline.secret.pseudonymizer()
    counted: dict[str, bool] = {}
    for source in pipeline.recipe.images:
        for found in walk(source.path):
            counted[found.path] = image_key(source.name, as_text(found.relative), pseudo) in keys
    for reports in pipeline.recipe.reports:
        for found in walk(reports.path):
            counted.setdefault(found.path, reports.path.is_file())
    return len(counted), sum(counted.values())


def run(studies: int = 40) -> dict[str, object]:
    """Every layout with so many studies: files, files in the funnel, rows by their end, all of them as made or not."""
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as place:
        secret = Path(place) / "secret.key"
        secret.write_text("7ree5" * 13)
        engine = start_engine(Resources(workers=2))
        for name in LAYOUTS:
            outcome = run_layout(name, Path(place) / name, studies, secret, engine)
            results[name] = {
                "files": outcome.files,
                "files_in_funnel": outcome.in_funnel,
                "rows": outcome.found,
                "rows_expected": outcome.expected,
                "records_in_shards": outcome.splits,
                "right": outcome.right,
            }
        engine.close()
    return results


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = run(arguments.studies)
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
