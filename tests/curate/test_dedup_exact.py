"""What counts as the same pixels and the same words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.dedup.exact import bucket_of, exact_pairs, normalise, pixel_hash, text_hash
from curate.dedup.leaders import by_bucket


def test_pixel_hash_reads_shape_depth_and_pixels_only():
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)
    same = pixel_hash(pixels)
    assert len(same) == 32 and int(same, 16) >= 0
    assert pixel_hash(pixels.astype(">u2")) == same
    assert pixel_hash(np.asfortranarray(pixels)) == same
    assert pixel_hash(np.repeat(pixels, 2, axis=1)[:, ::2]) == same
    others = [pixels.reshape(6, 4), pixels.astype(np.uint8), pixels[:, :, None], pixels + np.uint16(1), pixels[::-1]]
    assert len({pixel_hash(p) for p in others} | {same}) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("No  effusion.\r\n", "no effusion"),
        ("Dr. [NAME] was told on [DATE 2].", "DR WAS TOLD ON"),
        ("Seen by XXXX, ___ and ***.", "seen by and"),
        ("STRASSE", "straße"),
        ("ﬁne", "fine"),
        ("pneu\u00admonia", "pneumonia"),
        ("e\u0301panchement", "épanchement"),
        ("3.5 cm × 2", "3.5 CM (2)"),
    ],
)
def test_the_same_words_normalise_alike(one: str, other: str):
    assert normalise(one) == normalise(other)
    assert text_hash(one) == text_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5 cm", "35 cm"),
        ("3.5 cm", "3 5 cm"),
        ("> 3 cm", "< 3 cm"),
        ("T-score -2.5", "T-score 2.5"),
        ("pneumonia?", "pneumonia"),
        ("effusion [LEFT]", "effusion [RIGHT]"),
        ("[NO] effusion", "effusion"),
        ("हिन्दी", "हन्द"),
    ],
)
def test_what_means_something_else_stays_apart(one: str, other: str):
    assert text_hash(one) != text_hash(other)


@given(st.text(st.characters(), max_size=40))
def test_normalise_is_idempotent(text: str):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text("ab -.3[]_X\n\u2212", max_size=30))
def test_normalise_is_idempotent_on_the_characters_it_treats_specially(text: str):
    assert normalise(normalise(text)) == normalise(text)


IDS = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 2)), max_size=40)


@given(IDS)
def test_exact_pairs_link_each_row_to_the_first_of_its_kind(rows: list[tuple[int, int]]):
    ids, group = np.array(rows, np.int64).reshape(-1, 2).T
    first: dict[tuple[int, int], int] = {}
    want = {(first[r], i) for i, r in enumerate(rows) if r[0] >= 0 and first.setdefault(r, i) != i}
    assert set(map(tuple, exact_pairs(ids, group).tolist())) == want


@given(IDS, st.integers(1, 7))
def test_the_buckets_together_give_the_links_of_the_whole(rows: list[tuple[int, int]], count: int):
    ids = np.array([r[0] for r in rows if r[0] >= 0], np.int64)
    buckets = bucket_of([text_hash(str(i)) for i in ids], count)
    parts = [b[exact_pairs(ids[b])] for b in (np.flatnonzero(buckets == k) for k in range(count))]
    assert sorted(np.concatenate(parts).tolist()) == sorted(exact_pairs(ids).tolist())


@given(st.lists(st.integers(0, 9), max_size=60))
def test_rows_of_a_bucket_stand_together_and_rise(values: list[int]):
    key = np.array([value * 0x9E3779B97F4A7C15 % 2**64 for value in values], np.uint64)
    order, bucket = by_bucket(key)
    found = [order[bucket == i].tolist() for i in range(len(set(values)))]
    assert sorted(found) == sorted([i for i, v in enumerate(values) if v == value] for value in set(values))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("__XXXX", "xxxx"),
        ("XXXXX [LEFT] A***", "left a"),
        ("[A__B] XXX AXXXX", "xxx axxxx"),
        ("[XXXX]_ ____", ""),
    ],
)
def test_placeholders_beside_one_another(text: str, left: str):
    assert normalise(text) == left
