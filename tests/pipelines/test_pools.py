"""A pool of shards goes through a run as a folder of the same files does, and every entry of it is in the funnel."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.engine import Engine
from curate.step import read_parts
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check
from pipelines.run.execute import run_pipeline
from pipelines.survey.preview import look
from tests.curate.pools import Entries, png, write_tar, write_zip

RECIPES = Path(__file__).parents[2] / "pipelines" / "recipes"
QUICK = ("deid.burned_in=trust", "filters={}", "select={}", "dedup.image_near=off")


def run(recipe: str, tree: Path, tmp_path: Path, secret: Path, engine: Engine, *overrides: str) -> Pipeline:
    places = [f"images.0.path={tree}", f"reports.0.path={tree}", f"out={tmp_path / 'run'}", f"secret={secret}"]
    loaded = load_recipe(RECIPES / recipe, [*places, *QUICK, *overrides])
    check(loaded)
    return run_pipeline(loaded, engine, lambda *_: None)[0]


def texts(pipeline: Pipeline) -> Counter[str]:
    """Text -> how many records in shards have it."""
    found: Counter[str] = Counter()
    for path in pipeline.shards.rglob("*.tar"):
        with tarfile.open(path) as tar:
            found.update(tar.extractfile(m).read().decode().strip() for m in tar if m.name.endswith(".txt"))
    return found


def fates(pipeline: Pipeline) -> Counter[str]:
    table = read_parts(pipeline.index.folder(pipeline.run))
    return Counter(reason or "kept" for reason in table["drop_reason"].to_pylist())


SHARD: Entries = [
    ("case1.png", png(1)),
    ("case1.txt", b"No pleural effusion on this radiograph."),
    ("case2.0.png", png(2)),
    ("case2.1.png", png(3)),
    ("case2.txt", b"The heart is enlarged."),
    ("case3.png", png(4)),
    ("case4.txt", b"There is a nodule in the left lung."),
    ("case5.png", png(1)),
    ("case5.txt", b"No pneumothorax on this radiograph."),
    ("case1.png.meta", b"of nobody"),
]


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_a_shard_is_read_where_it_lies(kind: str, tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    (write_zip if kind == "zip" else write_tar)(pool / f"a.{kind}", SHARD)
    write_tar(pool / "b.tar", [("case1.png", png(9)), ("case1.txt", b"Two shards with one key.")])
    before = {p: p.read_bytes() for p in pool.iterdir()}
    done = run("webdataset.yaml", pool, tmp_path, secret_file, inline_engine)
    assert fates(done) == {
        "kept": 5, "image_without_report": 1, "report_without_image": 1, "not_an_image": 1, "read_as_a_report": 5
    }  # fmt: skip
    assert texts(done) == {
        "No pleural effusion on this radiograph.": 1, "The heart is enlarged.": 2, "Two shards with one key.": 1
    }  # fmt: skip
    assert {p: p.read_bytes() for p in pool.iterdir()} == before  # nothing was unpacked


def test_texts_of_json_and_a_folders_metadata_in_an_archive(
    tmp_path: Path, secret_file: Path, inline_engine: Engine
) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    caption = json.dumps({"caption": "The lungs are clear.", "who": {"id": 7}}).encode()
    write_tar(pool / "a.tar", [("1.2.840.png", png(1)), ("1.2.840.json", caption), ("1.2.841.png", png(2))])
    json_texts = ("reports.0.format=json", "reports.0.columns={text: caption}")
    done = run("webdataset.yaml", pool, tmp_path, secret_file, inline_engine, *json_texts)
    assert fates(done) == {"kept": 1, "image_without_report": 1, "read_as_a_report": 1}

    folder = tmp_path / "hf"
    folder.mkdir()
    lines = [{"file_name": f"{n}.png", "text": f"Effusion {n}."} for n in ("a", "b")]
    metadata = "\n".join(map(json.dumps, lines)).encode()
    write_zip(
        folder / "train.zip", [("train/a.png", png(1)), ("train/b.png", png(2)), ("train/metadata.jsonl", metadata)]
    )
    other = tmp_path / "other"
    done = run("hf_folder.yaml", folder, other, secret_file, inline_engine, "images.0.key_pattern=null")
    assert texts(done) == {"Effusion a.": 1, "Effusion b.": 1}


def test_a_plan_of_a_pool_without_texts_says_how_many_lack_one(tmp_path: Path, secret_file: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    write_tar(pool / "a.tar", [("a.png", png(1)), ("b.png", png(2)), ("a.txt", b"Clear lungs.")])
    places = [f"images.0.path={pool}", f"reports.0.path={pool}", f"out={tmp_path / 'run'}", f"secret={secret_file}"]
    looked = look(load_recipe(RECIPES / "webdataset.yaml", [*places, *QUICK]))
    assert looked.extent.startswith("3 of 3 files") and looked.pairing.paired == 1


def test_a_table_of_images_with_splits_of_its_files(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for split, rows in (("train", range(5)), ("test", range(5, 8))):
        held = pa.array([{"bytes": png(n), "path": "x.png"} for n in rows], kind)
        told = [f"There is no nodule in picture {n}." for n in rows]
        path = pool / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.table({"image": held, "text": told}), path, row_group_size=2)
    done = run("hf_parquet.yaml", pool, tmp_path, secret_file, inline_engine)
    assert fates(done) == {"kept": 8}
    assert sum(texts(done).values()) == 8
    made = read_parts(done.ingest.folder(done.run))
    assert Counter(made["official_split"].to_pylist()) == {"train": 5, "test": 3}
    assert made["key"].to_pylist() == sorted(made["key"].to_pylist())
    for image, text in zip(made["image"].to_pylist(), made["text"].to_pylist(), strict=True):
        assert image == png(int("".join(filter(str.isdigit, text))))  # the row's own picture, pixel for pixel


NAMED = "Patient John Doe, MRN 8812345. No effusion on 3 May 2021."


@pytest.mark.parametrize("declared", [(True, True), (True, False), (False, True)])
def test_only_what_is_declared_clean_on_both_sides_passes_as_it_is(
    declared: tuple[bool, bool], tmp_path: Path, secret_file: Path, inline_engine: Engine
) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    write_tar(pool / "a.tar", [("a.png", png(1)), ("a.txt", NAMED.encode())])
    names = ("images.0.declared_clean", "reports.0.declared_clean")
    said = [f"{name}={str(value).lower()}" for name, value in zip(names, declared, strict=True)]
    done = run("webdataset.yaml", pool, tmp_path, secret_file, inline_engine, *said, "deid.burned_in=blank")
    made = read_parts(done.ingest.folder(done.run)).to_pylist()[0]
    assert (made["text"] == NAMED) == all(declared)
    assert (dict(made["actions"]).get("declared clean") == 1) == all(declared)
    assert "John" not in (made["text"] or "") or all(declared)
    warned = [line for line in done.recipe.warnings() if "declared_clean" in line]
    assert len(warned) == sum(declared) and all("you answer for it" in line for line in warned)
