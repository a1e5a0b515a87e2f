"""Finds who is on a wire and which profile fits each: asks as `trials` says, judges as `recognise` says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from plumbline.clock import Clock
from plumbline.errors import Refused, Unreachable
from plumbline_edge.commission import addresses, ports, recognise, trials
from plumbline_edge.commission.check import Doubt
from plumbline_edge.commission.known import Known, framing_of
from plumbline_edge.commission.look import look
from plumbline_edge.commission.recognise import Fit, Scored, Verdict
from plumbline_edge.commission.report import Sighting
from plumbline_edge.commission.trials import Ask, Setting, Trial
from plumbline_edge.meters.dlt645.search import Searched
from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.pace import Pace
from plumbline_edge.meters.wire.question import Question
from plumbline_edge.meters.wiring import open_bus
from plumbline_edge.settings import BusSettings

SERIAL_TIMEOUT_S: Final = 0.3
TCP_TIMEOUT_S: Final = 1.0
_LATE_S: Final = 4.0
_LATE_STEP_S: Final = 0.1
"""The bus refuses a question while an answer to its like may still come; so long, and so often, it is tried."""
_RECONNECT_S: Final = 1.1
_PATIENT_S: Final = 1.0
"""How long a meter that is known to be there is waited for."""
_OFFLINE_TIMES: Final = 3
_NO_MODBUS_TCP: Final = "That port speaks something else than Modbus TCP: look for the port's number in the device's manual, or try --rtu"
_NOBODYS_UNITS: Final = (246, 199)
"""Hardly any meter has these numbers: where both answer, the number does not matter."""

AddressSearch = Callable[[Bus, Callable[[int], None]], Awaitable[Searched]]
"""All DL/T 645 addresses on a wire; tells how many questions are left. Raises BusFailure where the wire is gone."""
Presence = Literal["there", "nobody", "noise", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a scan is: `doing` for a person, seconds it has and may still take at most."""

    doing: str
    spent_s: float
    left_s: float


