"""The signed handover page."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import signing
from plumbline.errors import Refused
from plumbline_edge.commission import handover

CONTENT = {
    "v": 1,
    "site": "a12",
    "gateway": "gw1",
    "at": "2026-03-02T10:00:00+00:00",
    "clock": "synced",
    "version": "1.0",
    "system": "Linux",
    "ok": True,
    "findings": [{"what": "meter m1", "level": "fault", "said": "</script><b>&", "hint": "a < b"}],
    "meters": [
        {
            "name": "m1",
            "bus": "b1",
            "whom": "unit 1",
            "profile": "eastron_sdm630",
            "errors": {"timeout": 2},
            "requests": 6,
            "ms": 80.5,
            "values": [
                {"metric": "voltage_l1", "value": 230.1, "unit": "V", "quality": "good", "reason": ""}
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return signing.DeviceKey.load_or_create(tmp_path_factory.mktemp("key") / "device.key")


def written(key, content=CONTENT):
    document = handover.as_document(content | {"public_key": key.public})
    return handover.page(document, key.sign(handover.statement(document)).hex())


def test_an_unchanged_page_is_what_the_gateway_wrote(key):
    page = written(key)

    assert handover.checked(page, signing.verify, key.public) == CONTENT | {"public_key": key.public}
    assert "230.1 V" in page


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("230.1 V", "231.1 V"),
        ('"value":230.1', '"value":231.1'),
        ("fault", "ok"),
        ("</html>", "</html> "),
        ("a12", "a13"),
    ],
)
def test_any_change_is_noticed(key, old, new):
    page = written(key)
    assert old in page

    with pytest.raises(Refused):
        handover.checked(page.replace(old, new), signing.verify)
    with pytest.raises(Refused):
        handover.checked(page.replace(old, new, 1), signing.verify)


def test_another_gateways_key_is_noticed(key, tmp_path):
    other = signing.DeviceKey.load_or_create(tmp_path / "device.key")

    with pytest.raises(Refused, match="another gateway"):
        handover.checked(written(other), signing.verify, key.public)


@pytest.mark.parametrize("text", ["", "<html>", '<script type="application/json" id="handover">{}</script>'])
def test_another_file_is_refused(text):
    with pytest.raises(Refused):
        handover.checked(text, signing.verify)


def test_data_without_a_key_are_refused():
    page = (
        f'<script type="application/json" id="handover">[1]</script><code id="signature">{"a" * 128}</code>'
    )

    with pytest.raises(Refused, match="cannot be read"):
        handover.checked(page, signing.verify)


def test_the_page_asks_nobody_for_anything(key):
    page = written(key)

    assert not any(word in page for word in ("http:", "https:", "src=", "href=", "@import", "url("))
    assert page.count("<script") == page.count("</script>") == 1


@given(st.text(), st.text())
def test_whatever_a_meter_says_stays_text(said, hint):
    finding = {"what": "x", "level": "ok", "said": said, "hint": hint}
    document = handover.as_document(CONTENT | {"public_key": "00", "findings": [finding]})

    assert "<" not in document
    assert json.loads(document)["findings"] == [finding]
    assert handover.page(document, "0" * 128).count("<script") == 1
