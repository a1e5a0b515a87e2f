"""A real InfluxDB 1.6: what is read back after kills, outages and mistakes of every kind is what was in the ledger."""

import asyncio
import contextlib
import json
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from influx_server import INFLUXD, MISSING, InfluxServer
from paper_gateway import PaperGateway

from plumbline import cli, codec
from plumbline.clock import ManualClock, SystemClock, to_us
from plumbline.errors import Unreachable
from plumbline.messages import Anchor, Frame, Health, Progress, Record, ZoneProgress
from plumbline.metrics import BY_NAME, Flaw
from plumbline_central.ledger import Arrival
from plumbline_central.parts import Parts
from plumbline_central.project import Follower, LedgerRow, catch_up
from plumbline_central.settings import DownsampleSettings, StoreSettings
from plumbline_central.stores import cursors, series
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.builder import Influx
from plumbline_central.stores.influx.writer import DATABASE, REFUSED
from plumbline_central.stores.port import FramePoint
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_sim.demo.broker import free_port

pytestmark = [pytest.mark.system, pytest.mark.skipif(INFLUXD is None, reason=MISSING)]

VOLTAGE = BY_NAME["voltage_l1"]
NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
T0_US = to_us(NOON)
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture
def server(tmp_path):
    """One of the test's own, to be killed and misled."""
    folder = tmp_path / "influxdb"
    folder.mkdir()
    made = InfluxServer(folder).up()
    yield made
    made.kill()


@pytest.fixture
def influx(server, tmp_path):
    with opened(tmp_path, url=server.url) as made:
        list(made.prepare())
        yield made


@contextlib.contextmanager
def opened(folder, *, clock=None, faults=None, **settings):
    settings = StoreSettings(kind="influx1", timeout_s=settings.pop("timeout_s", 5), **settings)
    influx = Influx.open(settings, folder / "series.db", faults or StandingFaults(), clock or SystemClock())
    yield influx
    influx.close()


def point(n, value=23_000, *, device="m1", **more):
    return FramePoint(
        site="a12", gateway="gw-1", device=device, at_us=T0_US + n * 1_000_000,
        metrics=(VOLTAGE.code,), values=(value,), **more,
    )  # fmt: skip


def volts(store, device="m1", step_s=None):
    found = store.series("a12", device, "voltage_l1", *ALWAYS, step_s)
    return {round((at - NOON).total_seconds()): value for at, value in found}


class PaperLedger:
    """Rows that are there, to be read as often as one likes."""

    def __init__(self, records_per_row, records, *, site="a12"):
        rows = [records[i : i + records_per_row] for i in range(0, len(records), records_per_row)]
        self.rows = [
            LedgerRow(
                id=i, received_us=1, site=site, gateway="gw-1", epoch="e1", lane="data", records=tuple(row)
            )
            for i, row in enumerate(rows, 1)
        ]

    def read(self, after_id, limit):
        return self.rows[after_id : after_id + limit]


def record(seq, body, *, at_us=None, clock="synced", boot="b1", mono_us=None):
    at_us = T0_US + seq * 1_000_000 if at_us is None else at_us
    return Record(
        seq=seq, at_us=at_us, boot=boot, mono_us=seq * 1_000_000 if mono_us is None else mono_us,
        clock=clock, body=body,
    )  # fmt: skip


def frames(count):
    return [record(n, Frame(device="m1", metrics=(VOLTAGE.code,), values=(n,))) for n in range(count)]


@contextlib.contextmanager
def projected(influx, folder, ledger):
    projection = series.SeriesProjection.open(folder / "series.db", influx.telemetry, ledger)
    yield projection
    projection.close()


