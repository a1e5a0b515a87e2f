"""From settings to the channels that alerts leave by, and who of them hears of what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plumbline.clock import Clock
from plumbline.errors import ConfigError
from plumbline_central.channels.alertmanager import AlertmanagerChannel
from plumbline_central.channels.mail import MailChannel, MailServer
from plumbline_central.channels.mqtt import MqttChannel
from plumbline_central.channels.port import Channel, Publish
from plumbline_central.channels.robots import RobotChannel
from plumbline_central.channels.routing import Hours, Route, Router, hours_of
from plumbline_central.channels.webhook import WebhookChannel, load_secret
from plumbline_central.channels.wording import LANGUAGES, Language, Wording
from plumbline_central.plan import SHANGHAI
from plumbline_central.settings import CentralSettings, ChatSettings, MailSettings, RouteSettings

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Every channel there is, and the router that chooses among them."""

    channels: tuple[Channel, ...]
    router: Router
    repeating: Mapping[str, float]
    """Channels that must hear of open alerts again and again, and after how many seconds."""


def outlets(
    settings: CentralSettings, publish: Publish, clock: Clock, site_name: Callable[[str, Language], str]
) -> Outlets:
    """Programs hear of every step, people of what the routes say. Raises ConfigError for an unreadable file."""
    page = settings.http.public_url
    words: dict[Language, Wording] = {
        language: Wording(language, SHANGHAI, site_name=site_name, page=page) for language in LANGUAGES
    }
    hooks = [
        WebhookChannel(hook.name, hook.url, load_secret(Path(hook.secret_file)), clock=clock)
        for hook in settings.webhooks
    ]
    alertmanagers = [
        AlertmanagerChannel(
            one.url, words, name=one.name, repeat_s=one.repeat_s, clock=clock,
            auth=(one.user, _secret(one.password_file)) if one.user else None,
        )
        for one in settings.alertmanagers
    ]  # fmt: skip
    programs: list[Channel] = [MqttChannel(publish), *hooks, *alertmanagers]
    people: list[Channel] = [*_chats(settings.chats, words, clock), *_mails(settings.mails, words, clock)]
    everyone = tuple(channel.name for channel in people)
    routes = [_route(one) for one in settings.routes] or ([Route(channels=everyone)] if everyone else [])
    return Outlets(
        channels=(*programs, *people),
        router=Router(tz=SHANGHAI, always=tuple(channel.name for channel in programs), routes=routes),
        repeating={one.name: one.repeat_s for one in alertmanagers},
    )


def _chats(
    chats: tuple[ChatSettings, ...], words: Mapping[Language, Wording], clock: Clock
) -> Iterator[Channel]:
    for chat in chats:
        url, wording = _secret(chat.url_file), words[chat.language]
        if chat.kind == "apprise":
            from plumbline_central.channels.chat import AppriseChannel  # noqa: PLC0415 - only for who uses it

            yield AppriseChannel(chat.name, url, wording, per_minute=chat.per_minute, clock=clock)
        else:
            yield RobotChannel(
                chat.name, chat.kind, url, wording,
                secret=_secret(chat.secret_file), per_minute=chat.per_minute, clock=clock,
            )  # fmt: skip


def _mails(
    mails: tuple[MailSettings, ...], words: Mapping[Language, Wording], clock: Clock
) -> Iterator[Channel]:
    for mail in mails:
        server = MailServer(
            host=mail.host, port=mail.port, security=mail.security, user=mail.user,
            password=_secret(mail.password_file),
        )  # fmt: skip
        yield MailChannel(mail.name, server, mail.sender, mail.receivers, words[mail.language], clock=clock)


def _route(route: RouteSettings) -> Route:
    return Route(
        channels=route.channels, sites=route.sites, severities=route.severities, rules=route.rules,
        owners=route.owners, whats=route.steps, hours=_hours(route), only=route.only,
    )  # fmt: skip


def _hours(route: RouteSettings) -> Hours | None:
    if not (route.hours or route.weekdays):
        return None
    days = frozenset(_WEEKDAYS.index(day) for day in route.weekdays or _WEEKDAYS)
    return hours_of(route.hours, days) if route.hours else Hours.all_day(days)


def _secret(path: str | None) -> str:
    """What a file holds, without the line feed at its end; "" where no file is named."""
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: {error}", hint="Put the secret there, readable by this service."
        ) from None
