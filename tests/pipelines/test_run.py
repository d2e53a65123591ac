"""The main job on a small synthetic archive: funnel, PHI, duplicates, shards that other tools read, resume, engines."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from markupsafe import escape

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.vault import SecretSource
from curate.engine import Engine
from curate.export.webdataset import read_index, shard_table
from curate.ingest.explain import explain_text
from curate.ingest.index import image_key
from curate.record import Reason, live
from curate.report.words import PAGES, REASONS, size
from curate.step import Manifest, load_manifest, read_parts
from curate.storage import commit_marker
from pipelines.build import ORDER, Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.story import story
from pipelines.report.summary import write_report
from pipelines.report.why import why
from pipelines.run.execute import run_pipeline
from tests.inline import curate
from tests.killed import run_until_killed
from tests.pipelines.archive import fingerprint, hits, make_archive, recipe_for

STUDIES = 80


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("archive") / "a", STUDIES, blank=0.04, corrupt=0.04, truncated=0.04)


@pytest.fixture(scope="module")
def finished(
    archive: Path, secret_file: Path, inline_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pipeline, list[Manifest]]:
    from pipelines.run.check import save_recipe

    recipe = load_recipe(recipe_for(archive, tmp_path_factory.mktemp("runs") / "local", secret_file))
    recipe.out.mkdir()
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    write_report(pipeline, manifests)
    return pipeline, manifests


def truth_of(archive: Path) -> list[dict[str, Any]]:
    return pq.read_table(archive / "truth" / "truth.parquet").to_pylist()


def keys_of(pipeline: Pipeline) -> Pseudonymizer:
    return pipeline.recipe.secret_source().pseudonymizer()


def test_every_row_is_kept_or_dropped_for_a_reason_at_every_step(finished: tuple[Pipeline, list[Manifest]]) -> None:
    counts = {m.step: m for m in finished[1]}
    steps = {"train-filter": ["train-dfn", "train-text_quality"], "capfilt": [], "semantic": [], "evaluation": []}
    assert list(counts) == [n for name in ORDER for n in steps.get(name, [name])]
    for before, after in (("index", "ingest"), ("ingest", "dedup"), ("dedup", "select"), ("select", "export")):
        assert counts[before].kept == counts[after].rows_in
    for manifest in finished[1]:
        assert set(manifest.dropped) <= {r.value for r in Reason}


def test_every_file_and_every_orphan_report_of_the_archive_has_a_fate(
    finished: tuple[Pipeline, list[Manifest]], archive: Path
) -> None:
    pipeline = finished[0]
    fates = read_parts(pipeline.index.folder(pipeline.run))
    known = set(fates["key"].to_pylist())
    pseudo = keys_of(pipeline)
    files = [r["file"] for r in truth_of(archive) if r["file"]]
    of_files = {image_key("archive", f, pseudo) for f in files}
    assert of_files <= known and len(known) == fates.num_rows
    rest = [r["drop_reason"] for r in fates.to_pylist() if r["key"] not in of_files]
    assert len(rest) >= len([r for r in truth_of(archive) if not r["file"]])  # and reports of unreadable images
    assert set(rest) == {"report_without_image"}


def test_no_planted_identity_is_anywhere_outside_private(
    finished: tuple[Pipeline, list[Manifest]], archive: Path
) -> None:
    planted = {p for r in truth_of(archive) for p in r["phi"]}
    assert len(planted) > 100
    run = finished[0].run
    written = [p for p in run.rglob("*") if p.is_file() and "private" not in p.relative_to(run).parts]
    texts = {str(p): _plain(p) for p in written if p.name != "recipe.yaml"}
    assert not hits(texts, planted)
    assert hits({"beside": f"ü{max(planted)}".encode()}, planted)


def _plain(path: Path) -> bytes:
    """A file's bytes, and for Parquet also its values uncompressed, where a byte search would be blind."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        texts = [n for n in table.column_names if n not in ("image", "thumb", "minhash")]
        data += json.dumps(table.select(texts).to_pylist(), default=str, ensure_ascii=False).encode()
    return data


def test_the_sealed_index_holds_no_identity_in_the_clear(
    finished: tuple[Pipeline, list[Manifest]], archive: Path
) -> None:
    private = finished[0].run / "private"
    assert private.stat().st_mode & 0o077 == 0
    planted = [p.encode() for r in truth_of(archive)[:40] for p in r["phi"]]
    for path in private.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(p in data for p in planted)


