"""Looks over the model's shoulder: what it saw in a photo, and the day-0 canvas it compared with, for a picture of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plumbline.stages import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plumbline_edge.vision.model import Card, Floats, Outputs, StageModel

    Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One facade as the model saw it. Of the photo itself nothing is kept: pictures of it come from the masked preview."""

    day0: Image | None
    """The BGR canvas from before the works, in which nobody was recognisable when it was kept."""
    stage: Floats
    """P(stage >= 1..7), [7, h, w]."""
    aux: Floats
    """A probability per AUX_CLASSES, [9, h, w]."""


class Witness:
    """Hands on another's model, and keeps what the last photo's runs showed it. Not for several threads."""

    def __init__(self, load_model: Callable[[], StageModel]) -> None:
        self._load_model = load_model
        self._runs: list[tuple[Floats, Outputs]] = []

    def __call__(self) -> StageModel:
        return _Watched(self._load_model(), self._runs)

    def looks(self) -> tuple[Look, ...]:
        """What was seen since the last call, a facade each; a facade that was judged twice counts with the second."""
        kept: list[tuple[Floats, Outputs]] = []
        for x, outputs in self._runs:
            place = next(
                (i for i, (other, _) in enumerate(kept) if np.array_equal(other[0, :3], x[0, :3])), len(kept)
            )
            kept[place : place + 1] = [(x, outputs)]
        self._runs.clear()
        return tuple(_look(x, outputs) for x, outputs in kept)


class _Watched:
    """A StageModel that tells a witness."""

    def __init__(self, model: StageModel, runs: list[tuple[Floats, Outputs]]) -> None:
        self._model = model
        self._runs = runs

    @property
    def card(self) -> Card:
        return self._model.card

    @property
    def size_hw(self) -> tuple[int, int]:
        return self._model.size_hw

    def run(self, x: Floats, track: Track) -> Outputs:
        outputs = self._model.run(x, track)
        self._runs.append((x.copy(), outputs))
        return outputs


def _look(x: Floats, outputs: Outputs) -> Look:
    day0 = _picture(x[0, 3:]) if x[0, 3:].any() else None
    return Look(day0=day0, stage=outputs.stage, aux=outputs.aux)


def _picture(planes: Floats) -> Image:
    """RGB planes 0..1 to BGR pixels."""
    return np.ascontiguousarray((planes[::-1].transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8))
