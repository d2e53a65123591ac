"""The image encoder of the findings verifier: a small residual network for findings and their sides."""

from __future__ import annotations

import torch
from torch import nn

from filters.findings.slots import LEFT, RIGHT, Slots


class FindingsNet(nn.Module):
    """Maps pictures to slots and to the embedding space shared with claims.

    Features are pooled over the whole picture and over each half. The weights for the left read the halves in one
    order, those for the right in the other, so that what is learned about one side holds for the other.
    """

    def __init__(self, slots: Slots, width: int, embed: int) -> None:
        super().__init__()
        self.count = len(slots.findings)
        channels = (2 * width, 4 * width, 4 * width)
        self.stem = nn.Sequential(nn.Conv2d(1, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        pairs = zip((width, *channels), channels, strict=False)
        self.blocks = nn.Sequential(*(_Block(a, b, 2 if k < 2 else 1) for k, (a, b) in enumerate(pairs)))
        features = 2 * channels[-1]  # mean and maximum
        self.drop = nn.Dropout(0.2)
        self.near, self.far, self.both = (nn.Linear(features, self.count) for _ in range(3))
        self.anywhere = nn.Linear(3 * features, 1 + self.count + len(slots.regions))
        self.image = nn.Linear(3 * features, embed)
        self.claims = nn.Sequential(nn.Linear(slots.width, 2 * embed), nn.GELU(), nn.Linear(2 * embed, embed))
        self.temperature = nn.Parameter(torch.tensor(2.0))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits float[n, slots] and unit rows float[n, embed] of uint8 or float [n, c, side, side] in 0..255."""
        x = pixels.float().mean(dim=1, keepdim=True)
        spread, mean = torch.std_mean(x, dim=(1, 2, 3), keepdim=True)
        x = self.blocks(self.stem((x - mean) / (spread + 1.0)))
        half = x.shape[-1] // 2
        one, two, whole = (self.drop(_pool(part)) for part in (x[..., :half], x[..., -half:], x))
        joined = torch.cat([one + two, torch.maximum(one, two), whole], dim=1)
        shared = self.both(whole)
        right = self.near(one) + self.far(two) + shared  # the patient's right is usually on the picture's left
        left = self.near(two) + self.far(one) + shared
        anywhere = self.anywhere(joined)
        by_finding = torch.stack([anywhere[:, 1 : 1 + self.count], left, right], dim=2)
        if (LEFT, RIGHT) != (1, 2):
            raise AssertionError("the order of the slots is another")
        logits = torch.cat([anywhere[:, :1], by_finding.flatten(1), anywhere[:, 1 + self.count :]], dim=1)
        return logits, nn.functional.normalize(self.image(joined), dim=-1)

    def embed_claims(self, polarity: torch.Tensor) -> torch.Tensor:
        """Unit rows float[n, embed] of the texts' ``polarity``, float[n, slots] in -1..1."""
        return nn.functional.normalize(self.claims(polarity), dim=-1)


class _Block(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.past = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(inside, outside, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.past(x))


def _pool(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
