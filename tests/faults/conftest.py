"""Names the seed, so that a run can be had again."""

from __future__ import annotations

from harness.result import SEED_VARIABLE, seed


def pytest_report_header() -> str:
    return f"faults: {SEED_VARIABLE}={seed()}"
