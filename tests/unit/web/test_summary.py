from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.deviation import Band
from plumbline_central.web.site_view import SiteView
from plumbline_central.web.summary import _of_progress
from plumbline_central.web.texts import texts


@pytest.fixture
def verdict(world, told):
    """What the page says now, in Chinese or English."""

    def say(language="zh"):
        return SiteView(world.services, world.services.registry.site(told.SITE), texts(language)).summary

    return say


def days(world, count):
    world.clock.step(count * 86_400)


def two_photos_behind(world, off, *, half=1.0):
    """On days 20 and 21."""
    for day, passed in ((20, 20), (21, 1)):
        days(world, passed)
        world.progress(day - off, half=half)


def test_a_site_without_a_plan_says_how_to_bring_one(open_world, told):
    world = open_world()
    world.add_site()
    summary = SiteView(world.services, world.services.registry.site(told.SITE), texts("zh")).summary

    assert (summary.level, summary.headline) == ("unknown", "还没有进度计划")
    assert summary.command == "plumbline central plan east-lake plan.csv"


def test_a_plan_without_photos_waits(verdict):
    assert (verdict().level, verdict().headline) == ("unknown", "正在等待第一张照片")


def test_on_plan_there_is_nothing_to_do(world, verdict):
    days(world, 20)
    world.progress(20.8)

    assert (
        verdict().level,
        verdict().headline,
        verdict().todo,
    ) == ("calm", "进度符合计划", "现在不需要做任何事。")


def test_one_photo_outside_is_watched_and_raises_nothing(world, verdict):
    days(world, 20)
    world.progress(12.5)

    assert verdict("en").headline == "Perhaps 7.5 points behind; the next photo will tell"
    assert (verdict().level, verdict().alert) == ("warning", None)


def test_two_photos_wholly_outside_are_an_alarm_with_a_form(world, verdict):
    two_photos_behind(world, 9.0)

    assert (verdict().level, verdict().headline) == ("alarm", "比计划落后 9.0 个百分点")
    assert verdict("en").headline == "9.0 points behind plan"
    assert verdict().acknowledgeable


def test_an_interval_that_reaches_the_band_is_amber(world, verdict):
    two_photos_behind(world, 6.0, half=1.9)

    assert verdict().level == "warning"
    assert verdict().alert.severity == "amber"


def test_ahead_of_plan_is_told_too(world, verdict):
    two_photos_behind(world, -8.0)

    assert verdict("en").headline == "8.0 points ahead of plan"


def test_once_acknowledged_it_says_by_whom_and_is_red_no_more(world, verdict):
    two_photos_behind(world, 9.0)
    world.parts.book.acknowledge(verdict().alert.id, "王建国", "", world.clock.wall())

    assert verdict().level == "warning"
    assert verdict().todo.startswith("王建国 已于 08:00 确认")
    assert not verdict().acknowledgeable


def test_a_deviation_that_is_over_asks_only_to_be_closed(world, verdict):
    two_photos_behind(world, 9.0)
    for day in (22, 23):
        days(world, 1)
        world.progress(float(day))

    assert (verdict().level, verdict().headline) == ("calm", "进度符合计划")
    assert "进度落后 9.0 个百分点" in verdict().todo
    assert verdict().acknowledgeable


def test_old_photos_judge_nothing(world, verdict):
    days(world, 20)
    world.progress(20.0)
    days(world, 3)

    assert (verdict().level, verdict().headline) == ("warning", "已经3 天没有可用的进度照片")


def test_only_unusable_photos_are_no_progress(world, verdict):
    days(world, 20)
    world.progress(None, gate=("DARK",))

    assert verdict().headline == "还没有可用的进度照片"


def test_a_gateway_offline_is_said_before_old_figures(world, verdict):
    days(world, 20)
    world.progress(20.0)
    world.health(online=False)

    assert (verdict().level, verdict().headline) == ("warning", "网关离线，数据可能不是最新")


@given(st.floats(0, 100))
def test_a_verdict_never_says_calm_of_more_than_five_points(percent):
    said = _of_progress(texts("zh"), Band(), percent - 50)

    assert (said.level == "calm") == (abs(percent - 50) <= 5.0)


def test_the_span_of_time_is_real(world, verdict):
    days(world, 20)
    world.progress(20.0)
    world.clock.step(timedelta(hours=40).total_seconds())

    assert verdict("en").headline == "No usable progress photo for 40 hours"
