"""influxdb-client against a server that answers as 2.x does."""

import itertools
import json

import pytest
from influx2_server import FakeInflux2, says

from plumbline.clock import SystemClock, from_us
from plumbline.errors import Busy, Unreachable
from plumbline.metrics import BY_NAME
from plumbline_central.settings import DownsampleSettings, StoreSettings
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.builder import Influx
from plumbline_central.stores.influx.writer import DATABASE, REFUSED
from plumbline_central.stores.port import FramePoint

T0_US = 1_790_000_000_000_000
VOLTAGE = BY_NAME["voltage_l1"].code
BAD = "voltage_l1=666"


@pytest.fixture
def server():
    with FakeInflux2() as fake:
        yield fake


@pytest.fixture
def faults():
    return StandingFaults()


@pytest.fixture
def influx(server, tmp_path, faults):
    (tmp_path / "token").write_text("secret\n")
    settings = StoreSettings(
        kind="influx2",
        url=server.url,
        org="works",
        token_file=str(tmp_path / "token"),
        timeout_s=0.5,
        gzip=True,
        retention_days=400,
        downsample=(DownsampleSettings(after_days=90, step_s=900),),
    )
    made = Influx.open(settings, tmp_path / "series.db", faults, SystemClock())
    yield made
    made.close()


def point(n, value=23_000, **more):
    return FramePoint(
        site="a12", gateway="gw-1", device="m1", at_us=T0_US + n, metrics=(VOLTAGE,), values=(value,), **more
    )


def kept(server):
    return {int(line.rsplit(" ", 1)[1]) - T0_US for line in server.kept}


def test_lines_go_out_with_bucket_org_precision_and_token(influx, server):
    influx.telemetry.write([point(0), point(1)])
    ((path, query, headers),) = server.requests

    assert path == "/api/v2/write"
    assert query == {"bucket": ["plumbline_meter"], "org": ["works"], "precision": ["us"]}
    assert (headers["Authorization"], headers["Content-Encoding"]) == ("Token secret", "gzip")
    assert kept(server) == {0, 1}


def all_or_nothing(server):
    def mood(lines):
        return says(400, "unable to parse") if any(BAD in line for line in lines) else None

    return mood


def partly(server):
    def mood(lines):
        good = [line for line in lines if BAD not in line]
        if len(good) == len(lines):
            return None
        server.keep(good)
        return says(422, "failure writing points to database: partial write")

    return mood


@pytest.mark.parametrize("refusing", [all_or_nothing, partly])
def test_whether_the_rest_was_stored_or_not_one_bad_point_is_all_that_is_kept_aside(
    influx, server, faults, refusing
):
    server.mood = refusing(server)
    influx.telemetry.write([point(n, 66_600 if n == 7 else 23_000) for n in range(20)])

    assert kept(server) == set(range(20)) - {7}
    assert list(faults.standing()) == [REFUSED]
    server.mood = lambda lines: None
    influx.telemetry.writer.try_refused()
    assert kept(server) == set(range(20))
    assert faults.standing() == {}


def test_a_body_that_is_too_large_is_halved_until_it_passes(influx, server):
    server.mood = lambda lines: says(413, "too large") if len(lines) > 6 else None
    influx.telemetry.write([point(n) for n in range(50)])

    assert kept(server) == set(range(50))


def test_a_connection_closed_in_the_middle_of_much_is_too_much_at_once(influx, server):
    server.mood = lambda lines: "close" if len(lines) > 900 else None
    influx.telemetry.write([point(n) for n in range(2_000)])

    assert kept(server) == set(range(2_000))


