"""The clocks, and that nobody goes round them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.clock import ManualClock, ScaledClock, SystemClock, clock_from_environment, lesser

ROOT = Path(__file__).parents[3]
FOLDERS = ("contract", "edge", "central", "simulators")
THE_ONE = ROOT / "contract/plumbline/clock.py"
CLOCKS = {
    ("time", name)
    for name in (
        "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
        "clock_gettime", "clock_gettime_ns", "localtime", "gmtime", "ctime",
    )
} | {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}  # fmt: skip


def clock_reads(source: str) -> Iterator[int]:
    """Lines on which `source` asks a clock of the machine, under whatever name it imported it."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            known = names.get(owner, names.get(owner.split(".")[0], "") + owner[owner.find(".") :])
            if (known.rpartition(".")[2], node.attr) in CLOCKS:
                yield node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            module, _, name = names.get(node.id, "").rpartition(".")
            if module == "time" and (module, name) in CLOCKS:
                yield node.lineno


@pytest.mark.parametrize(
    "offence",
    [
        "import time\ntime.monotonic()",
        "import time as t\nt.time()",
        "from time import perf_counter as ticks\nticks()",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import date as day\nday.today()",
        "import datetime as dt\ndt.date.today()",
        "from dataclasses import field\nfrom datetime import datetime\nfield(default_factory=datetime.now)",
    ],
)
def test_the_search_for_clocks_finds_them_under_every_name(offence):
    assert list(clock_reads(offence)) == [len(offence.splitlines())]


def test_the_search_for_clocks_lets_time_of_day_and_our_own_clock_be():
    ours = "from datetime import time\nimport time as t\ntime.fromisoformat('10:00')\nclock.now()\nt.sleep(1)"

    assert list(clock_reads(ours)) == []


def test_only_clock_py_reads_the_machines_clocks():
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path != THE_ONE]
    offenders = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        for line in clock_reads(path.read_text(encoding="utf-8"))
    ]

    assert list(clock_reads(THE_ONE.read_text(encoding="utf-8"))) != []
    assert len(files) > 100
    assert offenders == []


def test_a_board_without_a_battery_boots_in_1970_and_is_trusted_once_it_was_set():
    clock = ManualClock(datetime(1970, 1, 1, tzinfo=UTC), trust="unset")
    clock.advance(30)
    clock.step((datetime(2026, 3, 1, tzinfo=UTC) - clock.wall()).total_seconds())
    clock.set_trust("synced")

    assert (clock.wall(), clock.mono(), clock.trust()) == (datetime(2026, 3, 1, tzinfo=UTC), 30, "synced")


def test_the_lesser_of_two_words_counts():
    assert lesser("synced", "unsynced") == lesser("unsynced", "synced") == "unsynced"
    assert lesser("unset", "synced") == "unset"


def test_the_machines_clock_says_how_far_it_can_be_trusted_without_any_right():
    assert SystemClock().trust() in ("synced", "unsynced")


def test_a_child_process_tells_the_same_simulated_time(monkeypatch):
    clock = ScaledClock.starting(datetime(2026, 3, 1, tzinfo=UTC), 1000.0)
    for name, value in clock.to_environment().items():
        monkeypatch.setenv(name, value)

    assert clock_from_environment() == clock
    assert timedelta(0) <= clock.wall() - clock.start < timedelta(hours=6)
