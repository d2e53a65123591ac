"""The final model's training: it learns, it resumes to the same bytes, and it says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from curate.engine.resources import Resources
from curate.errors import RecipeError, RunError
from filters.rules import ModelRules, TrainingRules, check_training_rules
from filters.towers.model import load_filter
from filters.training.curve import WALL, read_curve
from filters.training.distributed import DistributedContext
from filters.training.job import TrainingJob, read_job, run_job
from filters.training.launch import launch, launch_on
from filters.training.loader import Steps
from filters.training.plan import make_plan
from filters.training.shards import open_shards
from tests.filters.training.shards import write_films, write_shards
from tests.killed import run_until_killed

DIES = """
from pathlib import Path
from filters.training.job import read_job, run_job
run_job(read_job(Path(sys.argv[1])), lambda step, *_: die() if step == int(sys.argv[2]) else None)
"""
RULES = TrainingRules(batch=16, samples=160, threads=1, vocab=300)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_films(folder, 128, per_shard=50)
    return folder


@pytest.fixture
def rules(small_arch: str) -> TrainingRules:
    return replace(RULES, model=ModelRules(arch=small_arch))


def job(shards: Path, out: Path, rules: TrainingRules) -> TrainingJob:
    return TrainingJob(str(shards), str(out), rules, window=2, every=2)


def losses(out: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in WALL} for row in read_curve(out)]


def test_it_learns_and_leaves_a_model(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    told: list[int] = []
    longer = replace(rules, samples=800, lr=2e-3, augment=False)
    card = run_job(job(shards, tmp_path, longer), lambda step, steps, row: told.append(step))
    curve = losses(tmp_path)
    assert told == list(range(2, 51, 2)) and [r["step"] for r in curve] == told
    assert np.mean([r["loss"] for r in curve[-5:]]) < 0.8 * curve[0]["loss"]
    assert card["data"]["records"] == 128 and card["data"]["pairs seen"] == 800
    model = load_filter(tmp_path / "model")
    assert model.encode_texts(["No effusion."]).shape == (1, 64)
    assert not list(tmp_path.glob("checkpoint*"))
    again = run_job(job(shards, tmp_path, longer), lambda *a: pytest.fail("a finished training trains again"))
    assert again == card


def test_killed_and_resumed_is_the_same_model(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    rules = replace(rules, ema=0.9, samples=320, patch_dropout=0.3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_job(job(shards, whole, rules))
    path = job(shards, broken, rules).write()
    run_until_killed(DIES, path, "10")  # of 20 steps, in the second epoch of three
    assert (broken / "checkpoint.pt").exists() and not (broken / "model").exists()
    started: list[int] = []
    run_job(read_job(path), lambda step, steps, row: started.append(step))
    assert started[0] > 2, "it began again"
    for name in ("model.safetensors", "card.json", "tokenizer.json"):
        assert (whole / "model" / name).read_bytes() == (broken / "model" / name).read_bytes()
    assert losses(whole) == losses(broken)


def test_micro_batches_and_processes_change_nothing(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    for name, processes, parts in (("one", 1, 1), ("parts", 1, 4), ("two", 2, 2)):
        launch(job(shards, tmp_path / name, replace(rules, accumulate=parts, patch_dropout=0)), processes)
    one = [r["loss"] for r in losses(tmp_path / "one")]
    for name in ("parts", "two"):
        assert np.abs(np.array([r["loss"] for r in losses(tmp_path / name)]) - one).max() < 1e-5


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray(shards: Path, tmp_path: Path, rules: TrainingRules, ray_engine: object) -> None:
    from curate.engine.ray_train import run_ranks

    def two(fn, argument):
        run_ranks(fn, argument, 2, Resources(kind="ray"), tmp_path / "scratch")

    launch_on(two, job(shards, tmp_path / "ray", rules), 2)
    run_job(job(shards, tmp_path / "one", rules))
    theirs, ours = losses(tmp_path / "ray"), losses(tmp_path / "one")
    assert np.abs(np.array([r["loss"] for r in theirs]) - [r["loss"] for r in ours]).max() < 1e-5
    assert not (tmp_path / "scratch").exists()
    with pytest.raises(RunError, match="do not fill a batch"):
        launch_on(two, job(shards, tmp_path / "large", replace(rules, batch=4096)), 2)


def test_only_what_was_chosen_is_seen(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    keys = open_shards(shards).keys[:40].tolist()
    chosen = tmp_path / "chosen.parquet"
    pq.write_table(pa.table({"key": keys, "weight": [2.0] * 30 + [0.0] * 10}), chosen)
    card = run_job(replace(job(shards, tmp_path / "out", replace(rules, samples=None, epochs=1)), only=str(chosen)))
    assert card["data"]["records"] == 30 and 32 <= card["data"]["pairs seen"] <= 60
    pq.write_table(pa.table({"key": ["f" * 32], "weight": [1.0]}), chosen)
    with pytest.raises(RecipeError, match="none of the 1 keys"):
        run_job(replace(job(shards, tmp_path / "none", rules), only=str(chosen)))


def test_a_teacher_that_is_not_there(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    with pytest.raises(RecipeError, match=r"train\.teacher.*does not exist"):
        run_job(job(shards, tmp_path, replace(rules, objective="distill", teacher="/nowhere")))


def test_texts_that_no_record_has(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    with pytest.raises(RecipeError, match=r"train\.texts(?s:.)*findings"):
        run_job(job(shards, tmp_path, replace(rules, texts=("findngs",))))


def test_a_record_that_does_not_decode_is_stood_in_for(tmp_path: Path, rules: TrainingRules) -> None:
    records = write_films(tmp_path / "good", 40)
    records.images[7] = records.images[7][:100]
    records.images[11] = b"nothing"
    write_shards(tmp_path / "bad", records)
    rules = replace(rules, samples=80)
    plan = make_plan(open_shards(tmp_path / "bad"), rules)
    met = sum(int(np.isin(plan.step(s)[0], (7, 11)).sum()) for s in range(plan.steps))
    card = run_job(job(tmp_path / "bad", tmp_path / "out", rules))
    assert card["data"]["skipped"] == {"undecodable image": met} and met >= 2


def test_a_loss_that_leaves_the_numbers_stops_with_the_last_good_checkpoint(
    shards: Path, tmp_path: Path, rules: TrainingRules
) -> None:
    out = tmp_path / "out"
    good = job(shards, out, replace(rules, samples=64, warmup=0.0))
    wild = replace(good, rules=replace(good.rules, samples=1600, lr=1e38, warmup=0.9, weight_decay=0.0))
    with pytest.raises(RunError, match=r"loss nan.*lower train\.lr"):
        run_job(wild)
    assert not (out / "model").exists()
    rows = losses(out)
    assert all(np.isfinite(r["loss"]) for r in rows)


def test_a_folder_is_one_trainings(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    run_job(job(shards, tmp_path, replace(rules, samples=16)))
    with pytest.raises(RunError, match="other rules"):
        run_job(job(shards, tmp_path, replace(rules, samples=32)))


def test_a_folder_has_one_training_at_a_time(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    def again(step, steps, row):
        with pytest.raises(RunError, match="another"):
            run_job(job(shards, tmp_path, rules))

    run_job(job(shards, tmp_path, replace(rules, samples=32)), again)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    out = tmp_path / "out"
    stopped: list[int] = []

    def stop(step, steps, row):
        stopped.append(step)
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job(shards, out, rules), stop)
    (out / "checkpoint.pt").write_bytes(b"damaged")
    stopped.clear()
    run_job(job(shards, out, rules), stopped.append and (lambda step, steps, row: stopped.append(step)))
    assert stopped[0] == 6  # the one before is of step 4
    with pytest.raises(KeyboardInterrupt):
        run_job(job(shards, tmp_path / "both", rules), stop)
    for path in (tmp_path / "both").glob("checkpoint*.pt"):
        path.write_bytes(b"damaged")
    with pytest.raises(RunError, match="damaged"):
        run_job(job(shards, tmp_path / "both", rules))


def test_a_checkpoint_of_another_architecture(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    run_job(job(shards, tmp_path / "first", replace(rules, samples=16)))
    weights = str(tmp_path / "first" / "model" / "model.safetensors")
    other = replace(rules, model=ModelRules("radsift-tiny", weights, "open_clip"))
    with pytest.raises(RecipeError, match=r"does not fit radsift-tiny"):
        run_job(job(shards, tmp_path / "second", other))


def test_what_was_trained_before_is_trained_on(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    run_job(job(shards, tmp_path / "first", replace(rules, samples=64)))
    on = replace(rules, model=ModelRules("auto", str(tmp_path / "first" / "model")), lr=1e-9, samples=16)
    run_job(job(shards, tmp_path / "second", on))
    before, after = (load_file(tmp_path / n / "model" / "model.safetensors") for n in ("first", "second"))
    assert max(np.abs(before[k] - after[k]).max() for k in before) < 1e-6


def test_batches_do_not_depend_on_workers_or_processes(shards: Path, rules: TrainingRules) -> None:
    plan = make_plan(open_shards(shards), rules)
    words = _Words()
    whole = Steps(plan, rules, 48, words, DistributedContext())[3]
    halves = [Steps(plan, rules, 48, words, DistributedContext(rank, 2))[3] for rank in (0, 1)]
    later = Steps(plan, rules, 48, words, DistributedContext(), first=2)[1]
    pixels = np.concatenate([h.pixels.numpy() for h in halves])
    assert np.array_equal(whole.pixels.numpy(), pixels) and np.array_equal(whole.pixels.numpy(), later.pixels.numpy())
    assert np.array_equal(whole.ids.numpy(), np.concatenate([h.ids.numpy() for h in halves]))


def test_augmentation_keeps_sides(shards: Path, rules: TrainingRules) -> None:
    """A picture is moved and relit, never mirrored: it stays more like itself than like its mirror image."""
    plan = make_plan(open_shards(shards), rules)
    steps = Steps(plan, rules, 48, _Words(), DistributedContext())
    batch = steps[0]
    likeness = []
    for place, row in enumerate(plan.step(0)[0]):
        image = cv2.imdecode(np.frombuffer(plan.shards.read(int(row)).image, np.uint8), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA).astype(float).ravel()
        seen = batch.pixels[place, 0].numpy().astype(float)
        own, mirrored = np.corrcoef(image, seen.ravel())[0, 1], np.corrcoef(image, seen[:, ::-1].ravel())[0, 1]
        likeness.append(own - mirrored)
    assert np.mean(likeness) > 0.05


class _Words:
    """Lengths of words: enough of a tokenizer to see which text came."""

    context_length, vocab_size = 12, 100

    def __call__(self, texts):
        rows = [[len(w) for w in t.split()][:12] for t in texts]
        return np.array([r + [0] * (12 - len(r)) for r in rows], np.int64)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"warmup": -0.1}, "warmup"),
        ({"ema": 1.0}, "ema"),
        ({"layer_decay": 0.0}, "layer_decay"),
        ({"batch": 10, "accumulate": 3}, "accumulate"),
        ({"samples": 0}, "samples"),
        ({"epochs": 0}, "epochs"),
        ({"lr": 0.0}, "lr"),
        ({"texts": ()}, "texts"),
        ({"objective": "distill"}, "teacher"),
        ({"lr": float("nan")}, "lr"),
        ({"seed": -1}, "seed"),
        ({"threads": 0}, "threads"),
        ({"batch": 1}, "batch"),
        ({"weight_decay": -5.0}, "weight_decay"),
        ({"unpaired": 0.5}, "unpaired"),
    ],
)
def test_wrong_rules_name_their_field(values: dict[str, object], field: str) -> None:
    with pytest.raises(RecipeError, match=rf"train\.{field}"):
        check_training_rules(replace(TrainingRules(), **values))


def test_batches_are_chosen_by_a_reference(shards: Path, tmp_path: Path, rules: TrainingRules) -> None:
    """JEST: of twice as many pairs drawn half are trained on, the same ones every time."""
    run_job(job(shards, tmp_path / "reference", rules))
    chosen = replace(rules, reference=str(tmp_path / "reference" / "model"), samples=96)
    plan = make_plan(open_shards(shards), chosen)
    assert (plan.batch, plan.steps) == (32, 6)
    card = run_job(job(shards, tmp_path / "out", chosen))
    assert card["data"]["pairs seen"] == 96
    assert losses(tmp_path / "out")[-1]["pairs"] == 96
    again = job(shards, tmp_path / "again", chosen)
    run_job(again)
    weights = [(tmp_path / n / "model" / "model.safetensors").read_bytes() for n in ("out", "again")]
    assert weights[0] == weights[1]
