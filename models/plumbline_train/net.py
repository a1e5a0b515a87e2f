"""The stage net: dense residual blocks, context along rows and columns, small enough for a gateway."""

# mypy: disable-error-code="misc"
# torch is not installed where types are checked, so its Module is Any there.

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from plumbline.stages import AUX_CLASSES, DEFAULT_VALUES, QUALITY_CLASSES, TRACKS
from plumbline_edge.vision.view import CANVAS_HW, FACADE_BOX

STAGES: Final = 7
_STRIDE: Final = 4
_EPS: Final = 1e-4


class Unit(nn.Module):
    """Convolution, batch norm, ReLU; the norm is folded into the convolution at export."""

    def __init__(self, inp: int, out: int, kernel: int = 3, stride: int = 1, *, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inp, out, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return functional.relu_(y) if self.act else y

    def fold(self) -> None:
        """One convolution instead of two layers, for a net that learns no more."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = nn.utils.fusion.fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Block(nn.Module):
    """Two dense 3x3 convolutions added to their input: on AVX2 they cost less than depthwise ones."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Unit(wide, wide), Unit(wide, wide, act=False))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class Strips(nn.Module):
    """Adds what the whole row, the whole column and the whole picture show: storeys rise in rows, crews in columns."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        thin = wide // 4
        self.row = _context(wide, thin, (5, 1))
        self.column = _context(wide, thin, (1, 5))
        self.whole = _context(wide, thin, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        row = self.row(x.mean(3, keepdim=True))
        column = self.column(x.mean(2, keepdim=True))
        return x + row + column + self.whole(x.mean((2, 3), keepdim=True))


def _context(wide: int, thin: int, kernel: tuple[int, int]) -> nn.Sequential:
    first = nn.Conv2d(wide, thin, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(thin, wide, 1))


class Quality(nn.Module):
    """Is today's picture fit to be judged: how sharp it is at three scales, and what a few small layers make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            Unit(4, 12, 3, 2), Unit(12, 16, 3, 2), Unit(16, 24, 3, 2), Unit(24, 40, 3, 2)
        )
        self.measured = nn.BatchNorm1d(3 * 5 + 5)
        self.judge = nn.Sequential(
            nn.Linear(2 * 40 + 3 * 5 + 5, 48), nn.ReLU(), nn.Linear(48, len(QUALITY_CLASSES))
        )

    def forward(self, now: Tensor) -> Tensor:
        grey = _grey(now)
        fine = (grey - functional.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)).abs()
        # at half size: the high-pass is what the layers cannot afford to learn at full resolution
        half = functional.avg_pool2d(now, 2)
        seen = self.look(torch.cat([half, functional.avg_pool2d(fine, 2) * 8], 1))
        facts = self.measured(torch.cat([*_sharpness(grey, fine), _light(half)], 1))
        said: Tensor = self.judge(torch.cat([seen.mean((2, 3)), seen.amax((2, 3)), facts], 1))
        return said


