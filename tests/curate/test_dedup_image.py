"""Copies of a picture meet, other pictures do not, and many equal pictures do not make many pairs."""

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup import image
from curate.dedup.cluster import components
from curate.dedup.image import correlations, near_image_pairs, perceptual_hash, thumb, thumb_hash
from curate.dedup.rules import CORRELATION, DISTANCE
from tests.realdata import real


def scene(seed: int, size: int = 256) -> np.ndarray:
    """uint8[size, size]: blobs of several widths, another picture for every seed."""
    rng = np.random.default_rng(seed)
    noise = sum(cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), s) * s for s in (4, 12, 30))
    return np.rint(255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


def sign(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    hashes = np.array([perceptual_hash(p) for p in pictures], np.uint64)
    return hashes, np.frombuffer(b"".join(map(thumb, pictures)), np.uint8).reshape(-1, 1024)


def window(p: np.ndarray) -> np.ndarray:
    return np.clip((p.astype(int) - 50) * 255 // 150, 0, 255).astype(np.uint8)


COPIES = {
    "16 bit": lambda p: p.astype(np.uint16) * 257,
    "12 bit": lambda p: p.astype(np.uint16) * 16 + 100,
    "big endian": lambda p: p.astype(">u2"),
    "window": window,
    "gamma": lambda p: np.rint(255 * (p / 255) ** 1.8).astype(np.uint8),
    "equalised": cv2.equalizeHist,
    "half size": lambda p: cv2.resize(p, (128, 128), interpolation=cv2.INTER_AREA),
    "other shape": lambda p: cv2.resize(p, (300, 200), interpolation=cv2.INTER_LINEAR),
    "JPEG": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 0),
    "RGB": lambda p: np.stack([p, p, p], axis=-1),
    "one channel": lambda p: p[:, :, None],
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copies_meet(change):
    originals = [scene(s) for s in range(12)]
    hashes, thumbs = sign([*originals, *map(change, originals)])
    assert near_image_pairs(hashes, thumbs).tolist() == [[i, i + 12] for i in range(12)]


def test_flips_rotations_and_negatives_are_other_pictures():
    one = scene(1)
    hashes, thumbs = sign([one, one[:, ::-1], one[::-1], np.rot90(one), 255 - one])
    assert len(near_image_pairs(hashes, thumbs)) == 0


def test_the_thumbnail_must_confirm_what_the_hash_proposes():
    hashes, thumbs = sign([scene(1), scene(2)])
    hashes[:] = 7
    assert len(near_image_pairs(hashes, thumbs)) == 0
    thumbs = np.stack([thumbs[0], thumbs[0]])
    assert near_image_pairs(hashes, thumbs).tolist() == [[0, 1]]


def test_only_pairs_of_one_group():
    one = scene(3)
    hashes, thumbs = sign([one] * 4)
    assert near_image_pairs(hashes, thumbs, group=np.array([5, 0, 5, 1])).tolist() == [[0, 2]]


def test_many_equal_pictures_are_linked_to_one_and_still_meet_the_others():
    blank, one = np.full((64, 64), 9, np.uint8), scene(4)
    pictures = [one] + [blank] * 3000 + [one] * 40 + [window(one)]
    hashes, thumbs = sign([one, blank, window(one)])
    index = np.array([0] + [1] * 3000 + [0] * 40 + [2])
    pairs = near_image_pairs(hashes[index], thumbs[index])
    assert len(pictures) == len(index) and len(pairs) < len(index)
    assert {1} == set(pairs[(pairs[:, 1] > 1) & (pairs[:, 1] <= 3000), 0].tolist())
    assert [0, 3041] in pairs.tolist()


def test_a_run_of_one_hash_with_many_different_thumbnails_stays_bounded():
    rng = np.random.default_rng(0)
    thumbs = rng.integers(0, 256, (300, 1024), dtype=np.uint8)
    thumbs[299] = thumbs[298]
    pairs = near_image_pairs(np.zeros(300, np.uint64), thumbs)
    assert pairs.tolist() == [[298, 299]]


@given(st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_equals_comparing_all_pairs(seed: int, n: int):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (4, 1024))
    thumbs = np.clip(base[rng.integers(0, 4, n)] + rng.normal(0, 25, (n, 1024)), 0, 255).astype(np.uint8)
    flips = rng.integers(0, 64, (n, 4)).astype(np.uint64)
    hashes = np.bitwise_xor.reduce(np.uint64(1) << flips, axis=1).astype(np.uint64)
    both = np.stack(np.triu_indices(n, 1), axis=1)
    near = np.bitwise_count(hashes[both[:, 0]] ^ hashes[both[:, 1]]) <= DISTANCE
    want = both[near & (correlations(thumbs, both) >= CORRELATION)]
    assert near_image_pairs(hashes, thumbs).tolist() == want.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_hot_bucket_has_the_components_of_comparing_all_pairs(seed: int):
    """Noisy copies of a few pictures, more than are compared pair by pair, among others."""
    rng = np.random.default_rng(seed)
    originals = [np.frombuffer(thumb(scene(s)), np.uint8).astype(float) for s in range(30)]
    of = np.concatenate([np.arange(30), rng.integers(0, 2, 170)])
    thumbs = np.stack([np.clip(originals[i] + rng.normal(0, 3, 1024), 0, 255) for i in of]).astype(np.uint8)
    hashes = np.array([thumb_hash(t.tobytes()) for t in thumbs], np.uint64)
    both = np.stack(np.triu_indices(200, 1), axis=1)
    near = np.bitwise_count(hashes[both[:, 0]] ^ hashes[both[:, 1]]) <= DISTANCE
    want = both[near & (correlations(thumbs, both) >= CORRELATION)]
    found = near_image_pairs(hashes, thumbs, group=np.zeros(200, np.int64))
    assert len(found) < len(want) / 3
    assert components(200, found).tolist() == components(200, want).tolist()


def test_a_crowd_that_does_not_match_is_not_compared_pair_by_pair(monkeypatch: pytest.MonkeyPatch):
    """Noise too strong to match under hashes that stay close: the work grows as the crowd does, not as its square."""
    asked = []
    whole = image.correlations
    monkeypatch.setattr(image, "correlations", lambda t, pairs: asked.append(len(pairs)) or whole(t, pairs))
    work = []
    for n in (400, 1600):
        rng, asked[:] = np.random.default_rng(1), []
        one = np.frombuffer(thumb(scene(5)), np.uint8).astype(float)
        thumbs = np.clip(one + rng.normal(0, 14, (n, 1024)), 0, 255).astype(np.uint8)
        hashes = np.array([thumb_hash(t.tobytes()) for t in thumbs], np.uint64)
        assert len(near_image_pairs(hashes, thumbs, group=np.zeros(n, np.int64))) == 0
        work.append(sum(asked))
    assert work[1] < 6 * work[0]


def test_correlation_is_spearmans_with_ties():
    rng = np.random.default_rng(5)
    thumbs = np.stack([rng.integers(0, 9, 1024), rng.integers(0, 9, 1024), np.zeros(1024)]).astype(np.uint8)
    mid = [np.array([(t < v).sum() + ((t == v).sum() + 1) / 2 for v in t]) for t in thumbs[:2].astype(int)]
    want = np.corrcoef(mid[0], mid[1])[0, 1]
    got = correlations(thumbs, np.array([[0, 1], [0, 0], [0, 2], [2, 2]]))
    assert got == pytest.approx([want, 1, 0, 1], abs=1e-6)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)])
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ValueError, match="uint8 or uint16"):
        perceptual_hash(pixels)


