"""Loads the stage model after checking it whole, and runs it; the one file that imports onnxruntime."""

from __future__ import annotations

import errno
import hashlib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

import plumbline
from plumbline.errors import ConfigError, Refused
from plumbline.stages import AUX_CLASSES, QUALITY_CLASSES, TRACKS, Track
from plumbline_edge import bounded
from plumbline_edge.vision.interval import of_card

MAX_MODEL_BYTES: Final = 8_000_000
_TOLERANCE: Final = 1e-3
_REINSTALL: Final = "Reinstall the model, or name another folder in the site file's [model] table."
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a model's card.toml promises."""

    name: str
    version: str
    sha256: str
    interval_pp: dict[Track, float]
    """Half width in percentage points of the 90 % interval of a whole site's percent, by kind of works."""
    zone_interval_pp: dict[Track, float]
    """The same for one zone."""
    quality_limits: dict[str, float] = field(default_factory=dict)
    interval: dict[str, Any] = field(default_factory=dict)
    """The card's finer intervals, by kind of works; see interval.of_card."""

    @property
    def id(self) -> str:
        """How results name the model that made them."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the model says of one picture, batch axis removed.

    `stage` [7, h, w] is P(stage >= 1..7), `aux` [9, h, w] a probability per AUX_CLASSES, `quality` [6] one per
    QUALITY_CLASSES.
    """

    stage: Floats
    aux: Floats
    quality: Floats


class StageModel(Protocol):
    """Judges one picture of fixed size."""

    @property
    def card(self) -> Card: ...

    @property
    def size_hw(self) -> tuple[int, int]: ...

    def run(self, x: Floats, track: Track) -> Outputs:
        """Judge `x` [1, 6, H, W], see preprocess.to_input. Raises Refused where the outputs cannot be trusted."""
        ...


class Model:
    """A model.onnx that matched its card when it was loaded. Made by `load`."""

    def __init__(self, card: Card, session: Any, size_hw: tuple[int, int]) -> None:
        self.card = card
        self.size_hw = size_hw
        self._session = session

    def run(self, x: Floats, track: Track) -> Outputs:
        one_hot = np.array([[float(track == name) for name in TRACKS]], np.float32)
        try:
            stage, aux, quality = self._session.run(["stage", "aux", "quality"], {"x": x, "track": one_hot})
        except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base
            raise Refused(f"the model failed: {error}", hint=_REINSTALL) from None
        maps = (self.size_hw[0] // 4, self.size_hw[1] // 4)
        wanted = [(1, 7, *maps), (1, len(AUX_CLASSES), *maps), (1, len(QUALITY_CLASSES))]
        if [
            values.shape for values in (stage, aux, quality)
        ] != wanted:  # what the file declares binds no operator
            raise Refused("the model's outputs have other shapes than it declares", hint=_REINSTALL)
        outputs = Outputs(stage=stage[0], aux=aux[0], quality=quality[0])
        for name in ("stage", "aux", "quality"):
            values = getattr(outputs, name)
            # a comparison with NaN is false, so this refuses NaN too
            if not (values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE):
                raise Refused(f"the model's {name} holds no probabilities", hint=_REINSTALL)
        return outputs


def shipped_folder() -> Path:
    """Where the model that came with this package lies: beside an installed one, or in its source tree."""
    installed = Path(plumbline.__file__).parent / "share" / "models" / "stage_seg"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "models" / "stage_seg"


def read_card(folder: Path) -> dict[str, Any]:
    """The whole of a model folder's card. Raises ConfigError where there is none that can be read."""
    path = folder / "card.toml"
    try:
        return tomllib.loads(bounded.read(path).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint=_REINSTALL) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint=_REINSTALL) from None


def load(folder: Path, *, threads: int = 1) -> Model:
    """The model in `folder`, which holds model.onnx and card.toml.

    Raises ConfigError where either is missing or the card is faulty, Refused where the file is not the one the
    card describes: hash, size, names and shapes of inputs and outputs.
    """
    card = _card(folder, read_card(folder))
    path = folder / "model.onnx"
    try:
        content = bounded.read(path, MAX_MODEL_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise Refused(f"{path}: over {MAX_MODEL_BYTES} bytes", hint=_REINSTALL) from None
        raise ConfigError(f"{path}: {error.strerror}", hint=_REINSTALL) from None
    if (digest := hashlib.sha256(content).hexdigest()) != card.sha256:
        raise Refused(f"{path}: sha256 {digest[:12]}…, the card says {card.sha256[:12]}…", hint=_REINSTALL)
    session = _session(path, content, threads)
    return Model(card, session, _checked_size(path, session))


def _card(folder: Path, raw: dict[str, Any]) -> Card:
    try:
        card = Card(
            name=str(raw["name"]),
            version=str(raw["version"]),
            sha256=str(raw["sha256"]).lower(),
            interval_pp={track: float(raw["interval_pp"][track]) for track in TRACKS},
            zone_interval_pp={track: float(raw["zone_interval_pp"][track]) for track in TRACKS},
            quality_limits={str(k): float(v) for k, v in raw.get("quality_limits", {}).items()},
            interval=dict(raw.get("interval", {})),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{folder / 'card.toml'}: missing or wrong: {error}", hint=_REINSTALL) from None
    if not all(0 <= limit <= 1 for limit in card.quality_limits.values()):  # NaN is in no such range
        raise ConfigError(
            f"{folder / 'card.toml'}: quality_limits {card.quality_limits} are not all within 0..1",
            hint=_REINSTALL,
        )
    for track in TRACKS:
        of_card(card.interval, track, site_pp=card.interval_pp[track], zone_pp=card.zone_interval_pp[track])
    return card


def _session(path: Path, content: bytes, threads: int) -> Any:
    # from 1.29 on it reports each process and session to its maker and keeps a database in the home folder, unless
    # told so before it is first loaded
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as ort  # noqa: PLC0415 - 50 MB, only where there is a camera

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # one photo an hour: give the memory back in between
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        # from bytes: what was hashed is what runs, and external data files cannot be pulled in
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's own errors share no public base
        raise Refused(f"{path}: not a model that can run here: {error}", hint=_REINSTALL) from None


def _checked_size(path: Path, session: Any) -> tuple[int, int]:
    """The H and W of input `x`, once every name and shape is as the contract says."""
    inputs = {i.name: (i.type, list(i.shape)) for i in session.get_inputs()}
    outputs = {o.name: (o.type, list(o.shape)) for o in session.get_outputs()}
    shape = inputs.get("x", ("", []))[1]
    height, width = (n if isinstance(n, int) else 0 for n in (shape[2:4] if len(shape) == 4 else (0, 0)))
    real, map_hw = "tensor(float)", [height // 4, width // 4]
    wanted_inputs = {"x": (real, [1, 6, height, width]), "track": (real, [1, len(TRACKS)])}
    wanted_outputs = {
        "stage": (real, [1, 7, *map_hw]),
        "aux": (real, [1, len(AUX_CLASSES), *map_hw]),
        "quality": (real, [1, len(QUALITY_CLASSES)]),
    }
    if height < 4 or width < 4 or inputs != wanted_inputs or outputs != wanted_outputs:
        raise Refused(
            f"{path}: inputs {inputs} and outputs {outputs} are not those of a stage model", hint=_REINSTALL
        )
    return height, width