def _sharpness(grey: Tensor, fine: Tensor) -> list[Tensor]:
    """Logs of the high-pass response at full, half and quarter size: mean, spread, peak, sharpest and dullest tile."""
    found = []
    for scale in range(3):
        if scale:
            grey = functional.avg_pool2d(grey, 2)
            fine = (grey - functional.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)).abs()
        mean = fine.mean((2, 3))
        spread = torch.sqrt((fine - mean[:, :, None, None]).square().mean((2, 3)) + _EPS**2)
        tiles = functional.avg_pool2d(fine, (grey.shape[2] // 4, grey.shape[3] // 5))
        measured = (mean, spread, fine.amax((2, 3)), tiles.amax((2, 3)), tiles.amin((2, 3)))
        found.append(torch.log(torch.cat(measured, 1) + _EPS))
    return found


def _grey(now: Tensor) -> Tensor:
    return (now[:, :1] + now[:, 1:2] + now[:, 2:3]) / 3  # four times as fast as a mean over channels


def _light(now: Tensor) -> Tensor:
    """Mean and spread of the brightness, how saturated it is, and the brightest and darkest tile."""
    grey = _grey(now)
    mean = grey.mean((2, 3))
    spread = torch.sqrt((grey - mean[:, :, None, None]).square().mean((2, 3)) + _EPS)
    colour = (now.amax(1) - now.amin(1)).mean((1, 2))[:, None]
    tiles = functional.avg_pool2d(grey, (now.shape[2] // 8, now.shape[3] // 10))
    return torch.cat([mean, spread, colour, tiles.amax((2, 3)), tiles.amin((2, 3))], 1)


class StageNet(nn.Module):
    """`x` [n,6,H,W] and `track` [n,2] to stage probabilities, aux and quality at a quarter of the size."""

    def __init__(self, *, sees_day0: bool = True, coarse: bool = True) -> None:
        """`coarse` looks at half the size, at a quarter of the cost; quality always sees all of it."""
        super().__init__()
        self.sees_day0, self.coarse = sees_day0, coarse
        self.quarter = nn.Sequential(Unit(6, 24, 3, 2), Unit(24, 48, 3, 2))
        self.compare = Unit(3 * 48, 48, 1)
        self.film = nn.Linear(len(TRACKS), 2 * 48, bias=False)
        self.eighth = nn.Sequential(Unit(48, 64, 3, 2), Block(64), Block(64))
        self.sixteenth = nn.Sequential(Unit(64, 128, 3, 2), Block(128), Block(128))
        self.deep = nn.Sequential(Unit(128, 160, 3, 2), Block(160))
        self.strips = nn.ModuleList((Strips(128), Strips(160)))
        self.across = nn.ModuleList(
            Unit(*shape, 1, act=False) for shape in ((48, 48), (64, 64), (128, 64), (160, 64))
        )
        self.smooth = nn.ModuleList((Unit(64, 64), Unit(64, 48)))
        # one layer at this size costs as much as a whole block at an eighth
        self.last = Unit(48, 48)
        self.stage = nn.Conv2d(48, STAGES * len(TRACKS), 1)
        self.aux = nn.Conv2d(48, len(AUX_CLASSES), 1)
        self.quality = Quality()
        self.register_buffer("place", _places())
        self.where = nn.Conv2d(self.place.shape[1], 48, 1)
        nn.init.zeros_(self.film.weight)

    def logits(self, x: Tensor, track: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Conditional stage logits of the given track [n,7,h,w], aux logits, quality logits."""
        now, place = x[:, :3], self.place
        if self.coarse:
            x, place = functional.avg_pool2d(x, 2), functional.avg_pool2d(place, 2)
        if not self.sees_day0:
            x = torch.cat([x[:, :3], torch.zeros_like(x[:, :3])], 1)
        gain, shift = self.film(track)[:, :, None, None].chunk(2, 1)
        quarter = self._compared(x[:, :3], x[:, 3:])
        eighth = self.eighth(quarter * (1 + gain) + shift + self.where(place))
        sixteenth = self.strips[0](self.sixteenth(eighth))
        y = self.across[3](self.strips[1](self.deep(sixteenth)))
        y = functional.relu(_doubled(y) + self.across[2](sixteenth))
        y = functional.relu(_doubled(self.smooth[0](y)) + self.across[1](eighth))
        y = functional.relu(_doubled(self.smooth[1](y)) + self.across[0](quarter))
        y = self.last(y)
        both = self.stage(y)
        chosen = both[:, :STAGES] * track[:, :1, None, None] + both[:, STAGES:] * track[:, 1:, None, None]
        return chosen, self.aux(y), self.quality(now)

    def _compared(self, now: Tensor, day0: Tensor) -> Tensor:
        """Both pictures through the same layers, and what differs: new paint or old is nothing one picture shows."""
        one = self.quarter(torch.cat([now * 2 - 1, _standardised(now)], 1))
        other = self.quarter(torch.cat([day0 * 2 - 1, _standardised(day0)], 1))
        compared: Tensor = self.compare(torch.cat([one, other, (one - other).abs()], 1))
        return compared

    def forward(self, x: Tensor, track: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`stage` P(stage>=k) falling in k, `aux` probabilities, `quality` probabilities: the exported graph."""
        stage, aux, quality = self.logits(x, track)
        if self.coarse:
            stage, aux = _doubled(stage), _doubled(aux)
        single = torch.sigmoid(stage)
        chained = [single[:, :1]]
        for k in range(1, STAGES):
            chained.append(chained[-1] * single[:, k : k + 1])
        return torch.cat(chained, 1), torch.softmax(aux, 1), torch.sigmoid(quality)

    def fold(self) -> None:
        """Fold every norm into its convolution; the net must be in eval mode."""
        for module in self.modules():
            if isinstance(module, Unit):
                module.fold()


def _standardised(picture: Tensor) -> Tensor:
    """Without the light of its day: each channel's mean 0 and spread 1; black stays 0."""
    off = picture - picture.mean((2, 3), keepdim=True)
    return off / torch.sqrt(off.square().mean((2, 3), keepdim=True) + _EPS)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _places() -> Tensor:
    """Where each cell lies on the facade, [1, 10, h, w]: the facade always fills the same box of the canvas."""
    height, width = CANVAS_HW[0] // _STRIDE, CANVAS_HW[1] // _STRIDE
    x0, y0, x1, y1 = FACADE_BOX
    down = ((torch.arange(height) + 0.5) / height - y0) / (y1 - y0)
    across = ((torch.arange(width) + 0.5) / width - x0) / (x1 - x0)
    v, u = down[:, None].expand(height, width), across[None].expand(height, width)
    inside = ((u >= 0) & (u < 1) & (v >= 0) & (v < 1)).float()
    waves = [wave(math.pi * n * axis) for n in (1, 2) for axis in (u, v) for wave in (torch.sin,)]
    return torch.stack([u, v, inside, inside * v, (v > 1).float(), (v < 0).float(), *waves])[None].float()


def stage_steps() -> Tensor:
    """v_k - v_(k-1) per track, [2, 7]: what each P(stage>=k) is worth."""
    values = torch.tensor([DEFAULT_VALUES[track] for track in TRACKS])
    return values[:, 1:] - values[:, :-1]


def macs(net: StageNet) -> int:
    """Multiply-adds of one picture's convolutions and linear layers, counted as it runs."""
    total = 0

    def count(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal total
        weight = module.weight
        total += weight.numel() * (out.shape[2] * out.shape[3] if out.dim() == 4 else 1)

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        net.eval()(torch.zeros(1, 6, *CANVAS_HW), torch.tensor([[1.0, 0.0]]))
    for hook in hooks:
        hook.remove()
    return total
