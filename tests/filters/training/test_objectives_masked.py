"""Masked prediction and image-grounded generation, beside the contrast."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from curate.errors import RecipeError
from filters.methods.blip2.qformer import QFormer, small_config
from filters.registry import QShape
from filters.towers.architectures import build, read_config
from filters.training.objectives.heads import Agreement
from filters.training.objectives.masked import MaskedPrediction
from filters.training.optimizers import Averaged


def vit(kind: str) -> Any:
    torch.manual_seed(1)
    text = {"context_length": 8, "vocab_size": 60, "width": 32, "heads": 1, "layers": 1}
    vision: dict[str, Any] = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
    if kind == "eva":
        return build(read_config("radsift-tiny-eva"))
    if kind == "resnet":
        vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}
    return build({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text})


@pytest.mark.parametrize("kind", ["vit", "eva", "siglip"])
def test_masked_prediction_sees_nothing_of_what_it_is_to_say(kind: str, tmp_path: Any):
    if kind == "siglip":
        from filters.towers.transformers_models import load_transformers
        from tests.filters.published import write_siglip

        write_siglip(tmp_path / "siglip", naflex=False)
        model: Any = load_transformers(tmp_path / "siglip")[0].eval()
    else:
        model = vit(kind).eval()
    side = 64 if kind == "eva" else 32
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    width = 128 if kind == "eva" else 32
    masked = MaskedPrediction(model, x, Agreement(width))
    teacher = Averaged(model, 0.99).model
    mask = masked.draw(2, torch.Generator().manual_seed(3))
    patches = (side // 8) ** 2
    assert mask.shape == (2, patches) and mask.sum(1).tolist() == [patches // 2] * 2
    each, answers = masked.per_row(model, teacher, x, mask)
    assert each.shape == (2,) and len(answers) == 2
    hidden = mask.reshape(2, 1, side // 8, side // 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    noise = torch.where(hidden, torch.randn_like(x), x)
    from filters.training.objectives.masked import _masked

    with _masked(model, mask, masked.token), torch.no_grad():
        one, other = masked._tokens(model, x), masked._tokens(model, noise)
    assert float((one - other).abs().max()) < 1e-5, "pixels under the mask are not seen"
    assert float((masked._tokens(model, x) - masked._tokens(model, noise)).detach().abs().max()) > 1e-3
    said = masked.agreement.per_row(one[mask], masked._tokens(teacher, x)[mask])[0]
    assert float((said.reshape(2, -1).mean(1) - each).detach().abs().max()) < 1e-5, "the agreement's loss, by patch"
    each.mean().backward()
    assert masked.token.grad is not None and float(masked.token.grad.abs().sum()) > 0


def test_masked_prediction_is_learned():
    model = vit("vit").train()
    coarse = torch.randn(8, 3, 1, 1, generator=torch.Generator().manual_seed(4))
    x = coarse.expand(-1, -1, 32, 32) * torch.linspace(0, 2, 32)  # what is hidden can be told from what is not
    masked = MaskedPrediction(model, x, Agreement(32))
    teacher = Averaged(model, 1.0).model  # stands still: what is to be said can be learned
    optimizer = torch.optim.AdamW([*model.visual.parameters(), masked.token, *masked.agreement.head.parameters()], 3e-3)
    generator, losses = torch.Generator().manual_seed(5), []
    for _ in range(60):
        loss = masked.per_row(model, teacher, x, masked.draw(8, generator))[0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < losses[0] - 0.3, losses
    mask = masked.draw(8, generator)
    with torch.no_grad():
        own = masked.per_row(model, teacher, x, mask)[0].mean()
        tokens = masked._tokens
        masked._tokens = lambda m, seen: tokens(m, seen.roll(1, 0) if m is teacher else seen)  # type: ignore[method-assign]
        others = masked.per_row(model, teacher, x, mask)[0].mean()
    assert float(own) < float(others) - 0.1, "what is hidden is told from what is seen of this image"


def test_a_tower_without_patches_is_refused():
    with pytest.raises(RecipeError, match="no patches to mask"):
        MaskedPrediction(vit("resnet"), torch.zeros(1, 3, 64, 64), Agreement(32))


class Words:
    vocab_size, context_length = 30, 12


def writer() -> QFormer:
    torch.manual_seed(6)
    config = small_config(QShape(queries=3, width=32, layers=2), 16, 32, Words(), generate=True)  # type: ignore[arg-type]
    return QFormer(config, generate=True).eval()


IDS = torch.tensor([[28, 5, 6, 7, 29, 0, 0], [28, 9, 4, 29, 0, 0, 0]])


@torch.no_grad()
def test_generation_is_image_grounded_and_causal():
    """Against LAVIS's order of things: the queries first, by themselves; then words, one after the other."""
    net, seen = writer(), torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(7))
    ids = net.started(IDS)
    assert ids[:, 0].tolist() == [30, 30] and torch.equal(ids[:, 1:], IDS[:, 1:]) and net.captioner is not None
    found = net.log_likelihood(seen, ids)
    for row in range(2):
        length, total = int((ids[row] != 0).sum()), 0.0
        for k in range(1, length):  # word k from the words before it alone: nothing behind can be looked at
            prefix = torch.cat([ids[row : row + 1, :k], ids[row : row + 1, k : k + 1]], dim=1)
            alone = net.log_likelihood(seen[row : row + 1], prefix)
            total = float(alone) * k  # the mean over the k words so far
        assert abs(total / (length - 1) - float(found[row])) < 1e-5
        shorter = net.log_likelihood(seen[row : row + 1], ids[row : row + 1, : length - 1]) * (length - 2)
        last = float(found[row]) * (length - 1) - float(shorter)
        assert last < 0, "the words before have the same likelihood whatever follows"
    assert float((net.log_likelihood(seen.flip(0), ids) - found).abs().min()) > 1e-6, "the image is read"


@torch.no_grad()
def test_queries_see_no_word_while_one_is_written():
    net, seen = writer(), torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(7))
    from filters.methods.blip2.qformer import _writing_mask

    queries = net.query_tokens.expand(2, -1, -1)
    both = net.embeddings(input_ids=IDS, query_embeds=queries)
    mask = _writing_mask(3, IDS.shape[1], both)
    given = {"query_length": 3, "encoder_hidden_states": seen}
    together = net.qformer(query_embeds=both, attention_mask=mask, **given).last_hidden_state
    apart = net.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
    assert float((together[:, :3] - apart).abs().max()) < 1e-5
    other = IDS.clone()
    other[:, 3] = 11
    changed = net.embeddings(input_ids=other, query_embeds=queries)
    again = net.qformer(query_embeds=changed, attention_mask=mask, **given).last_hidden_state
    assert float((together[:, :6] - again[:, :6]).abs().max()) < 1e-5 < float((together - again).abs().max())
