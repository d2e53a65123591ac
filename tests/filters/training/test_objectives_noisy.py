"""Losses that noisy pairs ask for: soft labels of a momentum teacher, masked prediction, image-grounded generation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import log_softmax, normalize, softmax

from curate.errors import RecipeError
from filters.methods.blip2.qformer import QFormer, small_config
from filters.registry import QShape
from filters.towers.architectures import build, read_config
from filters.training.objectives.heads import Agreement
from filters.training.objectives.masked import MaskedPrediction
from filters.training.objectives.momentum import Momentum, trust
from filters.training.optimizers import Averaged


class Linears(torch.nn.Module):
    """Two towers, each one matrix."""

    def __init__(self, width: int = 6, dim: int = 4) -> None:
        super().__init__()
        self.left, self.right = torch.nn.Linear(width, dim), torch.nn.Linear(width, dim)

    def rows(self, pairs: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return normalize(self.left(pairs[0]), dim=-1), normalize(self.right(pairs[1]), dim=-1)


def dot(images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    return images @ texts.T


def drawn(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=generator), torch.randn(n, 6, generator=generator)


def started(queue: int) -> tuple[Linears, Momentum]:
    torch.manual_seed(0)
    net = Linears()
    momentum = Momentum(net, net.rows(drawn(1, 0)), queue)
    with torch.no_grad():  # the student is elsewhere by now
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return net, momentum


def test_soft_labels_are_those_of_the_papers_code():
    """BLIP's pre-training step, written out for a queue that is full and pairs that are all different."""
    net, momentum = started(queue=12)
    for seed in (1, 2, 3):
        kept = momentum.net.rows(drawn(4, seed))
        momentum.keep(kept, torch.arange(4) + 4 * seed)
    batch, temp, alpha = drawn(4, 9), 0.07, 0.4
    image_feat, text_feat = net.rows(batch)
    image_feat_m, text_feat_m = momentum.net.rows(batch)
    image_all = torch.cat([image_feat_m.t(), momentum.images.t()], dim=1)
    text_all = torch.cat([text_feat_m.t(), momentum.texts.t()], dim=1)
    sim_targets = torch.zeros(4, 16)
    sim_targets.fill_diagonal_(1)
    i2t_targets = alpha * softmax(image_feat_m @ text_all / temp, dim=1) + (1 - alpha) * sim_targets
    t2i_targets = alpha * softmax(text_feat_m @ image_all / temp, dim=1) + (1 - alpha) * sim_targets
    i2t = -torch.sum(log_softmax(image_feat @ text_all / temp, dim=1) * i2t_targets, dim=1).mean()
    t2i = -torch.sum(log_softmax(text_feat @ image_all / temp, dim=1) * t2i_targets, dim=1).mean()
    expected = (i2t + t2i) / 2
    scale = torch.tensor(1 / temp)
    found = momentum.loss((image_feat, text_feat), (image_feat_m, text_feat_m), torch.arange(4), scale, dot, alpha)
    assert abs(float(found.detach() - expected.detach())) < 1e-6
    mine = torch.autograd.grad(found, list(net.parameters()), retain_graph=True)
    theirs = torch.autograd.grad(expected, list(net.parameters()))
    assert max(float((a - b).abs().max()) for a, b in zip(mine, theirs, strict=True)) < 1e-5
    assert not any(p.requires_grad for p in momentum.parameters())


def test_the_queue_forgets_the_oldest_and_the_average_follows():
    net, momentum = started(queue=5)
    rows = [momentum.net.rows(drawn(3, seed)) for seed in (1, 2, 3)]
    for i, kept in enumerate(rows):
        momentum.keep(kept, torch.arange(3) + 10 * i)
    assert momentum.filled.tolist() == [5, 4]
    assert set(momentum.labels.tolist()) == {11, 12, 20, 21, 22}
    assert torch.equal(momentum.texts[momentum.labels == 22][0], rows[2][1][2])
    momentum.keep(momentum.net.rows(drawn(9, 4)), torch.arange(9))
    assert set(momentum.labels.tolist()) == {4, 5, 6, 7, 8}, "a batch longer than the queue leaves its end"
    before = {k: v.clone() for k, v in momentum.net.state_dict().items()}
    momentum.follow(net)
    for name, value in momentum.net.state_dict().items():
        expected = 0.995 * before[name] + 0.005 * net.state_dict()[name]
        assert torch.allclose(value, expected, atol=1e-6)
    again = Momentum(net, net.rows(drawn(1, 0)), 5)
    again.load_state_dict(momentum.state_dict())
    assert torch.equal(again.texts, momentum.texts) and again.filled.tolist() == momentum.filled.tolist()


def test_a_wrong_pair_that_the_teacher_doubts_is_learned_less():
    momentum = Momentum(Linears(), (torch.eye(6), torch.eye(6)), queue=4)
    taught = torch.eye(6)[:, :6], torch.eye(6)[[1, 0, 2, 3, 4, 5]]  # the first two texts are exchanged
    own = torch.zeros(6, 6, requires_grad=True), torch.eye(6)[[1, 0, 2, 3, 4, 5]]
    pull = []
    for alpha in (0.0, 0.4):
        loss = momentum.loss(own, taught, torch.arange(6), torch.tensor(14.0), dot, alpha)
        pull.append(-torch.autograd.grad(loss, own[0])[0])
    wrong, right = (0, 1), (2, 2)  # image 0 and its text, which is the unit vector 1; image 2 and its own
    assert pull[1][wrong] < 0.7 * pull[0][wrong] and pull[1][right] > 0.95 * pull[0][right]
    assert pull[1][0, 0] > 0 > pull[0][0, 0], "drawn to the text that is its own by the teacher's word"
    assert [trust(d) for d in (0.0, 0.05, 0.1, 1.0)] == [0.0, 0.2, 0.4, 0.4]


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
        from filters.towers.siglip import load_siglip
        from tests.filters.published import write_siglip

        write_siglip(tmp_path / "siglip", naflex=False)
        model: Any = load_siglip(tmp_path / "siglip")[0].eval()
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
    each, answers = masked.each(model, teacher, x, mask)
    assert each.shape == (2,) and len(answers) == 2
    hidden = mask.reshape(2, 1, side // 8, side // 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    noise = torch.where(hidden, torch.randn_like(x), x)
    from filters.training.objectives.masked import _masked

    with _masked(model, mask, masked.token), torch.no_grad():
        one, other = masked._tokens(model, x), masked._tokens(model, noise)
    assert float((one - other).abs().max()) < 1e-5, "pixels under the mask are not seen"
    assert float((masked._tokens(model, x) - masked._tokens(model, noise)).detach().abs().max()) > 1e-3
    said = masked.agreement.each(one[mask], masked._tokens(teacher, x)[mask])[0]
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
        loss = masked.each(model, teacher, x, masked.draw(8, generator))[0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < losses[0] - 0.3, losses
    mask = masked.draw(8, generator)
    with torch.no_grad():
        own = masked.each(model, teacher, x, mask)[0].mean()
        tokens = masked._tokens
        masked._tokens = lambda m, seen: tokens(m, seen.roll(1, 0) if m is teacher else seen)  # type: ignore[method-assign]
        others = masked.each(model, teacher, x, mask)[0].mean()
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