class Scan:
    """One wire's scan. What was found so far stands in `sightings` and `oddities` at any time, also after a break."""

    def __init__(
        self,
        wire: BusSettings,
        profiles: Mapping[str, Profile],
        clock: Clock,
        *,
        timeout_s: float | None = None,
        fit: Fit = recognise.fit_by_values,
        search: AddressSearch | None = addresses.search,
        own: str | None = None,
        told: Callable[[Step], None] = lambda _: None,
    ) -> None:
        """`own`: the profile that is being tried; of a meter that no profile fits, what speaks against it is said."""
        self.sightings: list[Sighting] = []
        self._own = own
        self.oddities: list[str] = []
        self._wire = wire
        self._profiles = profiles
        self._clock = clock
        self._timeout_s = timeout_s or (SERIAL_TIMEOUT_S if wire.kind == "rtu" else TCP_TIMEOUT_S)
        self._fit = fit
        self._search = search
        self._told = told
        self._spent_s = 0.0
        self._left_s = 0.0
        self._offline = 0
        self._for_all = False

    async def run(
        self, settings: Sequence[Setting | None], units: Sequence[int], *, thorough: bool = False
    ) -> None:
        """Try it all. Raises Unreachable where the wire itself cannot be opened, with a hint."""
        modbus = self._profiles.values()
        steps = trials.course(
            settings,
            units,
            trials.common_units(modbus, units),
            trials.presence_asks(modbus),
            timeout_s=self._timeout_s,
            thorough=thorough,
        )
        searched: set[Setting | None] = set()
        found = None
        with contextlib.suppress(StopIteration):
            while True:
                trial = next(steps) if found is None else steps.send(found)
                bus = open_bus(_set(self._wire, trial.setting))
                try:
                    found = await self._try(bus, trial)
                    if self._search and bus.framing == "rtu" and trial.setting not in searched:
                        searched.add(trial.setting)
                        found = await self._addresses(bus, trial, self._search) or found
                finally:
                    await bus.stop()
                if self._for_all:
                    return

    async def _try(self, bus: Bus, trial: Trial) -> bool:
        paces = {unit: Pace(self._timeout_s) for unit in trial.units}
        there: set[int] = set()
        noisy: dict[str, set[int]] = {}
        todo = len(trial.asks) * len(trial.units)
        one_s = trial.longest_s(self._timeout_s) / max(1, todo)
        for ask in trial.asks:
            for unit, pace in paces.items():
                todo -= 1
                if unit in there:
                    continue
                self._tell(trial, unit, todo * one_s + trial.left_s)
                presence, odd = await self._present(bus, unit, ask, pace)
                self._spent_s += one_s
                if presence == "noise":
                    noisy.setdefault(odd, set()).add(unit)
                elif presence == "there":
                    there.add(unit)
                    self._for_all = await self._answers_for_all(bus, unit, ask)
                    await self._meet(bus, unit, trial.setting)
                    if self._for_all:
                        return True
        for unit, pace in paces.items():
            if pace.late and unit not in there:
                there.add(unit)
                await self._meet(bus, unit, trial.setting)
        self._note_noise(trial.setting, noisy, there)
        return bool(there)

    async def _present(self, bus: Bus, unit: int, ask: Ask, pace: Pace) -> tuple[Presence, str]:
        """Whether anybody answers there, and what came instead of an answer."""
        question = read_registers(unit, ask.function, ask.span, framing_of(bus))
        try:
            await self._ask(bus, question, pace)
        except ExceptionAnswer:
            return "there", ""
        except BusFailure as away:
            if away.kind in ("crc", "garbage"):
                return "noise", _last_part(str(away))
            return "nobody", ""
        return "there", ""

    async def _ask(self, bus: Bus, question: Question, pace: Pace, *, quiet_s: float = 0.0) -> bytes:
        """One question; waits where an earlier answer may still come. Raises as Bus.ask, Unreachable without a wire."""
        give_up_s = asyncio.get_running_loop().time() + _LATE_S
        while True:
            try:
                answer = await bus.once(question, pace, quiet_s=quiet_s)
            except BusFailure as away:
                if away.kind == "connection":
                    self._offline += 1
                    if self._offline >= _OFFLINE_TIMES or not bus.counters["connects"]:
                        raise _no_wire(self._wire, away) from None
                    await asyncio.sleep(_RECONNECT_S)
                    continue
                self._offline = 0
                if away.kind != "late" or asyncio.get_running_loop().time() > give_up_s:
                    raise
                await asyncio.sleep(_LATE_STEP_S)
            except ExceptionAnswer:
                self._offline = 0
                raise
            else:
                self._offline = 0
                return answer

    async def _answers_for_all(self, bus: Bus, unit: int, ask: Ask) -> bool:
        """Whether one device answers under every number, as many a meter does behind its own TCP port."""
        if bus.framing != "tcp" or self.sightings:
            return False
        for nobody in _NOBODYS_UNITS:
            presence, _ = await self._present(bus, nobody, ask, Pace(self._timeout_s))
            if presence != "there":
                return False
        self.oddities.append(f"one device answers under every unit number; {unit} is as good as any")
        return True

    # who is it

    async def _meet(self, bus: Bus, unit: int, setting: Setting | None) -> None:
        """Find out who answers there, and what it says. Whatever it does, it is noted."""
        if any(one.unit == unit and one.setting == setting for one in self.sightings):
            return
        verdict = Verdict(profile=None, how="answers, but fell silent before it was known")
        values: dict[str, float | None] = {}
        doubts: tuple[Doubt, ...] = ()
        try:
            verdict = await self._recognise(bus, unit)
            if verdict.profile is not None:
                values = await self._first_values(bus, self._profiles[verdict.profile], unit=unit)
            if (tried := verdict.profile or self._own) is not None and not verdict.said:
                doubts = (await look(self._meter(bus, self._profiles[tried], unit=unit), bus)).doubts
        except BusFailure:
            pass
        finally:
            self.sightings.append(
                Sighting(unit=unit, setting=setting, verdict=verdict, values=values, doubts=doubts)
            )

    async def _recognise(self, bus: Bus, unit: int) -> Verdict:
        pace = Pace(max(_PATIENT_S, self._timeout_s))

        def ask(question: Question, quiet_s: float) -> Awaitable[bytes]:
            return self._ask(bus, question, pace, quiet_s=quiet_s)

        meter = Known(bus, unit, ask)
        answers = {place: await meter.place(place) for place in recognise.places(self._profiles.values())}
        scored: list[Scored] = []
        for name, profile in self._profiles.items():
            located, says = await meter.located(profile)
            if located is None:
                continue
            says = says or recognise.identified(profile, answers)
            blocks = await meter.blocks(located, whole=bool(says))
            fit = self._fit(located, blocks)
            if says or fit > 0:
                values = recognise.speaking_values(located, blocks)
                registers = len(located.registers)
                scored.append(Scored(name=name, says=says, fit=fit, values=values, registers=registers))
        verdict = recognise.decide(scored)
        if verdict.profile is None and (named := await meter.own_words()):
            verdict = replace(verdict, how=f"says {named!r}; {verdict.how}")
        return verdict

    async def _first_values(
        self, bus: Bus, profile: Profile, *, unit: int = 1, address: str = ""
    ) -> dict[str, float | None]:
        meter = self._meter(bus, profile, unit=unit, address=address)
        try:
            frame = await meter.queue(meter.poll)
        except (Refused, Unreachable):
            return {}
        named = zip(profile.metrics, frame.values, strict=True)
        return {metric.name: None if value is None else metric.from_wire(value) for metric, value in named}

    def _meter(self, bus: Bus, profile: Profile, *, unit: int = 1, address: str = "") -> Meter:
        return Meter(
            name="the meter", profile=profile, unit=unit, address=address, bus=bus, every_s=10, clock=self._clock,
            timeout_s=_PATIENT_S,
        )  # fmt: skip

    async def _addresses(self, bus: Bus, trial: Trial, search: AddressSearch) -> bool:
        setting = trial.setting
        name = next((name for name, one in self._profiles.items() if one.protocol == "dlt645"), None)
        if name is None:
            return False
        try:
            searched = await search(bus, partial(self._tell_search, trial))
        except BusFailure as away:
            self.oddities.append(f"the search for DL/T 645 meters broke off: {_last_part(str(away))}")
            return False
        if searched.unresolved:
            where = f" at {setting}" if setting else ""
            self.oddities.append(
                f"something answers a call for DL/T 645 meters{where}, but not clearly: another speed or parity,"
                " another protocol, or two meters with one address"
            )
        for address in searched.found:
            if any(one.address == address for one in self.sightings):
                continue
            values = await self._first_values(bus, self._profiles[name], address=address)
            verdict = Verdict(profile=name, how="answers as DL/T 645 meters do", sure=bool(values))
            self.sightings.append(Sighting(address=address, setting=setting, verdict=verdict, values=values))
        return bool(searched.found)

    def _tell_search(self, trial: Trial, left: int) -> None:
        where = f"{trial.setting}, " if trial.setting else ""
        left_s = left * addresses.TIMEOUT_S + trial.left_s
        self._told(Step(doing=f"{where}DL/T 645 addresses", spent_s=self._spent_s, left_s=left_s))
        self._spent_s += addresses.TIMEOUT_S

    def _note_noise(
        self, setting: Setting | None, noisy: Mapping[str, set[int]], there: Collection[int]
    ) -> None:
        where = f" at {setting}" if setting else ""
        for odd, units in noisy.items():
            if lost := sorted(units - set(there)):
                self.oddities.append(
                    f"unit {', '.join(map(str, lost))}{where}: {odd}. {_NO_MODBUS_TCP}"
                    if self._wire.kind == "tcp"
                    else f"unit {', '.join(map(str, lost))}{where}: {odd}. Either the speed or parity is wrong,"
                    " or A and B are swapped, or two meters have the same number"
                )

    def _tell(self, trial: Trial, unit: int, left_s: float) -> None:
        where = f"{trial.setting}, " if trial.setting else ""
        self._told(Step(doing=f"{where}unit {unit}", spent_s=self._spent_s, left_s=left_s))


def _set(wire: BusSettings, setting: Setting | None) -> BusSettings:
    if setting is None:
        return wire
    return replace(wire, baud=setting.baud, parity=setting.parity, stop_bits=setting.stop_bits)


def _last_part(text: str) -> str:
    """A bus's message without who was asked what."""
    return text.split(": ", 2)[-1]


def _no_wire(wire: BusSettings, away: BusFailure) -> Unreachable:
    hint = away.hint
    if "another program" in str(away):
        hint = ports.how_to_free(wire.device or "", ports.holders(wire.device or ""))
    elif "may not be opened" in str(away):
        hint = "Join the port's group, then log in again: sudo usermod -aG dialout $USER"
    where = wire.device or f"{wire.host}:{wire.port}"
    return Unreachable(f"{where}: {str(away).removeprefix(f'{wire.name}: ')}", hint=hint)
