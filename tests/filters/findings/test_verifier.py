"""The findings verifier on drawn films: what it sees, what it makes of claims, that it learns without pairs too."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError, RunError
from filters.findings.slots import Slots, learn_slots, read_claims
from filters.findings.verifier import method as findings
from filters.findings.verifier.method import FEATURES, Findings, Rules, logistic
from filters.findings.verifier.network import FindingsNet
from filters.method import Batch, Records, TrainingSet, load_method, read_card
from filters.metrics import auroc
from filters.registry import make_rules
from filters.towers import preprocess

SIDE = 32
RULES = Rules(side=SIDE, width=8, embed=16, epochs=12, min_steps=90, batch=32, threads=1, device="cpu")
_OTHER = {"left": "right", "right": "left"}


def pair(seed: int) -> tuple[bytes, str]:
    """A disc (nodule) or a filled base (effusion) on one side, or neither; the patient's right is on our left."""
    rng = np.random.default_rng(seed)
    image = rng.normal(60, 8, (SIDE, SIDE))
    finding, side = (str(rng.choice(v)) for v in (["nodule", "effusion", "none"], ["left", "right"]))
    x = int(rng.integers(5, 11)) + (16 if side == "left" else 0)
    if finding == "nodule":
        cv2.circle(image, (x, int(rng.integers(6, 20))), 3, 220, -1)
    elif finding == "effusion":
        start = 16 if side == "left" else 0
        image[int(rng.integers(20, 24)) :, start : start + 16] = 200
    text = {
        "nodule": f"There is a {side} pulmonary nodule. No pleural effusion.",
        "effusion": f"{side.capitalize()} pleural effusion. The heart is normal in size.",
        "none": "The lungs are clear. No pleural effusion." if rng.random() < 0.5 else "No acute abnormality.",
    }[finding]
    return cv2.imencode(".png", np.clip(image, 0, 255).astype(np.uint8))[1].tobytes(), text


def records(n: int, start: int = 0) -> Records:
    images, texts = zip(*(pair(start + i) for i in range(n)), strict=True)
    keys = [f"k{start + i:05d}" for i in range(n)]
    return Records(keys, list(images), list(texts), [f"p{start + i}" for i in range(n)])


def batch(images: list[bytes], texts: list[str]) -> Batch:
    decoded = [preprocess.decode(i, SIDE) for i in images]
    black = np.zeros((SIDE, SIDE, 1), np.uint8)
    valid = np.array([d is not None for d in decoded])
    return Batch({SIDE: preprocess.stack([black if d is None else d for d in decoded])}, texts, valid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("findings")
    calls: list[tuple[int, int, dict[str, float]]] = []
    metrics = findings.train(TrainingSet(records(240), records(60, 5000)), out, RULES, lambda *c: calls.append(c))
    assert calls[-1][0] == calls[-1][1] and calls[-1][2]["loss"] < calls[0][2]["loss"]
    assert metrics["holdout_auroc"] > 0.8
    return out


@pytest.fixture(scope="module")
def method(folder: Path) -> Findings:
    loaded = load_method(folder, "cpu")
    assert isinstance(loaded, Findings) and loaded.sides == (SIDE,) and loaded.columns[0] == ""
    return loaded


def swap(text: str) -> str:
    return " ".join(
        _OTHER.get(w, _OTHER.get(w.lower(), w).capitalize() if w in ("Left", "Right") else w) for w in text.split()
    )


def test_right_pairs_above_wrong_ones(method: Findings) -> None:
    test = records(120, 9000)
    sided = [i for i, t in enumerate(test.texts) if swap(t) != t]
    right = method(batch(test.images, test.texts))
    turned = method(batch([test.images[i] for i in sided], [swap(test.texts[i]) for i in sided]))
    normal = method(batch([test.images[i] for i in sided], ["No acute abnormality."] * len(sided)))
    for wrong in (turned, normal):
        scores = np.r_[right[""][sided], wrong[""]]
        assert auroc(scores, np.arange(len(scores)) < len(sided)) >= 0.9
    worst = np.r_[right["contradiction"][sided], turned["contradiction"]]
    assert auroc(worst, np.arange(len(worst)) < len(sided)) >= 0.9
    silent = method(batch([test.images[i] for i in sided], ["The heart is normal in size."] * len(sided)))
    left_out = np.r_[right["omission"][sided], silent["omission"]]
    assert auroc(left_out, np.arange(len(left_out)) < len(sided)) >= 0.9


def test_a_record_is_scored_alone(method: Findings) -> None:
    test = records(6, 9000)
    colour = cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8))[1].tobytes()
    images, texts = [*test.images, b"", colour], [*test.texts, "Effusion.", "no word of radiology"]
    together = method(batch(images, texts))
    assert all(np.isnan(v).tolist() == [False] * 6 + [True, False] for v in together.values())
    for i in (0, 3, 7):
        alone = method(batch([images[i]], [texts[i]]))
        assert all(abs(alone[c][0] - together[c][i]) < 1e-4 for c in method.columns)
    assert together["contradiction"][7] == 0.0  # nothing is claimed
    assert all(np.isnan(v).all() for v in method(batch([b""], [""])).values())


