"""The stage-segmentation net: MobileNetV2 blocks without attention, ReLU6, small enough for a gateway."""

# mypy: disable-error-code="misc"
# torch is not installed where types are checked, so its Module is Any there.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES, QUALITY_CLASSES, TRACKS

_STAGES = 7


def _unit(
    inp: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, act: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out),
    ]  # fmt: skip
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class Inverted(nn.Module):
    """Widen, look around per channel, narrow; add the input where the shape allows."""

    def __init__(self, inp: int, out: int, stride: int, widen: int) -> None:
        super().__init__()
        hidden = inp * widen
        parts = [] if widen == 1 else [_unit(inp, hidden)]
        self.body = nn.Sequential(
            *parts, _unit(hidden, hidden, 3, stride, hidden), _unit(hidden, out, act=False)
        )
        self.adds = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.adds else y


def _group(inp: int, out: int, count: int, widen: int) -> nn.Sequential:
    blocks = [Inverted(inp, out, 2, widen), *(Inverted(out, out, 1, widen) for _ in range(count - 1))]
    return nn.Sequential(*blocks)


class StageNet(nn.Module):
    """`x` [n,6,H,W] and `track` [n,2] to stage probabilities, aux and quality at a quarter of the size."""

    def __init__(self, wide: int = 56) -> None:
        super().__init__()
        self.stem = _unit(6, 16, 3, 2)
        # dense, not inverted: widening at half size would cost a third of the training on a CPU
        self.quarter = nn.Sequential(_unit(16, 32, 3, 2), Inverted(32, 24, 1, 2), Inverted(24, 24, 1, 3))
        self.eighth = _group(24, 32, 3, 4)
        self.sixteenth = _group(32, 64, 3, 4)
        self.deep = _group(64, 112, 3, 4)
        self.across = nn.ModuleList(_unit(c, wide, act=False) for c in (24, 32, 64, 112))
        self.smooth = nn.ModuleList(
            nn.Sequential(_unit(wide, wide, 5, 1, wide), _unit(wide, wide)) for _ in range(3)
        )
        self.context = nn.Sequential(nn.Linear(112 + 2, wide), nn.ReLU6(inplace=True), nn.Linear(wide, wide))
        self.last = nn.Sequential(_unit(wide, wide, 5, 1, wide), _unit(wide, 72))
        self.stage = nn.Conv2d(72, _STAGES * len(TRACKS), 1)
        self.aux = nn.Conv2d(72, len(AUX_CLASSES), 1)
        self.quality = nn.Sequential(
            nn.Linear(112 + 48, 48), nn.ReLU6(inplace=True), nn.Linear(48, len(QUALITY_CLASSES))
        )

    def logits(self, x: Tensor, track: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Conditional stage logits of the given track [n,7,h,w], aux logits, quality logits."""
        levels = [self.stem(x * 2 - 1)]
        for part in (self.quarter, self.eighth, self.sixteenth, self.deep):
            levels.append(part(levels[-1]))
        pooled = levels[4].mean((2, 3))
        shallow = torch.cat([levels[1].mean((2, 3)), levels[1].amax((2, 3))], 1)
        quality = self.quality(torch.cat([pooled, shallow], 1))
        y = self.across[3](levels[4]) + self.context(torch.cat([pooled, track], 1))[:, :, None, None]
        for index in (2, 1, 0):
            y = functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
            y = self.smooth[index](functional.relu6(y + self.across[index](levels[index + 1])))
        y = self.last(y)
        both = self.stage(y)
        chosen = both[:, :_STAGES] * track[:, :1, None, None] + both[:, _STAGES:] * track[:, 1:, None, None]
        return chosen, self.aux(y), quality

    def forward(self, x: Tensor, track: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`stage` P(stage>=k) falling in k, `aux` probabilities, `quality` probabilities: the exported graph."""
        stage, aux, quality = self.logits(x, track)
        single = torch.sigmoid(stage)
        chained = [single[:, :1]]
        for k in range(1, _STAGES):
            chained.append(chained[-1] * single[:, k : k + 1])
        return torch.cat(chained, 1), torch.softmax(aux, 1), torch.sigmoid(quality)


def stage_steps() -> Tensor:
    """v_k - v_(k-1) per track, [2, 7]: what each P(stage>=k) is worth."""
    values = torch.tensor([DEFAULT_VALUES[track] for track in TRACKS])
    return values[:, 1:] - values[:, :-1]
