"""Puts API and page together."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from plumbline import __version__
from plumbline.errors import PlumblineError
from plumbline_central.api import (
    alert_stream,
    models,
    routes_alerts,
    routes_deliveries,
    routes_export,
    routes_indicators,
    routes_plans,
    routes_silences,
    routes_sites,
    routes_system,
    sse,
)
from plumbline_central.api.document import describe
from plumbline_central.api.errors import PROBLEM, problem, status_of
from plumbline_central.api.security import OWN_NAMES, Guard
from plumbline_central.api.services import Services
from plumbline_central.web import pages

API: Final = "/api/v1"

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    code: {"model": models.Problem, "description": said}
    for code, said in (
        (400, "The body is no text that could be read"),
        (403, "From another website"),
        (404, "There is nothing of that name"),
        (409, "The present state does not allow it"),
        (411, "The request does not say how long it is"),
        (413, "The request is too long"),
        (422, "The request does not say what it must"),
        (503, "A store is away; the same call may work in a minute"),
    )
}


def create_api(services: Services) -> FastAPI:
    """The web application over `services`. It opens nothing and starts nothing."""
    api = FastAPI(
        title="Plumbline",
        description="Progress of public works against plan: sites, readings, photos, alerts, and what happens live.",
        version=__version__,
        docs_url=None,  # its pages load from a CDN
        redoc_url=None,
    )
    api.state.services = services
    api.openapi = lambda: describe(api)  # type: ignore[method-assign]
    routes = APIRouter(prefix=API, responses=_PROBLEMS)
    # routes_silences and alert_stream before routes_alerts: /alerts/stream is no alert's number
    for part in (
        routes_sites,
        routes_silences,
        alert_stream,
        routes_alerts,
        routes_deliveries,
        routes_indicators,
        routes_plans,
        routes_export,
        routes_system,
        sse,
    ):
        routes.include_router(part.router)
    api.include_router(routes)
    api.include_router(pages.router)
    static = Path(str(files("plumbline_central.web").joinpath("static")))
    api.mount("/static", StaticFiles(directory=static), name="static")
    api.add_exception_handler(PlumblineError, _plumbline_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_middleware(TrustedHostMiddleware, allowed_hosts=[*OWN_NAMES, *services.names], www_redirect=False)
    api.add_middleware(Guard)
    return api


def _answer(
    request: Request, status: int, detail: str, hint: str, error: PlumblineError | None = None
) -> Response:
    headers = {"Retry-After": "5"} if status == 503 else {}
    if request.url.path.startswith("/api/"):
        return JSONResponse(problem(status, detail, hint, error), status, headers, media_type=PROBLEM)
    return pages.error_page(request, status, detail, hint, headers)


async def _plumbline_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlumblineError)
    return _answer(request, status_of(error), str(error), error.hint, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return _answer(request, 422, "; ".join(faults), "See /openapi.json for what is expected.")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, str(error.detail), "")