async def until(condition, within_s=60):
    async with asyncio.timeout(within_s):
        while not (found := await asyncio.to_thread(condition)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return found


def test_what_was_acknowledged_is_there_after_kill_9(influx, server):
    influx.telemetry.write([point(n, n) for n in range(5_000)])
    server.kill()
    server.up()

    assert influx.telemetry.count() == 5_000
    assert volts(influx.telemetry) == {n: n / 100 for n in range(5_000)}


async def test_a_server_killed_again_and_again_gets_everything_once(influx, server, tmp_path):
    count = 40_000
    ledger = PaperLedger(20, frames(count))
    with projected(influx, tmp_path, ledger) as projection:
        follower = Follower(ledger, projection)
        task = asyncio.create_task(follower.run())
        for part in (1, 2, 3):
            await until(lambda part=part: follower.position >= 0 and projection.tally().through >= 400 * part)
            server.kill()
            await asyncio.to_thread(server.up)
        await until(lambda: follower.position == len(ledger.rows))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert influx.telemetry.count() == count
    assert volts(influx.telemetry) == {n: n / 100 for n in range(count)}


async def test_while_the_server_is_away_readings_wait_and_one_fault_stands(influx, server, tmp_path):
    ledger = PaperLedger(10, frames(500))
    faults = influx.telemetry.writer._faults
    server.down()
    with projected(influx, tmp_path, ledger) as projection:
        follower = Follower(ledger, projection)
        task = asyncio.create_task(follower.run())
        await until(faults.standing)
        assert list(faults.standing()) == [DATABASE]
        await asyncio.to_thread(server.up)
        await until(lambda: follower.position == len(ledger.rows))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert faults.standing() == {}
    assert influx.telemetry.count() == 500


def test_a_server_that_hangs_is_left_after_the_timeout_and_tried_again(server, tmp_path):
    with opened(tmp_path, url=server.url, timeout_s=0.5) as influx:
        list(influx.prepare())
        server.stall()
        with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
            influx.telemetry.write([point(1)])
        server.stall(stalled=False)
        influx.telemetry.write([point(1)])

        assert influx.telemetry.count() == 1


def test_a_wrong_password_waits_for_the_right_one_without_a_restart(tmp_path):
    folder = tmp_path / "influxdb"
    folder.mkdir()
    server = InfluxServer(folder, auth=True).up()
    try:
        server.ask("CREATE USER \"central\" WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        secret = tmp_path / "password"
        secret.write_text("wrong\n")
        with opened(tmp_path, url=server.url, user="central", password_file=str(secret)) as influx:
            with pytest.raises(Unreachable, match="401"):
                list(influx.prepare())
            with pytest.raises(Unreachable, match="401"):
                influx.telemetry.write([point(1)])
            faults = influx.telemetry.writer._faults
            assert list(faults.standing()) == [DATABASE]
            secret.write_text("right\n")
            list(influx.prepare())
            influx.telemetry.write([point(1)])

            assert faults.standing() == {}
            assert volts(influx.telemetry) == {1: 230.0}
        assert "right" not in (folder / "log").read_text()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database": "nowhere"}, 'database not found: "nowhere"'),
        ({"retention_policy": "nothing"}, "retention policy not found: nothing"),
    ],
)
def test_a_database_or_policy_that_is_not_there_is_a_fault_of_the_settings(
    influx, server, tmp_path, settings, words
):
    other = tmp_path / "other"
    other.mkdir()
    with opened(other, url=server.url, **settings) as wrong:
        with pytest.raises(Unreachable, match="not found"):
            wrong.telemetry.write([point(1)])
        faults = wrong.telemetry.writer._faults
        assert words in faults.standing()[DATABASE]
        list(wrong.prepare())
        wrong.telemetry.write([point(1)])

        assert faults.standing() == {}
        assert volts(wrong.telemetry) == {1: 230.0}


def test_a_field_of_another_type_costs_only_the_points_it_clashes_with(influx, server):
    foreign = f'meter,site=a12,device=m9 voltage_l1="high" {(T0_US + 10_000_000) * 1_000}'
    place = {"db": "plumbline", "rp": "plumbline"}
    assert httpx.post(f"{server.url}/write", params=place, content=foreign, trust_env=False).is_success
    far = 400 * 86_400  # in a shard that the foreign point is not in
    influx.telemetry.write([point(1), point(far), point(2), point(far + 1)])
    faults = influx.telemetry.writer._faults

    assert list(faults.standing()) == [REFUSED]
    assert "field type conflict" in faults.standing()[REFUSED]
    assert {
        row["count"] for row in server.ask('SELECT count("readings") FROM "meter"', database="plumbline")
    } == {2}
    server.ask('DROP MEASUREMENT "meter"', database="plumbline")
    influx.upkeep()
    assert faults.standing() == {}
    assert volts(influx.telemetry) == {1: 230.0, 2: 230.0}


def test_points_older_than_all_retention_are_kept_aside_with_the_servers_words(server, tmp_path):
    with opened(tmp_path, url=server.url, retention_days=30) as influx:
        list(influx.prepare())
        now_us = to_us(SystemClock().wall())
        young = [
            FramePoint(site="a12", gateway="gw-1", device="m1", at_us=now_us + n, metrics=(1,), values=(n,))
            for n in range(5)
        ]
        influx.telemetry.write([young[0], point(-86_400 * 400), *young[1:]])

        assert influx.telemetry.count() == 5
        assert "points beyond retention policy" in influx.telemetry.writer._faults.standing()[REFUSED]


