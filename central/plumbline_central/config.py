"""What CENTRAL.toml must make sense of, beyond the types in `settings`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from plumbline.strictfile import (
    Found,
    Raw,
    StrictFile,
    broker_faults,
    folder_faults,
    is_loopback,
    missing_files,
    name_faults,
    prefixed,
    tables,
)
from plumbline_central.channels.routing import hours_of
from plumbline_central.settings import CentralSettings


def load_central(path: Path) -> CentralSettings:
    """The settings in the file. Raises FaultyFile with every mistake, ConfigError where there is no file."""
    return _CENTRAL_FILE.load(path)


def _sense(folder: Path, raw: Raw) -> Iterator[Found]:
    broker, http, alerts, ledger = (
        table if isinstance(table := raw.get(key), dict) else {}
        for key in ("broker", "http", "alerts", "ledger")
    )
    yield from folder_faults(folder, raw, "data_dir")
    yield from broker_faults(raw)
    yield from _pair_faults("broker", broker, "cert_file", "key_file")
    if isinstance(host := http.get("host"), str) and not is_loopback(host) and not http.get("tls_cert_file"):
        yield "http.tls_cert_file", None, f"a certificate, since {host} can be reached from other machines"
    yield from _pair_faults("http", http, "tls_cert_file", "tls_key_file")
    yield from _band_faults(alerts)
    yield from prefixed("ledger", folder_faults(folder, ledger, "archive_dir"))
    for table in ("webhooks", "alertmanagers"):
        receivers = tables(raw.get(table))
        yield from name_faults(table, receivers)
        for where, receiver in receivers:
            yield from prefixed(f"{table}.{where}", _url_faults(receiver))
    for table in ("chats", "mails"):
        yield from name_faults(table, tables(raw.get(table)))
    for where, mail in tables(raw.get("mails")):
        yield from prefixed(f"mails.{where}", _mail_faults(mail))
    yield from _route_faults(raw)
    yield from missing_files(folder, raw)


_CENTRAL_FILE: Final = StrictFile(
    settings=CentralSettings,
    if_missing="`plumbline central init {path}` writes one to start from.",
    sense=_sense,
    names_a_file=lambda key, _: key.endswith("_file") or key in {"data_dir", "archive_dir"},
)


def _pair_faults(table: str, raw: Raw, certificate: str, key: str) -> Iterator[Found]:
    for there, lacking in ((certificate, key), (key, certificate)):
        if raw.get(there) and not raw.get(lacking):
            yield f"{table}.{lacking}", None, f"a file, since {there} is given"


def _band_faults(alerts: Raw) -> Iterator[Found]:
    rises, clears = alerts.get("raise_over_pp", 5.0), alerts.get("clear_below_pp", 4.0)
    if isinstance(rises, (int, float)) and isinstance(clears, (int, float)) and clears > rises:
        yield "alerts.clear_below_pp", clears, f"at most raise_over_pp, which is {rises:g}"


def _url_faults(hook: Raw) -> Iterator[Found]:
    if isinstance(url := hook.get("url"), str) and not _is_safe_url(url):
        yield "url", url, "an https:// address without a password in it"


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
                yield f"routes.{where}.channels", name, f"one of {', '.join(sorted(known)) or 'no chats or mails'}"
        hours = route.get("hours")
        if isinstance(hours, str) and hours and hours_of(hours) is None:
            yield f"routes.{where}.hours", hours, "two times of day such as 07:30-19:00"


def _is_safe_url(url: str) -> bool:
    """https, or http that stays on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
