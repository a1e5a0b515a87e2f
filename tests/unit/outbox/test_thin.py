"""A summary says of many frames what a person needs, and invents nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline.messages import Frame
from plumbline_edge.outbox.rows import Stamp
from plumbline_edge.outbox.thin import BUCKET_US, Seen, bucket, summaries


def seen(at_s, values, *, device="m", boot="b", clock="synced", flaws=()):
    frame = Frame(device=device, metrics=tuple(range(1, len(values) + 1)), values=values, flaws=flaws)
    return Seen(stamp=Stamp(at_us=at_s, boot=boot, mono_us=at_s, clock=clock), frame=frame)


def test_a_summary_has_the_extremes_the_mean_and_the_newest_of_the_good_values():
    ((stamp, one),) = summaries(
        [seen(30, (4, 7)), seen(10, (1, 5), flaws=((1, 2),)), seen(20, (2, None), flaws=((1, 100),))]
    )

    assert (stamp.at_us, one.span_us, one.frames) == (30, 20, 3)
    assert (one.good, one.low, one.mean, one.high, one.newest) == ((3, 1), (1, 7), (2, 7), (4, 7), (4, 7))


def test_where_no_value_was_good_there_is_none():
    ((_, one),) = summaries([seen(1, (None,), flaws=((0, 102),)), seen(2, (9,), flaws=((0, 1),))])

    assert (one.good, one.low, one.mean, one.high, one.newest) == ((0,), (None,), (None,), (None,), (None,))


def test_devices_boots_and_clock_states_are_never_mixed():
    found = summaries(
        [
            seen(1, (1,)),
            seen(2, (1,), device="n"),
            seen(3, (1,), boot="c"),
            seen(4, (1,), clock="unset"),
            seen(5, (1, 2)),
        ]
    )

    assert len(found) == 5


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=50))
def test_the_mean_lies_between_the_extremes_and_half_a_step_from_the_truth(values):
    ((_, one),) = summaries([seen(at, (value,)) for at, value in enumerate(values)])

    assert one.low[0] <= one.mean[0] <= one.high[0]
    assert abs(2 * (one.mean[0] * len(values) - sum(values))) <= len(values)
    assert one.newest == (values[-1],)


@given(st.integers(0, 10**16))
def test_a_bucket_is_a_quarter_of_an_hour(at_us):
    assert bucket(at_us) * BUCKET_US <= at_us < (bucket(at_us) + 1) * BUCKET_US