def test_a_full_batch_that_the_server_finds_too_large_arrives_in_parts(tmp_path):
    folder = tmp_path / "influxdb"
    folder.mkdir()
    server = InfluxServer(folder, most_bytes=20_000).up()
    try:
        with opened(tmp_path, url=server.url) as influx:
            list(influx.prepare())
            influx.telemetry.write([point(n, n) for n in range(6_000)])

            assert influx.telemetry.count() == 6_000
            assert influx.telemetry.writer._faults.standing() == {}
    finally:
        server.kill()


def test_setting_up_twice_changes_nothing_and_says_so(server, tmp_path):
    downsample = (DownsampleSettings(after_days=90, step_s=900),)
    with opened(tmp_path, url=server.url, retention_days=400, downsample=downsample) as influx:
        first, again = list(influx.prepare()), list(influx.prepare())
    with opened(tmp_path, url=server.url, retention_days=500, downsample=downsample) as influx:
        changed = list(influx.prepare())

    assert first == [
        "database plumbline: made",
        "retention policy plumbline: made, keeps 400 days",
        "retention policy plumbline_meter: made, keeps 120 days",
    ]
    assert again == [
        "database plumbline: is there",
        "retention policy plumbline: is there, keeps 400 days",
        "retention policy plumbline_meter: is there, keeps 120 days",
    ]
    assert changed[1:] == [
        "retention policy plumbline: changed, keeps 500 days",
        "retention policy plumbline_meter: is there, keeps 120 days",
    ]
    policies = {row["name"]: row for row in server.ask('SHOW RETENTION POLICIES ON "plumbline"')}
    assert (policies["plumbline"]["duration"], policies["plumbline"]["default"]) == ("12000h0m0s", True)


def doubtful_story(seed):
    """Frames and summaries-to-be of three boots whose clock is found out little by little."""
    rng = random.Random(seed)
    records = []
    for seq in range(300):
        boot = rng.choice(["b1", "b2", "b3"])
        mono_us = seq * 1_000_000
        offset_us = T0_US + {"b1": 0, "b2": 500_000_000, "b3": -500_000_000}[boot]
        clock = rng.choice(["synced", "unset", "unset", "holdover"])
        wrong_us = {"synced": 0, "holdover": 3_000_000, "unset": -offset_us}[clock]
        at_us = mono_us + offset_us + wrong_us
        if rng.random() < 0.03:
            body, clock, at_us = Anchor(offset_us=offset_us), "synced", mono_us + offset_us
        elif rng.random() < 0.1:
            body = Health(version="1", gauges={"load": float(seq)})
        else:
            body = Frame(
                device=rng.choice(["m1", "m2"]),
                metrics=(VOLTAGE.code, 14),
                values=(seq, None),
                flaws=((1, 102),),
            )
        records.append(record(seq, body, at_us=at_us, clock=clock, boot=boot, mono_us=mono_us))
    rng.shuffle(records)
    return PaperLedger(rng.choice([1, 7, 40]), records)


@pytest.mark.parametrize("seed", range(4))
def test_readings_of_untrusted_clocks_move_just_as_in_sqlite(influx, tmp_path, seed):
    ledger = doubtful_story(seed)
    with projected(influx, tmp_path, ledger) as projection:
        catch_up(ledger, projection)
    beside = tmp_path / "beside.db"
    store = SqliteTelemetryStore.open(beside)
    other = series.SeriesProjection.open(beside, store, ledger)
    catch_up(ledger, other)

    assert influx.telemetry.count() == store.count() > 0
    for device in ("m1", "m2"):
        assert volts(influx.telemetry, device) == volts(store, device)
        assert volts(influx.telemetry, device, 60) == pytest.approx(volts(store, device, 60))
    assert influx.telemetry.latest("a12") == store.latest("a12")
    other.close()
    store.close()


def test_health_of_untrusted_clocks_lies_where_the_anchors_say(influx, server, tmp_path):
    ledger = doubtful_story(9)
    catch_up(ledger, influx.records)
    influx.records.apply([])
    found = server.ask('SELECT "load" FROM "health" GROUP BY *', database="plumbline")
    everything = [one for row in ledger.rows for one in row.records]
    anchored = {one.boot for one in everything if isinstance(one.body, Anchor)}
    offsets = {"b1": 0, "b2": 500_000_000, "b3": -500_000_000}
    expected = {
        one.body.gauges["load"]: one.mono_us + T0_US + offsets[one.boot]
        for one in everything
        if isinstance(one.body, Health) and one.boot in anchored
    }

    assert anchored == {"b1", "b2", "b3"}
    assert len(found) == len(expected)
    assert {row["load"]: row["time"] for row in found} == expected