def test_tiny_and_blank_pictures_have_a_hash():
    assert perceptual_hash(np.zeros((5, 3), np.uint8)) == perceptual_hash(np.full((500, 30), 4000, np.uint16)) == 0
    assert thumb(np.zeros((1, 1), np.uint8)) == bytes(1024)
    assert len(thumb(np.arange(6, dtype=np.uint8).reshape(2, 3))) == 1024


def test_real_equalised_radiographs_are_found_and_no_other_pair():
    folder = real("vision") / "neardup_cxr"
    with (folder / "pairs.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    pictures = [cv2.imread(str(folder / r[c]), cv2.IMREAD_GRAYSCALE) for c in ("raw", "equalized") for r in rows]
    found = {tuple(p) for p in near_image_pairs(*sign(pictures)).tolist()}
    n = len(rows)
    assert {(i, i + n) for i in range(n)} <= found
    # one picture is listed under two names, whose four files are all linked
    twice = {tuple(sorted((i % n, j % n))) for i, j in found if i % n != j % n}
    assert len(twice) == 1 and len(found) == n + 4


def test_real_photographs():
    folder = real("vision") / "neardup_ukbench"
    mixed, base = folder / "mixed_images", folder / "base_images"
    names = [mixed / f"ukbench00120{s}.jpg" for s in ("", "_resize", "_hflip", "_rotation")]
    names += [p for p in sorted(base.glob("*.jpg")) if p.name != "ukbench00120.jpg"]
    pictures = [cv2.imread(str(p))[:, :, ::-1] for p in names]
    assert near_image_pairs(*sign(pictures)).tolist() == [[0, 1]]
