import pytest

from plumbline.errors import Refused
from plumbline_central.registry import Registry, Site

KEY = "ab" * 32


@pytest.fixture
def registry(tmp_path):
    opened = Registry.open(tmp_path / "control.db")
    yield opened
    opened.close()


def test_sites_and_gateways_survive_a_restart(registry, tmp_path):
    registry.add_site("a12", name_zh="甲十二", name_en="A12")
    enrolled = registry.enroll("gw-1", "a12", KEY)

    again = Registry.open(tmp_path / "control.db")

    assert again.sites() == [Site(id="a12", name_zh="甲十二", name_en="A12")]
    assert (again.gateway("gw-1"), again.gateway("gw-2")) == (enrolled, None)
    assert again.gateways("a12") == again.gateways() == [enrolled]
    assert again.gateways("b07") == []
    again.close()


def test_a_site_added_again_is_renamed_and_keeps_its_gateways(registry):
    registry.add_site("a12")
    registry.enroll("gw-1", "a12", KEY)
    registry.add_site("a12", name_en="North tower")

    assert registry.site("a12") == Site(id="a12", name_zh="North tower", name_en="North tower")
    assert registry.gateway("gw-1").site == "a12"


def test_the_same_enrolment_again_changes_nothing_and_another_key_is_refused(registry):
    registry.add_site("a12")
    first = registry.enroll("gw-1", "a12", KEY)

    assert registry.enroll("gw-1", "a12", KEY.upper()) == first
    with pytest.raises(Refused, match="already enrolled"):
        registry.enroll("gw-1", "a12", "cd" * 32)
    assert registry.gateway("gw-1") == first


@pytest.mark.parametrize(
    ("gateway", "site", "key", "why"),
    [
        ("gw-1", "b07", KEY, "no site"),
        ("gw-1", "a12", "ab" * 31, "no public key"),
        ("gw-1", "a12", "xy" * 32, "no public key"),
        ("GW/1", "a12", KEY, "cannot name a gateway"),
    ],
)
def test_a_wrong_enrolment_is_refused_with_its_reason(registry, gateway, site, key, why):
    registry.add_site("a12")

    with pytest.raises(Refused, match=why):
        registry.enroll(gateway, site, key)
    assert registry.gateways() == []


def test_a_site_needs_a_name_that_can_stand_in_a_topic(registry):
    with pytest.raises(Refused, match="cannot name a site"):
        registry.add_site("A 12")