def test_progress_of_a_photo_and_its_zones_is_there_to_be_asked_for(influx, server):
    zone = ZoneProgress(id="f1b1", percent=41.5, low=40, high=43, visible=1)
    body = Progress(camera="east", photo="p1", percent=40.25, low=38, high=42, zones=(zone,))
    ledger = PaperLedger(1, [record(0, body), record(1, Health(version="1", counters={"polls": 7}))])
    catch_up(ledger, influx.records)
    ask = 'SELECT "percent" FROM "progress" WHERE "site" = \'a12\' GROUP BY "zone"'

    assert {row["zone"]: row["percent"] for row in server.ask(ask, database="plumbline")} == {
        "": 40.25,
        "f1b1": 41.5,
    }
    (health,) = server.ask('SELECT "polls" FROM "health"', database="plumbline")
    assert health == {"time": T0_US + 1_000_000, "polls": 7}
    assert influx.records.tally().applied == 2
    influx.records.reset()
    assert server.ask(ask, database="plumbline") == []


DAY_S = 86_400


@pytest.fixture
def aging(server, tmp_path):
    """Readings of 200 days; after 90 of them a mean for each quarter of an hour."""
    clock = ManualClock(NOON + timedelta(days=200))
    downsample = (DownsampleSettings(after_days=90, step_s=900),)
    with opened(tmp_path, url=server.url, clock=clock, downsample=downsample) as influx:
        list(influx.prepare())
        # the server's own clock is another one: for it all of these are young
        server.ask('ALTER RETENTION POLICY "plumbline_meter" ON "plumbline" DURATION INF')
        yield influx, clock


