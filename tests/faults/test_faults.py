"""Each fault of the matrix, a few times: no record is lost, none is stored twice, none is changed."""

from __future__ import annotations

import pytest
from harness.result import CannotRun, seed
from matrix import FAULTS

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.short is not None], ids=lambda one: one.name)
def test_the_promise_holds_under(fault, tmp_path):
    try:
        result = fault.run(fault.short, seed(), tmp_path)
    except CannotRun as why:
        pytest.skip(f"{fault.name} is not played: {why}")
    print(f"{result.name}, seed {seed()}: {result.said}")

    assert result.ok, f"seed {seed()}: {result.said}"
