"""What the net is told it got wrong: stages per cell, zones and sites as the gateway pools them, order, and the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from plumbline.stages import AUX_CLASSES
from plumbline_edge.vision.view import CANVAS_QUAD
from plumbline_edge.vision.zones import HIDING, MIN_VISIBLE, zone_map
from plumbline_train.dataset import MAX_ZONES, UNKNOWN
from plumbline_train.net import STAGES, stage_steps

# a person is small, and missing one shows a face; what hides a zone must not be seen where it is not, or nothing is judged
_AUX_WEIGHTS: Final = (1.0, 1.3, 1.2, 0.7, 0.7, 1.0, 1.2, 1.5, 4.0)
_RARE: Final = tuple(
    AUX_CLASSES.index(name)
    for name in ("window_glazed", "opening", "scaffold_net", "machine_vehicle", "person")
)
_POSITIVE: Final = 3.0
"""Each fault is in a few percent of the pictures."""
_MIN_DAYS: Final = 3.0
_ASKED: Final = 0.5
"""Which share of the true difference two pictures must be apart at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each loss counts; 0 leaves it out."""

    stage: float = 1.0
    aux: float = 0.5
    quality: float = 0.3
    zone: float = 2.0
    project: float = 2.0
    ranking: float = 1.0
    consistency: float = 1.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What a batch shows, at the output's resolution."""

    reached: Tensor
    """[n,7,h,w] share of each cell's visible facade that has reached stage k."""
    visible: Tensor
    """[n,h,w] share of the cell that is facade and not hidden."""
    aux: Tensor
    """[n,9,h,w] share of the cell that is each class."""
    known: Tensor
    """[n,h,w] share of the cell whose class is known."""


@dataclass(frozen=True, slots=True)
class Zones:
    """The facade's zones as the gateway pools them, [n, MAX_ZONES]; percents as shares of 1."""

    said: Tensor
    seen: Tensor
    """1 where enough of the zone is visible to be judged."""


def truth(batch: dict[str, Tensor], size_hw: tuple[int, int]) -> Truth:
    """What a batch shows in cells of an output of `size_hw`."""
    aux, stage = batch["aux"].long(), batch["stage"]
    hidden = torch.zeros_like(stage, dtype=torch.bool)
    for kind in HIDING:
        hidden |= aux == kind
    usable = ((stage != UNKNOWN) & ~hidden & (aux != UNKNOWN)).float()
    levels = torch.arange(1, STAGES + 1, device=stage.device)[None, :, None, None]
    reached = (stage[:, None] >= levels).float() * usable[:, None]
    classes = torch.arange(len(AUX_CLASSES), device=stage.device)[None, :, None, None]
    cell = stage.shape[1] // size_hw[0]
    shares = functional.avg_pool2d((aux[:, None] == classes).float(), cell)
    visible = functional.avg_pool2d(usable[:, None], cell)
    return Truth(
        functional.avg_pool2d(reached, cell) / visible.clamp_min(1e-6), visible[:, 0], shares, shares.sum(1)
    )


def losses(
    stage: Tensor, aux: Tensor, quality: Tensor, batch: dict[str, Tensor], weights: Weights
) -> dict[str, Tensor]:
    """Each part of the loss by name, weighted; `stage`, `aux` and `quality` are the net's logits."""
    true = truth(batch, (stage.shape[2], stage.shape[3]))
    # of a photo that the gate refuses nothing can be known: asking for it teaches only to say the middle
    fit = (batch["quality"].amax(1) <= 0).float()
    true = replace(true, visible=true.visible * fit[:, None, None])
    chained = functional.logsigmoid(stage).cumsum(1)
    zones = pool(chained.exp(), true, batch)
    found = {
        "stage": weights.stage * stage_loss(stage, chained, true),
        "aux": weights.aux * aux_loss(aux, true),
        "quality": weights.quality * quality_loss(quality, batch["quality"]),
        "zone": weights.zone * zone_loss(zones, batch["percent"]),
        "project": weights.project * project_loss(zones, batch),
    }
    if weights.ranking or weights.consistency:
        ranking, consistency = pair_losses(zones, batch)
        found |= {"ranking": weights.ranking * ranking, "consistency": weights.consistency * consistency}
    return found


def stage_loss(logits: Tensor, chained: Tensor, true: Truth) -> Tensor:
    """Half the cross entropy of each P(stage>=k), half that of the stage itself; every picture counts alike."""
    wanted = true.reached
    unreached = torch.log(-torch.expm1(chained.clamp_max(-1e-5))).clamp_min(-12)
    ordinal = -(wanted * chained + (1 - wanted) * unreached).sum(1)
    # the step from k to k+1 is asked only where k is reached: together that is the likelihood of the stage
    before = torch.cat([torch.ones_like(wanted[:, :1]), wanted[:, :-1]], 1)
    exact = -(
        wanted * functional.logsigmoid(logits) + (before - wanted) * functional.logsigmoid(-logits)
    ).sum(1)
    share = true.visible / true.visible.sum((1, 2), keepdim=True).clamp_min(1.0)
    there = (true.visible.sum((1, 2)) > 0).float()
    return ((0.5 * ordinal + 0.5 * exact) * share).sum() / there.sum().clamp_min(1)


