"""InfluxDB 2.x: line protocol, Flux and the delete API; the one file of central that imports influxdb-client.

Written with its synchronous API only: its batching writer keeps lines in memory, loses them at exit and drops them
after three minutes of failures. What it is asked is bound, never pasted into the Flux.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import urllib3
from influxdb_client import BucketRetentionRules, InfluxDBClient, WritePrecision
from influxdb_client.client.flux_table import FluxRecord
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from plumbline.clock import from_us, to_us
from plumbline.errors import PlumblineError
from plumbline_central.settings import StoreSettings
from plumbline_central.stores.influx import answers
from plumbline_central.stores.influx.answers import Answer, Away, Done, Misconfigured, TooLarge
from plumbline_central.stores.influx.credential import secret_in
from plumbline_central.stores.influx.dialect import Means, Newest, Place, Span, Sums, Tags, Values

T = TypeVar("T")
_SURELY_TAKEN: Final = 65_536
"""Bytes: a connection that ends under less than this did not end because of the size."""
_OF_FLUX: Final = frozenset({"result", "table"})
_DAY_S: Final = 86_400


class Influx2:
    """A `Dialect` of Flux. The token is read again after the server refused it."""

    def __init__(self, settings: StoreSettings) -> None:
        self.server = settings.url
        self._settings = settings
        self._client: InfluxDBClient | None = None
        self._lock = threading.Lock()

    def write(self, place: str, body: bytes) -> Answer:
        def write(client: InfluxDBClient) -> None:
            client.write_api(write_options=SYNCHRONOUS).write(
                bucket=place, org=self._settings.org, record=body, write_precision=WritePrecision.US
            )

        answer, _ = self._asked(write, size=len(body))
        return answer

    def values(self, span: Span, field: str) -> list[Values]:
        return [
            Values(tags, [(_at_us(record), float(record.get_value())) for record in records])
            for tags, records in self._select(span, "", field=field)
        ]

    def sums(self, span: Span, field: str, step_us: int) -> list[Sums]:
        each = 'aggregateWindow(every: _every, fn: {}, createEmpty: false, timeSrc: "_start")'
        totals, counts = (
            self._select(span, f"|> {each.format(what)}", field=field, every=timedelta(microseconds=step_us))
            for what in ("sum", "count")
        )
        # the first step is dated at the span's start, wherever that lies in it
        return [
            Sums(
                tags,
                [
                    (_at_us(total) // step_us * step_us, float(total.get_value()), int(count.get_value()))
                    for total, count in zip(of_series, counted, strict=True)
                ],
            )
            for (tags, of_series), (_, counted) in zip(totals, counts, strict=True)
        ]

    def newest(self, span: Span) -> list[Newest]:
        return [
            Newest(tags, record.get_field(), _at_us(record), record.get_value())
            for tags, records in self._select(span, "|> last()")
            for record in records
            if not isinstance(record.get_value(), str)
        ]

    def total(self, span: Span, field: str) -> int:
        found = self._select(span, "|> group() |> sum()", field=field)
        return sum(int(record.get_value()) for _, records in found for record in records)

    def means(self, span: Span, step_us: int) -> list[Means]:
        found = self._select(
            span,
            '|> aggregateWindow(every: _every, fn: mean, createEmpty: false, timeSrc: "_start")',
            every=timedelta(microseconds=step_us),
        )
        steps: dict[tuple[tuple[tuple[str, str], ...], int], dict[str, float]] = {}
        for tags, records in found:
            for record in records:
                step = (tuple(tags.items()), _at_us(record) // step_us * step_us)
                steps.setdefault(step, {})[record.get_field()] = float(record.get_value())
        return [Means(dict(tags), at_us, fields) for (tags, at_us), fields in steps.items()]

    def first_us(self, span: Span, field: str) -> int | None:
        found = self._select(span, "|> first()", field=field)
        return min((_at_us(record) for _, records in found for record in records), default=None)

    def delete(self, span: Span) -> None:
        names = {"_measurement": span.measurement, **span.tags}
        predicate = " AND ".join(f"{name}={_quoted(value)}" for name, value in names.items())
        # whether the end belongs to what is deleted is told differently; between two of our times it makes no difference
        last = from_us(span.end_us - 1).strftime("%Y-%m-%dT%H:%M:%S.%f") + "500Z"
        self._told(
            lambda client: client.delete_api().delete(
                from_us(span.start_us), last, predicate, bucket=span.place, org=self._settings.org
            )
        )

    def drop(self, place: str, measurement: str) -> None:
        self.delete(Span(place=place, measurement=measurement, tags={}))

    def prepare(self, places: Sequence[Place]) -> Iterator[str]:
        for place in places:
            yield self._told(partial(self._bucket, place))
            yield (
                f"for InfluxQL, by hand: influx v1 dbrp create --org {self._settings.org} --db {place.name}"
                f" --rp autogen --default --bucket-id $(influx bucket list --name {place.name} --hide-headers | cut -f1)"
            )

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _bucket(self, place: Place, client: InfluxDBClient) -> str:
        buckets = client.buckets_api()
        rules = (
            [BucketRetentionRules(type="expire", every_seconds=place.keep_days * _DAY_S)]
            if place.keep_days
            else []
        )
        shown = f"{place.keep_days} days" if place.keep_days else "for ever"
        there = buckets.find_bucket_by_name(place.name)
        if there is None:
            buckets.create_bucket(bucket_name=place.name, retention_rules=rules, org=self._settings.org)
            return f"bucket {place.name}: made, keeps {shown}"
        kept_s = [rule.every_seconds for rule in there.retention_rules or () if rule.every_seconds]
        if kept_s == [rule.every_seconds for rule in rules]:
            return f"bucket {place.name}: is there, keeps {shown}"
        there.retention_rules = rules
        buckets.update_bucket(there)
        return f"bucket {place.name}: changed, keeps {shown}"

    def _select(self, span: Span, rest: str, **bound: Any) -> list[tuple[Tags, list[FluxRecord]]]:
        """(tags, records) of each table."""
        conditions = ["r._measurement == _measurement_is"]
        names: dict[str, Any] = {
            "_bucket_is": span.place,
            "_from": from_us(span.start_us),
            "_until": from_us(span.end_us),
            "_measurement_is": span.measurement,
        }
        if "field" in bound:
            conditions.append("r._field == _field_is")
            names["_field_is"] = bound.pop("field")
        names |= {f"_{name}": value for name, value in bound.items()}
        for i, (tag, value) in enumerate(span.tags.items()):
            conditions.append(f"r.{tag} == _tag{i}" if value else f"not exists r.{tag}")
            if value:
                names[f"_tag{i}"] = value
        flux = (
            f"from(bucket: _bucket_is) |> range(start: _from, stop: _until)"
            f" |> filter(fn: (r) => {' and '.join(conditions)}) {rest}"
        )
        tables = self._told(
            lambda client: client.query_api().query(flux, org=self._settings.org, params=names)
        )
        return [(_tags(table.records[0]), table.records) for table in tables if table.records]

    def _told(self, ask: Callable[[InfluxDBClient], T]) -> T:
        """What the server gives. Raises Unreachable, Busy or Refused."""
        answer, given = self._asked(ask)
        if not isinstance(answer, Done):
            raise answers.error(answer, self.server)
        assert given
        return given[0]

    def _asked(self, ask: Callable[[InfluxDBClient], T], *, size: int = 0) -> tuple[Answer, tuple[T, ...]]:
        try:
            return Done(), (ask(self._connection()),)
        except PlumblineError as error:  # the token's file
            answer: Answer = Misconfigured(str(error))
        except ApiException as error:
            answer = _meaning(error)
        except urllib3.exceptions.ProtocolError as error:
            words = f"the connection ended: {error}"
            answer = TooLarge(words) if size > _SURELY_TAKEN else Away(words)
        except urllib3.exceptions.HTTPError as error:
            answer = Away(str(error) or type(error).__name__)
        if isinstance(answer, Misconfigured):
            with self._lock:
                self._client = None  # whoever mends the token's file need not restart us
        return answer, ()

    def _connection(self) -> InfluxDBClient:
        with self._lock:
            if self._client is None:
                settings = self._settings
                self._client = InfluxDBClient(
                    url=settings.url,
                    token=secret_in(settings.token_file),
                    org=settings.org,
                    timeout=round(settings.timeout_s * 1000),
                    enable_gzip=settings.compressed,
                    ssl_ca_cert=settings.ca_file,
                    retries=False,
                )
            return self._client


def _meaning(error: ApiException) -> Answer:
    if not error.status:  # no HTTP at all: TLS
        return Misconfigured(str(error.reason))
    text = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return answers.meaning(error.status, text, retry_after=headers.get("retry-after", ""))


def _at_us(record: FluxRecord) -> int:
    return to_us(record.get_time())


def _tags(record: FluxRecord) -> Tags:
    return {
        name: value
        for name, value in record.values.items()
        if not name.startswith("_") and name not in _OF_FLUX and value
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
