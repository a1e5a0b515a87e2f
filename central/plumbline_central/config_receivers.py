"""What CENTRAL.toml must make sense of about those who are told of alerts."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from plumbline.strictfile import Found, Raw, is_loopback, name_faults, prefixed, tables
from plumbline_central.channels.routing import hours_of


def receiver_faults(raw: Raw) -> Iterator[Found]:
    """Everything wrong with webhooks, Alertmanagers, chats, mails and the routes to them."""
    for kind in ("webhooks", "alertmanagers", "chats", "mails"):
        yield from name_faults(kind, tables(raw.get(kind)))
    for kind, faults in (("webhooks", _url_faults), ("alertmanagers", _url_faults), ("mails", _mail_faults)):
        for where, receiver in tables(raw.get(kind)):
            yield from prefixed(f"{kind}.{where}", faults(receiver))
    yield from _route_faults(raw)


def is_safe_url(url: str) -> bool:
    """https, or http that stays on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _url_faults(receiver: Raw) -> Iterator[Found]:
    if isinstance(url := receiver.get("url"), str) and not is_safe_url(url):
        yield "url", url, "an https:// address without a password in it"
    if receiver.get("user") and not receiver.get("password_file"):
        yield "password_file", None, "a file, since user is given"


def _mail_faults(mail: Raw) -> Iterator[Found]:
    host = mail.get("host")
    if isinstance(host, str) and not is_loopback(host) and mail.get("security") == "none":
        yield "security", "none", f"tls or starttls, since {host} is another machine"
    if mail.get("user") and not mail.get("password_file"):
        yield "password_file", None, "a file, since user is given"


def _route_faults(raw: Raw) -> Iterator[Found]:
    known = {
        f"{kind}:{receiver.get('name')}"
        for kind, table in (("chat", "chats"), ("mail", "mails"))
        for _, receiver in tables(raw.get(table))
    }
    for where, route in tables(raw.get("routes")):
        named = route.get("channels")
        for name in named if isinstance(named, list) else ():
            if name not in known:
                yield (
                    f"routes.{where}.channels",
                    name,
                    f"one of {', '.join(sorted(known)) or 'no chats or mails'}",
                )
        hours = route.get("hours")
        if isinstance(hours, str) and hours and hours_of(hours) is None:
            yield f"routes.{where}.hours", hours, "two times of day such as 07:30-19:00"
