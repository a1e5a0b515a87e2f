"""How one site stands, from all that is known of it."""

from __future__ import annotations

from plumbline_central.api.services import Language, Services
from plumbline_central.registry import Site
from plumbline_central.web.summary import Facts, Summary, summarise
from plumbline_central.web.texts import texts


def standing(services: Services, site: Site, language: Language) -> Summary:
    """The verdict on `site` at the clock's now, in `language`."""
    return summarise(
        texts(language),
        Facts(
            site=site.id,
            curve=services.indicators.curve(site.id),
            open_alerts=services.alerts.open(site.id),
            gateways=services.gateways.status(site.id),
            band=services.band,
            now=services.clock.wall(),
        ),
    )