def aux_loss(logits: Tensor, true: Truth) -> Tensor:
    """Weighted cross entropy, and Dice of the classes that cover little of a picture."""
    weights = torch.tensor(_AUX_WEIGHTS, device=logits.device)[None, :, None, None]
    entropy = -(functional.log_softmax(logits, 1) * true.aux * weights).sum() / true.known.sum().clamp_min(1)
    rare = list(_RARE)
    said = torch.softmax(logits, 1)[:, rare] * (true.known > 0)[:, None]
    wanted = true.aux[:, rare]
    both, either = (said * wanted).sum((0, 2, 3)), said.sum((0, 2, 3)) + wanted.square().sum((0, 2, 3))
    there = (wanted.sum((0, 2, 3)) > 1).float()
    dice = 1 - (2 * both + 1) / (either + 1)
    return entropy + (dice * there).sum() / there.sum().clamp_min(1)


def quality_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    known = (wanted >= 0).float()
    more = torch.full_like(wanted, _POSITIVE)
    costs = functional.binary_cross_entropy_with_logits(
        logits, wanted.clamp_min(0), reduction="none", pos_weight=more
    )
    return (costs * known).sum(1).mean()


@lru_cache(maxsize=512)
def _cells(floors: int, bays: int, size: tuple[int, int]) -> Tensor:
    """The zone of each cell of an output of `size`, flat; MAX_ZONES outside the facade."""
    if floors * bays == 0:
        return torch.full((size[0] * size[1],), MAX_ZONES, dtype=torch.int64)
    zone = torch.from_numpy(zone_map(CANVAS_QUAD, floors, bays, size)).long().flatten()
    return torch.where(zone < 0, MAX_ZONES, zone)


def pool(reached: Tensor, true: Truth, batch: dict[str, Tensor]) -> Zones:
    """Each zone's percent as the gateway pools P(stage>=k) over what is visible of it."""
    shapes = zip(batch["floors"].tolist(), batch["bays"].tolist(), strict=True)
    size = (reached.shape[2], reached.shape[3])
    slot = torch.stack([_cells(int(floors), int(bays), size) for floors, bays in shapes]).to(reached.device)
    steps = (batch["track"] @ stage_steps().to(reached.device))[:, :, None, None]
    percent = (reached * steps).sum(1).flatten(1)
    visible = (true.visible > 0.5).float().flatten(1)
    empty = torch.zeros(len(slot), MAX_ZONES + 1, device=reached.device)
    area = empty.scatter_add(1, slot, visible)[:, :-1]
    whole = empty.scatter_add(1, slot, torch.ones_like(visible))[:, :-1]
    said = empty.scatter_add(1, slot, visible * percent)[:, :-1] / area.clamp_min(1.0)
    return Zones(said, ((area > MIN_VISIBLE * whole) & (area >= 3)).float())


def zone_loss(zones: Zones, percent: Tensor) -> Tensor:
    return ((zones.said - percent).abs() * zones.seen).sum() / zones.seen.sum().clamp_min(1)


def project_loss(zones: Zones, batch: dict[str, Tensor]) -> Tensor:
    weight = batch["weight"] * zones.seen
    off = ((zones.said - batch["percent"]) * weight).sum(1) / weight.sum(1).clamp_min(1e-6)
    return off.abs().sum() / (weight.sum(1) > 0).sum().clamp_min(1)


def pair_losses(zones: Zones, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Later days must be judged further than earlier ones, the same day alike: over zones that both pictures show."""
    camera, day = batch["camera"], batch["day"]
    first, second = torch.triu_indices(len(camera), len(camera), 1, device=camera.device)
    fit = (camera >= 0) & (batch["quality"].amax(1) <= 0)
    pairs = (camera[first] == camera[second]) & fit[first] & fit[second]
    first, second = first[pairs], second[pairs]
    weight = batch["weight"][first] * zones.seen[first] * zones.seen[second]
    held = weight.sum(1)
    apart = (day[first] - day[second]).abs()
    said, true = zones.said[second] - zones.said[first], batch["percent"][second] - batch["percent"][first]
    said_all, true_all = ((part * weight).sum(1) / held.clamp_min(1e-6) for part in (said, true))
    asked = torch.where(apart < _MIN_DAYS, 0.0, _ASKED) * true_all.abs()
    short = functional.relu(asked - said_all * true_all.sign()) * (true_all != 0)
    moved = (said.abs() * weight).sum(1) / held.clamp_min(1e-6)
    ranked, same = (apart > 0) & (held > 0.1), (apart == 0) & (held > 0.1)
    ranking = (short * ranked).sum() / ranked.sum().clamp_min(1)
    consistency = (moved * same).sum() / same.sum().clamp_min(1)
    return ranking, consistency
