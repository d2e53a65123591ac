from __future__ import annotations

import pytest
import torch

from curate.errors import RecipeError
from filters.rules import FilterTrainingRules, check_filter_training
from filters.towers.architectures import build, read_config
from filters.towers.layers import depths, image_tokens, set_patch_dropout
from filters.training.optimizers import Averaged, Course, make_optimizer, set_rate

TEXT = {"context_length": 16, "vocab_size": 60, "width": 32, "heads": 2, "layers": 2}
VIT = {"embed_dim": 32, "vision_cfg": {"image_size": 32, "layers": 3, "width": 32, "head_width": 16, "patch_size": 8}}
TIMM = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 224,
        "timm_model_name": "eva02_tiny_patch14_224",
        "timm_pool": "token",
        "timm_proj": None,
    },
    "custom_text": True,
}


@pytest.fixture(scope="module")
def vit() -> torch.nn.Module:
    return build(VIT | {"text_cfg": TEXT})


@pytest.fixture(scope="module")
def eva() -> torch.nn.Module:
    return build(TIMM | {"text_cfg": TEXT})


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    config = read_config("radsift-tiny")
    return build(config | {"text_cfg": config["text_cfg"] | {"vocab_size": 60}})


def test_a_vits_blocks_are_counted_from_its_head(vit: torch.nn.Module):
    found = depths(vit)
    assert set(found) == {n for n, _ in vit.named_parameters()}
    assert found["visual.proj"] == found["text_projection"] == found["logit_scale"] == 0
    assert found["visual.transformer.resblocks.2.mlp.c_fc.weight"] == 1
    assert found["visual.transformer.resblocks.0.ln_1.bias"] == 3
    assert found["visual.conv1.weight"] == found["visual.class_embedding"] == found["visual.ln_pre.weight"] == 4
    assert found["transformer.resblocks.1.attn.in_proj_weight"] == 1
    assert found["token_embedding.weight"] == found["positional_embedding"] == 3


def test_eva_and_a_resnet_are_counted_alike(eva: torch.nn.Module, resnet: torch.nn.Module):
    found = depths(eva)
    assert found["visual.trunk.patch_embed.proj.weight"] == found["visual.trunk.cls_token"] == 13
    assert found["visual.trunk.blocks.0.norm1.weight"] == 12 and found["visual.trunk.blocks.11.norm1.weight"] == 1
    assert found["visual.trunk.head.weight"] == 0 and found["text.token_embedding.weight"] == 3
    found = depths(resnet)
    assert found["visual.conv1.weight"] == found["visual.bn3.bias"] == 5
    assert found["visual.layer1.0.conv1.weight"] == 4 and found["visual.layer4.0.bn2.weight"] == 1
    assert found["visual.attnpool.q_proj.weight"] == 0


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_the_rate_falls_block_by_block_and_gains_are_not_decayed(vit: torch.nn.Module, name):
    optimizer = make_optimizer(vit, Course(1.0, 0.1, optimizer=name, layer_decay=0.5))
    assert set_rate(optimizer, 1.0, 0.0, 0.0) == 1.0
    named = {id(p): n for n, p in vit.named_parameters()}
    rates = {named[id(p)]: (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert len(rates) == len(named)
    assert rates["visual.conv1.weight"] == (0.5**4, 0.1) and rates["visual.class_embedding"] == (0.5**4, 0.0)
    assert rates["logit_scale"] == (1.0, 0.0) and rates["transformer.resblocks.0.ln_1.weight"] == (0.25, 0.0)


def test_the_rate_warms_up_and_cools_to_nothing(vit: torch.nn.Module):
    optimizer = make_optimizer(vit, Course.of(FilterTrainingRules()))
    rates = [set_rate(optimizer, 1.0, 0.1, step / 100) for step in range(100)]
    assert rates[0] < 0.02 and max(rates) == rates[10] == 1.0 and rates[-1] < 0.001
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("kind", ["vit", "eva"])
def test_patches_are_dropped_in_training_only(kind: str, request: pytest.FixtureRequest):
    model = request.getfixturevalue(kind)
    x = torch.randn((2, 3, 32 if kind == "vit" else 224, 32 if kind == "vit" else 224))
    names = list(model.state_dict())
    model.eval()
    with torch.no_grad():
        whole = model.encode_image(x)
        set_patch_dropout(model, 0.5)
        assert list(model.state_dict()) == names
        assert torch.equal(model.encode_image(x), whole)
        tokens = image_tokens(model.train(), x)[1].shape[1]
        set_patch_dropout(model, 0.0)
        assert (model.encode_image(x) - whole).abs().max() < 1e-5
        assert tokens <= image_tokens(model, x)[1].shape[1] * 0.51 + 1
    model.eval()


@pytest.mark.parametrize("kind", ["vit", "eva", "resnet"])
def test_tokens_come_with_the_same_embedding(kind: str, request: pytest.FixtureRequest):
    model = request.getfixturevalue(kind).eval()
    side = {"vit": 32, "eva": 224, "resnet": 64}[kind]
    x = torch.randn((2, 3, side, side))
    with torch.no_grad():
        pooled, tokens = image_tokens(model, x)
        assert (pooled - model.encode_image(x)).abs().max() < 1e-5
    assert tokens.ndim == 3 and len(tokens) == 2 and tokens.shape[1] > 1


def test_a_tower_without_patches_says_so(resnet: torch.nn.Module):
    set_patch_dropout(resnet, 0.0)
    with pytest.raises(RecipeError, match="patch_dropout: this image tower has no patches"):
        set_patch_dropout(resnet, 0.3)


def test_an_average_forgets_its_beginning_and_follows():
    model = torch.nn.Linear(2, 2)
    averaged = Averaged(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(1.0)
    for _ in range(300):
        averaged.update(model)
    assert torch.allclose(averaged.model.weight, torch.ones(2, 2), atol=0.01)
    with torch.no_grad():
        model.weight.fill_(2.0)
    averaged.update(model)
    assert torch.allclose(averaged.model.weight, torch.full((2, 2), 1.1), atol=0.01)
    averaged.copy_to(model)
    assert torch.equal(model.weight, averaged.model.weight)


@pytest.mark.parametrize(
    "change",
    [
        {"mirror": 1.5},
        {"filter_ratio": 1.0},
        {"layer_decay": 0.0},
        {"negatives": -1},
        {"chunks": 0},
        {"ema": 1.0},
        {"lr": -1.0},
        {"epochs": -2},
        {"batch": 1},
    ],
)
def test_values_out_of_range_are_named(change: dict):
    with pytest.raises(RecipeError, match=f"filter.{next(iter(change))}"):
        check_filter_training(FilterTrainingRules(**change))
