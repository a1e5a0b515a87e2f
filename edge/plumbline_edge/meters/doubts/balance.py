"""Energy counters against the power measured meanwhile: the unit they count in, and their direction."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final, NamedTuple

from plumbline_edge.meters.doubts.check import step
from plumbline_edge.meters.doubts.suspicion import Kind, Suspicion
from plumbline_edge.meters.profiles.profile import Profile

_PIECES_NEEDED: Final = 2
_PIECES_FOR_A_RATIO: Final = 4
"""A thousandfold is no chance; a few times more or less may be what fell between two polls."""
_PIECES_KEPT: Final = 8
_POLLS_A_PIECE: Final = 15
_STEPS_A_PIECE: Final = 20
_MOVES_A_PIECE: Final = 4
_LONGEST_PAUSE_S: Final = 300.0
_ONE_WAY: Final = 10
_LIKE: Final = 2.0
_CONSTANT: Final = 1.3
_RIGHT: Final = 2.5
_FLOAT_STEP: Final = 0.01
"""kWh: what float counters are commonly rounded to."""
_HINT_UNIT: Final = (
    "Set the meter's energy unit to kWh, or the `scale` of its energy registers in the profile."
)
_UNITS: Final[tuple[tuple[float, Kind, str, str], ...]] = (
    (1 / 1000, "unit MWh", "it counts in MWh", _HINT_UNIT),
    (1000, "unit Wh", "it counts in Wh", _HINT_UNIT),
    (65_536, "word order", "its two halves are exchanged", "Set `words` of the energy registers."),
)
_WRITTEN_OUT: Final = 999.5
_HINT_RATIO: Final = "Compare the meter's CT ratio with the label on the current transformers."


class Piece(NamedTuple):
    """A stretch of time: energy by power, in and out, and by the counters, in kWh."""

    polls: int = 0
    moves: int = 0
    used: float = 0.0
    given: float = 0.0
    import_grown: float = 0.0
    export_grown: float = 0.0

    @property
    def grown(self) -> float:
        return self.import_grown + self.export_grown


class Balance(NamedTuple):
    """What is remembered of a meter's energy: a few closed pieces and the open one. Bounded."""

    step_kwh: float
    open: Piece = Piece()
    closed: tuple[Piece, ...] = ()
    last: tuple[float, float, float, float] | None = None
    """Seconds, W, kWh imported, kWh exported at the last poll."""

    def seen(self, mono_s: float, power: float, imported: float, exported: float = 0.0) -> Balance:
        """With one more poll: W, kWh, kWh. A long pause, or a counter that goes back, is left out of the sum."""
        now = (mono_s, power, imported, exported)
        if self.last is None:
            return self._replace(last=now)
        then_s, before_w, then_in, then_out = self.last
        grown_in, grown_out = imported - then_in, exported - then_out
        if not 0 < mono_s - then_s <= _LONGEST_PAUSE_S or grown_in < 0 or grown_out < 0:
            return self._replace(last=now)
        kwh = (power + before_w) / 2 * (mono_s - then_s) / 3_600_000
        p = self.open
        piece = Piece(
            p.polls + 1,
            p.moves + (grown_in + grown_out > 0),
            p.used + max(kwh, 0.0),
            p.given + max(-kwh, 0.0),
            p.import_grown + grown_in,
            p.export_grown + grown_out,
        )
        if not self._enough(piece):
            return Balance(self.step_kwh, piece, self.closed, now)
        return Balance(self.step_kwh, Piece(), (*self.closed, piece)[-_PIECES_KEPT:], now)

    def _enough(self, piece: Piece) -> bool:
        """Steps enough to be judged; or so much energy that even a counter of MWh should have made them."""
        if piece.polls < _POLLS_A_PIECE:
            return False
        moved = piece.grown >= _STEPS_A_PIECE * self.step_kwh and piece.moves >= _MOVES_A_PIECE
        return moved or piece.used + piece.given >= 1000 * _STEPS_A_PIECE * self.step_kwh


def begin(profile: Profile) -> Balance:
    """Nothing seen yet."""
    steps = [step(r) for r in profile.registers if r.metric.name == "energy_import_total"]
    return Balance(step_kwh=(steps[0] if steps else 0.0) or _FLOAT_STEP)


def doubts(balance: Balance) -> Iterator[Suspicion]:
    """What the pieces say, where they agree with each other."""
    pieces = balance.closed
    used, given = sum(p.used for p in pieces), sum(p.given for p in pieces)
    if len(pieces) < _PIECES_NEEDED or max(used, given) <= _ONE_WAY * min(used, given):
        return
    counter, other = ("import", "export") if used > given else ("export", "import")
    by_power = [max(p.used, p.given) for p in pieces]
    grown = [p.import_grown if counter == "import" else p.export_grown for p in pieces]
    reverse = [p.export_grown if counter == "import" else p.import_grown for p in pieces]
    names = (f"energy_{counter}_total", "power_active_total")
    if not any(grown) and not any(reverse):
        yield Suspicion(
            kind="stuck", metrics=names[:1], confidence=0.7,
            sentence=f"the {counter} counter stands still although {sum(by_power):.3g} kWh went through",
            hint="Compare the counter with the meter's display: it may stand at another address.",
        )  # fmt: skip
    elif sum(reverse) > _ONE_WAY * sum(grown):
        yield Suspicion(
            kind="direction", metrics=(f"energy_{other}_total", *names), confidence=0.8,
            sentence=f"power is {'drawn' if counter == 'import' else 'given'}, but the {other} counter grows",
            hint="Import and export are exchanged in the profile, or current clamps are turned round.",
        )  # fmt: skip
    elif all(by_power):  # a piece without any power has no ratio
        yield from _by_ratio([g / e for g, e in zip(grown, by_power, strict=True)], names, sum(by_power))


def _by_ratio(ratios: list[float], names: tuple[str, str], kwh: float) -> Iterator[Suspicion]:
    ratio = median(ratios)
    if 1 / _RIGHT <= ratio <= _RIGHT or min(ratios) <= 0 or max(ratios) > 2 * _CONSTANT * min(ratios):
        return
    said = f"the counter grew by {ratio:.3g} times the {kwh:.3g} kWh that the measured power makes"
    for factor, kind, unit, hint in _UNITS:
        if factor / _LIKE <= ratio <= factor * _LIKE:
            yield Suspicion(
                kind=kind, metrics=names[:1], sentence=f"{said}: {unit}", hint=hint, confidence=0.95
            )
            return
    if len(ratios) >= _PIECES_FOR_A_RATIO and max(ratios) <= _CONSTANT * min(ratios):
        yield Suspicion(
            kind="CT ratio", metrics=names, sentence=f"{said}, always: {name_ratio(ratio)}", hint=_HINT_RATIO,
            confidence=0.75,
        )  # fmt: skip


def name_ratio(ratio: float) -> str:
    """1:40 for 0.025, 40:1 for 40, 1:1000 for 0.001."""
    return f"{_three_digits(ratio)}:1" if ratio >= 1 else f"1:{_three_digits(1 / ratio)}"


def _three_digits(number: float) -> str:
    return f"{number:.3g}" if number < _WRITTEN_OUT else f"{number:.0f}"