def test_old_readings_become_means_and_the_history_goes_on(aging, server):
    influx, clock = aging
    store = influx.telemetry
    days = (81, 100, 109, 110, 150)
    store.write([point(day * DAY_S + n * 300, day * 100 + n) for day in days for n in range(12)])
    before = volts(store, step_s=900)
    influx.coarsening.run_once()

    assert store.count() == len(days) * 12
    assert volts(store, step_s=900) == pytest.approx(before)
    fine = [at for at in volts(store) if at // DAY_S >= 110]
    coarse = [at for at in volts(store) if at // DAY_S < 110]
    assert (len(fine), len(coarse)) == (24, 12)
    assert all(at % 900 == 0 for at in coarse)
    clock.advance(60 * DAY_S)
    influx.coarsening.run_once()
    assert volts(store, step_s=900) == pytest.approx(before)
    assert len(volts(store)) == 20
    assert [r.value for r in store.latest("a12")] == [150.11]


def test_what_comes_late_or_leaves_changes_the_means_of_its_day(aging):
    influx, _ = aging
    store = influx.telemetry
    store.write([point(100 * DAY_S, 100), point(100 * DAY_S + 10, 200, boot="b1")])
    influx.coarsening.run_once()
    store.write([point(100 * DAY_S + 60, 400)])
    store.remove([point(100 * DAY_S + 10, boot="b1")])
    influx.coarsening.run_once()

    assert volts(store) == {100 * DAY_S: 2.5}
    assert store.count() == 2


def test_what_comes_too_late_for_the_fine_is_kept_as_it_is_among_the_means(aging, server):
    influx, _ = aging
    store = influx.telemetry
    store.write([point(100 * DAY_S, 100)])
    influx.coarsening.run_once()
    store.write([point(10 * DAY_S + 7, 300)])
    influx.coarsening.run_once()

    assert volts(store) == {10 * DAY_S + 7: 3.0, 100 * DAY_S: 1.0}
    assert store.count() == 2


def test_a_second_pass_makes_nothing_anew(aging):
    influx, _ = aging
    influx.telemetry.write([point(100 * DAY_S, 100)])

    assert influx.coarsening.run_once() == 10
    assert influx.coarsening.run_once() == 0
    influx.telemetry.reset()
    assert volts(influx.telemetry) == {}


@pytest.fixture
def site(server, tmp_path):
    """A settings file, and a ledger with readings, progress and health."""
    (tmp_path / "central.toml").write_text(
        f'data_dir = "data"\n[store]\nkind = "influx1"\nurl = "{server.url}"\n'
    )
    paper = PaperGateway()
    parts = Parts.open(tmp_path / "data")
    parts.registry.add_site("a12", name_zh="甲", name_en="A")
    parts.registry.enroll("gw-1", "a12", paper.key.public)
    paper.frames(200)
    for n in range(10):
        zone = ZoneProgress(id="f1b1", percent=n, low=None, high=None, visible=1)
        paper.record(Progress(camera="c", photo=f"p{n}", percent=n, low=n, high=n, zones=(zone,)))
        paper.record(Health(version="1", gauges={"load": n / 3}), lane="status")
    for lane, last in (("data", 210), ("status", 10)):
        for first in range(1, last + 1, 30):
            payload = paper.pack(first, min(first + 29, last), lane=lane)
            parts.ledger.append([Arrival(received_us=1, payload=payload, batch=codec.open_batch(payload))])
    parts.close()
    return tmp_path / "central.toml"


def test_every_influxql_query_of_the_docs_finds_something(influx, server):
    page = (Path(__file__).parents[2] / "docs" / "influxdb.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```influxql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    metrics = tuple(
        BY_NAME[name].code for name in ("power_active_total", "energy_import_total", "voltage_l1")
    )
    influx.telemetry.write(
        [
            FramePoint(
                site="a12", gateway="gw-1", device="m1", at_us=T0_US + n, metrics=metrics,
                values=(5_000, n, None), flaws=((2, Flaw.TIMEOUT),),
            )
            for n in range(2)
        ]
    )  # fmt: skip
    zone = ZoneProgress(id="f1b1", percent=41.5, low=40, high=43, visible=1)
    body = Progress(camera="east", photo="p1", percent=40.25, low=38, high=42, zones=(zone,))
    health = Health(version="1", gauges={"outbox_mb": 3.5})
    catch_up(PaperLedger(1, [record(0, body), record(1, health)]), influx.records)

    for query in block.splitlines():
        assert server.ask(query, database="plumbline"), query


async def test_a_service_that_starts_while_its_server_is_down_catches_up_by_itself(site, server, tmp_path):
    assert cli.run(["central", "init", str(site)]) == 0
    server.down()
    web = free_port()
    text = site.read_text(encoding="utf-8")
    site.write_text(f"{text}[broker]\nport = {free_port()}\n[http]\nport = {web}\n", encoding="utf-8")
    command = (sys.executable, "-m", "plumbline", "central", "run", str(site))
    with (tmp_path / "central.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web}", trust_env=False) as client:

            async def health():
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get("/api/v1/health")).json()

            async with asyncio.timeout(60):
                while not ((said := await health()) and said["faults"]):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
            assert list(said["faults"]) == [DATABASE]
            assert (await client.get("/sites/a12")).status_code == 200
            await asyncio.to_thread(server.up)
            async with asyncio.timeout(90):
                while (said := await health())["faults"] or any(said["behind"].values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            latest = (await client.get("/api/v1/sites/a12/readings/latest")).json()
    finally:
        process.terminate()
        await process.wait()

    assert {reading["metric"] for reading in latest} == {"voltage_l1", "energy_import_total"}
    assert {name: len(rows) for name, rows in everything(server).items()} == {
        "meter": 200,
        "progress": 20,
        "health": 10,
    }
    log = (tmp_path / "central.log").read_text(encoding="utf-8")
    assert log.count("InfluxDB: ") == 2  # once when it began, once when it was over


def test_a_store_that_the_readings_did_not_go_to_is_not_run_with(site, capsys):
    parts = Parts.open(site.parent / "data")
    catch_up(parts.ledger, parts.series)
    with parts.series_db.write() as db:  # as after the next 64 rows
        cursors.move(db, parts.series.name, parts.series.tally())
    parts.close()

    assert cli.run(["central", "run", str(site)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'sqlite', the settings name 'influx1 plumbline at http://127.0.0.1" in said
    assert "rebuild" in said


def everything(server):
    return {
        name: server.ask(f'SELECT * FROM "{name}" GROUP BY *', database="plumbline")
        for name in ("meter", "progress", "health")
    }


def test_rebuild_refills_an_empty_influxdb_with_the_same_points(site, server, capsys):
    assert cli.run(["central", "init", str(site)]) == 0
    assert "database plumbline: made" in capsys.readouterr().out
    assert cli.run(["central", "rebuild", str(site), "--json"]) == 0
    first = everything(server)
    assert json.loads(capsys.readouterr().out)["readings"] == 400
    server.ask('DROP DATABASE "plumbline"')
    assert cli.run(["central", "rebuild", str(site)]) == 1
    assert "database not found" in capsys.readouterr().err
    assert cli.run(["central", "init", str(site)]) == 0
    assert cli.run(["central", "rebuild", str(site)]) == 0

    assert everything(server) == first
    assert {name: len(rows) for name, rows in first.items()} == {"meter": 200, "progress": 20, "health": 10}
    assert cli.run(["central", "status", str(site)]) == 0
