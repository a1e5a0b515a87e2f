"""A model's card: what it is, what it was made of, how good it is and where its word ends; TOML in and out."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from plumbline.errors import ConfigError
from plumbline.stages import TRACKS
from plumbline_edge.vision.interval import Widths
from plumbline_train.dataset import SIZE_HW, families_hash, renderer_hash
from plumbline_train.evaluate.run import Evaluation
from plumbline_train.onnxfile import multiply_adds

Tables = Mapping[str, Mapping[str, float]]

_LIMITS: Final = (
    "Learned from rendered scenes; no real photo with a known percent exists. Figures of renders and of real photos stand apart.",
    "On real sites its percent is advice until corrected photos of that site say how far off it is.",
    "A track whose site_mae_pp in scores is over 10 has not been learned: its percent is no basis for any decision.",
    "Sees the facade only: works inside, behind opaque nets and on the far side are not judged.",
    "Needs the facade's four corners and the number of floors and bays; a storey must be at least 6 pixels high in the crop.",
    "Excavation and foundation are told apart only where the ground before and behind the facade is in view.",
    "A zone hidden by more than 65 % is not judged; the gateway keeps its last value.",
    "Where scaffold_net_recall is low, zones behind nets are judged all the same and may be wrong.",
    "The interval is measured on families never seen; on a site unlike all of them it may be too narrow.",
    "A fault whose recall is under 0.9 in scores.gate must be expected to pass the gate.",
    "Recall of people and vehicles is of rendered ones, by pixel; what it is on real ones is unknown.",
)
_DECIMALS: Final = 3
SAME_PP: Final = 0.05
SAME_SHARE: Final = 0.005


def card_text(model: Path, found: Evaluation, trained: Mapping[str, Any], version: str) -> str:
    """The card as TOML, every figure to a thousandth; what was not measured is left out."""
    content = model.read_bytes()
    lines = [
        "# Made by `plumbline model evaluate --card`; scores are of renders but for scores.real, see limits.",
        'name = "stage_seg"',
        f"version = {_toml(version)}",
        f"sha256 = {_toml(hashlib.sha256(content).hexdigest())}",
        f"input_hw = {_toml(list(SIZE_HW))}",
        f"bytes = {len(content)}",
        f"multiply_adds = {multiply_adds(content)}",
        f"limits = {_toml(list(_LIMITS))}",
        "",
        "[trained]",
        *(f"{name} = {_toml(value)}" for name, value in trained.items()),
        f"families_hash = {_toml(families_hash())}",
        "",
        "[evaluated]",
        *(f"{name} = {_toml(value)}" for name, value in asdict(found.size).items()),
        f"renderer_hash = {_toml(renderer_hash())}",
        *_intervals(found),
    ]
    for name, table in found.tables.items():
        known = {key: value for key, value in table.items() if math.isfinite(value)}
        lines += ["", f"[scores.{name}]", *(f"{key} = {value:.{_DECIMALS}f}" for key, value in known.items())]
    return "\n".join(lines) + "\n"


def read(path: Path) -> dict[str, Any]:
    """A card file. Raises ConfigError where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: no card that can be read: {error}",
            hint="Make one: plumbline model evaluate --card FILE",
        ) from None


def tables_of(card: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The card's scores as `evaluate` gave them: dotted names to figures."""
    return dict(_flat("", card.get("scores", {})))


def differences(written: Tables, measured: Tables) -> list[str]:
    """Each figure that is further from the card's than another machine may be, as a sentence."""
    said = []
    for name in sorted({*written, *measured}):
        before, now = written.get(name, {}), measured.get(name, {})
        for figure in sorted({*before, *now}):
            known = [table.get(figure, math.nan) for table in (before, now)]
            if all(math.isnan(value) for value in known):
                continue
            same = SAME_PP if figure.endswith("_pp") else SAME_SHARE
            if not abs(known[0] - known[1]) <= same + 10**-_DECIMALS / 2:
                said.append(f"{name}.{figure}: the card says {known[0]:.3f}, this run {known[1]:.3f}")
    return said


def _intervals(found: Evaluation) -> Iterator[str]:
    """Per kind of works the widths by band, and before them one number each for readers that know no bands."""
    for name, of in (("interval_pp", _site_pp), ("zone_interval_pp", _zone_pp)):
        yield from ("", f"[{name}]")
        yield from (f"{track} = {of(found.plain[track]):.1f}" for track in TRACKS)
    for track in TRACKS:
        widths = found.widths[track]
        yield from ("", f"[interval.{track}]")
        for key in ("edges", "site_pp", "zone_pp"):
            yield f"{key} = {_toml(list(getattr(widths, key)))}"
        yield f"doubt_weight = {widths.doubt_weight}"


def _site_pp(widths: Widths) -> float:
    return widths.site_pp[0]


def _zone_pp(widths: Widths) -> float:
    return widths.zone_pp[0]


def _flat(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    own = {key: float(value) for key, value in table.items() if not isinstance(value, Mapping)}
    if own:
        yield name, own
    for key, inner in table.items():
        if isinstance(inner, Mapping):
            yield from _flat(f"{name}.{key}" if name else key, inner)


def _toml(value: Any) -> str:
    """Strings, numbers and lists of them: what JSON writes for these is TOML too."""
    return json.dumps(value, ensure_ascii=False)
