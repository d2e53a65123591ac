from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RunError
from filters.method import Batch
from filters.methods.two_towers import Towers
from filters.metrics import auroc
from filters.score import Needs, Scorer, prepare
from filters.towers.model import Filter
from tests.filters.conftest import Trained
from tests.filters.shapes import pair, pairs

SIDE = Needs((64,))
IMAGES, TEXTS, _ = pairs(40, start=5000)
TEXTS[3] = TEXTS[3] * 12  # longer than the context
TEXTS[4] = ""
TEXTS[5] = TEXTS[5] * 2


@pytest.fixture(scope="module")
def scorer(trained: Trained) -> Scorer:
    return Scorer({"dfn": str(trained.folder)}, "cpu")


def towers(scorer: Scorer) -> Towers:
    found = scorer.methods["dfn"]
    assert isinstance(found, Towers)
    return found


def dfn(scorer: Scorer, batches: Iterable[Batch]) -> np.ndarray:
    return np.concatenate([scorer(b)["dfn"] for b in batches])


@pytest.fixture(scope="module")
def alone(scorer: Scorer) -> np.ndarray:
    """Every pair scored in a batch of its own."""
    return dfn(scorer, prepare(IMAGES, TEXTS, SIDE, 1))


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(40)), batch=st.integers(1, 40))
def test_a_score_does_not_depend_on_its_neighbours(scorer: Scorer, alone: np.ndarray, order: list[int], batch: int):
    batches = prepare([IMAGES[i] for i in order], [TEXTS[i] for i in order], SIDE, batch)
    np.testing.assert_array_equal(dfn(scorer, batches), alone[order])


def test_scores_are_the_cosines_of_open_clips_own_encoding(scorer: Scorer, alone: np.ndarray):
    found: Filter = towers(scorer).filter
    model, visual = found.model, found.model.visual
    pixels = torch.cat([b.pixels(64) for b in prepare(IMAGES, TEXTS, SIDE, 7)])
    mean, std = torch.tensor(found.preprocessing["mean"]), torch.tensor(found.preprocessing["std"])
    scaled = (pixels.expand(-1, 3, -1, -1) / 255 - mean.reshape(3, 1, 1)) / std.reshape(3, 1, 1)
    ids = torch.from_numpy(found.tokenizer(TEXTS))
    with torch.no_grad():
        cosine = (model.encode_image(scaled, normalize=True) * model.encode_text(ids, normalize=True)).sum(dim=1)
    assert visual.image_size in (64, (64, 64))
    assert np.abs(cosine.numpy() - alone).max() < 1e-5


def test_right_pairs_score_above_shuffled_ones(scorer: Scorer):
    images, texts, _ = pairs(120, start=9000)
    right = dfn(scorer, prepare(images, texts, SIDE, 64))
    wrong = dfn(scorer, prepare(images, texts[1:] + texts[:1], SIDE, 64))
    assert auroc(np.r_[right, wrong], np.arange(240) < 120) > 0.8


def test_prepare_keeps_every_row_in_order():
    images = [IMAGES[0], None, b"broken", pair(1, bits=16)[0], IMAGES[2]]
    got = list(prepare(images, list("abcde"), SIDE, 2))
    assert [b.texts for b in got] == [["a", "b"], ["c", "d"], ["e"]]
    assert [b.valid.tolist() for b in got] == [[True, False], [False, True], [True]]
    assert all(b.images[64].dtype == np.uint8 and b.images[64].shape[1:] == (64, 64, 1) for b in got)
    assert list(prepare([], [], SIDE, 2)) == []


def test_threads_prepare_the_same():
    images = [*IMAGES[:9], None, b"broken", pair(1, bits=16)[0]]
    both = [list(prepare(images, TEXTS[:12], Needs((32, 64), native=True), 5, threads)) for threads in (1, 3)]
    for one, other in zip(*both, strict=True):
        assert (one.texts, one.rows, one.valid.tolist()) == (other.texts, other.rows, other.valid.tolist())
        for side in (32, 64):
            np.testing.assert_array_equal(one.images[side], other.images[side])
        for a, b in zip(one.native or [], other.native or [], strict=True):
            assert a is b is None or (a == b).all()


def test_a_picture_that_shows_no_colour_travels_as_one_channel():
    grey = cv2.imdecode(np.frombuffer(IMAGES[0], np.uint8), cv2.IMREAD_GRAYSCALE)
    as_colour = cv2.imencode(".png", cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))[1].tobytes()
    one, other = (next(prepare([image], [""], SIDE, 1)).images[64] for image in (IMAGES[0], as_colour))
    np.testing.assert_array_equal(one, other)
    tinted = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    tinted[40, 30, 0] ^= 255
    mixed = [IMAGES[0], cv2.imencode(".png", tinted)[1].tobytes()]
    assert next(prepare(mixed, ["", ""], SIDE, 2)).images[64].shape == (2, 64, 64, 3)


def test_12_bits_in_16_show_the_same_picture_as_8():
    eight, sixteen = (next(prepare([pair(7, bits)[0]], [""], SIDE, 1)).images[64].astype(int) for bits in (8, 16))
    inside = np.s_[0, :, 7:-7, 0]  # an 80 x 64 picture leaves a black border left and right
    eight, sixteen = eight[inside], sixteen[inside]
    stretched = (eight - eight.min()) * 255 / (eight.max() - eight.min())
    assert np.abs(stretched - sixteen).max() < 3


def test_what_does_not_decode_is_nan_and_only_that(scorer: Scorer):
    (batch,) = prepare([IMAGES[0], None, IMAGES[1]], TEXTS[:3], SIDE, 8)
    assert np.isnan(scorer(batch)["dfn"]).tolist() == [False, True, False]
    (nothing,) = prepare([None], ["x"], SIDE, 8)
    assert np.isnan(scorer(nothing)["dfn"]).all()


def test_a_model_that_answers_nan_is_an_error(trained: Trained):
    broken = Scorer({"dfn": str(trained.folder)}, "cpu")
    with torch.no_grad():
        towers(broken).filter.model.text_projection.fill_(float("nan"))
    with pytest.raises(RunError, match="1 of 1 pairs NaN"):
        broken(next(prepare(IMAGES[:1], TEXTS[:1], SIDE, 1)))


def test_an_all_black_image_has_a_score(scorer: Scorer):
    score = scorer(Batch({64: np.zeros((1, 64, 64, 1), np.uint8)}, ["left disc"], np.array([True])))["dfn"]
    assert np.isfinite(score).all() and abs(score[0]) <= 1


def test_memory_running_out_halves_the_block_and_loses_nothing(trained: Trained, alone: np.ndarray):
    tight = Scorer({"dfn": str(trained.folder)}, "cpu")
    inside = towers(tight)
    encode = inside.filter.encode_images

    def crowded(pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > 4:
            raise torch.cuda.OutOfMemoryError("as a GPU says it")
        return encode(pixels)

    inside.filter.encode_images = crowded
    scores = dfn(tight, prepare(IMAGES, TEXTS, SIDE, 40))
    assert inside.blocks.size == 4
    np.testing.assert_allclose(scores, alone, atol=1.1e-5)