def test_planted_exact_duplicates_are_all_found(finished: tuple[Pipeline, list[Manifest]], archive: Path) -> None:
    pipeline = finished[0]
    dedup = {r["key"]: r for r in read_parts(pipeline.dedup.folder(pipeline.run)).to_pylist()}
    pseudo = keys_of(pipeline)
    planted = [r for r in truth_of(archive) if "exact_duplicate" in r["faults"] and r["duplicate_of"]]
    both = [(image_key("archive", r["file"], pseudo), image_key("archive", r["duplicate_of"], pseudo)) for r in planted]
    judged = [(a, b) for a, b in both if a in dedup and b in dedup]
    assert judged
    for a, b in judged:
        assert dedup[a]["cluster"] == dedup[b]["cluster"]
        assert dedup[a]["drop_reason"] or dedup[b]["drop_reason"]


def test_splits_are_patient_disjoint(finished: tuple[Pipeline, list[Manifest]]) -> None:
    index = read_index(finished[0].shards)
    seen: dict[str, str] = {}
    for patient, split in zip(index["patient"].to_pylist(), index["split"].to_pylist(), strict=True):
        assert seen.setdefault(patient, split) == split


def test_webdataset_reads_the_shards(finished: tuple[Pipeline, list[Manifest]]) -> None:
    import webdataset as wds

    shards = shard_table(finished[0].shards)
    index = {r["key"]: r for r in read_index(finished[0].shards).to_pylist()}
    seen = []
    for shard in shards:
        path = finished[0].shards / shard["split"] / f"{shard['name']}.tar"
        samples = wds.WebDataset(str(path), shardshuffle=False).decode("rgb8")
        for image, text, facts in samples.to_tuple("png", "txt", "json"):
            row = index[facts["key"]]
            assert image.shape[:2] == (row["height"], row["width"])
            assert text == row["text"] == facts["caption"]
            seen.append(facts["key"])
    assert sorted(seen) == sorted(index) and sum(s["records"] for s in shards) == len(seen)


def test_datasets_reads_the_shards(finished: tuple[Pipeline, list[Manifest]], tmp_path: Path) -> None:
    import datasets

    tars = sorted(map(str, finished[0].shards.rglob("*.tar")))
    loaded = datasets.load_dataset("webdataset", data_files={"train": tars}, split="train", cache_dir=str(tmp_path))
    index = read_index(finished[0].shards)
    assert sorted(r["__key__"] for r in loaded) == sorted(index["key"].to_pylist())
    assert loaded[0]["png"].size[0] > 0 and loaded[0]["txt"]


def test_datasets_reads_the_folder_with_its_splits_and_the_card_is_true(
    finished: tuple[Pipeline, list[Manifest]], tmp_path: Path
) -> None:
    import datasets

    pipeline = finished[0]
    loaded = datasets.load_dataset(str(pipeline.shards), cache_dir=str(tmp_path))
    index = read_index(pipeline.shards)
    by_split = {name: index["split"].to_pylist().count(name) for name in ("train", "val", "test")}
    assert {n: len(rows) for n, rows in loaded.items()} == {
        {"val": "validation"}.get(n, n): count for n, count in by_split.items() if count
    }
    assert {r["json"]["key"] for rows in loaded.values() for r in rows} == set(index["key"].to_pylist())
    card = (pipeline.shards / "README.md").read_text()
    selection = read_parts(pipeline.select.folder(pipeline.run))
    cut = [r for r in selection["drop_reason"].to_pylist() if r == Reason.BELOW_CUT.value]
    assert f"score_below_cut {len(cut):,}" in card and "**train** was cut" in card
    assert f"| train | {by_split['train']} |" in card and str(pipeline.run) not in card


def test_open_clip_train_reads_the_shards(finished: tuple[Pipeline, list[Manifest]]) -> None:
    from filters.towers import torchvision_ops

    torchvision_ops.ensure()
    import open_clip
    from open_clip_train.data import get_wds_dataset
    from open_clip_train.params import parse_args

    tars = sorted((finished[0].shards / "train").glob("*.tar"))
    count = pq.read_table(sorted((finished[0].shards / "train").glob("*.parquet"))).num_rows
    arguments = parse_args(
        f"--train-data {tars[0].parent}/{{000000..{len(tars) - 1:06d}}}.tar --train-num-samples {count} "
        "--dataset-type webdataset --batch-size 4 --workers 1".split()
    )
    arguments.rank, arguments.world_size, arguments.distributed = 0, 1, False
    transform = open_clip.transform.image_transform_v2(open_clip.transform.PreprocessCfg(size=64), is_train=False)
    data = get_wds_dataset(arguments, transform, is_train=True, tokenizer=open_clip.tokenize)
    images, texts = next(iter(data.dataloader))
    assert tuple(images.shape) == (4, 3, 64, 64) and texts.shape[0] == 4


