from plumbline.messages import DeviceHealth, Health
from plumbline_central.rules.reader import meters_of
from plumbline_central.rules.snapshot import Gateway, Silent, Snapshot
from plumbline_central.stores.gateways import GatewayStatus

from .conftest import NOW, SITE, found


def health(name):
    return Health(version="1", devices=(DeviceHealth(name=name, status="silent"),))


def test_a_device_whose_name_cannot_stand_in_a_topic_has_no_alert():
    for name, rules in (("m1", {"meter_fault"}), ("m/+/#", set()), ("", set())):
        gateway = Gateway(
            site=SITE, gateway="gw", health_at=NOW, health=health(name), silent={name: Silent(since=NOW)}
        )

        assert set(found(Snapshot(gateways=[gateway]))) == rules


def test_a_device_whose_name_cannot_stand_in_a_topic_is_no_meter_to_judge():
    def status(name):
        return GatewayStatus(
            gateway="gw",
            site=SITE,
            last_seen=NOW,
            online=True,
            version="1",
            health_at=NOW,
            health=health(name),
        )

    assert [meter.device for meter in meters_of([status("m/#"), status("m1")])] == ["m1"]
