"""How a net in training does on samples of families it never sees: a few figures for the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from plumbline.stages import DEFAULT_VALUES, TRACKS
from plumbline_edge.vision.view import CANVAS_QUAD
from plumbline_edge.vision.zones import pool
from plumbline_train.dataset import Shards
from plumbline_train.net import StageNet


def judge(net: StageNet, shards: Shards, device: torch.device) -> dict[str, float]:
    """Zone and site error in pp and share of zones whose stage is right, by track; pooled as the gateway does."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    net.eval()
    for sample in (shards.pick([number])[0] for number in range(len(shards))):
        track = TRACKS[int(sample["track"])]
        stage, aux = _maps(net, sample, device)
        found.setdefault(track, []).append(_against(sample, stage, aux, DEFAULT_VALUES[track]))
    figures: dict[str, float] = {}
    for name, rows in sorted(found.items()):
        zones = np.concatenate(rows)
        figures |= {
            f"{name}_zone_mae_pp": float(np.abs(zones[:, 0]).mean()),
            f"{name}_site_mae_pp": float(np.mean([abs(np.average(r[:, 0], weights=r[:, 2])) for r in rows if len(r)])),
            f"{name}_stage_exact": float((zones[:, 1] == 0).mean()),
            f"{name}_stage_within_1": float((np.abs(zones[:, 1]) <= 1).mean()),
        }  # fmt: skip
    return figures


def _maps(net: StageNet, sample: Any, device: torch.device) -> tuple[Any, Any]:
    pictures = np.concatenate([sample["now"], sample["day0"]], 2).transpose(2, 0, 1)[None]
    x = torch.from_numpy(np.ascontiguousarray(pictures)).float().div_(255).to(device)
    track = torch.eye(len(TRACKS), device=device)[int(sample["track"])][None]
    with torch.no_grad():
        stage, aux, _ = net(x, track)
    return stage[0].cpu().numpy(), aux[0].cpu().numpy()


def _against(sample: Any, stage: Any, aux: Any, values: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """(percent off, stages off, weight) of each zone that is judged, [n, 3]."""
    floors, bays = int(sample["floors"]), int(sample["bays"])
    true = sample["percent"][: floors * bays]
    stages = np.floor(np.interp(true, values, np.arange(8)) + 0.5)
    rows = [
        (zone.percent - 100 * percent, zone.stage - reached, weight)
        for zone, percent, reached, weight in zip(
            pool(stage, aux, CANVAS_QUAD, floors, bays, values), true, stages, sample["weight"], strict=False
        )
        if zone.percent is not None and zone.stage is not None
    ]
    return np.array(rows, float).reshape(-1, 3)
