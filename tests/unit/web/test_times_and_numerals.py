from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.web import numerals, times
from plumbline_central.web.texts import texts

NOW = datetime(2026, 4, 12, 7, 0, 40, tzinfo=UTC)


def test_an_hour_of_today_stands_alone_and_is_the_hour_in_china():
    assert times.stamp(texts("zh"), NOW, NOW) == "15:00"


def test_another_day_stands_with_its_date():
    late_yesterday = datetime(2026, 4, 11, 15, 59, tzinfo=UTC)
    just_today = datetime(2026, 4, 11, 16, 0, tzinfo=UTC)

    assert times.stamp(texts("zh"), late_yesterday, NOW) == "4月11日 23:59"
    assert times.stamp(texts("en"), just_today, NOW) == "00:00"


def test_another_year_is_named():
    assert times.day(texts("en"), datetime(2025, 12, 31, tzinfo=UTC), NOW) == "31 Dec 2025"


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "刚刚", "just now"),
        (-30, "刚刚", "just now"),
        (-61, "时间在未来，请检查时钟", "in the future: check the clock"),
        (59.9, "59 秒前", "59 s ago"),
        (60, "1 分钟前", "1 min ago"),
        (3600, "1 小时前", "1 h ago"),
        (47 * 3600, "47 小时前", "47 h ago"),
        (48 * 3600, "2 天前", "2 d ago"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(seconds, chinese, english):
    assert times.age(texts("zh"), seconds) == chinese
    assert times.age(texts("en"), seconds) == english


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_every_age_and_span_has_words(at, since):
    assert times.age(texts("zh"), since.total_seconds())
    assert times.span(texts("en"), since.total_seconds())


def test_what_rounds_to_zero_has_no_sign():
    assert numerals.fixed(-0.04, 1) == "0.0"
    assert numerals.signed(-0.04) == "0.0"
    assert numerals.signed(7.24) == "+7.2"
    assert numerals.signed(-7.26) == "−7.3"
    assert numerals.fixed(12345.678, 1) == "12,345.7"


@given(st.floats(-1e9, 1e9))
def test_a_shown_number_reads_back_within_its_rounding(value):
    read = float(numerals.fixed(value, 2).replace(",", "").replace("−", "-"))

    assert abs(read - value) <= 0.00501