def test_a_new_cut_rewrites_shards_only(
    finished: tuple[Pipeline, list[Manifest]], inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished[0].run, tmp_path / "run"))
    before = fingerprint(run)
    first, changed = (load_recipe(run / "recipe.yaml", [*cut, f"out={run}"]) for cut in ([], ["select.keep=0.25"]))
    _, manifests = run_pipeline(changed, inline_engine, silent)
    assert {m.step for m in manifests if not m.reused} == {"select", "plan", "export"}
    fewer = next(m for m in manifests if m.step == "select").kept
    assert fewer < next(m for m in finished[1] if m.step == "select").kept
    run_pipeline(first, inline_engine, silent)  # and back again
    after = fingerprint(run)
    assert {k: v for k, v in after.items() if k in before} == before


def test_explain_tells_a_dropped_records_story(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline = finished[0]
    table = read_parts(pipeline.dedup.folder(pipeline.run))
    key = table.filter(pa.array(~live(table)))["key"][0].as_py()
    told = dict(story(pipeline, key))
    assert list(told) == ["index", "ingest", "dedup"] and told["dedup"]["duplicate_of"]
    shown = curate("explain", pipeline.run, key)
    assert shown.returncode == 0 and told["dedup"]["drop_reason"] in shown.stdout
    assert curate("explain", pipeline.run, "0" * 32).returncode == 2


def test_explain_says_where_a_score_stands_among_the_others(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline = finished[0]
    rows = read_parts(pipeline.select.folder(pipeline.run), ["key", "split", "score", "drop_reason"]).to_pylist()
    train = sorted(r["score"] for r in rows if r["split"] == "train" and r["score"] == r["score"])
    lost = next(r for r in rows if r["drop_reason"] == "score_below_cut")
    told = why(pipeline, lost["key"])
    assert told is not None and told.is_cut and told.cut is not None and told.score < told.cut
    assert told.above == pytest.approx(sum(s < lost["score"] for s in train) / (len(train) - 1))
    assert {each.column.split("_")[0] for each in told.columns} >= {"dfn", "text"}
    held = next(r for r in rows if r["split"] == "test")
    shown = curate("explain", pipeline.run, held["key"])
    assert "not cut: test keeps every record" in shown.stdout and shown.returncode == 0
    page = (pipeline.run / "report" / "index.html").read_text()
    assert f"test ({sum(r['split'] == 'test' for r in rows):,})" in page and "select.filter_eval: true" in page


def test_three_pages_to_print_say_what_the_run_says(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline, manifests = finished
    pages = {name: (pipeline.run / "report" / name).read_text() for name in PAGES}
    for page in pages.values():
        assert "default-src 'none'" in page and "<script" not in page and page.rstrip().endswith("</html>")
        assert not re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", page)
    lost = {reason: n for m in manifests for reason, n in m.dropped.items() if not m.step.startswith("train-")}
    for reason in lost:
        assert escape(REASONS[Reason(reason)]) in pages["radiologist.html"]
        assert (escape(REASONS[Reason(reason)]) in pages["privacy.html"]) == Reason(reason).is_quarantine
    for manifest in manifests:
        row = re.search(rf"<bdi>{manifest.step}</bdi></th><td class=\"n\">([\d,]+)</td>", pages["cluster.html"])
        assert row is not None and int(row[1].replace(",", "")) == manifest.rows_in
    ingest = sum(p.stat().st_size for p in pipeline.ingest.folder(pipeline.run).glob("part-*.parquet"))
    assert size(ingest) in pages["cluster.html"]


def test_explain_tells_a_run_of_another_release_by_the_steps_that_it_finished_with(
    finished: tuple[Pipeline, list[Manifest]], tmp_path: Path
) -> None:
    """As if this release named every step anew: no folder has the name that the recipe would give it."""
    pipeline = finished[0]
    run = Path(shutil.copytree(pipeline.run, tmp_path / "run"))
    for folder in [*(run / "steps").iterdir(), *(run / "private").glob("index-*")]:
        folder.rename(folder.with_name(folder.name[:-4] + "beef"))
    known = json.loads((run / "run.json").read_text())
    commit_marker(run / "run.json", {"steps": [name[:-4] + "beef" for name in known["steps"]]})
    key = read_parts(pipeline.select.folder(pipeline.run), ["key"])["key"][0].as_py()
    for asked in ((), ("--identify",), ("--text",)):
        before, after = (curate("explain", where, key[:12], *asked) for where in (pipeline.run, run))
        assert after.returncode == 0 and after.stdout == before.stdout


def test_explain_identifies_a_record_for_who_has_the_secret_alone(
    finished: tuple[Pipeline, list[Manifest]], archive: Path, tmp_path: Path
) -> None:
    pipeline, facts = finished[0], {r["file"]: r for r in truth_of(archive) if r["file"]}
    pseudo, index = keys_of(pipeline), read_parts(pipeline.index.folder(pipeline.run), ["key", "drop_reason"])
    ends = dict(zip(*(index[name].to_pylist() for name in ("key", "drop_reason")), strict=True))
    files = {image_key("archive", file, pseudo): file for file in facts}
    for reason in (None, "image_without_report"):  # in the sealed index, and only among what was walked
        key = next(k for k in sorted(files) if k in ends and ends[k] == reason)
        plain, shown = curate("explain", pipeline.run, key), curate("explain", pipeline.run, key, "--identify")
        assert str(archive / "dicom" / files[key]) in shown.stdout.replace("\n", "")
        assert facts[files[key]]["patient_id"] in shown.stdout and facts[files[key]]["patient_id"] not in plain.stdout
    moved = Path(shutil.copytree(pipeline.run, tmp_path / "run"))
    recipe = yaml.safe_load((moved / "recipe.yaml").read_text())
    (tmp_path / "other.key").write_text("0f" * 32)
    (tmp_path / "other.key").chmod(0o600)
    (moved / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"secret": str(tmp_path / "other.key")}))
    refused = curate("explain", moved, key, "--identify")
    assert refused.returncode != 0 and not any(r["patient_id"] in refused.stdout for r in facts.values())


def test_explain_says_why_each_word_went_and_shows_the_words_only_where_asked(
    finished: tuple[Pipeline, list[Manifest]], tmp_path: Path
) -> None:
    """Of a section that the run did not keep: in those it kept nothing had to go."""
    pipeline, sections = finished[0], ("findings", "comparison")
    run = Path(shutil.copytree(pipeline.run, tmp_path / "run"))
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    changed = {**recipe, "out": str(run), "text": {**recipe.get("text", {}), "sections": list(sections)}}
    (run / "recipe.yaml").write_text(yaml.safe_dump(changed))
    index, secret = pipeline.sealed_index, pipeline.secret
    for key in read_parts(pipeline.ingest.folder(pipeline.run), ["key"])["key"].to_pylist():
        told = explain_text(index, pipeline.partitions, key, secret, sections, TextRules()) or []
        if went := {gone.words for _, gone in told if len(gone.words) > 4}:
            break
    shown, words = curate("explain", run, key, "--text"), curate("explain", run, key, "--words")
    assert shown.returncode == words.returncode == 0
    assert went and not [each for each in went if each in shown.stdout]
    assert all(each in words.stdout.replace("\n", " ") for each in went)
    assert curate("explain", run, "0" * 32, "--text").returncode == 2


def test_the_report_measures_the_filter_with_an_interval(finished: tuple[Pipeline, list[Manifest]]) -> None:
    told = json.loads((finished[0].run / "report" / "report.json").read_text())
    mismatch = next(m for m in told["measures"] if m["name"] == "dfn: AUROC on mismatch")
    assert 0.0 <= mismatch["low"] <= mismatch["value"] <= mismatch["high"] <= 1.0


@pytest.mark.ray
def test_ray_writes_the_same_bytes(
    finished: tuple[Pipeline, list[Manifest]], archive: Path, secret_file: Path, ray_engine: Engine, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_for(archive, tmp_path / "ray", secret_file))
    run_pipeline(recipe, ray_engine, silent)
    assert fingerprint(recipe.out) == fingerprint(finished[0].run)


_DIES = """
from pathlib import Path
from curate.engine import start_engine
from curate.engine.resources import Resources
from pipelines.run.execute import run_pipeline
from pipelines.recipe.load import load_recipe

def progress(name, done, total):
    if (name, done) == (sys.argv[2], int(sys.argv[3])):
        die()

run_pipeline(load_recipe(Path(sys.argv[1])), start_engine(Resources(workers=1)), progress)
"""


def test_a_killed_run_resumes_to_the_same_bytes(
    finished: tuple[Pipeline, list[Manifest]], archive: Path, secret_file: Path, tmp_path: Path
) -> None:
    """kill -9 at several moments of one run, while its worker is at the next part, then the command with two."""
    recipe = recipe_for(archive, tmp_path / "killed", secret_file)
    for step, done in (("scan", 1), ("ingest", 2), ("dedup", 1), ("score", 1), ("export", 2)):
        run_until_killed(_DIES, recipe, step, str(done))
    done = curate("run", recipe, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert fingerprint(tmp_path / "killed") == fingerprint(finished[0].run)


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"no image"}])
def test_an_archive_with_nothing_usable_is_a_run_with_nothing_kept(
    content: dict[str, bytes], secret_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "a" / "dicom").mkdir(parents=True)
    (tmp_path / "a" / "reports").mkdir()
    header = "accession,patient_id,patient_name,study_uid,study_date,report,reviewed\n"
    (tmp_path / "a" / "reports" / "reports.csv").write_text(header)
    for name, data in content.items():
        (tmp_path / "a" / "dicom" / name).write_bytes(data)
    done = curate("run", recipe_for(tmp_path / "a", tmp_path / "run", secret_file, truth=None))
    assert done.returncode == 0, done.stderr
    assert "0 records in 0 shards" in done.stdout and (tmp_path / "run" / "report" / "index.html").exists()


