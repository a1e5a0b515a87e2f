"""The golden set says of a model what the gateway's own check finds again."""

from __future__ import annotations

import json
import shutil

import pytest

from plumbline_edge.vision.golden import compare
from plumbline_train.evaluate import Judge
from plumbline_train.golden import write_golden


class Loaded:
    """The shipped file as the gateway's check wants it, without its card."""

    card = None

    def __init__(self, path):
        self._judge = Judge(path)
        self.size_hw = self._judge.size_hw

    def run(self, x, track):
        return self._judge.run(x, track)


@pytest.fixture(scope="module")
def written(tmp_path_factory, shipped):
    folder = tmp_path_factory.mktemp("golden")
    (folder / "old_case.json").write_text("{}")
    write_golden(shipped, folder)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "golden")


def test_the_gateway_finds_again_what_was_written_and_old_cases_are_gone(folder, shipped):
    found = compare(Loaded(shipped), folder)

    assert found.pictures == 12
    assert found.worst_pp < 0.01
    assert not (folder / "old_case.json").exists()


def test_a_model_that_says_otherwise_is_found_out(folder, shipped):
    path = next(folder.glob("*.json"))
    case = json.loads(path.read_text())
    case["zone_percents"][0][0] += 0.5
    path.write_text(json.dumps(case))

    assert compare(Loaded(shipped), folder).worst_pp == pytest.approx(0.5, abs=0.01)
