"""Bad input of every method: an error that names the file and the fix, or a score; no code is run, no NaN is silent."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from curate.errors import RadsiftError, RecipeError, RunError
from filters.method import Records, Scores, TrainingSet, load_method, module_of
from filters.registry import METHODS as REGISTERED
from filters.registry import make_rules
from filters.score import Scorer, prepare
from tests.filters.films import films

_TOWERS = {"epochs": 1, "batch": 64, "vocab": 300, "holdout": 0.1, "bank": 16, "threads": 1, "device": "cpu"}
_FUSED = {"vocab": 300, "context": 24, "epochs": 1, "batch": 64, "threads": 1, "device": "cpu"}
_FINDINGS = {"side": 32, "width": 4, "embed": 8, "min_texts": 2, "epochs": 1, "min_steps": 4}
_QUALITY = {"side": 64, "drawn": 40}
_PARTS = {"dfn": _TOWERS, "findings": _FINDINGS, "image_quality": _QUALITY}
TINY: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("clip", "dfn", "eva", "siglip", "siglip2"), _TOWERS),
    "binary": {"threads": 1, "device": "cpu"},
    "blip": {**_FUSED, "shape": {"side": 32, "width": 32, "vision_layers": 1, "text_layers": 1}},
    "blip2": {**_FUSED, "views": 1, "shape": {"width": 32, "layers": 1, "queries": 4}},
    "findings": {**_FINDINGS, "threads": 1, "device": "cpu"},
    "judges": {"threads": 1, "device": "cpu"},
    "text_quality": {},
    "image_quality": _QUALITY,
    "ours": {"rounds": 0, "copies": 1, "part_rules": _PARTS},
}  # fmt: skip
SIZE = 64  # pairs: as many as a batch
METHODS = [m for m in REGISTERED if m != "medclip"]  # nothing of it is trained here: `test_published` has it
ENCODED = ("binary", "blip2", "judges")  # look through another filter's towers
WORDS = " ".join(f"effusion{i % 7} left" for i in range(5000))  # ten thousand


def pairs(n: int = SIZE) -> Records:
    return films(SIZE, 51, 1.0).records.take(range(n))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every method, trained once on the clean set that all share, and tiny."""
    found: dict[str, Path] = {}
    for method in METHODS:
        found[method] = tmp_path_factory.mktemp("bad") / method
        train(method, pairs(), found[method], found.get("dfn"))
    return found


def train(method: str, clean: Records, out: Path, towers: Path | None, **more: Any) -> dict[str, float]:
    given = {**TINY[method], **({"encoder": str(towers)} if method in ENCODED else {}), **more}
    pool = films(SIZE, 52, 0.3).records
    return dict(module_of(method).train(TrainingSet(clean, pool), out, make_rules(method, given)))


def score(folder: Path, records: Records) -> Scores:
    scorer = Scorer({"f": str(folder)}, "cpu")
    parts = [scorer(b) for b in prepare(records.images, records.texts, scorer.needs, 16)]
    return {n: np.concatenate([p[n] for p in parts]) for n in scorer.columns}


def weights(folder: Path) -> list[Path]:
    return sorted(p.relative_to(folder) for p in folder.rglob("*.safetensors"))


