"""Text quality on small archives of texts made here."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from curate.errors import RecipeError, RunError
from filters.method import Batch, Records, TrainingSet, load_method, read_card
from filters.methods import text_quality
from filters.methods.text_quality import Rules, TextQuality
from filters.metrics import auroc
from tests.realdata import real

COMMON = "The heart and mediastinum are unremarkable."
SECRET = "Mrs Jones of Harbour Street fell from a horse."


def texts_of(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    findings = ("pleural effusion", "pneumothorax", "consolidation", "pulmonary nodule")
    made = []
    for i in range(n):
        size, side = rng.choice(["small", "moderate", "large"]), rng.choice(["left", "right"])
        made.append(
            f"There is a {size} {side} {findings[i % 4]} of {i} mm near marker q{'abcdefghij'[i % 10]}. {COMMON}"
        )
    return made


def records(texts: list[str], patients: int | None = None) -> Records:
    n = len(texts)
    return Records([f"k{i:04d}" for i in range(n)], [b""] * n, texts, [f"p{i % (patients or n)}" for i in range(n)])


def score(method: TextQuality, *texts: str) -> dict[str, np.ndarray]:
    return method(Batch({}, list(texts), np.ones(len(texts), bool)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("text_quality")
    pool = [f"{COMMON} No acute abnormality." for _ in range(60)] + [SECRET]
    text_quality.train(TrainingSet(records(texts_of(80)), records(pool)), out, Rules())
    return out


def test_columns_and_what_they_punish(folder: Path) -> None:
    method = load_method(folder)
    assert isinstance(method, TextQuality) and method.sides == () and method.columns[0] == ""
    good = texts_of(80)[5]
    worse = {
        "boilerplate": f"{COMMON} No acute abnormality.",
        "prior": f"{good} Compared with the previous examination it has increased. Otherwise stable.",
        "template": f"{good}\nIMPRESSION:\n",
        "length": "Effusion.",
    }
    for column, text in worse.items():
        found = score(method, good, text)
        assert found[column][1] < found[column][0], column
        assert found[""][1] < found[""][0], column


@pytest.mark.parametrize(
    "left_in", ["Replace this - DESCRIPTION OF THE IMAGE", "<insert findings>", "_____", "[side]", ""]
)
def test_what_was_left_in_is_no_report(folder: Path, left_in: str) -> None:
    found = score(text_quality.load(folder), texts_of(4)[3], left_in)
    assert found["template"][1] < found["template"][0] and found[""][1] < found[""][0]


def test_our_own_placeholders_are_no_template(folder: Path) -> None:
    method = text_quality.load(folder)
    plain, placed = "A left effusion was seen by the reader.", "A left effusion was seen by [NAME] on [DATE]."
    found = score(method, plain, placed)["template"]
    assert found[0] == found[1]


def test_nothing_of_one_patient_is_kept(folder: Path, tmp_path: Path) -> None:
    """Sentences of few patients leave no trace: the tables are the same without them."""
    pool = [f"{COMMON} No acute abnormality." for _ in range(60)] + ["Something else altogether that nobody wrote."]
    text_quality.train(TrainingSet(records(texts_of(80)), records(pool)), tmp_path, Rules())
    assert (tmp_path / "tables.safetensors").read_bytes() == (folder / "tables.safetensors").read_bytes()
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in folder.iterdir())
    tables = text_quality.load(folder).tables
    assert tables.sentence("the heart and mediastinum are unremarkable") > 0.5
    assert tables.sentence("mrs jones of harbour street fell from a horse") == 0.0


def test_one_patient_with_many_reports_is_one(tmp_path: Path) -> None:
    text_quality.train(TrainingSet(records([COMMON] * 40, patients=3)), tmp_path, Rules())
    assert len(text_quality.load(tmp_path).tables.sentences) == 0


def test_order_of_the_records_does_not_matter(folder: Path, tmp_path: Path) -> None:
    pool = [f"{COMMON} No acute abnormality." for _ in range(60)] + [SECRET]
    data = TrainingSet(records(texts_of(80)), records(pool))
    turned = TrainingSet(data.clean.take(range(79, -1, -1)), data.pool.take(range(60, -1, -1)))
    text_quality.train(turned, tmp_path, Rules())
    assert all((tmp_path / p.name).read_bytes() == p.read_bytes() for p in folder.iterdir())


def test_a_record_is_scored_alone_and_any_text_will_do(folder: Path) -> None:
    method = text_quality.load(folder)
    texts = [*texts_of(5), "", "\ud800 \x00", "word " * 10_000, COMMON]
    together = score(method, *texts)
    for i, text in enumerate(texts):
        assert {c: v[i] for c, v in together.items()} == {c: v[0] for c, v in score(method, text).items()}
    assert all(np.isfinite(v).all() and v.dtype == np.float32 for v in together.values())
    assert together["length"][7] < together["length"][0]


def test_wrong_folders_and_empty_sets(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="clean"):
        text_quality.train(TrainingSet(records([])), tmp_path, Rules())
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())
    with pytest.raises(RecipeError, match=r"tables\.safetensors"):
        text_quality.load(tmp_path)
    assert read_card(folder)["method"] == "text_quality"


def test_faults_of_a_teaching_archive(tmp_path: Path) -> None:
    """Placeholders and captions of three words against the rest; learned on half of the good patients."""
    with (real("radiology_pairs") / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    captions = [r["caption"] for r in rows]
    bad = np.array(["Replace this" in c or len(c.split()) <= 3 for c in captions])
    mine = np.array([hash_of(r["group_id"]) for r in rows])
    learned = np.flatnonzero(~bad & mine)
    made = Records([str(i) for i in learned], [b""] * len(learned), [captions[i] for i in learned],
                   [rows[i]["group_id"] for i in learned])  # fmt: skip
    text_quality.train(TrainingSet(made), tmp_path, Rules())
    found = score(text_quality.load(tmp_path), *captions)[""]
    assert auroc(found[~mine], ~bad[~mine]) >= 0.95


def hash_of(group: str) -> bool:
    return sum(group.encode()) % 2 == 0
