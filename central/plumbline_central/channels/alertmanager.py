"""Alerts to a Prometheus Alertmanager (API v2), which groups, silences and passes them on as its owner likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from plumbline.clock import Clock, SystemClock
from plumbline_central.alerts.alert import Alert, Notice
from plumbline_central.channels.http import Poster
from plumbline_central.channels.wording import Language, Wording
from plumbline_central.deviation import Severity

_TIMEOUT_S: Final = 10.0
_LONGEST_ANSWER: Final = 300
_STANDS_FOR: Final = 4
"""How many reminders may be lost before Alertmanager takes an alert for over; Prometheus itself uses 4."""


class AlertmanagerChannel:
    """Posts each notice as the alert it is about. Open ones must be repeated every `repeat_s`, or they end there."""

    def __init__(
        self,
        url: str,
        wordings: Mapping[Language, Wording],
        *,
        name: str = "default",
        repeat_s: float = 60.0,
        auth: tuple[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = f"alertmanager:{name}"
        self.repeat_s: Final = repeat_s
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._wordings = wordings
        self._auth = auth
        self._clock = clock or SystemClock()
        self._poster = Poster(self.name, timeout_s=timeout_s, longest_answer=_LONGEST_ANSWER)

    async def send(self, notice: Notice) -> None:
        stands_for = timedelta(seconds=_STANDS_FOR * self.repeat_s)
        now = self._clock.wall()
        told = [posted(notice.alert, self._wordings, now, stands_for)]
        if notice.what in (
            "severity",
            "escalated",
        ):  # severity is a label, so the milder one is another alert there
            before: Severity = "amber" if notice.alert.severity == "red" else "red"
            milder = replace(notice.alert, severity=before, cleared_at=now)
            told.append(posted(milder, self._wordings, now, stands_for))
        body = msgspec.json.encode(told)
        headers = {"content-type": "application/json"}
        self._poster.judge(await self._poster.post(self._url, body, headers, auth=self._auth))


def posted(
    alert: Alert, wordings: Mapping[Language, Wording], now: datetime, stands_for: timedelta
) -> dict[str, Any]:
    """The alert in Alertmanager's words: what names it in labels, what is told of it in annotations.

    One that is over, shelved or suppressed ends there; any other ends by itself unless it is repeated.
    """
    muted = alert.shelved_until or alert.suppressed_by or alert.out_of_service
    stands = alert.open and alert.cleared_at is None and not muted
    ends = now + stands_for if stands else (alert.cleared_at or alert.closed_at or now)
    labels = {
        "alertname": f"plumbline_{alert.rule}", "site": alert.site, "subject": alert.subject,
        "severity": {"red": "critical", "amber": "warning"}[alert.severity], "gateway": alert.gateway,
    }  # fmt: skip
    annotations: dict[str, str] = {"plumbline_id": str(alert.id), "state": alert.state}
    link = ""
    for language, wording in wordings.items():
        message = wording.of(alert)
        annotations[f"summary_{language}"] = message.title
        annotations[f"description_{language}"] = message.text
        link = message.link
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": annotations,
        "startsAt": alert.raised_at,
        "endsAt": max(ends, alert.raised_at),
        **({"generatorURL": link} if link else {}),
    }
