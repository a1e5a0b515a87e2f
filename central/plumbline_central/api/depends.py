"""What routes may ask for by type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from plumbline_central.api.errors import Missing
from plumbline_central.api.services import Services
from plumbline_central.registry import Site


def services_of(request: Request) -> Services:
    return cast("Services", request.app.state.services)


ServicesDep = Annotated[Services, Depends(services_of)]


def known_site(services: ServicesDep, site: Annotated[str, Path(max_length=64)]) -> Site:
    """The site named in the path. Raises Missing."""
    found = services.registry.site(site)
    if found is None:
        raise Missing(f"there is no site {site!r}", hint="See the list of sites.")
    return found


def judged_soon(services: ServicesDep, request: Request) -> Iterator[None]:
    """After a change by this request has been kept, alerts are judged by it."""
    yield
    if request.method not in ("GET", "HEAD"):
        services.judge_soon()


SiteDep = Annotated[Site, Depends(known_site)]
