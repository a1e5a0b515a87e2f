"""InfluxDB 1.6 to 3 Core over HTTP: /write and /query with InfluxQL; the one file of the stores that imports httpx."""

from __future__ import annotations

import base64
import gzip
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec

from plumbline.errors import PlumblineError, Unreachable
from plumbline_central.settings import StoreSettings
from plumbline_central.stores.influx import answers
from plumbline_central.stores.influx.answers import Answer, Away, Done, Misconfigured, TooLarge
from plumbline_central.stores.influx.credential import secret_in
from plumbline_central.stores.influx.dialect import Means, Newest, Place, Span, Sums, Tags, Values
from plumbline_central.stores.influx.lines import FLAW

_QUICKEST: Final = 1
"""zlib's level: the server's time is dearer than the link's."""
_SURELY_TAKEN: Final = 65_536
"""Bytes: a connection that ends under less than this did not end because of the size."""
_STATEMENTS_AT_ONCE: Final = 40
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_Row = Sequence[Any]


class Influx1:
    """A `Dialect` of InfluxQL. Credentials are read again after the server refused them."""

    def __init__(self, settings: StoreSettings) -> None:
        self.server = settings.url
        self._settings = settings
        self._client: httpx.Client | None = None
        self._login: dict[str, str] | None = None
        self._lock = threading.Lock()

    def write(self, place: str, body: bytes) -> Answer:
        query = {"db": self._settings.database, "precision": "u"}
        if place:
            query["rp"] = place
        headers = {"content-type": "text/plain; charset=utf-8"}
        if self._settings.compressed:
            body = gzip.compress(body, _QUICKEST, mtime=0)
            headers["content-encoding"] = "gzip"
        answer, _ = self._post("/write", params=query, content=body, headers=headers)
        return answer

    def values(self, span: Span, field: str) -> list[Values]:
        found = self._select(f"{_name(field)}", span, "GROUP BY *")
        return [Values(tags, [(at, float(value)) for at, value in rows]) for tags, _, rows in found]

    def sums(self, span: Span, field: str, step_us: int) -> list[Sums]:
        what = f"sum({_name(field)}), count({_name(field)})"
        found = self._select(what, span, f"GROUP BY time({step_us}u), * fill(none)")
        return [
            Sums(tags, [(at, float(total), int(count)) for at, total, count in rows])
            for tags, _, rows in found
        ]

    def newest(self, span: Span) -> list[Newest]:
        """The newest point of each series; of metrics that are not in all of these, each one's last value and flaw.

        `last(*)` would say it at once, and read the whole history for it.
        """
        points = self._select("*", span, "GROUP BY * ORDER BY time DESC LIMIT 1")
        kept = self._ask(f"SHOW FIELD KEYS FROM {_name(span.measurement)}") if points else []
        fields = [row[0] for _, _, rows in kept for row in rows]
        said = [
            {
                column.removesuffix(FLAW)
                for column, value in zip(columns, row, strict=True)
                if value is not None
            }
            for _, columns, (row,) in points
        ]
        older = [field for field in fields if not all(field.removesuffix(FLAW) in there for there in said)]
        for some in range(0, len(older), _STATEMENTS_AT_ONCE):
            points += self._select(
                [
                    f"last({_name(field)}) AS {_name(field)}"
                    for field in older[some : some + _STATEMENTS_AT_ONCE]
                ],
                span,
                "GROUP BY *",
            )
        return [
            Newest(tags, field, row[0], value)
            for tags, columns, (row,) in points
            for field, value in zip(columns[1:], row[1:], strict=True)
            if value is not None and not isinstance(value, str)
        ]

    def total(self, span: Span, field: str) -> int:
        return sum(int(rows[0][1] or 0) for _, _, rows in self._select(f"sum({_name(field)})", span))

    def means(self, span: Span, step_us: int) -> list[Means]:
        found = self._select("mean(*)", span, f"GROUP BY time({step_us}u), * fill(none)")
        return [
            Means(
                tags,
                row[0],
                {
                    column.removeprefix("mean_"): float(value)
                    for column, value in zip(columns[1:], row[1:], strict=True)
                    if value is not None
                },
            )
            for tags, columns, rows in found
            for row in rows
        ]

    def first_us(self, span: Span, field: str) -> int | None:
        found = self._select(f"first({_name(field)})", span)
        return min((rows[0][0] for _, _, rows in found), default=None)

    def delete(self, span: Span) -> None:
        # 1.x takes no retention policy here: it is deleted from all, so each has its own measurements
        names = {f"t{i}": value for i, value in enumerate(span.tags.values())}
        self._ask(f"DELETE FROM {_name(span.measurement)} WHERE {_where(span)}", names)  # noqa: S608 - quoted and bound

    def drop(self, place: str, measurement: str) -> None:  # noqa: ARG002 - 1.x drops it everywhere
        self._ask(f"DROP MEASUREMENT {_name(measurement)}")

    def prepare(self, places: Sequence[Place]) -> Iterator[str]:
        database = self._settings.database
        version = self._version()
        if version.lstrip("v")[:1] in {"2", "3"}:
            yield f"InfluxDB {version} takes no set-up over /query; by hand, where it is not done yet:"
            yield from _by_hand(version, self._settings, places)
            return
        there = {row[0] for _, _, rows in self._ask("SHOW DATABASES", database=False) for row in rows}
        if database not in there:
            self._ask(f"CREATE DATABASE {_name(database)}", database=False)
        yield f"database {database}: {'is there' if database in there else 'made'}"
        if not places[0].name:
            yield "no retention policy is named: set the retention at the server"
            return
        found = self._ask(f"SHOW RETENTION POLICIES ON {_name(database)}")
        policies = {
            row[0]: dict(zip(columns, row, strict=True)) for _, columns, rows in found for row in rows
        }
        for place in places:
            yield self._policy(place, policies.get(place.name))

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _version(self) -> str:
        """Of the server, as it says. Raises Unreachable."""
        try:
            answer = self._connection().get("/ping")
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{self.server}: {str(error) or type(error).__name__}",
                hint="Is it running, and is url right?",
            ) from None
        return str(answer.headers.get("x-influxdb-version", ""))

    def _policy(self, place: Place, there: Mapping[str, Any] | None) -> str:
        duration = f"{place.keep_days * 24}h" if place.keep_days else "INF"
        shown = f"{place.keep_days} days" if place.keep_days else "for ever"
        wanted_s = place.keep_days * 86_400
        if there and _duration_s(there["duration"]) == wanted_s and there["default"] >= place.default:
            return f"retention policy {place.name}: is there, keeps {shown}"
        verb = "ALTER" if there else "CREATE"
        self._ask(
            f"{verb} RETENTION POLICY {_name(place.name)} ON {_name(self._settings.database)} DURATION {duration}"
            f"{'' if there else ' REPLICATION 1'}{' DEFAULT' if place.default else ''}"
        )
        return f"retention policy {place.name}: {'changed' if there else 'made'}, keeps {shown}"

    def _select(
        self, what: str | Sequence[str], span: Span, rest: str = ""
    ) -> list[tuple[Tags, list[str], list[_Row]]]:
        source = f"{_name(span.place)}.{_name(span.measurement)}" if span.place else _name(span.measurement)
        bound = {f"t{i}": value for i, value in enumerate(span.tags.values())}
        several = [what] if isinstance(what, str) else what
        asked = (f"SELECT {one} FROM {source} WHERE {_where(span)} {rest}" for one in several)  # noqa: S608 - quoted and bound
        return self._ask("; ".join(asked), bound)

    def _ask(
        self, statement: str, bound: Mapping[str, str] | None = None, *, database: bool = True
    ) -> list[tuple[Tags, list[str], list[_Row]]]:
        """(tags, columns, rows) of each series that the statement gives, or several of them in turn. Raises Unreachable, Busy or Refused."""
        form = {"q": statement, "epoch": "u"}
        if database:
            form["db"] = self._settings.database
        if bound:
            form["params"] = msgspec.json.encode(bound).decode()
        answer, content = self._post("/query", data=form)
        document: dict[str, Any] = {}
        if isinstance(answer, Done):
            try:
                document = _decode(content)
            except msgspec.DecodeError:
                answer = Misconfigured(f"no InfluxDB answers there, but: {content[:60]!r}")
            else:
                answer = answers.of_results(document)
        if not isinstance(answer, Done):
            raise answers.error(answer, self.server)
        return [
            (series.get("tags", {}), series["columns"], series.get("values", []))
            for result in document.get("results", ())
            for series in result.get("series", ())
        ]

    def _post(self, path: str, **how: Any) -> tuple[Answer, bytes]:
        headers = how.pop("headers", {})
        try:
            response = self._connection().post(path, headers={**headers, **self._credential()}, **how)
        except PlumblineError as error:  # the credential's file, or the CA's
            return Misconfigured(str(error)), b""
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError) as error:
            words = f"the connection ended: {error}"
            large = len(how.get("content", b"")) > _SURELY_TAKEN
            return TooLarge(words) if large else Away(words), b""
        except httpx.TimeoutException:
            return Away(f"no answer within {self._settings.timeout_s:g} s"), b""
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Away(str(error) or type(error).__name__), b""
        answer = answers.meaning(
            response.status_code,
            "" if response.is_success else response.text,
            retry_after=response.headers.get("retry-after", ""),
        )
        if isinstance(answer, Misconfigured):
            self._login = None  # whoever mends the credential's file need not restart us
        return answer, response.content

    def _credential(self) -> dict[str, str]:
        """The header that says who we are. Raises Unreachable where its file cannot be read."""
        if self._login is None:
            self._login = _login(self._settings)
        return self._login

    def _connection(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = _connect(self._settings)
            return self._client


def _login(settings: StoreSettings) -> dict[str, str]:
    match settings.scheme:
        case "none":
            return {}
        case "basic":
            pair = f"{settings.user}:{secret_in(settings.password_file)}"
            return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        case scheme:
            return {"authorization": f"{scheme.capitalize()} {secret_in(settings.token_file)}"}


def _connect(settings: StoreSettings) -> httpx.Client:
    try:
        verify = (
            ssl.create_default_context(cafile=settings.ca_file) if settings.url.startswith("https") else False
        )
    except OSError as error:
        raise Unreachable(f"{settings.ca_file}: {error}", hint="It must be a certificate in PEM.") from None
    return httpx.Client(
        base_url=settings.url,
        timeout=settings.timeout_s,
        verify=verify,
        follow_redirects=False,
        trust_env=False,
    )


def _by_hand(version: str, settings: StoreSettings, places: Sequence[Place]) -> Iterator[str]:
    """What a person types where the server cannot be set up from here."""
    if version.lstrip("v").startswith("2"):
        for place in places:
            days = f" --retention {place.keep_days * 24}h" if place.keep_days else ""
            name = f"{settings.database}/{place.name}"
            yield f"influx bucket create --name {name}{days}"
            yield (
                f"influx v1 dbrp create --db {settings.database} --rp {place.name}"
                f"{' --default' if place.default else ''} --bucket-id ID-OF-{name}"
            )
        return
    keep = f" --retention-period {places[0].keep_days}d" if places[0].keep_days else ""
    yield f"influxdb3 create database {settings.database}{keep}"
    tags = {
        "meter": "site,gateway,device,boot,thinned",
        "progress": "site,camera,zone,boot",
        "health": "site,gateway,boot",
    }
    for table, names in tags.items():  # what tags a table has is settled by its first line
        yield f"influxdb3 create table {table} --database {settings.database} --tags {names}"


def _where(span: Span) -> str:
    """Bound names `t0`, `t1` … stand for the tags' values, in their order."""
    tags = [f"{_name(tag)} = $t{i}" for i, tag in enumerate(span.tags)]
    times = [f"time >= {span.start_us * 1_000}", f"time < {span.end_us * 1_000}"]
    return " AND ".join((*tags, *times))


def _name(text: str) -> str:
    """An identifier, quoted whatever it is: even `inf` is a keyword."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _duration_s(text: str) -> int:
    """Of what SHOW RETENTION POLICIES says: `168h0m0s`, `0s` for ever."""
    total, number = 0, ""
    for letter in text:
        if letter.isdecimal():
            number += letter
        else:
            total += int(number or 0) * {"h": 3600, "m": 60, "s": 1}.get(letter, 0)
            number = ""
    return total
