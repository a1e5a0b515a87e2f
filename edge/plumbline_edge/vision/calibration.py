"""A site's own scale: a temperature and a shift a stage, fitted to a few photos that a person corrected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError, Refused
from plumbline_edge.vision.interval import Widths, of_site
from plumbline_edge.vision.zones import ZoneReading, doubt, likeliest, percent_of

STAGES: Final = 7
_NOISE_PP: Final = 5.0
"""How far a person's correction is from the truth [E]; the ridge is weighed against it."""
_RIDGE_TEMPERATURE: Final = 0.5
_RIDGE_SHIFT: Final = 1.0
"""Usual size [E] of the temperature's logarithm and of a shift in logits: what few photos ask for is damped by these."""
_MAX_LOG_TEMPERATURE: Final = 1.5
_MAX_SHIFT: Final = 6.0
_STEPS: Final = 60
_EDGE: Final = 1e-6
_MADE_BY: Final = (
    "Make a new one with `plumbline model calibrate`, or take `calibration` out of the site file."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One zone of one photo as the model saw it, and what a person says of it."""

    photo: str
    reached: tuple[float, ...]
    """P(stage >= 1..7), uncalibrated."""
    visible: float
    weight: float
    """The zone's share of the camera's works."""
    percent: float
    """What a person says, 0..100."""
    values: tuple[float, ...]
    """The 8 cumulative values of the stages."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """site_calibration.json, without the signature that central adds. As made: the identity."""

    version: int = 1
    camera: str = ""
    counter: int = 0
    model: str = ""
    config: str = ""
    """What Progress.basis.config was: with other zones, the errors below say nothing."""
    temperature: float = 1.0
    shifts: tuple[float, ...] = (0.0,) * STAGES
    """Added to the logit of P(stage >= 1..7) after its division by `temperature`."""
    site_scores: tuple[float, ...] = ()
    """For each corrected photo, how wrong its percent was when the others alone had been fitted; see interval.of_site."""
    zone_scores: tuple[float, ...] = ()
    check: str = ""
    """SHA-256 of all the rest but the signature: a flipped bit may leave a scale that could have been fitted."""
    signature: str = ""

    @property
    def is_identity(self) -> bool:
        return self.temperature == 1.0 and not any(self.shifts)


IDENTITY: Final = Calibration()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What corrections came to: the scale, and the errors before it, after it, and on photos left out of it."""

    temperature: float = 1.0
    shifts: tuple[float, ...] = (0.0,) * STAGES
    site_scores: tuple[float, ...] = ()
    zone_scores: tuple[float, ...] = ()
    photos: int = 0
    before_pp: float = 0.0
    after_pp: float = 0.0
    """Root mean square errors of the corrected zones."""


def reached_after(calibration: Calibration, reached: Sequence[float]) -> tuple[float, ...]:
    """P(stage >= 1..7) on the site's scale: never rising from stage to stage, and rising in each `reached`."""
    if calibration.is_identity:
        return tuple(reached)
    return tuple(_scaled(_logits([reached]), _parameters(calibration))[0].tolist())


def calibrated(
    readings: Sequence[ZoneReading], calibration: Calibration, values: Mapping[str, Sequence[float]]
) -> tuple[ZoneReading, ...]:
    """The readings on the site's scale; `values` by zone id. Those without a percent stay as they are."""
    if calibration.is_identity:
        return tuple(readings)
    done = []
    for reading in readings:
        if reading.percent is None:
            done.append(reading)
            continue
        reached = reached_after(calibration, reading.reached)
        percent = percent_of(reached, values[reading.id])
        done.append(replace(reading, reached=reached, percent=percent, stage=likeliest(reached)))
    return tuple(done)


def fit(observations: Sequence[Observation], widths: Widths) -> Fit:
    """The scale that brings the model's percents nearest to the corrections without leaving the usual one for little.

    Penalised least squares from the identity on, taking only steps that improve: the corrected zones' mean square
    error never grows, whatever the corrections say. Without any, the identity.
    """
    if not observations:
        return Fit()
    parameters = _fitted(observations)
    photos = sorted({one.photo for one in observations})
    site_scores, zone_scores = [], []
    for photo in photos:
        others = [one for one in observations if one.photo != photo]
        left_out = [one for one in observations if one.photo == photo]
        errors = _errors(left_out, _fitted(others) if others else _identity())
        weights = np.array([one.weight for one in left_out])
        weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(left_out), 1 / len(left_out))
        visible = float(weights @ [one.visible for one in left_out])
        doubts = [doubt(one.reached) for one in left_out]
        site_scores.append(float(weights @ errors) / widths.difficulty(visible, float(weights @ doubts)))
        zone_scores += [
            float(error) / widths.difficulty(one.visible, its_doubt)
            for one, error, its_doubt in zip(left_out, errors, doubts, strict=True)
        ]
    return Fit(
        temperature=float(np.exp(parameters[0])),
        shifts=tuple(parameters[1:].tolist()),
        site_scores=tuple(round(abs(score), 3) for score in site_scores),
        zone_scores=tuple(round(abs(score), 3) for score in zone_scores),
        photos=len(photos),
        before_pp=_rms(_errors(observations, _identity())),
        after_pp=_rms(_errors(observations, parameters)),
    )


