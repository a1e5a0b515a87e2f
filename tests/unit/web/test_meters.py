from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.messages import DeviceHealth
from plumbline.metrics import Flaw
from plumbline_central.web.meters import flaw_words, meters, spark
from plumbline_central.web.texts import texts


@pytest.fixture
def shown(world, told):
    def show(language="zh"):
        return meters(
            texts(language), world.parts.telemetry.latest(told.SITE), world.parts.gateways.status(told.SITE)
        )

    return show


def test_three_phases_stand_in_rows_with_their_total(world, shown, told):
    world.frame(**told.three_phase(12_340.0, 1234.56))
    (meter,) = shown()

    assert meter.power.text == "12.34"
    assert (meter.power.unit, meter.power.quality) == ("kW", "good")
    assert meter.energy.text == "1,234.6"
    assert meter.phases == ("L1", "L2", "L3")
    assert [label for label, _ in meter.rows] == ["电压", "电流", "有功功率", "功率因数"]
    assert [cell.metric for cell in meter.rows[2][1]][-1] == "power_active_total"


def test_a_single_phase_meter_has_no_empty_columns(world, shown):
    world.frame(voltage_l1=230.0, current_l1=1.5)
    (meter,) = shown()

    assert meter.phases == ("L1",)
    assert [len(cells) for _, cells in meter.rows] == [2, 2]


def test_a_missing_value_is_a_dash_with_its_reason_and_never_zero(world, shown):
    world.frame(power_active_total=None, flaws={"power_active_total": Flaw.TIMEOUT})
    (meter,) = shown("en")

    assert (meter.power.text, meter.power.quality) == ("—", "bad")
    assert meter.power.why == "the meter did not answer in time"


def test_a_metric_that_the_meter_does_not_have_is_absent_and_not_bad(world, shown):
    world.frame(voltage_l1=230.0)
    (meter,) = shown()

    assert (meter.energy.text, meter.energy.quality) == ("—", "absent")


def test_a_doubtful_value_stands_with_its_doubt(world, shown):
    world.frame(power_active_total=900.0, flaws={"power_active_total": Flaw.INCONSISTENT})
    (meter,) = shown()

    assert (meter.power.text, meter.power.quality, meter.power.why) == ("0.90", "uncertain", "与其他数值矛盾")


def test_the_gateways_word_on_a_meter_stands_beside_it(world, shown):
    world.frame("a", voltage_l1=230.0)
    world.frame("b", voltage_l1=230.0)
    world.health(devices=(DeviceHealth(name="a", status="silent"),))

    assert [(meter.device, meter.status) for meter in shown()] == [("a", "silent"), ("b", None)]


def test_a_flaw_of_tomorrow_is_said_by_its_number():
    assert flaw_words(texts("en"), 199) == "reason unknown (199)"


@given(st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_a_spark_stays_in_its_box(told_values):
    end = datetime(2026, 3, 2, tzinfo=UTC)
    start = end - timedelta(days=1)
    made = spark([(start + timedelta(minutes=i), value) for i, value in enumerate(told_values)], start, end)

    assert (made is None) == (len(told_values) < 2)
    if made:
        for point in made.line.split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 100
            assert 0 <= y <= 100
