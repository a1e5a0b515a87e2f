"""A model's card: what it is, what it was made of, how good it is and where its word ends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from plumbline.stages import TRACKS, Track
from plumbline_train.dataset import SIZE_HW, families_hash

Tables = Mapping[str, Mapping[str, float]]

_LIMITS: Final = (
    "Learned from painted renders alone; no real photo with a known percent exists.",
    "On real sites treat its percent as advice until corrected photos say how far off it is.",
    "Sees the facade only: works inside, behind opaque nets and on the far side are not judged.",
    "Needs the facade's four corners and the number of floors and bays; a storey must be at least 6 pixels high in the crop.",
    "Excavation and foundation are told apart only where the ground before and behind the facade is in view.",
    "A zone hidden by more than 65 % is not judged; the gateway keeps its last value.",
    "Where scaffold_net_recall is low, zones behind nets are judged all the same and may be wrong.",
    "interval_pp is the 90 % quantile of the errors on families never seen; on other sites it may be too narrow.",
    "Quality figures under 0.9 mean that the gate must not rely on the model for that fault.",
    "Recall of people and vehicles is of rendered ones, by pixel; what it is on real ones is unknown.",
)


def card_text(model: Path, tables: Tables, trained: Mapping[str, Any], version: str) -> str:
    """The card as TOML. The intervals are the 90 % quantiles of the residuals on unseen families, by track."""
    unseen = {track: tables[f"unseen_families.{track}"] for track in TRACKS}
    lines = [
        "# Made by `plumbline model evaluate --card`; scores are of renders, see limits.",
        'name = "stage_seg"',
        f"version = {_toml(version)}",
        f"sha256 = {_toml(hashlib.sha256(model.read_bytes()).hexdigest())}",
        f"input_hw = {_toml(list(SIZE_HW))}",
        f"limits = {_toml(list(_LIMITS))}",
        "",
        "[trained]",
        *(f"{name} = {_toml(value)}" for name, value in trained.items()),
        f"families_hash = {_toml(families_hash())}",
        'sources = ["procedural renders only; no photograph"]',
        *_interval("interval_pp", "project_p90_pp", unseen),
        *_interval("zone_interval_pp", "zone_p90_pp", unseen),
    ]
    for name, table in tables.items():
        lines += ["", f"[scores.{name}]"]
        lines += [f"{key} = {value:.3f}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _interval(name: str, figure: str, unseen: Mapping[Track, Mapping[str, float]]) -> Iterator[str]:
    yield from ("", f"[{name}]")
    yield from (f"{track} = {table[figure]:.1f}" for track, table in unseen.items())


def _toml(value: Any) -> str:
    """Strings, numbers and lists of them: what JSON writes for these is TOML too."""
    return json.dumps(value, ensure_ascii=False)
