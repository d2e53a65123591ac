"""Silent damage around a run: files that change, an archive that goes away, a folder that is not ours."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest

from curate.deid.vault import read_sealed, write_sealed
from curate.engine import Engine
from curate.errors import DamagedError, RecipeError, RunError, SourceError
from curate.record import Reason
from curate.sources.picture import Header
from curate.sources.scan import SCAN
from curate.step import Step, read_parts, run_spread_step
from curate.storage import claim
from curate.task import Task, Unit
from pipelines.build import Pipeline
from pipelines.commands.screen import reasons_again
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import summary_of
from pipelines.run.check import check, save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.run.listing import list_archive
from pipelines.upkeep.verify import prune_run, verify_run
from pipelines.upkeep.withdrawal import withdraw
from tests.inline import InlineEngine
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}}


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("archive") / "a", 24, side=64)


@pytest.fixture(scope="module")
def finished(
    archive: Path, secret_file: Path, inline_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Pipeline:
    recipe = load_recipe(recipe_for(archive, tmp_path_factory.mktemp("runs") / "run", secret_file, **PLAIN))
    return run_pipeline(recipe, inline_engine, silent)[0]


def flip(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


DAMAGE: list[Callable[[bytes], bytes]] = [flip, cut, lambda data: b""]
KINDS = {  # what is damaged -> the steps that are then not found done
    "steps/index-*/part-00000.parquet": {"index"},
    "steps/index-*/manifest.json": {"index"},
    "steps/ingest-*/part-00001.parquet": {"ingest"},
    "steps/ingest-*/part-00001.json": {"ingest"},
    "steps/ingest-*/verified.json": set(),
    "steps/dedup-*/part-00000.parquet": {"dedup"},
    "steps/train-text_quality-*/model/card.json": {"train-text_quality"},
    "steps/score-*/part-00000.parquet": {"score"},
    "steps/select-*/part-00000.json": {"select"},
    "steps/plan-*/part-00000.parquet": {"plan"},
    "steps/export-*/part-00000.parquet": {"export"},
    "private/index-*/part-00000.sealed": {"index"},
    "private/index-*/words.sealed": {"index"},
    "shards/train/000000.tar": {"export"},
    "shards/train/000000.parquet": {"export"},
    "shards/train/000000_stats.json": {"export"},
    "shards/export.json": set(),
    "listing.json": set(),
    "private/scan/*.headers": set(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_is_made_again_and_nothing_else(kind: str, finished: Pipeline, inline_engine: Engine) -> None:
    run = finished.run
    before = fingerprint(run)
    path = sorted(run.glob(kind))[-1]
    others = {p: p.stat().st_mtime_ns for p in run.glob("steps/ingest-*/part-*.parquet") if p.stem != path.stem}
    for damage in DAMAGE:
        path.write_bytes(damage(path.read_bytes()))
        _, manifests = run_pipeline(finished.recipe, inline_engine, silent)
        assert {m.step for m in manifests if not m.reused} == KINDS[kind]
        assert fingerprint(run) == before
        assert {p: p.stat().st_mtime_ns for p in others} == others
    assert all(m.reused for m in run_pipeline(finished.recipe, inline_engine, silent)[1])


def test_a_missing_part_is_made_again(finished: Pipeline, inline_engine: Engine) -> None:
    before = fingerprint(finished.run)
    for kind in ("steps/ingest-*/part-00000.parquet", "shards/train/000000.tar", "steps/train-*/model/card.json"):
        next(finished.run.glob(kind)).unlink()
        run_pipeline(finished.recipe, inline_engine, silent)
        assert fingerprint(finished.run) == before


def test_a_bit_that_a_disk_loses_by_itself_is_found_in_reading_and_never_exported(
    finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    """The part looks untouched (`verified.json` says so); another cut makes the export read its pictures."""
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    recipe = load_recipe(run / "recipe.yaml", [f"out={run}"]) if (run / "recipe.yaml").exists() else None
    recipe = recipe or finished.recipe.model_copy(update={"out": run})
    run_pipeline(recipe, inline_engine, silent)
    part = next(run.glob("steps/ingest-*/part-00000.parquet"))
    images = [i for i in read_parts(part.parent, ["image"])["image"].to_pylist() if i]
    data = part.read_bytes()
    places = [data.find(image[60:90]) for image in images]
    at = next(place for place in places if place > 0)
    info = part.stat()
    part.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    _pretend(part, info)
    other = recipe.model_copy(update={"export": recipe.export.model_copy(update={"records_per_shard": 7})})
    run_pipeline(other, inline_engine, silent)
    assert part.read_bytes() == data
    with pytest.raises(DamagedError):
        part.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        read_parts(part.parent)


def _pretend(part: Path, info: os.stat_result) -> None:
    """The part as it stands counts as compared: what a file system shows of a bit that its disk has lost."""
    from curate.storage import commit_marker, read_marker

    os.utime(part, ns=(info.st_atime_ns, info.st_mtime_ns))
    known = read_marker(part.parent / "verified.json")
    assert known is not None
    now = part.stat()
    known[part.name] = [now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino]
    commit_marker(part.parent / "verified.json", known)


def test_an_archive_that_goes_away_is_no_records_fate(
    finished: Pipeline, archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    """Unmounted while it is read: the run stops and says so, and goes on to the same bytes when it is back."""
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    root, away = archive / "dicom", archive / "away"

    def unmount(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 1 and root.exists():
            root.rename(away)
            root.mkdir()  # a mount point

    try:
        with pytest.raises(SourceError, match=r"source 'archive' cannot be read: No such file.*\d+ of the \d+ files"):
            run_pipeline(recipe, inline_engine, unmount)
        with pytest.raises(SourceError, match=r"it held .* files at the last run and holds none"):
            run_pipeline(recipe, inline_engine, silent)
    finally:
        if away.exists():
            root.rmdir()
            away.rename(root)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    assert Reason.CHANGED.value not in {r for m in manifests for r in m.dropped}
    assert fingerprint(pipeline.run) == fingerprint(finished.run)


def test_one_file_that_was_away_is_read_when_it_is_back(
    finished: Pipeline, archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    file = _of_a_full_folder(archive / "dicom")
    hidden = archive / "hidden"

    def remove(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 0:
            file.rename(hidden)

    try:
        _, manifests = run_pipeline(recipe, inline_engine, remove)
    finally:
        hidden.rename(file)
    assert sum(m.dropped.get(Reason.CHANGED.value, 0) for m in manifests) == 1
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    assert Reason.CHANGED.value not in {r for m in manifests for r in m.dropped}
    assert fingerprint(pipeline.run) == fingerprint(finished.run)


def _of_a_full_folder(root: Path) -> Path:
    """A good file that is not alone in its folder: one that is would be taken for a folder that went away."""
    for path in sorted(root.rglob("*.dcm")):
        if sum(p.is_file() for p in path.parent.iterdir()) > 1 and _patient(path):
            return path
    raise AssertionError("the archive has no such folder")


def _patient(path: Path) -> str:
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception:  # noqa: BLE001  a planted broken file
        return ""
    return str(dataset.get("PatientID", "")) if "Rows" in dataset else ""


def test_a_file_replaced_by_another_patients_of_equal_size_is_not_paired(
    archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(archive, tmp_path / "a"))
    recipe = load_recipe(recipe_for(mine, tmp_path / "run", secret_file, truth=None, **PLAIN))
    victim = _of_a_full_folder(mine / "dicom")
    patient = _patient(victim).encode()
    other = victim.read_bytes().replace(patient, patient[::-1])
    assert patient != patient[::-1]

    def replace(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 0:
            info = victim.stat()
            victim.write_bytes(other)
            os.utime(victim, ns=(info.st_atime_ns, info.st_mtime_ns))

    pipeline, manifests = run_pipeline(recipe, inline_engine, replace)
    assert next(m for m in manifests if m.step == "ingest").dropped[Reason.CHANGED.value] == 1
    records = read_parts(pipeline.ingest.folder(pipeline.run), ["key", "image", "drop_reason"]).to_pylist()
    assert [r["image"] for r in records if r["drop_reason"] == Reason.CHANGED.value] == [None]


def test_a_foreign_folder_is_refused_before_any_work_and_left_as_it_is(
    finished: Pipeline, secret_file: Path, tmp_path: Path
) -> None:
    precious = {"shards/holiday/1.jpg": b"me", "shards/train/000000.tar": b"somebody's", "notes.txt": b"mine"}
    for name, data in precious.items():
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    recipe = finished.recipe.model_copy(update={"out": tmp_path / "out"})
    a_file = recipe.model_copy(update={"out": tmp_path / "out/notes.txt"})
    for one, touch in ((recipe, False), (recipe, True), (a_file, True)):
        with pytest.raises(RecipeError) as told:
            check(one, touch=touch)
        assert told.value.field == "out" and told.value.fix
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert found == precious


@pytest.mark.parametrize("foreign", ["holiday.jpg", "train/holiday.jpg", "train/000000.tar.bak", "holiday/1.jpg"])
def test_foreign_files_among_a_runs_shards_are_refused_and_left(
    foreign: str, finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    path = run / "shards" / foreign
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    before = fingerprint(run)
    recipe = finished.recipe.model_copy(update={"out": run})
    with pytest.raises(RecipeError, match="no run wrote"):
        check(recipe)
    with pytest.raises(RecipeError, match="no run wrote"):
        run_pipeline(recipe, inline_engine, silent)
    assert fingerprint(run) == before and path.read_bytes() == b"mine"


def test_shards_and_steps_that_are_links_are_not_followed(
    finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    for name in ("shards", "steps"):
        (run / name).rename(tmp_path / name)
        (run / name).symlink_to(tmp_path / name)
        recipe = finished.recipe.model_copy(update={"out": run, "records_per_partition": 11})
        for refuse in (check, lambda r: run_pipeline(r, inline_engine, silent)):
            with pytest.raises(RecipeError, match="link"):
                refuse(recipe)
        assert any((tmp_path / name).iterdir())
        (run / name).unlink()
        (tmp_path / name).rename(run / name)


@pytest.fixture
def copied(finished: Pipeline, local_engine: Engine, tmp_path: Path) -> Pipeline:
    """The finished run with its report, to be damaged."""
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    recipe = finished.recipe.model_copy(update={"out": run})
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, local_engine, silent)
    summary_of(pipeline, manifests)
    return pipeline


def test_verify_finds_fifty_random_bit_flips_and_the_run_mends_them(copied: Pipeline, local_engine: Engine) -> None:
    run, pseudo = copied.run, copied.secret.pseudonymizer()
    told = verify_run(run, pseudo)
    assert not told.damaged and not told.unchecked and told.checked > 40
    before, draw = fingerprint(run), random.Random(16)
    flipped = set()
    for _ in range(50):  # half of them by bytes, as a disk does, half by files
        files = [p for p in sorted(run.rglob("*")) if p.is_file() and p.stat().st_size]
        path = draw.choices(files, [p.stat().st_size for p in files])[0] if draw.random() < 0.5 else draw.choice(files)
        data, bit = path.read_bytes(), draw.randrange(8 * path.stat().st_size)
        path.write_bytes(data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :])
        found = {name for name, _ in verify_run(run, pseudo).damaged}
        assert path.relative_to(run).as_posix() in found, (path, bit)
        path.write_bytes(data)
        flipped.add((path, data))
    assert not verify_run(run, pseudo).damaged
    for path, data in flipped:
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    save_recipe(copied.recipe)
    summary_of(*run_pipeline(copied.recipe, local_engine, silent))
    assert fingerprint(run) == before and not verify_run(run, pseudo).damaged


def test_verify_names_what_is_missing_cut_or_nobodys(copied: Pipeline, local_engine: Engine) -> None:
    run, pseudo = copied.run, copied.secret.pseudonymizer()
    part, marker = next(run.glob("steps/score-*/part-00000.parquet")), next(run.glob("steps/dedup-*/part-00000.json"))
    shard, sealed = run / "shards" / "train" / "000000.tar", next(run.glob("private/index-*/words.sealed"))
    shard.unlink()
    sealed.write_bytes(sealed.read_bytes()[:-1])
    marker.write_bytes(b'{"kept')
    part.write_bytes(b"")
    (run / "steps" / "notes.txt").write_text("mine")
    told = verify_run(run, pseudo)
    wrong = {path.relative_to(run).as_posix() for path in (shard, sealed, marker, part)}
    wrong.add(marker.with_suffix(".parquet").relative_to(run).as_posix())
    assert {name for name, _ in told.damaged} == wrong and told.unchecked == ("steps/notes.txt",)
    assert {m.step for m in run_pipeline(copied.recipe, local_engine, silent)[1] if not m.reused} == {
        "index", "dedup", "score", "export",
    }  # fmt: skip
    assert not verify_run(run, pseudo).damaged
    with pytest.raises(RecipeError, match="holds no run"):
        verify_run(run / "steps", pseudo)


def test_prune_removes_what_nothing_refers_to_and_nothing_else(copied: Pipeline, local_engine: Engine) -> None:
    run, before = copied.run, fingerprint(copied.run)
    shards_of_7 = copied.recipe.export.model_copy(update={"records_per_shard": 7})
    other = copied.recipe.model_copy(update={"export": shards_of_7})
    run_pipeline(other, local_engine, silent)
    (run / "steps" / "mine").mkdir()
    (run / "steps" / "link-0123456789abcdef").symlink_to(run / "steps" / "mine")
    (run / "private" / "index-0123456789abcdef").mkdir()
    (run / "private" / "scan" / f"{0:032x}.headers").write_bytes(b"old")
    summary_of(*run_pipeline(copied.recipe, local_engine, silent))
    mine = {step.folder(run).name for step in copied.steps()}
    unused = {
        f"steps/{f.name}" for kind in ("plan", "export") for f in run.glob(f"steps/{kind}-*") if f.name not in mine
    }
    assert len(unused) == 2
    removed = prune_run(copied)
    private = {"private/index-0123456789abcdef", f"private/scan/{0:032x}.headers"}
    assert set(removed.names) == unused | private
    assert fingerprint(run) == before and (run / "steps" / "mine").is_dir()
    assert all(m.reused for m in run_pipeline(copied.recipe, local_engine, silent)[1])
    (run / "run.json").unlink()
    with pytest.raises(RunError, match="no run has ended"):
        prune_run(copied)


def test_a_patient_leaves_and_the_others_shards_keep_their_bytes(copied: Pipeline, local_engine: Engine) -> None:
    """`test_withdrawal.py` says more of it, and takes longer."""
    run, before = copied.run, {p: p.read_bytes() for p in copied.run.glob("shards/*/*.*")}
    first = pq.read_table(run / "shards" / "train" / "000000.parquet").to_pylist()[0]
    found = withdraw(copied, [], [first["key"]], silent)
    assert found.records and not found.found
    after = {p: p.read_bytes() for p in run.glob("shards/*/*.*")}
    changed = {p for p in before if after[p] != before[p]}
    assert after.keys() == before.keys() and changed < before.keys() and run / "shards/train/000000.tar" in changed
    assert not [p for p, data in after.items() if first["key"].encode() in data]
    assert not verify_run(run, copied.secret.pseudonymizer()).damaged
    assert all(m.reused for m in run_pipeline(copied.recipe, local_engine, silent)[1])


def test_models_that_learned_from_who_left_are_trained_anew_where_asked(
    copied: Pipeline, inline_engine: Engine
) -> None:
    run, (name, step) = copied.run, next(iter(copied.train_filters.items()))
    clean = read_parts(step.folder(run))["key"].to_pylist()
    summary_of(copied, run_pipeline(copied.recipe, inline_engine, silent)[1])
    cards = (step.folder(run) / "model" / "card.json").read_bytes()

    found = withdraw(copied, [], clean[:1], silent, forget_models=True)

    assert f"steps/{step.folder(run).name}" in found.models and not step.folder(run).exists() and not found.found
    assert not (run / "report" / "index.html").exists()
    again, manifests = run_pipeline(copied.recipe, inline_engine, silent)
    made = {m.step for m in manifests if not m.reused}
    assert made == {f"train-{name}", "score", "select", "plan", "export"}
    summary_of(again, manifests)
    left = read_parts(step.folder(run))["key"].to_pylist()
    assert left and set(left) < set(clean) and clean[0] not in left
    assert (step.folder(run) / "model" / "card.json").read_bytes() != cards
    held = [p for p in run.rglob("*") if p.is_file() and "private" not in p.parts]
    tables = [repr(pq.read_table(p).to_pylist()) for p in held if p.suffix == ".parquet"]
    assert not [t for t in tables if clean[0] in t]
    assert not [p for p in held if clean[0].encode() in p.read_bytes() and "withdrawals" not in p.parts]
    assert not verify_run(run, copied.secret.pseudonymizer()).damaged
    assert all(m.reused for m in run_pipeline(copied.recipe, inline_engine, silent)[1])


def test_another_cut_needs_no_archive_and_new_data_does(
    finished: Pipeline, archive: Path, secret_file: Path, local_engine: Engine, tmp_path: Path
) -> None:
    """`select` and what comes after, with the archive unmounted; a recipe that would read it again stops."""
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    recipe = finished.recipe.model_copy(update={"out": run})
    run_pipeline(recipe, local_engine, silent)
    other = load_recipe(recipe_for(archive, run, secret_file, **PLAIN), ["select.keep=0.8"])
    decoded = load_recipe(recipe_for(archive, run, secret_file, **PLAIN), ["image.side=48"])
    there = [archive / "dicom", archive / "reports"]
    for folder in there:
        folder.rename(folder.with_suffix(".away"))
    try:
        for changed, made in ((other, {"select", "plan", "export"}), (recipe, {"export"})):
            check(changed)
            pipeline, manifests = run_pipeline(changed, local_engine, silent)
            assert "source 'archive' cannot be read" in pipeline.listing.away
            assert {m.step for m in manifests if not m.reused} == made
        for refuse in (check, lambda r: run_pipeline(r, local_engine, silent)):
            with pytest.raises(SourceError, match="source 'archive' cannot be read: No such file"):
                refuse(decoded)
    finally:
        for folder in there:
            folder.with_suffix(".away").rename(folder)
    pipeline, manifests = run_pipeline(recipe, local_engine, silent)
    assert not pipeline.listing.away and fingerprint(finished.run).items() <= fingerprint(run).items()


def test_a_touched_report_file_is_no_work_and_a_changed_one_is(
    archive: Path, secret_file: Path, local_engine: Engine, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(archive, tmp_path / "a"))
    recipe = load_recipe(recipe_for(mine, tmp_path / "run", secret_file, truth=None, **PLAIN))
    pseudo = recipe.secret_source().pseudonymizer()
    reports = mine / "reports" / "reports.csv"
    first = list_archive(recipe, pseudo).digest
    os.utime(reports, ns=(1, 1))
    assert list_archive(recipe, pseudo).digest == first
    reports.write_text(reports.read_text().replace("No ", "no ", 1))
    changed = list_archive(recipe, pseudo).digest
    assert changed != first and list_archive(recipe, pseudo).digest == changed
    remembered = (tmp_path / "run" / "private" / "reports.json").read_text()
    assert str(mine) not in remembered and "reports.csv" not in remembered


def test_what_was_dropped_for_a_passing_reason_is_tried_again(
    finished: Pipeline, archive: Path, local_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    recipe = finished.recipe.model_copy(update={"out": run})
    pseudo, folder = recipe.secret_source().pseudonymizer(), run / "private" / "scan"
    chunk = sorted(folder.glob("*.headers"))[0]
    rows = read_sealed(chunk, pseudo).to_pylist()
    at = next(i for i, row in enumerate(rows) if row["reason"] is None and row["modality"])
    told = {**rows[at], **vars(Header(kind="none")), "identity": None, "reason": Reason.UNREADABLE_FILE.value}
    write_sealed(chunk, pa.Table.from_pylist([*rows[:at], told, *rows[at + 1 :]], SCAN), pseudo)
    shutil.rmtree(next(run.glob("steps/index-*")))  # as if it had been unreadable in the first run
    _, manifests = run_pipeline(recipe, local_engine, silent)
    dropped = manifests[0].dropped.get(Reason.UNREADABLE_FILE.value, 0)
    assert fingerprint(run) != fingerprint(finished.run)
    _, manifests = run_pipeline(recipe, local_engine, silent, again=[Reason.UNREADABLE_FILE])
    assert manifests[0].dropped.get(Reason.UNREADABLE_FILE.value, 0) == dropped - 1
    assert fingerprint(run) == fingerprint(finished.run)
    assert all(m.reused for m in run_pipeline(recipe, local_engine, silent)[1])
    with pytest.raises(RecipeError, match="does not pass"):
        reasons_again(["image_without_report"])


class Killed(InlineEngine):
    """Dies after the first of two inner steps."""

    def map(self, fn, items, alone=False, idle=None):  # type: ignore[no-untyped-def]
        if fn.name == "wide-second":
            raise KeyboardInterrupt
        yield from super().map(fn, items)


@dataclass(frozen=True)
class Keys(Unit):
    """One row; and, as a `curate.task.SpreadTask`, two steps of it before the last."""

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        return pa.table({"key": ["0" * 32]})

    def spread(self, inner: Callable[[str, Task, int], str]) -> Task:
        inner("first", self, 2)
        inner("second", self, 1)
        return self


def test_inner_parts_of_a_killed_step_are_checked_as_others_are(tmp_path: Path) -> None:
    claim(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_spread_step(Step("wide", Keys(), 1, {}), Keys(), tmp_path, Killed())
    assert not verify_run(tmp_path, None).damaged
    part = next(tmp_path.rglob("part-00001.parquet"))
    part.write_bytes(flip(part.read_bytes()))
    assert verify_run(tmp_path, None).damaged == ((part.relative_to(tmp_path).as_posix(), "damaged"),)


def test_nobody_leaves_a_run_whose_archive_has_grown_and_is_not_done(finished: Pipeline) -> None:
    grown = Pipeline(finished.recipe, replace(finished.listing, digest="0" * 32))
    with pytest.raises(RunError, match=r"the run is not finished; finish it first"):
        withdraw(grown, ["nobody"], [], silent)


def test_a_source_that_moved_keeps_its_keys_where_it_keeps_its_name(
    finished: Pipeline, archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    """The same files under another root, and by a URL: no record is another, nor is its payload."""
    moved = Path(shutil.copytree(archive, tmp_path / "elsewhere"))
    there = recipe_for(moved, tmp_path / "run", secret_file, **PLAIN)
    recipe = load_recipe(there, [f"images.0.path=file://{moved / 'dicom'}"])
    pipeline, _ = run_pipeline(recipe, inline_engine, silent, until="ingest")
    mine, theirs = (read_parts(p.ingest.folder(p.run)) for p in (pipeline, finished))
    assert mine.drop(["made_of"]).equals(theirs.drop(["made_of"]))
    other = load_recipe(there, ["images.0.name=another"])
    renamed, _ = run_pipeline(other, inline_engine, silent, until="index")
    keys = read_parts(renamed.index.folder(renamed.run))["key"].to_pylist()
    assert mine.num_rows and not {*mine["key"].to_pylist()} & {*keys}
