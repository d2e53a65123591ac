"""Neighbours' own tools read the shards' folder unchanged: every snippet of docs/outputs.md, and what comes of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from curate.export.card import card_bytes, front_matter
from curate.export.croissant import croissant_bytes
from curate.export.webdataset import CROISSANT, README, check_shards
from tests.neighbours.conftest import KEPT, SIZES, facts_of

DOCS = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SNIPPETS = {
    re.sub(r"\W+", "-", name).strip("-"): code
    for name, body in SECTION.findall(DOCS.read_text())
    for code in re.findall(r"```python\n(.*?)```", body, re.DOTALL)
}
ENERGON = "Megatron-Energon"  # its snippet comes after commands


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` with a cache of its own and no network."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def run(code: str, shards: Path) -> dict[str, Any]:
    made: dict[str, Any] = {}
    exec(compile(code.replace("RUN/shards", str(shards)), "docs/outputs.md", "exec"), made)
    return made


@pytest.mark.parametrize("name", sorted(SNIPPETS.keys() - {ENERGON}))
def test_every_snippet_of_the_docs_runs(name: str, shards: Path, no_hub: None) -> None:
    from filters.towers import torchvision_ops

    torchvision_ops.ensure()
    code = SNIPPETS[name]
    for module in re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE):
        pytest.importorskip(module)
    run(code, shards)


def test_the_docs_have_a_snippet_for_each_neighbour() -> None:
    told = "".join(SNIPPETS.values())
    assert len(SNIPPETS) == 8
    for module in ("datasets", "webdataset", "open_clip", "monai", "polars", "mlcroissant", "torch", "megatron"):
        assert re.search(rf"^(?:import|from) {module}\b", told, re.MULTILINE), module


@pytest.mark.slow  # 15 CPU-seconds: three processes that import torch
def test_energon_prepares_the_shards_and_reads_every_record(shards: Path, tmp_path: Path) -> None:
    pytest.importorskip("megatron.energon")
    (commands,) = re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    prepared = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        script = commands.replace("RUN/shards", str(shards))
        subprocess.run(["sh", "-ec", script], cwd=tmp_path / name, env={**os.environ, "PATH": path}, check=True)
        files = [p for p in (tmp_path / name).rglob("*") if p.is_file()]
        prepared.append({p.relative_to(tmp_path / name): p.read_bytes() for p in files})
    assert prepared[0] == prepared[1] and not list(shards.rglob("*.idx"))
    reads = (
        SNIPPETS[ENERGON]
        + """
from megatron.energon import get_val_dataset

for part in ("train", "val", "test"):
    for sample in get_loader(get_val_dataset("pairs", split_part=part, batch_size=1, worker_config=alone)):
        print("|", part, *sample.caption)
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", reads], cwd=tmp_path / "one", capture_output=True, text=True, check=True
    )
    told = sorted(line[2:] for line in done.stdout.splitlines() if line.startswith("|"))
    parts = [part for part, sizes in SIZES.items() for _ in range(sum(sizes))]
    assert told == sorted(f"{part} Müde – record {n}." for n, part in enumerate(parts))


def test_datasets_loads_pictures_texts_and_facts_of_every_split(shards: Path, no_hub: None) -> None:
    import datasets

    loaded = datasets.load_dataset(str(shards))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 14, "validation": 3, "test": 1}
    index = pl.read_parquet(shards / "*/*.parquet")
    seen = [row for split in loaded.values() for row in split]
    assert sorted(row["__key__"] for row in seen) == sorted(index["key"])
    by_key = {row["key"]: row for row in index.to_dicts()}
    for row in seen:
        known, facts = by_key[row["__key__"]], row["json"]
        assert row["png"].size == (known["width"], known["height"]) and row["txt"] == known["text"]
        assert (facts["age"], facts["view"], facts["modality"]) == (known["age"], known["view"], "CR")
        assert facts["meta"]["plane"] == known["meta_plane"] if facts["meta"] else known["meta_plane"] is None
        assert facts["sections"] == {"findings": known["text"], "impression": None}
    assert loaded["train"].features["png"].dtype == "PIL.Image.Image"


def test_datasets_notices_a_shard_that_is_not_there(shards: Path, no_hub: None, tmp_path: Path) -> None:
    import shutil

    import datasets

    copied = tmp_path / "shards"
    shutil.copytree(shards, copied)
    (copied / "train" / "000001.tar").unlink()
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(copied))


def test_mlcroissants_validator_has_no_error_and_reads_every_record(shards: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(shards / CROISSANT))
    issues = described.metadata.ctx.issues
    assert not issues.errors and not [w for w in issues.warnings if not re.search("citeAs|datePublished", w)]
    read = list(described.records("records"))
    index = pl.read_parquet(shards / "*/*.parquet")
    assert {r["records/key"].decode() for r in read} == set(index["key"])
    assert {r["records/text"].decode() for r in read} == set(index["text"])
    told = {f.uuid.removeprefix("records/") for f in described.metadata.record_sets[1].fields}
    assert set(index.columns) - told == {"frames", "painted"} and {f"meta_{name}" for name in KEPT} <= told
    assert [r["splits/name"] for r in described.records("splits")] == list(SIZES)


def test_what_the_recipe_carries_along_is_a_column_of_the_index(shards: Path) -> None:
    index = pq.read_table(shards / "train" / "000000.parquet")
    assert index["meta_plane"].to_pylist() == [None, None, "axial", None, None, "axial", None, None]
    assert index["meta_quality"].null_count == index.num_rows


def test_a_card_says_which_splits_were_cut_and_what_nobody_said(shards: Path) -> None:
    card = card_bytes(facts_of(shards, license=None)).decode()
    assert "**train** was cut; **val, test** not" in card and "score_below_cut 2" in card
    assert "names none" in card and "license: unknown" in card
    named = front_matter(facts_of(shards, license="By contract 7"))
    assert (named["license"], named["license_name"]) == ("other", "By contract 7")
    assert front_matter(facts_of(shards))["license"] == "cc-by-4.0"


def test_card_and_description_are_the_same_bytes_again_and_belong_to_the_run(shards: Path) -> None:
    facts = facts_of(shards)
    assert card_bytes(facts) == card_bytes(facts_of(shards)) == (shards / README).read_bytes()
    assert str(shards) not in (shards / README).read_text() + (shards / CROISSANT).read_text()
    (shards / "export.json").write_text("{}")
    check_shards(shards)  # no file of anyone else's


@pytest.mark.parametrize("title", ["a: b # c", '"quoted" | piped', "日本", "---", "<script>alert(1)</script>"])
def test_a_title_of_any_signs_stays_a_title(shards: Path, title: str) -> None:
    facts = facts_of(shards, title=title)
    text = card_bytes(facts).decode()
    front = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    assert front["pretty_name"] == title and front["configs"]
    described = json.loads(croissant_bytes(facts, pq.read_schema(shards / "train" / "000000.parquet"), {}))
    assert re.fullmatch(r"[\w-]+", described["name"], re.ASCII)
