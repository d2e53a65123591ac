"""A card tells what was done, in the hub's form, and nothing it should not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from curate.errors import RecipeError
from filters.rules import ModelRules
from filters.towers.model import create_filter, load_filter, save_filter
from filters.training.export.card import CardFacts, write_card
from filters.training.export.open_clip import export_open_clip
from filters.training.export.transformers import export_transformers
from tests.filters.training.objective_steps import texts

FACTS = CardFacts(
    title="Chest films",
    notes=("The data's owner allows research.",),
    data={"hash": "ab" * 32, "pairs": 1234, "splits": {"train": 1000, "test": 234}},
    filters={"ours": "cd" * 32},
    evaluation={
        "held out": {
            "tasks": {
                "retrieval": {"i2t R@1": {"value": 0.25, "low": 0.2, "high": 0.31, "n": 234}},
                "findings/effusion": {"auroc": {"value": 0.9, "low": float("nan"), "high": None, "n": 80}},
            },
            "subgroups": {"site": {"St. Somewhere": {}}},
            "leakage": {"near": 0},
        }
    },
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = create_filter(ModelRules(arch="radsift-tiny-vit"), texts(), 400, "cpu")
    card = {
        "arch": "radsift-tiny-vit",
        "tokenizer": "wordpiece",
        "objective": "clip",
        "rules": {"batch": 64, "lr": 0.001},
        "data": {"sha256": "ef" * 32, "records": 1000, "pairs seen": 20000},
        "metrics": {"loss": 1.25},
        "preprocessing": found.preprocessing,
    }
    save_filter(found, tmp_path / "model", card)
    return tmp_path / "model"


def test_the_hub_reads_it(folder: Path):
    write_card(folder, FACTS)
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "open_clip" and card.data.license == "other"
    assert {"medical", "radiology"} <= set(card.data.tags)
    found = {(r.dataset_name, r.task_name, r.metric_name): r.metric_value for r in card.data.eval_results}
    assert found == {("held out", "retrieval", "i2t R@1"): 0.25, ("held out", "findings/effusion", "auroc"): 0.9}
    assert card.data.metrics == ["i2t R@1", "roc_auc"]


def test_it_tells_what_was_done(folder: Path):
    write_card(folder, FACTS)
    text = (folder / "README.md").read_text()
    for said in (
        "# Chest films",
        "Not a medical device",
        "| objective | clip |",
        "| samples seen | 20000 |",
        f"| training data | {'ef' * 32} |",
        f"| hash | {'ab' * 32} |",
        "| splits train | 1000 |",
        f"| filter ours | {'cd' * 32} |",
        "| retrieval | i2t R@1 | 0.25 (0.2 to 0.31) | 234 |",
        "| findings/effusion | auroc | 0.9 | 80 |",
        "Seen in training: near 0.",
        "- The data's owner allows research.",
    ):
        assert said in text, said
    assert "St. Somewhere" not in text


def test_card_json_keeps_what_it_said_and_tells_more(folder: Path):
    before = json.loads((folder / "card.json").read_text())
    write_card(folder, FACTS)
    after = json.loads((folder / "card.json").read_text())
    assert before.items() <= after.items()
    assert after["export"]["pairs"] == 1234 and after["filters"] == {"ours": "cd" * 32}
    assert after["licence"] == {"id": "other", "notes": ["The data's owner allows research."]}
    assert after["evaluation"]["held out"]["tasks"]["findings/effusion"]["auroc"]["low"] is None
    assert len(after["weights"]) == 64
    load_filter(folder, "cpu")


def test_the_same_facts_give_the_same_bytes(folder: Path):
    write_card(folder, FACTS)
    first = [(folder / name).read_bytes() for name in ("README.md", "card.json")]
    write_card(folder, FACTS)
    assert first == [(folder / name).read_bytes() for name in ("README.md", "card.json")]
    assert str(folder.parent).encode() not in b"".join(first)


@pytest.mark.parametrize("path", ["/mnt/archive/clinic", "~/data", "C:\\archive"])
def test_a_path_is_refused(folder: Path, path: str):
    with pytest.raises(RecipeError, match="a path does not belong"):
        write_card(folder, CardFacts(data={"of": {"shards": [path]}}))
    assert not (folder / "README.md").exists()


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match="not a filter folder"):
        write_card(tmp_path, FACTS)


def test_exports_carry_it_under_their_librarys_name(folder: Path, tmp_path: Path):
    write_card(folder, CardFacts(licence="apache-2.0"))
    export_open_clip(folder, tmp_path / "a")
    export_transformers(folder, tmp_path / "b")
    assert [ModelCard.load(tmp_path / n / "README.md").data.library_name for n in "ab"] == ["open_clip", "transformers"]
    assert (tmp_path / "a/README.md").read_bytes() == (folder / "README.md").read_bytes()