@pytest.mark.parametrize(
    ("mood", "kind", "after_s"),
    [
        (says(429, "slow down", Retry_After="7"), Busy, 7.0),
        (says(503, "not ready", Retry_After="30"), Busy, 30.0),
        (says(503, "not ready"), Unreachable, None),
        (says(401, "unauthorized access"), Unreachable, None),
        (says(404, 'bucket "x" not found'), Unreachable, None),
        (says(500, "internal error"), Unreachable, None),
        ("hang", Unreachable, None),
        ("close", Unreachable, None),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else None,
)
def test_whatever_keeps_the_server_from_writing_costs_nothing(influx, server, faults, mood, kind, after_s):
    server.mood = lambda lines: mood
    for _ in range(2):
        with pytest.raises(kind) as raised:
            influx.telemetry.write([point(n) for n in range(5)])

    assert getattr(raised.value, "after_s", None) == after_s
    assert list(faults.standing()) == [DATABASE]
    server.released.set()
    server.mood = lambda lines: None
    influx.telemetry.write([point(n) for n in range(5)])
    assert kept(server) == set(range(5))
    assert faults.standing() == {}


def test_a_token_that_was_put_right_is_read_without_a_restart(influx, server, tmp_path):
    server.mood = lambda lines: (
        None if server.requests[-1][2]["Authorization"] == "Token right" else says(401, "unauthorized")
    )
    with pytest.raises(Unreachable):
        influx.telemetry.write([point(0)])
    (tmp_path / "token").unlink()
    with pytest.raises(Unreachable, match="No such file"):
        influx.telemetry.write([point(0)])
    (tmp_path / "token").write_text("right")
    influx.telemetry.write([point(0)])

    assert kept(server) == {0}


def test_a_server_that_is_not_there_is_waited_for(tmp_path, faults):
    (tmp_path / "token").write_text("secret")
    settings = StoreSettings(
        kind="influx2", url="http://127.0.0.1:9", org="works", token_file=str(tmp_path / "token")
    )
    influx = Influx.open(settings, tmp_path / "series.db", faults, SystemClock())
    with pytest.raises(Unreachable):
        influx.telemetry.write([point(0)])

    assert list(faults.standing()) == [DATABASE]
    influx.close()


CSV = """\
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string,string,string
#group,false,false,true,true,false,false,true,true,true,true,true
#default,_result,,,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,device,gateway,site
,,0,1700-01-01T00:00:00Z,2200-01-01T00:00:00Z,2026-09-21T14:13:20.000001Z,230.12,voltage_l1,meter,m1,gw-1,a12
,,0,1700-01-01T00:00:00Z,2200-01-01T00:00:00Z,2026-09-21T14:13:21Z,231.5,voltage_l1,meter,m1,gw-1,a12

"""


def test_what_is_asked_is_bound_and_never_part_of_the_flux(influx, server):
    server.csv = CSV
    evil = 'm1") |> drop() //'
    found = influx.telemetry.series("a12", evil, "voltage_l1", from_us(T0_US), from_us(T0_US + 10**7))
    (query,) = server.queries

    assert [value for _, value in found] == [230.12, 231.5]
    assert found[0][0] == from_us(T0_US + 1)
    assert evil not in query["query"]
    assert evil in json.dumps(query["extern"], ensure_ascii=False).replace('\\"', '"')


def test_the_newest_reading_has_its_own_time(influx, server):
    server.csv = CSV
    (newest,) = influx.telemetry.latest("a12")

    assert (newest.value, newest.at, newest.metric) == (231.5, from_us(T0_US + 10**6), "voltage_l1")


def test_removing_names_the_series_and_nothing_beside_the_time(influx, server):
    influx.telemetry.remove([point(0, boot="b1")])
    (deleted,) = server.deleted

    assert (
        deleted["predicate"]
        == '_measurement="meter" AND site="a12" AND gateway="gw-1" AND device="m1" AND boot="b1"'
    )
    assert deleted["start"].startswith("2026-09-21T14:13:20")
    assert deleted["stop"] == "2026-09-21T14:13:20.000000500Z"


def test_buckets_are_made_once_with_their_retention_and_changed_where_it_differs(influx, server):
    first = list(influx.prepare())
    made = {
        name: [rule["everySeconds"] for rule in bucket["retentionRules"]]
        for name, bucket in server.buckets.items()
    }
    again = list(influx.prepare())
    server.buckets["plumbline"]["retentionRules"] = []
    changed = list(influx.prepare())

    assert made == {"plumbline": [400 * 86_400], "plumbline_meter": [120 * 86_400]}
    assert first[0] == "bucket plumbline: made, keeps 400 days"
    assert again[0] == "bucket plumbline: is there, keeps 400 days"
    assert changed[0] == "bucket plumbline: changed, keeps 400 days"
    assert all(
        line.startswith("for InfluxQL, by hand: influx v1 dbrp create")
        for line in itertools.islice(first, 1, None, 2)
    )
