from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plumbline import codec
from plumbline.clock import from_us, to_us
from plumbline.messages import (
    Anchor,
    DeviceHealth,
    Event,
    Frame,
    GatewayState,
    Health,
    Photo,
    Progress,
    Record,
)
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.live import LiveHub
from plumbline_central.project import LedgerRow, catch_up
from plumbline_central.schema import Database
from plumbline_central.stores import cursors
from plumbline_central.stores.gateways import GatewayStore
from plumbline_central.stores.photos import PhotoStore
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore

T0 = to_us(datetime(2026, 5, 1, tzinfo=UTC))


class ListeningHub(LiveHub):
    def __init__(self):
        super().__init__()
        self.said = []

    def publish(self, kind, site, data):
        self.said.append((kind, site, data))


class Nothing:
    """A ledger that nobody needs to read again."""

    def read(self, after_id, limit):
        return []


@pytest.fixture
def hub():
    return ListeningHub()


@pytest.fixture
def opened(tmp_path, hub):
    path = tmp_path / "series.db"
    telemetry = SqliteTelemetryStore.open(path)
    parts = {
        "telemetry": telemetry,
        "series": SeriesProjection.open(path, telemetry, Nothing(), hub),
        "photos": PhotoStore.open(path, hub),
        "gateways": GatewayStore.open(path, hub),
    }
    yield parts
    for part in parts.values():
        part.close()


def rows(gateway, *bodies, start=1, received_us=T0):
    """One ledger row per body."""
    return [
        LedgerRow(
            id=start + i,
            received_us=received_us + i,
            site=gateway.site,
            gateway=gateway.name,
            epoch=gateway.epoch,
            lane="data",
            records=(gateway.record(body, at_us=T0 + (start + i) * 1_000_000),),
        )
        for i, body in enumerate(bodies)
    ]


def photo(name, jpeg=b"\xff\xd8", camera="c1"):
    return Photo(camera=camera, photo=name, jpeg=jpeg, width_px=640, height_px=360, mask="faces")


def test_frames_become_readings_and_only_the_newest_of_a_device_is_told(opened, hub, gateway):
    frames = [
        Frame(device="m1", metrics=(1, 2), values=(n, None), flaws=((1, 102),)) for n in (100, 200, 300)
    ]

    opened["series"].apply(rows(gateway, *frames, Progress(camera="c", photo="p", percent=1, low=0, high=2)))

    assert opened["telemetry"].count() == 6
    assert hub.said == [
        (
            "frame",
            "a12",
            {
                "gateway": "gw-1",
                "device": "m1",
                "values": {"voltage_l1": [3.0, "V", None], "voltage_l2": [None, "V", 102]},
                "at": "2026-05-01T00:00:03+00:00",
            },
        )
    ]


def test_the_newest_picture_of_each_camera_passes_over_captures_without_one(opened, hub, gateway):
    store = opened["photos"]
    store.apply(
        rows(gateway, photo("p1"), photo("p2", b"\xff\xd8two"), photo("p3", b""), photo("q1", camera="c2"))
    )

    assert [(info.camera, info.photo) for info in store.latest("a12")] == [("c1", "p2"), ("c2", "q1")]
    assert store.latest("a12")[0].at == from_us(T0 + 2_000_000)
    assert (store.jpeg("p2"), store.jpeg("p3"), store.jpeg("p9")) == (b"\xff\xd8two", None, None)
    assert (store.jpeg("p2", "b07"), store.info("p2", "a12").mask) == (None, "faces")
    assert store.count() == 4
    assert hub.said[0] == ("photo", "a12", {"photo": "p1", "camera": "c1", "at": "2026-05-01T00:00:01+00:00"})


def test_a_gateways_status_is_its_newest_health_its_birth_and_when_it_was_heard(opened, hub, gateway):
    store = opened["gateways"]
    meter = DeviceHealth(name="m1", status="silent", errors={"timeout": 3})
    store.apply(rows(gateway, Health(version="1"), Health(version="2", devices=(meter,))))
    store.heard(GatewayState(online=True, site="a12", gateway="gw-1"), T0)

    (status,) = store.status("a12")
    assert (status.online, status.version, status.devices) == (True, "2", (meter,))
    assert (status.last_seen, status.health_at) == (from_us(T0 + 1), from_us(T0 + 2_000_000))
    assert store.status("b07") == []
    assert [kind for kind, _, _ in hub.said] == ["gateway", "gateway"]


def test_an_older_health_that_comes_late_changes_nothing(opened, gateway):
    store = opened["gateways"]
    new, old = rows(gateway, Health(version="new")), rows(gateway, Health(version="old"), start=0)
    store.apply(new)
    store.apply(old)

    assert [status.version for status in store.status()] == ["new"]


def test_a_gateway_that_was_only_born_is_there_without_having_been_seen(opened):
    store = opened["gateways"]
    store.heard(GatewayState(online=False, site="a12", gateway="gw-9", version="3"), T0)

    (status,) = store.status()
    assert (status.gateway, status.online, status.last_seen, status.health, status.version) == (
        "gw-9",
        False,
        None,
        None,
        "3",
    )


