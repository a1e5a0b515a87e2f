import pytest
from meter_mistakes import MIDNIGHT_S, TEN_S, Reader, clamps_exchanged, idle, load, times

from plumbline.messages import EventCode
from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.selfcheck import SelfCheck
from plumbline_edge.meters.profiles.file import find_profile

PROFILE = find_profile("eastron_sdm630")
RIGHT = Reader(PROFILE)


@pytest.fixture
def check():
    return SelfCheck("crane", PROFILE, RIGHT.decoder)


@pytest.fixture
def watch(check):
    """Events of some polls at ten seconds, each with its time; `wrong` is what is wrong with the meter."""
    source = load()

    def watch(wrong=None, *, begin_s=TEN_S, count=400, every_s=10.0):
        reader = Reader(PROFILE, wrong=wrong)
        events = []
        for i in range(count):
            at_s = begin_s + i * every_s
            poll = reader.poll(at_s, source.at(at_s), wide=False)
            events += check.polled(at_s, poll.values, (), poll.blocks).events
        return events

    return watch


def test_a_mistake_is_told_once_with_what_to_do(watch):
    events = watch(clamps_exchanged(0, 1), count=1200)

    assert [code for code, _ in events] == [EventCode.METER_SUSPECT]
    assert events[0][1].startswith("phase swapped: current clamps of L1 and L2 are exchanged")
    assert events[0][1].endswith(".")


def test_a_mistake_that_was_mended_is_told_too(watch):
    watch(times(1 / 40, "current"))
    events = watch(begin_s=TEN_S + 4000, count=1000)

    assert events == [(EventCode.METER_SUSPECT, "no longer seen: CT ratio")]


def test_a_meter_without_load_says_nothing_and_takes_nothing_back(watch, check):
    assert watch(idle) == []
    assert [s.kind for s in check.suspected] == ["no load"]
    assert len(watch(times(1 / 40, "current"), begin_s=TEN_S + 4000, count=800)) == 1
    assert watch(idle, begin_s=TEN_S + 12_000, count=800) == []


def test_a_set_back_counter_is_told_once(watch):
    watch(count=50)
    events = watch(
        lambda values: {**values, "energy_import_total": values["energy_import_total"] - 1200},
        begin_s=TEN_S + 500, count=50,
    )  # fmt: skip

    assert [code for code, _ in events] == [EventCode.METER_REPLACED]


def test_another_serial_number_is_told_and_its_counters_are_new(check, watch):
    watch(count=30)

    assert check.serial_number("17") == ()
    assert [code for code, _ in check.serial_number("18")] == [EventCode.METER_REPLACED]
    assert watch(
        lambda values: {**values, "energy_import_total": values["energy_import_total"] - 1200},
        begin_s=TEN_S + 300, count=30,
    ) == []  # fmt: skip


def test_a_value_has_one_flaw_the_decoder_s_first(check):
    values = RIGHT.poll(0.0, load().at(MIDNIGHT_S)).values
    place = [metric.name for metric in PROFILE.metrics].index("power_active_total")
    wild = tuple(10**9 if i == place else value for i, value in enumerate(values))

    assert check.polled(0.0, wild, ((place, int(Flaw.OUT_OF_RANGE)),)).flaws == (
        (place, int(Flaw.OUT_OF_RANGE)),
    )
    assert check.polled(1.0, wild, ()).flaws == ((place, int(Flaw.INCONSISTENT)),)
    assert check.polled(2.0, values, ()).flaws == ()


def test_a_poll_without_answers_is_no_news(check):
    nothing = tuple(None for _ in PROFILE.metrics)
    flaws = tuple((i, int(Flaw.TIMEOUT)) for i in range(len(nothing)))

    said = {check.polled(10.0 * i, nothing, flaws).flaws for i in range(60)}

    assert said == {flaws}
    assert check.suspected == ()


def test_what_it_remembers_is_bounded(check, watch):
    watch(count=300)

    assert len(check._polls) == 20
    assert len(check._blocks) == 3
    assert len(check._energy.closed) <= 8


def test_an_export_counter_that_is_missing_once_has_not_exported_all_of_it_when_it_is_back(check):
    places = {metric.name: i for i, metric in enumerate(PROFILE.metrics)}
    source, reader = load(), Reader(PROFILE)
    for i in range(400):
        at_s = TEN_S + 10.0 * i
        values = list(reader.poll(at_s, source.at(at_s), wide=False).values)
        values[places["energy_export_total"]] = None if i % 50 == 0 else 1_234_500_000
        check.polled(at_s, tuple(values), ())

    assert "direction" not in {one.kind for one in check.suspected}
