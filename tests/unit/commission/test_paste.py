"""A site file that a scan begins or goes on with."""

import os
import tomllib

import pytest

from plumbline.errors import ConfigError
from plumbline_edge.commission import paste
from plumbline_edge.config import load_site

BLOCK = """\
[[meters]]
name = "m1"
profile = "eastron_sdm630"
host = "192.168.1.50"
unit = 1
every_s = 10
"""


def test_a_site_file_that_is_not_there_is_begun_without_meters_that_nobody_has(tmp_path):
    path = tmp_path / "new.toml"
    paste.may_append(path)
    paste.append(path, BLOCK)
    settings = load_site(path)

    assert [one.name for one in settings.meters] == ["m1"]
    assert settings.cameras == ()


@pytest.mark.parametrize(
    ("host", "gateway"), [("Pi-7.site.example", "pi-7"), ("?!", "gateway1"), ("", "gateway1")]
)
def test_a_gateway_is_called_like_its_machine_where_that_is_a_name(host, gateway):
    assert tomllib.loads(paste.begun(host))["gateway"] == gateway


def test_what_stood_there_stays(tmp_path):
    path = tmp_path / "site.toml"
    paste.append(path, BLOCK)
    before = path.read_text()
    paste.append(path, BLOCK.replace("m1", "m2").replace("unit = 1", "unit = 2"))

    assert path.read_text().startswith(before.rstrip())
    assert [one.name for one in load_site(path).meters] == ["m1", "m2"]


def test_a_block_that_would_not_do_leaves_no_file(tmp_path):
    with pytest.raises(ConfigError, match="nothing was written"):
        paste.append(tmp_path / "new.toml", BLOCK.replace("eastron_sdm630", "nobodys"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none/site.toml", "site.yaml"])
def test_where_nothing_can_be_written_is_said_before_a_scan(tmp_path, name):
    with pytest.raises(ConfigError):
        paste.may_append(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_said_before_a_scan(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="may not be written"):
        paste.may_append(tmp_path / "site.toml")
