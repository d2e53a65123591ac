"""Image quality: phantoms of radiographs against blank, drawn and real other pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.errors import RecipeError, RunError
from curate.synth.canvas import Canvas
from curate.synth.chest import chest_film_with
from filters.method import Batch, Records, TrainingSet, load_method
from filters.methods.image_quality import method as image_quality
from filters.methods.image_quality.features import NAMES, describe, text_share
from filters.methods.image_quality.method import ImageQuality, Rules
from filters.methods.image_quality.negatives import draw_negative, write_lines
from filters.metrics import auroc
from filters.towers import preprocess
from tests.realdata import real

SIDE = 128


def film(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A synthetic chest film, uint8[side, side]."""
    rngs = [np.random.default_rng([seed, k]) for k in range(3)]
    view = Canvas.view(side, side, rngs[0])
    seen = (("pleural effusion", "left", "large"),) if seed % 2 else ()
    image = chest_film_with(view, seen, rngs[1], rngs[2]) + 0.02 * view.grain(rngs[0])
    return np.asarray(np.clip(image * rngs[0].uniform(0.85, 1.1), 0, 1) * 255, np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def records(images: list[bytes]) -> Records:
    n = len(images)
    return Records([f"k{i:04d}" for i in range(n)], images, [""] * n, [f"p{i}" for i in range(n)])


def score(method: ImageQuality, images: list[bytes]) -> dict[str, NDArray[np.float32]]:
    decoded = [preprocess.decode(i, SIDE) for i in images]
    black = np.zeros((SIDE, SIDE, 1), np.uint8)
    valid = np.array([d is not None for d in decoded])
    return method(
        Batch({SIDE: preprocess.stack([black if d is None else d for d in decoded])}, [""] * len(images), valid)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("image_quality")
    image_quality.train(TrainingSet(records([png(film(i)) for i in range(100)])), out, Rules(drawn=120))
    return out


@pytest.fixture(scope="module")
def method(folder: Path) -> ImageQuality:
    loaded = load_method(folder)
    assert isinstance(loaded, ImageQuality) and loaded.sides == (SIDE,) and loaded.columns[0] == ""
    return loaded


def others(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures the filter was not shown, drawn otherwise than its own."""
    noise = rng.standard_normal((80, 80))
    if kind == "blank":
        return np.full((80, 80), int(rng.choice([0, 3, 128, 255])), np.uint8)
    if kind == "noise":
        return np.clip(rng.uniform(20, 200) + rng.uniform(1, 60) * noise, 0, 255).astype(np.uint8)
    if kind == "sky":
        rows = np.linspace(220, 60, 80)[:, None, None] * np.ones((1, 80, 1)) * rng.uniform(0.5, 1, 3)
        rows[50:] = rng.integers(0, 120, 3)
        return np.asarray(np.clip(rows + 4 * noise[..., None], 0, 255), np.uint8)
    board = np.kron(rng.integers(0, 256, (8, 8)), np.ones((10, 10)))  # a mosaic in grey
    return np.asarray(board, np.uint8)


@pytest.mark.parametrize(("kind", "column"), [("blank", "blank"), ("noise", "blank"), ("sky", "nonradiology"),
                                              ("mosaic", "nonradiology")])  # fmt: skip
def test_other_pictures_score_below_films(method: ImageQuality, kind: str, column: str) -> None:
    rng = np.random.default_rng(5)
    images = [png(film(1000 + i)) for i in range(25)] + [png(others(kind, rng)) for _ in range(25)]
    found, truth = score(method, images), np.arange(50) < 25
    assert auroc(found[column], truth) >= 0.97
    assert auroc(found[""], truth) >= 0.97


def test_writing_left_in(method: ImageQuality) -> None:
    clean = [film(2000 + i, 128) for i in range(10)]
    written = []
    for image in clean:
        burned = image.copy()
        for line in range(4):
            cv2.putText(burned, "MILLER ANN 1950", (4, 14 + 14 * line), cv2.FONT_HERSHEY_PLAIN, 0.8, 255, 1)
        written.append(burned)
    found = score(method, [png(i) for i in clean + written])["text"]
    assert auroc(found, np.arange(20) < 10) >= 0.95
    page = np.full((SIDE, SIDE, 1), 255, np.uint8)
    write_lines(page, np.random.default_rng(1), (0,))
    assert text_share(page) > 0.1 > text_share(np.full((SIDE, SIDE, 1), 255, np.uint8))


def test_undecodable_is_nan_and_neighbours_do_not_matter(method: ImageQuality) -> None:
    colour = png(np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8))
    images = [png(film(3000)), b"no picture", colour, png(film(3001))]
    together = score(method, images)
    assert all(np.isnan(v).tolist() == [False, True, False, False] for v in together.values())
    for i in (0, 2, 3):
        assert {c: v[i] for c, v in together.items()} == {c: v[0] for c, v in score(method, [images[i]]).items()}
    assert all(np.isnan(v).all() for v in score(method, [b""]).values())


def test_statistics_of_any_picture_are_finite() -> None:
    rng = np.random.default_rng(2)
    odd = [np.zeros((SIDE, SIDE, 1), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)]
    odd[0][3, 5] = 200  # a single lit pixel
    for picture in [*odd, *(draw_negative(SIDE, rng) for _ in range(30))]:
        found = describe(picture)
        assert found.shape == (len(NAMES),) and np.isfinite(found).all()


def test_equal_training_gives_equal_bytes_in_any_order(folder: Path, tmp_path: Path) -> None:
    clean = records([png(film(i)) for i in range(100)])
    image_quality.train(TrainingSet(clean.take(range(99, -1, -1))), tmp_path, Rules(drawn=120))
    assert all((tmp_path / p.name).read_bytes() == p.read_bytes() for p in folder.iterdir())


def test_wrong_folders_and_small_sets(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="16"):
        image_quality.train(TrainingSet(records([png(film(0)), b""] * 8)), tmp_path, Rules())
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())
    with pytest.raises(RecipeError, match=r"bank\.safetensors"):
        image_quality.load(tmp_path)


def test_photographs_against_real_radiology(tmp_path: Path) -> None:
    images = sorted((real("radiology_pairs") / "images").iterdir())[::12]
    photos = [
        p
        for p in sorted((real("vision") / "neardup_ukbench").rglob("*.jpg"))
        if preprocess.decode(p.read_bytes(), 8) is not None
    ]
    clean = [p.read_bytes() for p in images]
    image_quality.train(TrainingSet(records(clean[::2])), tmp_path, Rules())
    found = score(image_quality.load(tmp_path), clean[1::2] + [p.read_bytes() for p in photos])
    truth = np.arange(len(found[""])) < len(clean[1::2])
    assert auroc(found["nonradiology"], truth) >= 0.9
