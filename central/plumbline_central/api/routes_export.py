"""Readings, indicator values and alerts as files for spreadsheets and data tools, sent while they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from plumbline.errors import ConfigError, Unreachable
from plumbline_central.alerts.entries import Wanted
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.paging import BetweenDep
from plumbline_central.api.routes_alerts import require_site
from plumbline_central.api.services import Services
from plumbline_central.export import csvfile, parquet, rows
from plumbline_central.export.table import Row, Table, portions

router = APIRouter(tags=["export"])

Form = Literal["csv", "parquet"]
SiteName = Annotated[
    str | None, Query(max_length=64, description="Of one site; of all where it is left out.")
]
_ROWS: Final = 20_000
"""A portion: one row group of Parquet, a few megabytes of memory."""
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _file(example: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": "The file; where something fails on the way, the connection ends before the file does.",
            "content": {
                csvfile.MEDIA_TYPE: {"schema": {"type": "string"}, "example": example},
                parquet.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }


@router.get(
    "/export/readings.{form}",
    summary="Export readings",
    response_class=StreamingResponse,
    responses=_file(
        "\ufeffsite,gateway,device,metric,time,value,unit,quality,flaw\r\n"
        "a12,gw-1,crane,voltage_l1,2026-03-01T00:00:00Z,230.1,V,good,\r\n"
        "a12,gw-1,crane,voltage_l1,2026-03-01T00:01:00Z,,V,bad,timeout\r\n"
    ),
)
def readings(
    services: ServicesDep, form: Form, between: BetweenDep, site: SiteName = None
) -> StreamingResponse:
    """Every reading, by default of the last day; a missing one is an empty cell beside the flaw that says why."""
    start, end = between.last_day(services.clock.wall())
    return _sent(
        services, form, rows.READINGS, rows.readings(services.telemetry, _sites(services, site), start, end)
    )


@router.get(
    "/export/indicators.{form}",
    summary="Export indicator values",
    response_class=StreamingResponse,
    responses=_file(
        "\ufeffsite,indicator,time,value,low,high,planned,unit,quality,flags,seen_by\r\n"
        "a12,funds_paid,2026-03-31T16:00:00Z,30.0,30.0,30.0,40.0,%,good,,Li Wei\r\n"
    ),
)
def indicators(
    services: ServicesDep, form: Form, between: BetweenDep, site: SiteName = None
) -> StreamingResponse:
    """Every value of every indicator beside what was planned for its time; flagged ones with what is wrong with them."""
    book = services.indicator_book
    chosen = (one for name in _sites(services, site) for one in book.indicators.of(name))
    start, end = between.start or _EARLIEST, between.end or services.clock.wall()
    return _sent(services, form, rows.INDICATORS, rows.indicator_values(book.points, chosen, start, end))


@router.get(
    "/export/alerts.{form}",
    summary="Export alerts",
    response_class=StreamingResponse,
    responses=_file(f"\ufeff{','.join(rows.ALERTS.names)}\r\n"),
)
def alerts(
    services: ServicesDep, form: Form, between: BetweenDep, site: SiteName = None
) -> StreamingResponse:
    """Every alert raised in the range, open or over, the newest first."""
    require_site(services, site)
    wanted = Wanted(site=site, since=between.start, until=between.end)
    return _sent(services, form, rows.ALERTS, rows.alerts(services.alerts.find, wanted))


def _sites(services: Services, site: str | None) -> Sequence[str]:
    require_site(services, site)
    return [site] if site else [one.id for one in services.registry.sites()]


def _sent(services: Services, form: Form, table: Table, found: Iterable[Sequence[Row]]) -> StreamingResponse:
    """The file in pieces. The first is made here: what fails at once is still a problem with its own status."""
    cut = portions(_while_running(services, found), _ROWS)
    if form == "csv":
        media_type, pieces = f"{csvfile.MEDIA_TYPE}; charset=utf-8", csvfile.csv_file(table, cut)
    else:
        media_type, pieces = parquet.MEDIA_TYPE, parquet.parquet_file(table, cut)
    try:
        first = next(pieces)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"this service cannot write Parquet: no module {error.name!r}",
            hint="Ask for CSV, or install the `central` extra.",
        ) from None
    return StreamingResponse(
        chain([first], pieces),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="plumbline-{table.name}.{form}"'},
    )


def _while_running(services: Services, found: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    """Raises Unreachable once the service stops: a cut file shall not look whole."""
    for piece in found:
        if services.stopping.is_set():
            raise Unreachable("the service stops", hint="Ask again when it is back.")
        yield piece
