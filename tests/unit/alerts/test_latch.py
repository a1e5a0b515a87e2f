from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.alerts.latch import Delays, Latch, step

from .conftest import START

LOOKS = st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=60)
DELAYS = st.builds(Delays, on_s=st.integers(0, 100), off_s=st.integers(0, 100))


def play(looks, delays):
    """(seconds, found, latch, change) of each look; `looks` are (found, seconds since the one before)."""
    latch, now_s, story = Latch(), 0, []
    for found, after_s in looks:
        now_s += after_s
        latch, change = step(latch, START + timedelta(seconds=now_s), delays, found=found)
        story.append((now_s, found, latch, change))
    return story


@given(LOOKS, DELAYS)
def test_on_and_off_take_turns_and_on_comes_first(looks, delays):
    changes = [change for *_, change in play(looks, delays) if change]

    assert changes == ["on", "off"] * (len(changes) // 2) + ["on"] * (len(changes) % 2)


@given(LOOKS, DELAYS)
def test_a_change_is_made_at_the_first_look_after_its_delay_that_all_looks_agree_on(looks, delays):
    on, since = False, None
    for now_s, found, latch, change in play(looks, delays):
        since = None if found == on else now_s if since is None else since
        due = since is not None and now_s - since >= (delays.on_s if found else delays.off_s)
        on, since = (found, None) if due else (on, since)

        assert latch.on == on
        assert (change is not None) == due


@given(LOOKS)
def test_without_delays_it_follows_what_is_found(looks):
    assert all(latch.on == found for _, found, latch, _ in play(looks, Delays()))


@given(LOOKS, DELAYS, st.integers(0, 60))
def test_the_same_look_again_changes_nothing(looks, delays, place):
    story = play(looks, delays)
    if not story:
        return
    now_s, found, latch, _ = story[place % len(story)]

    assert step(latch, START + timedelta(seconds=now_s), delays, found=found) == (latch, None)


def test_a_clock_that_was_set_back_starts_the_wait_anew():
    delays = Delays(on_s=60)
    latch, _ = step(Latch(), START, delays, found=True)
    latch, _ = step(latch, START - timedelta(days=1), delays, found=True)
    assert not latch.on
    latch, change = step(latch, START - timedelta(days=1) + timedelta(seconds=60), delays, found=True)

    assert (latch.on, change) == (True, "on")


def test_it_explains_while_it_is_on_or_may_be_and_a_little_longer():
    linger = timedelta(minutes=10)
    pending, _ = step(Latch(), START, Delays(on_s=60), found=True)
    on, _ = step(Latch(), START, Delays(), found=True)
    off, _ = step(on, START, Delays(), found=False)

    assert not Latch().explains(START, linger)
    assert pending.explains(START, linger)
    assert on.explains(START + timedelta(days=1), linger)
    assert off.explains(START + linger - timedelta(seconds=1), linger)
    assert not off.explains(START + linger, linger)


@pytest.mark.parametrize("wrong", [{"on_s": -1.0}, {"off_s": float("nan")}, {"on_s": float("inf")}])
def test_a_delay_that_is_none_is_an_error(wrong):
    with pytest.raises(ValueError, match="seconds"):
        Delays(**wrong)
