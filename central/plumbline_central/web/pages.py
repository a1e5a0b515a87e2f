"""The pages for people: what is wrong, what to do, and what it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from plumbline.metrics import Flaw
from plumbline_central.api.depends import ServicesDep, SiteDep
from plumbline_central.api.errors import Missing
from plumbline_central.api.services import Services
from plumbline_central.api.sse import clock_rate
from plumbline_central.registry import Site
from plumbline_central.web import numerals, times
from plumbline_central.web.site_view import SiteView
from plumbline_central.web.summary import WORST_FIRST
from plumbline_central.web.texts import LANGUAGES, Texts, pick_language, texts

router = APIRouter(include_in_schema=False)

PARTS: Final = ("hero", "curve", "photo", "meters", "alerts", "gateways")
"""The pieces of a site's page that are drawn anew on their own."""
_LANGUAGE_COOKIE: Final = "plumbline_language"
_NAME_COOKIE: Final = "plumbline_name"
_YEAR_S: Final = 366 * 86_400
_STALE_REAL_S: Final = 10.0
"""In a simulation that runs fast, real delays grow to simulated hours; so much real time is always forgiven."""

Name = Annotated[str, Form(min_length=1, max_length=80)]
Words = Annotated[str, Form(max_length=2000)]


@router.get("/")
def sites(request: Request, services: ServicesDep) -> Response:
    """All sites, worst first; where there is one, that one."""
    known = services.registry.sites()
    if len(known) == 1:
        return RedirectResponse(_site_address(known[0], request), 303)
    look = _Look(request, services)
    return look.page("sites.html", views=_worst_first(look, known))


@router.get("/sites-parts")
def sites_parts(request: Request, services: ServicesDep) -> Response:
    """The list of sites alone, for the script."""
    look = _Look(request, services)
    views = _worst_first(look, services.registry.sites())
    return JSONResponse({"sites": look.draw("parts/sites.html", views=views)})


@router.get("/sites/{site}")
def site_page(request: Request, services: ServicesDep, site: SiteDep) -> Response:
    look = _Look(request, services)
    return look.page("site.html", view=SiteView(services, site, look.texts))


