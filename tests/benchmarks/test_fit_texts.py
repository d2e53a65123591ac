"""The texts that the decision per word is fitted to: where their names stand, and whose names they are not."""

from __future__ import annotations

import random
import re

import pytest

pytest.importorskip("torch")

from benchmarks.deid import fit_texts, frames
from benchmarks.deid.fit_words import found_before
from benchmarks.deid.frame_people import names as frame_names


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names") / "faker" / "providers" / "person" / "xx_XX"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("last_names = ('Zwierzak', 'Qabbani', 'Thorvaldur', 'Okonkwo-Hale')\n")
    return fit_texts.Maker(fit_texts.load_names(folder.parents[3]), 5)


def test_a_text_and_where_its_names_stand(maker):
    text, found, masked = fit_texts.marked("Seen by \x01Ann Ode\x02 on \x03DATE|3 May\x04.")
    assert text == "Seen by Ann Ode on 3 May."
    assert [text[a:b] for a, b in found] == ["Ann Ode"] and masked == [(19, 24, "DATE")]
    for _ in range(60):
        text, found, masked = maker.text()
        assert not set("\x01\x02\x03\x04{}") & set(text)
        assert all(0 <= a < b <= len(text) for a, b in [*found, *((a, b) for a, b, _ in masked)])


def test_no_name_of_the_frames_is_taught(maker):
    measured = {n.lower() for split in ("dev", "test", "fresh") for g in frame_names(split).values() for n in g}
    drawn = maker.names
    for pool in (drawn.wordlike, drawn.common, drawn.given, drawn.given_words, drawn.foreign):
        assert pool and not measured & set(pool)


def test_no_sentence_of_the_frames_is_taught():
    def runs(text: str, size: int = 6) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " 0 ", text.lower()))
        return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}

    taught = set().union(
        *(runs(line) for name in ("names", "clinical") for line in (fit_texts.HERE / f"{name}.txt").open())
    )
    for split in ("dev", "fresh"):
        assert not {run for frame in frames.frames(split) for run in runs(frame["text"])} & taught


def test_names_are_found_before_whole_or_by_half():
    text, r = "Ann Ode rang Bo.", random.Random(3)
    found = [text[a:b] for _ in range(200) for a, b, _ in found_before(text, [(0, 7), (13, 15)], r)]
    assert {"Ann Ode", "Ann", "Ode", "Bo"} == set(found)
    assert max(map(found.count, ("Ann", "Ode"))) < found.count("Ann Ode") < 100
