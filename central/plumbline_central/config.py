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
    yield from _escalation_faults(alerts)
    yield from prefixed("ledger", folder_faults(folder, ledger, "archive_dir"))
    hooks = tables(raw.get("webhooks"))
    yield from name_faults("webhooks", hooks)
    for where, hook in hooks:
        yield from prefixed(f"webhooks.{where}", _webhook_faults(hook))
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


def _escalation_faults(alerts: Raw) -> Iterator[Found]:
    escalation = table if isinstance(table := alerts.get("escalation"), dict) else {}
    for severity in ("amber", "red"):
        last_s = 0.0
        for where, rung in tables(escalation.get(severity)):
            after_s = rung.get("after_s")
            if isinstance(after_s, (int, float)) and after_s <= last_s:
                yield (
                    f"alerts.escalation.{severity}.{where}.after_s",
                    after_s,
                    f"more than {last_s:g}, as before it",
                )
            last_s = after_s if isinstance(after_s, (int, float)) else last_s


def _webhook_faults(hook: Raw) -> Iterator[Found]:
    if isinstance(url := hook.get("url"), str) and not _is_safe_url(url):
        yield "url", url, "an https:// address without a password in it"


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