@router.get("/sites/{site}/parts")
def site_parts(
    request: Request, services: ServicesDep, site: SiteDep, only: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Some of PARTS as HTML, named in `only` with commas between; all without it. For the script."""
    look = _Look(request, services)
    view = SiteView(services, site, look.texts)
    wanted = [part for part in PARTS if not only or part in only.split(",")]
    return JSONResponse({part: look.draw(f"parts/{part}.html", view=view) for part in wanted})


@router.post("/sites/{site}/alerts/{alert}/acknowledge")
def acknowledge(
    request: Request,
    services: ServicesDep,
    site: SiteDep,
    alert: Annotated[int, Path(ge=1, lt=2**63)],
    by: Name,
    comment: Words = "",
) -> Response:
    _require_at(services, site, alert)
    services.alerts.acknowledge(alert, by, comment, services.clock.wall())
    return _back_to(request, site, by)


@router.post("/sites/{site}/alerts/{alert}/comment")
def comment(
    request: Request,
    services: ServicesDep,
    site: SiteDep,
    alert: Annotated[int, Path(ge=1, lt=2**63)],
    by: Name,
    comment: Words,
) -> Response:
    _require_at(services, site, alert)
    services.alerts.comment(alert, by, comment, services.clock.wall())
    return _back_to(request, site, by)


def error_page(request: Request, status: int, detail: str, hint: str, headers: Mapping[str, str]) -> Response:
    """An error in the reader's language; the machine's own words stand beside it."""
    look = _Look(request, request.app.state.services)
    known = status
    if f"error.title_{status}" not in look.texts.entries:
        known = (
            HTTPStatus.NOT_FOUND
            if status < HTTPStatus.INTERNAL_SERVER_ERROR
            else HTTPStatus.SERVICE_UNAVAILABLE
        )
    html = look.draw(
        "error.html",
        title=look.texts(f"error.title_{known:d}"),
        hint=look.texts(f"error.hint_{known:d}"),
        detail=f"{detail}. {hint}" if hint else detail,
        status=status,
    )
    return HTMLResponse(html, status, dict(headers))


class _Look:
    """Templates with the reader's language, the moment and the address at hand."""

    def __init__(self, request: Request, services: Services) -> None:
        self._request = request
        asked = request.query_params.get("lang")
        language = pick_language(
            asked,
            request.cookies.get(_LANGUAGE_COOKIE),
            request.headers.get("accept-language"),
            services.language,
        )
        self._remember = asked in LANGUAGES
        self.services = services
        self.texts = texts(language)
        self.now = services.clock.wall()

    def page(self, template: str, **given: Any) -> HTMLResponse:
        response = HTMLResponse(self.draw(template, **given))
        if self._remember:
            response.set_cookie(
                _LANGUAGE_COOKIE, self.texts.language, max_age=_YEAR_S, httponly=True, samesite="lax"
            )
        return response

    def draw(self, template: str, **given: Any) -> str:
        rate = clock_rate(self.services.clock)
        return (
            _environment()
            .get_template(template)
            .render(
                t=self.texts,
                now=self.now,
                rate=rate,
                stale_after_s=max(self.services.stale_after_s, _STALE_REAL_S * rate),
                path=self._request.url.path,
                name=unquote(self._request.cookies.get(_NAME_COOKIE, "")),
                **_in_words(self.texts, self.now),
                **given,
            )
        )


def _in_words(texts: Texts, now: datetime) -> dict[str, Any]:
    """What templates call to say a number or a time."""

    def reasons(gate: tuple[str, ...]) -> str:
        said = [
            texts("gate.HTTP", code=code.removeprefix("HTTP_"))
            if code.startswith("HTTP_")
            else texts.outside("gate", code)
            for code in gate
        ]
        return ("、" if texts.language == "zh" else ", ").join(said)

    return {
        "flaws": [(flaw.value, texts(f"flaw.{flaw.name}")) for flaw in Flaw],
        "moment": lambda at: times.moment(texts, at, now),
        "stamp": lambda at: times.stamp(texts, at, now),
        "day": lambda at: times.day(texts, at, now),
        "age": lambda at: times.age(texts, (now - at).total_seconds()),
        "seconds_since": lambda at: (now - at).total_seconds(),
        "span": lambda seconds: times.span(texts, seconds),
        "reasons": reasons,
    }


def _worst_first(look: _Look, known: Any) -> list[SiteView]:
    views = [SiteView(look.services, site, look.texts) for site in known]
    return sorted(
        views,
        key=lambda view: (
            WORST_FIRST.index(view.summary.level),
            view.summary.deviation_pp or 0.0,
            view.site.id,
        ),
    )


def _require_at(services: Services, site: Site, alert: int) -> None:
    if services.alerts.get(alert).site != site.id:
        raise Missing(f"site {site.id!r} has no alert {alert}", hint="See the site's page.")


def _site_address(site: Site, request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/sites/{quote(site.id)}{query}"


def _back_to(request: Request, site: Site, by: str) -> Response:
    """See other: going back or reloading does not send the form again. The name is kept for the next form."""
    response = RedirectResponse(f"/sites/{quote(site.id)}", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        _NAME_COOKIE, quote(by.strip()), max_age=_YEAR_S, httponly=True, samesite="strict", secure=secure
    )
    return response


@cache
def _environment() -> Environment:
    """Everything is escaped; an unknown name in a template is an error, not an empty place."""
    environment = Environment(
        loader=PackageLoader("plumbline_central.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numerals.percent,
        "signed": numerals.signed,
        "fixed": numerals.fixed,
        "coordinate": lambda value: Markup(f"{value:.2f}"),  # noqa: S704 - a number
    }
    environment.globals["static"] = _static_address
    return environment


@cache
def _static_address(name: str) -> str:
    """The address of a file in static/, with its content's hash, so that a new version is loaded at once."""
    content = files("plumbline_central.web").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
