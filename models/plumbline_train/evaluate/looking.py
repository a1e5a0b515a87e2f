"""A model file that looks at canvases, and what its maps say of one facade."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES, TRACKS, Track
from plumbline_edge.vision.model import Outputs
from plumbline_edge.vision.preprocess import to_input
from plumbline_edge.vision.view import CANVAS_QUAD, FACADE_BOX, View
from plumbline_edge.vision.zones import zone_map
from plumbline_train.evaluate.sightings import FOUND, Hits

Blind = Literal["now", "facade"]
"""What is kept from a model to see whether it needs it: today's photo, or all but the strip of sky above the facade."""
Image = NDArray[np.uint8]

_OUTSIDE: Final = 255
_GREY: Final = 128
_CHANGED: Final = 28
_LEAST_THING_PX: Final = 4


class Judge:
    """A model file, ready to look at canvases; one thread, so that every machine adds up in the same order."""

    def __init__(self, model: Path) -> None:
        """Raises ConfigError where the file is no stage model."""
        import onnxruntime as ort  # noqa: PLC0415 - only a command that judges needs it

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            shape = next(i.shape for i in self._session.get_inputs() if i.name == "x")
            self.size_hw = int(shape[2]), int(shape[3])
        except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base
            raise ConfigError(
                f"{model}: not a stage model: {error!r}", hint="Name the model.onnx of a training run."
            ) from None

    def view(self, quad: Any, picture_wh: tuple[int, int]) -> View:
        """How this model is shown a facade; `quad` in pixels of a picture of `picture_wh`."""
        shares = np.asarray(quad, float) / picture_wh
        return View(tuple((float(x), float(y)) for x, y in shares), picture_wh, self.size_hw)

    def look(self, now: Image, day0: Image | None, track: Track) -> Outputs:
        """What the model says of one canvas beside its day-0 canvas, both BGR."""
        return self.run(to_input(now, day0, self.size_hw), track)

    def run(self, x: NDArray[np.float32], track: Track) -> Outputs:
        """What the model says of an input that `to_input` made."""
        one_hot = np.array([[float(track == name) for name in TRACKS]], np.float32)
        feed = {"x": x, "track": one_hot}
        stage, aux, quality = self._session.run(["stage", "aux", "quality"], feed)
        return Outputs(stage=stage[0], aux=aux[0], quality=quality[0])


def blinded(now: Image, day0: Image, blind: Blind | None) -> tuple[Image, Image]:
    """The pair a blinded model is shown; the same pair where `blind` is None."""
    if blind == "now":
        return day0, day0
    if blind == "facade":
        return _only_sky(now), _only_sky(day0)
    return now, day0


def changed_percent(now: Image, day0: Image) -> float:
    """How much of the facade looks unlike its day-0 photo, in percent: the baseline that knows no stages."""
    inside = zone_map(CANVAS_QUAD, 1, 1, (now.shape[0], now.shape[1])) >= 0
    off = np.abs(now.astype(np.int16) - day0).mean(axis=2) > _CHANGED
    return float(100 * off[inside].mean())


def hits(aux: NDArray[Any], truth: NDArray[Any]) -> dict[str, Hits]:
    """How the classes of FOUND were found: `aux` [9, h, w] of a canvas whose true classes are `truth` [H, W].

    A thing is a connected patch of 4 canvas pixels or more; it is touched where one of its pixels is named rightly.
    """
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    named = np.asarray(aux.argmax(axis=0), np.uint8)
    said = cv2.resize(named, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    found = {}
    for name in FOUND:
        kind = AUX_CLASSES.index(name)
        is_there, is_said = truth == kind, (said == kind) & (truth != _OUTSIDE)
        both = is_there & is_said
        count, patches = cv2.connectedComponents(is_there.astype(np.uint8), connectivity=8)
        sizes = np.bincount(patches.ravel(), minlength=count)
        touched = np.bincount(patches[both], minlength=count)
        is_thing = (sizes >= _LEAST_THING_PX) & (np.arange(count) > 0)
        found[name] = Hits(
            right=int(both.sum()), said=int(is_said.sum()), there=int(is_there.sum()),
            things=int(is_thing.sum()), things_touched=int((touched > 0)[is_thing].sum()),
        )  # fmt: skip
    return found


def _only_sky(canvas: Image) -> Image:
    blank = np.full_like(canvas, _GREY)
    top = int(FACADE_BOX[1] * canvas.shape[0])
    blank[:top] = canvas[:top]
    return blank
