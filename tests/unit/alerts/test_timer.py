import asyncio
import logging

from plumbline.clock import ManualClock
from plumbline.errors import Unreachable
from plumbline_central.alerts.timer import EvaluationTimer

from .conftest import START


class Judge:
    """Stands for the evaluator; fails as often as told."""

    def __init__(self, failures=()):
        self.at = []
        self.failures = list(failures)

    def tick(self, now):
        self.at.append(now)
        if self.failures:
            raise self.failures.pop(0)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread
            await asyncio.sleep(0.001)


async def test_a_change_is_judged_without_waiting_for_the_next_time():
    clock = ManualClock(START)
    judge = Judge()
    timer = EvaluationTimer(judge, clock, 60.0, least_real_s=0.0)
    task = asyncio.create_task(timer.run())
    try:
        await until(lambda: clock.sleeping == 1)
        timer.wake()
        timer.wake()
        await until(lambda: judge.at)
        await until(lambda: clock.sleeping == 1)
    finally:
        task.cancel()

    assert [(at - START).total_seconds() for at in judge.at] == [0]


async def test_time_is_let_pass_every_so_often_and_a_failure_is_said_and_survived(caplog):
    clock = ManualClock(START)
    judge = Judge([Unreachable("disk full"), Unreachable("disk full"), ValueError("a bug")])
    timer = EvaluationTimer(judge, clock, 60.0, least_real_s=0.0)
    caplog.set_level(logging.WARNING)
    task = asyncio.create_task(timer.run())
    try:
        for count in range(1, 5):
            await until(lambda: clock.sleeping == 1)
            clock.advance(60)
            await until(lambda count=count: len(judge.at) == count)
        await until(lambda: clock.sleeping == 1)
    finally:
        task.cancel()

    assert [(at - START).total_seconds() for at in judge.at] == [60, 120, 180, 240]
    assert [r.getMessage() for r in caplog.records] == [
        "evaluation: disk full",
        "evaluation failed",
        "evaluation works again after 3 failures",
    ]