def test_a_moved_run_whose_archive_is_gone_still_explains_itself(
    finished: tuple[Pipeline, list[Manifest]], archive: Path, secret_file: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(finished[0].run, tmp_path / "moved"))
    assert archive.is_dir()
    away = archive.rename(archive.with_name("away"))
    key = read_index(moved / "shards")["key"][0].as_py()
    try:
        told = curate("explain", moved, key)
    finally:
        away.rename(archive)
    assert told.returncode == 0 and "shard" in told.stdout, told.stderr
    assert curate("report", moved).returncode == 0


def test_two_runs_do_not_share_a_folder(archive: Path, secret_file: Path, tmp_path: Path) -> None:
    from curate.storage import exclusive, private_folder

    recipe = recipe_for(archive, tmp_path / "shared", secret_file)
    with exclusive(private_folder(tmp_path / "shared" / "private") / "lock"):
        second = curate("run", recipe)
    assert second.returncode == 1 and "another run is at work" in second.stderr and "Traceback" not in second.stderr


def test_ctrl_c_stops_cleanly(archive: Path, secret_file: Path, tmp_path: Path) -> None:
    recipe = recipe_for(archive, tmp_path / "stopped", secret_file)
    command = [sys.executable, "-m", "pipelines.cli", "run", str(recipe)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any((tmp_path / "stopped").glob("steps/ingest-*/part-*.json")):
        time.sleep(0.01)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors


def test_status_and_plan_touch_nothing(finished: tuple[Pipeline, list[Manifest]]) -> None:
    run = finished[0].run
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    planned = curate("plan", run / "recipe.yaml")
    assert planned.returncode == 0 and planned.stdout.count("done:") == len(finished[1]), planned.stderr
    assert curate("status", run).returncode == 0
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before
    assert load_manifest(finished[0].export.folder(run)) is not None


@pytest.mark.parametrize("arguments", [("run", "absent.yaml"), ("run",), ("fly",), ("synth", "."), ("status", ".")])
def test_wrong_arguments_exit_2_with_a_message(arguments: tuple[str, ...]) -> None:
    done = curate(*arguments, cwd=Path(__file__).parent)
    assert done.returncode == 2 and done.stderr.strip() and "Traceback" not in done.stderr


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    assert curate("secret", tmp_path / "s").returncode == 0
    first = (tmp_path / "s").read_bytes()
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0
    assert curate("secret", tmp_path / "s").returncode == 2 and (tmp_path / "s").read_bytes() == first
    assert SecretSource(str(tmp_path / "s")).pseudonymizer().key("record", "a") != ""