class Trap:
    """A pickle that would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_wrong_shapes_name_the_file_and_the_fix(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    for i, at in enumerate(weights(folders[method])):
        folder = Path(shutil.copytree(folders[method], tmp_path / f"copy{i}"))
        said = load_file(folder / at)
        save_file({k: np.zeros((*(n + 1 for n in v.shape), 2), v.dtype) for k, v in said.items()}, folder / at)
        assert_refused(folder, at)
        (folder / at).unlink()
        save_file({}, folder / at)
        assert_refused(folder, at)


@pytest.mark.parametrize("method", METHODS)
def test_a_pickle_in_the_place_of_weights_is_refused_and_not_run(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    for i, at in enumerate(weights(folders[method])):
        folder = Path(shutil.copytree(folders[method], tmp_path / f"copy{i}"))
        (folder / at).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
        assert_refused(folder, at)
    assert not (tmp_path / "ran").exists()


def assert_refused(folder: Path, at: Path) -> None:
    with pytest.raises(RecipeError) as error:
        load_method(folder, "cpu")
    told = str(error.value)
    assert at.name.removeprefix("towers.") in told and (folder / at).parent.name in told, told
    assert error.value.fix


@pytest.mark.parametrize(
    ("method", "field"),
    [
        *((m, "checkpoint") for m in ("clip", "dfn", "eva", "siglip", "siglip2", "blip")),
        ("siglip2", "reference"),
        ("binary", "encoder"),
        ("blip2", "encoder"),
    ],
)
def test_a_checkpoint_that_is_a_pickle_is_refused_and_not_run(
    method: str, field: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    source = Path(shutil.copytree(folders["dfn" if method != "blip" else method], tmp_path / "given"))
    (source / "model.safetensors").write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    more: dict[str, Any] = {field: str(source)}
    if field == "checkpoint" and method != "blip":
        (tmp_path / "weights.pt").write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
        more = {field: str(tmp_path / "weights.pt"), "tokenizer": "open_clip"}
    with pytest.raises(RecipeError) as error:
        train(method, pairs(), tmp_path / "out", folders["dfn"], **more)
    named = "weights.pt" if "tokenizer" in more else "model.safetensors"
    assert named in str(error.value) and error.value.fix, str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_clean_set_too_small_to_learn_from_says_how_many_and_what_to_do(
    method: str, n: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    if method == "text_quality" and n:  # counts what it is given: one text is enough
        train(method, pairs(n), tmp_path / "f", None)
        assert np.isfinite(score(tmp_path / "f", pairs())["f"]).all()
        return
    with pytest.raises((RunError, RecipeError), match=r"\d|clean texts") as error:
        train(method, pairs(n), tmp_path / "f", folders["dfn"])
    assert any(word in str(error.value) for word in ("declare", "give", "needs")), str(error.value)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("ours", "judges")])  # 40, they say
def test_a_clean_set_smaller_than_a_batch_is_trained_in_smaller_ones(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    train(method, pairs(24), tmp_path / "f", folders["dfn"])
    assert np.isfinite(score(tmp_path / "f", pairs(4))["f"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_ten_thousand_words_a_black_image_and_none_are_told(method: str, folders: dict[str, Path]) -> None:
    black = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
    good = pairs(1)
    records = Records(list("abcde"), [good.images[0], black, b"", b"broken", black],
                      [WORDS, good.texts[0], good.texts[0], WORDS, ""], list("abcde"))  # fmt: skip
    found = score(folders[method], records)
    reads_images = bool(Scorer({"f": str(folders[method])}, "cpu").needs.sides)
    expected = [True, True, not reads_images, not reads_images, True]
    for name, values in found.items():
        assert np.isfinite(values).tolist() == expected, name


@pytest.mark.parametrize("method", METHODS)
def test_such_records_in_the_clean_set_stop_no_training(method: str, folders: dict[str, Path], tmp_path: Path) -> None:
    clean = pairs()
    black = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
    clean = Records(clean.keys, [black, b"broken", *clean.images[2:]], [*clean.texts[:2], WORDS, *clean.texts[3:]],
                    clean.groups)  # fmt: skip
    train(method, clean, tmp_path / "f", folders["dfn"])
    assert np.isfinite(score(tmp_path / "f", pairs(4))["f"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_filter_whose_numbers_are_gone_never_gives_a_score(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    for i, at in enumerate(weights(folders[method])):
        folder = Path(shutil.copytree(folders[method], tmp_path / f"copy{i}"))
        said = load_file(folder / at)
        if not any(v.dtype.kind == "f" for v in said.values()):
            continue
        save_file({k: np.full_like(v, np.nan) if v.dtype.kind == "f" else v for k, v in said.items()}, folder / at)
        with pytest.raises(RadsiftError, match=r"train (it|that filter|the filter) again|use another checkpoint"):
            score(folder, pairs(8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"method": "clip"'])
def test_a_card_that_is_none_names_the_folder(
    method: str, content: str | None, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[method], tmp_path / "f"))
    (folder / "card.json").unlink()
    if content is not None:
        (folder / "card.json").write_text(content)
    with pytest.raises(RecipeError, match=r"(?i)card|filter"):
        load_method(folder, "cpu")