def test_events_come_newest_first_and_once(opened, gateway):
    store = opened["gateways"]
    happened = rows(gateway, Event(code="started"), Event(code="meter_lost", subject="m1"))
    store.apply(happened)
    store.apply(happened)

    assert [(e.code, e.subject) for e in store.events("a12")] == [("meter_lost", "m1"), ("started", "")]
    assert len(store.events("a12", limit=1)) == 1


def test_a_rebuild_from_the_ledger_gives_the_same_stores(opened, gateway, tmp_path):
    """Every projection, thrown away and replayed, says what it said before."""
    ledger = Ledger.open(tmp_path / "ledger.db")
    bodies = [photo("p1"), Health(version="1"), Event(code="started")]
    for n in range(200):
        gateway.record(Frame(device="m1", metrics=(1,), values=(n,)), at_us=T0 + n)
    for body in bodies:
        gateway.record(body, at_us=T0)
    for first in range(1, 204, 7):
        payload = gateway.pack(first, min(first + 6, 203))
        ledger.append([Arrival(received_us=first, payload=payload, batch=codec.open_batch(payload))])
    projections = [opened["series"], opened["photos"], opened["gateways"]]

    def told():
        for projection in projections:
            catch_up(ledger, projection)
        return (
            opened["telemetry"].count(),
            opened["telemetry"].latest("a12"),
            opened["photos"].latest("a12"),
            opened["gateways"].status(),
            opened["gateways"].events("a12"),
        )

    before = told()
    for projection in projections:
        projection.reset()
    assert opened["telemetry"].count() == opened["photos"].count() == 0
    assert told() == before
    assert before[0] == 200
    ledger.close()


def test_a_cursor_never_runs_ahead_of_what_was_applied(opened, gateway):
    opened["photos"].apply(rows(gateway, photo("p1"), start=5))
    opened["gateways"].apply(rows(gateway, Health(version="1"), start=9))

    assert (opened["photos"].cursor(), opened["gateways"].cursor()) == (5, 9)
    opened["series"].apply(rows(gateway, Frame(device="m", metrics=(1,), values=(1,)), start=70))
    assert opened["series"].cursor() == 70


def test_a_migration_runs_once_and_one_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / "x.db"
    first = (("a", "CREATE TABLE a (n INTEGER);\nINSERT INTO a VALUES (1);\n"),)
    Database.open(path, first).close()
    broken = (*first, ("b", "CREATE TABLE b (n INTEGER);\nINSERT INTO nowhere VALUES (1);\n"))

    with pytest.raises(Exception, match="nowhere"):
        Database.open(path, broken)

    db = Database.open(path, (*first, ("b", "CREATE TABLE b (m INTEGER);\n"), *cursors.MIGRATIONS))
    with db.read() as reader:
        assert reader.execute("SELECT * FROM a").fetchall() == [(1,)]
        assert reader.execute("SELECT m FROM b").fetchall() == []
    db.close()


def test_a_photo_of_an_unset_clock_waits_for_its_anchor_and_is_dated_by_it(opened, hub, tmp_path):
    store = opened["photos"]
    boots_photo = photo("p1")
    taken = Record(seq=1, at_us=60_000_000, boot="b1", mono_us=60_000_000, clock="unset", body=boots_photo)
    anchor = Record(
        seq=1, at_us=T0, boot="b1", mono_us=90_000_000, clock="synced", body=Anchor(offset_us=T0 - 90_000_000)
    )
    lanes = {"photo": taken, "status": anchor}
    first, second = (
        LedgerRow(
            id=n, received_us=T0, site="a12", gateway="gw-1", epoch="e", lane=lane, records=(lanes[lane],)
        )
        for n, lane in enumerate(lanes, 1)
    )
    store.apply([first])
    before, told = store.latest("a12"), list(hub.said)
    store.apply([second])
    after = store.latest("a12")
    store.reset()
    store.apply([replace(second, id=1), replace(first, id=2)])

    assert (before, told) == ([], [])
    assert [info.at for info in after] == [from_us(T0 - 30_000_000)]
    assert store.latest("a12") == after
    assert [data["at"] for _, _, data in hub.said] == [from_us(T0 - 30_000_000).isoformat()]


def test_a_gateway_that_booted_in_1970_is_seen_as_it_is_now_and_not_as_it_was(opened, gateway):
    store = opened["gateways"]
    store.apply(rows(gateway, Health(version="before")))
    bodies = (Health(version="now"), Event(code="started"))
    reborn = [
        Record(seq=n, at_us=n, boot="b2", mono_us=n, clock="unset", body=body)
        for n, body in enumerate(bodies, 50)
    ]
    (row,) = rows(gateway, Event(code="stopped"), start=9, received_us=T0 + 60_000_000)
    store.apply([replace(row, records=tuple(reborn))])

    assert [(s.version, s.health_at) for s in store.status()] == [("now", from_us(T0 + 60_000_000))]
    assert store.events("a12")[0].at == from_us(T0 + 60_000_000)