def checked(calibration: Calibration, camera: str, model: str) -> Calibration:
    """`calibration` itself. Raises Refused where it was made for another camera or another model."""
    if calibration.counter and (calibration.camera, calibration.model) != (camera, model):
        raise Refused(
            f"the calibration file is of camera {calibration.camera!r} and model {calibration.model}, "
            f"this is camera {camera!r} and model {model}",
            hint=_MADE_BY,
        )
    return calibration


def site_widths(calibration: Calibration, card: Widths, config: str) -> Widths:
    """How wide intervals are: from this site's own errors where there are enough, of these very zones; else the card's."""
    if calibration.config != config:
        return card
    return of_site(card, calibration.site_scores, calibration.zone_scores)


def sealed(calibration: Calibration) -> Calibration:
    """The same with its `check`."""
    rest = msgspec.json.encode(msgspec.structs.replace(calibration, check="", signature=""))
    as_read = msgspec.json.encode(msgspec.json.decode(rest, type=Calibration))  # 0 and 0.0 are the same
    return msgspec.structs.replace(calibration, check=hashlib.sha256(as_read).hexdigest())


def decoded(content: bytes, path: str) -> Calibration:
    """What a calibration file says. Raises ConfigError where it is damaged or makes no sense."""
    try:
        read = msgspec.json.decode(content, type=Calibration)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise ConfigError(f"{path}: not a calibration file: {error}", hint=_MADE_BY) from None
    if read.check and read.check != sealed(read).check:
        raise ConfigError(f"{path}: damaged or changed by hand: its checksum is wrong", hint=_MADE_BY)
    numbers = [read.temperature, *read.shifts, *read.site_scores, *read.zone_scores]
    if (
        read.version != 1
        or read.counter < 1
        or len(read.shifts) != STAGES
        or not np.isfinite(numbers).all()
        or abs(np.log(max(read.temperature, 1e-9))) > _MAX_LOG_TEMPERATURE + 1e-9
        or max(map(abs, read.shifts)) > _MAX_SHIFT + 1e-9
    ):
        raise ConfigError(f"{path}: not a calibration that could have been fitted", hint=_MADE_BY)
    return read


def _fitted(observations: Sequence[Observation]) -> NDArray[np.float64]:
    """Levenberg-Marquardt over the temperature's logarithm and the shifts."""
    here, damping = _identity(), 1.0
    residuals = _residuals(observations, here)
    for _ in range(_STEPS):
        slope = _slope(observations, here, residuals)
        normal = slope.T @ slope
        move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), slope.T @ residuals)
        there = _bounded(here - move)
        after = _residuals(observations, there)
        if after @ after < residuals @ residuals:
            small = np.abs(there - here).max() < 1e-6
            here, residuals, damping = there, after, damping / 3
            if small:
                break
        else:
            damping *= 4
            if damping > 1e9:
                break
    return here


def _residuals(observations: Sequence[Observation], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    ridge = parameters / np.array([_RIDGE_TEMPERATURE, *[_RIDGE_SHIFT] * STAGES])
    return np.concatenate([_errors(observations, parameters) / _NOISE_PP, ridge])


def _slope(
    observations: Sequence[Observation], at: NDArray[np.float64], there: NDArray[np.float64]
) -> NDArray[np.float64]:
    step = 1e-4
    moved = [_residuals(observations, at + step * axis) for axis in np.eye(at.size)]
    return np.stack([(one - there) / step for one in moved], axis=1)


def _errors(observations: Sequence[Observation], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Judged minus corrected, in points."""
    reached = _scaled(_logits([one.reached for one in observations]), parameters)
    gains = np.diff(np.array([one.values for one in observations], np.float64), axis=1)
    judged = 100 * np.clip((gains * reached).sum(axis=1), 0, 1)
    return np.asarray(judged - np.array([one.percent for one in observations]))


def _scaled(logits: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = 1 / (1 + np.exp(-(logits / np.exp(parameters[0]) + parameters[1:])))
    return np.asarray(np.minimum.accumulate(scaled, axis=1))


def _logits(reached: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    p = np.clip(np.asarray(reached, np.float64), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))


def _parameters(calibration: Calibration) -> NDArray[np.float64]:
    return np.array([np.log(calibration.temperature), *calibration.shifts])


def _identity() -> NDArray[np.float64]:
    return np.zeros(1 + STAGES)


def _bounded(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    limits = np.array([_MAX_LOG_TEMPERATURE, *[_MAX_SHIFT] * STAGES])
    return np.clip(parameters, -limits, limits)


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors**2).mean()))