def test_equal_training_gives_equal_bytes(tmp_path: Path) -> None:
    short = Rules(side=SIDE, width=4, embed=8, epochs=1, min_steps=4, batch=16, threads=1, device="cpu")
    clean, pool = records(60), records(20, 5000)
    findings.train(TrainingSet(clean, pool), tmp_path / "a", short)
    turned = TrainingSet(clean.take(range(59, -1, -1)), pool.take(range(19, -1, -1)))
    findings.train(turned, tmp_path / "b", short)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    card = read_card(tmp_path / "a")
    assert card["findings"] == ["pleural effusion", "pulmonary nodule"] and card["data"]["pool"] == 20


def test_claims_become_slots() -> None:
    slots = Slots(("pleural effusion", "pneumothorax"), ("chest",))
    claims = read_claims(
        slots, ["Left pleural effusion. No pneumothorax.", "Possible pneumothorax.", "Normal study.", "x"]
    )
    # wrong at all | effusion anywhere, left, right | pneumothorax anywhere, left, right | chest
    assert claims.truth[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 1]
    assert claims.polarity[0].tolist() == [0, 0, 1, 0, -1, 0, 0, 1]
    assert claims.unmentioned[0].tolist() == [False, False, False, True, False, False, False, False]
    assert (claims.weight[0, 4:7] == 1).all() and 0 < claims.weight[0, 3] < 1
    assert claims.truth[1, 4] == claims.truth[1, 0] == 0.75 and 0 < claims.polarity[1, 4] < 1
    assert claims.polarity[2, 0] == -1 and (claims.truth[2] == 0).all() and (claims.weight[2, :7] > 0).all()
    assert claims.unmentioned[3, :7].all() and not claims.weight[3].any()
    mirrored = slots.mirrored()
    assert mirrored.tolist() == [0, 1, 3, 2, 4, 6, 5, 7] and (mirrored[mirrored] == np.arange(8)).all()
    turned = read_claims(slots, ["Right pleural effusion. No pneumothorax."])
    assert (turned.truth[0] == claims.truth[0][mirrored]).all()


def test_findings_are_learned_only_where_affirmed_often() -> None:
    texts = ["Left effusion."] * 3 + ["No ascites."] * 9 + ["Pneumonia."] * 2
    assert learn_slots(texts, 3, 10).findings == ("pleural effusion",)
    assert learn_slots(texts, 2, 1).findings == ("pleural effusion",)


def test_sides_share_their_weights() -> None:
    """A net whose features mirror (a picture that is its own mirror) sees both sides alike."""
    torch.manual_seed(0)
    net = FindingsNet(Slots(("a", "b")), 4, 8).eval()
    half = torch.rand(1, 1, 32, 16) * 255
    logits, embedding = net(torch.cat([half, half.flip(-1)], dim=-1))
    assert logits.shape == (1, 7) and embedding.norm().item() == pytest.approx(1, abs=1e-5)
    assert net(torch.zeros(1, 3, 32, 32))[0].isfinite().all()


def test_logistic_keeps_what_helps() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.5
    x = np.column_stack([y + rng.normal(0, 1, 400), -(y + rng.normal(0, 1, 400)), *rng.normal(0, 1, (4, 400))])
    weights = logistic(x, y)
    assert len(weights) == 1 + len(FEATURES) and weights[1] > 0.5 and weights[2] == 0.0 and (weights[1:] >= 0).all()


def test_wrong_folders_and_small_sets(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="16"):
        findings.train(TrainingSet(records(8)), tmp_path, RULES)
    silent = records(30)
    texts = Records(silent.keys, silent.images, ["Axial image."] * 30, silent.groups)
    with pytest.raises(RunError, match="finding"):
        findings.train(TrainingSet(texts), tmp_path, RULES)
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())
    with pytest.raises(RecipeError, match=r"model\.safetensors"):
        findings.load(tmp_path, "cpu")
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "near" not in k}, tmp_path / "model.safetensors")
    with pytest.raises(RecipeError, match=r"model\.safetensors"):
        findings.load(tmp_path, "cpu")
    weights["near.bias"] = torch.full_like(weights["near.bias"], float("nan"))
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises((RecipeError, RunError), match=r"NaN|findings"):
        method = findings.load(tmp_path, "cpu")
        test = records(4, 9000)
        method(batch(test.images, test.texts))


def test_rules_of_a_part_that_is_none_are_told() -> None:
    with pytest.raises(ValueError, match="'medclip' is no part; the parts are dfn, findings"):
        make_rules("ours", {"part_rules": {"medclip": {"epochs": 3}}})
