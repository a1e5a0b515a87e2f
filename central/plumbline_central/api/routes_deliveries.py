"""What channels were told, and above all what they were not: notices that wait, and those that were parked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from plumbline_central.alerts.alert import What
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.models_indicators import AT, like
from plumbline_central.api.paging import LISTED, PageDep

router = APIRouter(tags=["alerts"])


class DeliveryOut(BaseModel):
    """One step of one alert on its way to one channel. `parked`: refused or given up, and never offered again."""

    model_config = like(
        {
            "id": 31, "channel": "webhook:ops", "state": "parked", "attempts": 7, "why": "webhook:ops: answered 410 gone",
            "notice": "31", "what": "raised", "at": AT, "alert": 7, "site": "a12", "key": "deviation-east",
        }
    )  # fmt: skip

    id: int
    channel: str
    state: Literal["waiting", "delivered", "parked"]
    attempts: int
    why: Annotated[str, Field(description="The receiver's last words, where it did not take it.")]
    notice: Annotated[str, Field(description="The same however often it is sent.")]
    what: What
    at: datetime
    alert: int
    site: str
    key: str


@router.get("/deliveries", summary="List what channels were told, and what not", responses=LISTED)
def deliveries(
    services: ServicesDep,
    page: PageDep,
    state: Literal["waiting", "delivered", "parked"] = "parked",
) -> list[DeliveryOut]:
    """The newest in this state first, over all channels. Of those delivered, the last thousand of each are kept."""
    (before,) = page.after_numbers(1) or (None,)
    found = services.deliveries(state, page.enough, before)
    return [
        DeliveryOut(
            id=one.id,
            channel=one.channel,
            state=one.state,
            attempts=one.attempts,
            why=one.why,
            notice=one.notice.id,
            what=one.notice.what,
            at=one.notice.at,
            alert=one.notice.alert.id,
            site=one.notice.alert.site,
            key=one.notice.alert.key,
        )
        for one in page.cut(found, lambda one: (one.id,), falling=True)
    ]
