"""`plumbline edge check` on the gateway and away from it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from plumbline.errors import ConfigError
from plumbline_edge.cli import app

SITE = """
site = "a12"
gateway = "gw1"
state_dir = "state"
[[meters]]
name = "crane"
profile = "eastron_sdm630"
host = "127.0.0.1"
"""


@pytest.fixture
def checked(tmp_path):
    """Runs the command on a sound site file; its standard output."""
    file = tmp_path / "site.toml"
    file.write_text(SITE, encoding="utf-8")

    def run(*options):
        result = CliRunner().invoke(app, ["check", str(file), *options], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    return run


def test_a_sound_file_passes_where_no_key_can_be_kept(tmp_path, checked):
    (tmp_path / "state").write_text("a file where the folder would be")

    assert json.loads(checked("--json"))["public_key"] is None
    assert "  no key " in checked()


def test_the_second_check_prints_the_key_of_the_first(checked):
    first = json.loads(checked("--json"))["public_key"]

    assert f"--key {first}" in checked()


def test_a_damaged_key_is_no_passing_matter(tmp_path, checked):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "device.key").write_bytes(b"short")

    with pytest.raises(ConfigError, match="is no device key"):
        checked()
