"""How long the outbox lasts is said from what really comes in, or not at all."""

from __future__ import annotations

from plumbline_edge.forecast import expected_bytes_per_day, foresee

A_DAY = {"added_bytes": 1_000_000, "over_s": 86_400.0}


def test_an_empty_outbox_lasts_as_long_as_it_holds():
    said = foresee(used_bytes=0, room_bytes=40_000_000, kept=0, waiting=0, **A_DAY)

    assert (said.holds_days, said.full_in_days) == (40.0, 40.0)


def test_only_what_waits_for_central_is_counted_as_taken():
    said = foresee(used_bytes=20_000_000, room_bytes=40_000_000, kept=1000, waiting=250, **A_DAY)

    assert (said.holds_days, said.full_in_days) == (40.0, 35.0)


def test_a_full_outbox_has_no_days_left():
    said = foresee(used_bytes=50_000_000, room_bytes=40_000_000, kept=10, waiting=10, **A_DAY)

    assert said.full_in_days == 0


def test_right_after_the_start_nothing_is_said():
    assert foresee(used_bytes=0, room_bytes=1, kept=0, waiting=0, added_bytes=10**6, over_s=599) is None
    assert foresee(used_bytes=0, room_bytes=1, kept=0, waiting=0, added_bytes=0, over_s=86_400) is None


def test_the_default_site_is_held_for_a_month_in_the_default_room():
    """4 meters x 30 values x 10 s; tests/bench/outbox.py measures what it really takes."""
    per_day = expected_bytes_per_day(meters=[(10.0, 30)] * 4, health_every_s=60, photos=2)

    assert 30 < 512e6 / per_day < 60
