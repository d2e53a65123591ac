"""Identities in paths: found, refused and shown without showing whose they are; what lies beside what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecipeError
from curate.sources.pairing.paths import beside, check_keys, compile_keys, path_keys, shape, stem

MIMIC = r"p(?P<patient>\d+)/s(?P<accession>\d+)/(?P<image>[^/.]+)"


def test_what_a_path_says() -> None:
    path = "files/p10/p10000032/s50414267/02aa804e-bde0.dcm"
    assert path_keys(compile_keys(MIMIC, "f"), path) == {
        "patient": "10000032", "accession": "50414267", "image": "02aa804e-bde0",
    }  # fmt: skip
    assert path_keys(compile_keys(MIMIC, "f"), "other/file.dcm") == {}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is no regular expression"),
        (r"s(\d+)", "names no identity"),
        (r"(?P<accession>a)(?P<mrn>b)", "called 'mrn'"),
    ],
)
def test_a_wrong_pattern_is_refused_with_the_groups_there_are(pattern: str, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)) as caught:
        compile_keys(pattern, "images.0.key_pattern")
    assert caught.value.field == "images.0.key_pattern"
    assert ("(?P<accession>...)" in caught.value.fix) == (pattern != "(")


def test_a_pattern_that_fits_no_path_is_told_with_shapes_and_no_name(tmp_path: Path) -> None:
    home = tmp_path / "MUELLER_ANNA_19540312" / "s77"
    home.mkdir(parents=True)
    (home / "IM0001.dcm").write_bytes(b"x")
    with pytest.raises(RecipeError) as caught:
        check_keys(tmp_path, r"p(?P<patient>\d+)/", (), "images.0.key_pattern")
    said = str(caught.value)
    assert "s##/aaaa####.dcm" in said and "MUELLER" not in said and "1954" not in said and "77" not in said
    check_keys(tmp_path, r"s(?P<study>\d+)/", (), "images.0.key_pattern")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_a_shape_holds_no_digit_and_no_word(path: str) -> None:
    shown = shape(path)
    assert not re.search(r"\d", re.sub(r"\.(?:gz|json|jsonl)$", "", shown))
    bare = re.sub(r"\.\w+$", "", shown)
    assert all(set(word) == {"a"} for word in re.findall(r"[^\W\d_]{2,}", bare))


def test_what_stands_beside_what() -> None:
    names = ["train/a.jpg", "test/a.jpg", "x/b.png", "x/b.dcm", "c"]
    paths = [f"/r/{n}" for n in names]
    asked = ["a.jpg", "test/a.jpg", "b", "x/b.tif", "nowhere.jpg", "", "c"]
    places = [["/r/train/a.jpg"], ["/t/test/a.jpg"], ["/t/b"], [], [], [], ["/r/c"]]
    told, called = beside(asked, places, names, paths)
    assert told == ["train/a.jpg", "test/a.jpg", "x/b.dcm", "x/b.dcm", "nowhere.jpg", "", "c"]
    assert called == ["train/a.jpg", "test/a.jpg", "x/b.dcm", "x/b.dcm", "c"]  # one name: both are the report's


def test_what_one_report_names_to_the_letter_is_no_other_reports() -> None:
    told, called = beside(["a.jpg", "a.png", "y/b.png"], [[], [], []], ["a.jpg", "x/b.jpg"], ["/r/a.jpg", "/r/x/b.jpg"])
    assert told == ["a.jpg", "a.png", "y/b.png"] and called == ["a.jpg", "x/b.jpg"]


def test_letter_case_parts_no_name_that_is_the_only_one_so() -> None:
    names = ["t/im1.PNG", "t/Im2.png", "t/im2.png", "x/One.jpg"]
    asked, places = ["IM1.png", "IM2.png", "one.JPG"], [["/r/t/IM1.png"], ["/r/t/IM2.png"], ["/q/one.JPG"]]
    assert beside(asked, places, names, [f"/r/{n}" for n in names])[0] == ["t/im1.PNG", "IM2.png", "x/One.jpg"]


def test_a_bare_name_of_two_places_is_not_guessed() -> None:
    told, _ = beside(["a"], [[]], ["x/a.jpg", "y/a.jpg"], ["/r/x/a.jpg", "/r/y/a.jpg"])
    assert told == ["a"]


@pytest.mark.parametrize(
    ("path", "expected"), [("a/b.c.dcm", "a/b.c"), ("a/b", "a/b"), ("a.d/b", "a.d/b"), (".x", ".x")]
)
def test_stem(path: str, expected: str) -> None:
    assert stem(path) == expected
