"""A calibration file with a flipped bit, a golden case of NaN, a card with escape codes: noticed, never used."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline_edge.vision import cli, golden
from plumbline_edge.vision.calibrate import _write
from plumbline_edge.vision.calibration import Calibration, decoded, sealed

MADE = sealed(
    Calibration(
        camera="east", counter=3, model="m-1", config="c", temperature=1.25, shifts=(0.5, -0.25, 0, 0, 1.5, 0, 0.1),
        site_scores=(1.5,) * 8, zone_scores=(2.5,) * 9,
    )
)  # fmt: skip


def test_no_flipped_bit_changes_the_scale_unnoticed():
    whole = msgspec.json.format(msgspec.json.encode(MADE), indent=2)
    rng, refused = np.random.default_rng(7), 0
    for place in range(len(whole)):
        rotten = bytearray(whole)
        rotten[place] ^= 1 << int(rng.integers(8))
        try:
            read = decoded(bytes(rotten), "east.json")
        except ConfigError:
            refused += 1
        else:
            assert msgspec.structs.replace(read, signature="") == MADE

    assert refused > len(whole) / 2


def test_central_may_sign_it_and_an_older_one_without_a_check_is_read():
    signed = msgspec.structs.replace(MADE, signature="s")
    older = msgspec.structs.replace(MADE, check="")

    assert decoded(msgspec.json.encode(signed), "east.json") == signed
    assert decoded(msgspec.json.encode(older), "east.json") == older


def test_a_calibration_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "east.json"
    path.write_bytes(b"before")
    (tmp_path / "east.json.part").mkdir()
    with pytest.raises(ConfigError, match=r"east\.json"):
        _write(path, b"after")

    assert path.read_bytes() == b"before"


def test_a_golden_case_of_no_numbers_is_no_proof(tmp_path):
    case = {"track": "new", "floors": 1, "bays": 1, "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    (tmp_path / "a.json").write_text(json.dumps(case | {"zone_percents": [[float("nan")]]}))
    with pytest.raises(ConfigError, match="no numbers"):
        golden.compare(None, tmp_path)


def test_a_card_paints_nothing_on_the_screen(tmp_path):
    (tmp_path / "card.toml").write_text('name = "a\\u001b[2J\\nversion: 9"\n')
    done = CliRunner().invoke(cli.app, ["card", "--model", str(tmp_path)])

    assert done.stdout == "name: a\\x1b[2J\\nversion: 9\n"
