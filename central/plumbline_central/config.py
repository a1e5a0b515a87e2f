"""What CENTRAL.toml must make sense of, beyond the types in `settings`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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
from plumbline_central.config_receivers import is_safe_url, receiver_faults
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
    if isinstance(rules := raw.get("rules"), dict):
        yield from prefixed("rules", _hours_faults(rules))
    yield from prefixed("ledger", folder_faults(folder, ledger, "archive_dir"))
    if isinstance(store := raw.get("store"), dict):
        yield from prefixed("store", _store_faults(store))
    yield from receiver_faults(raw)
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


def _hours_faults(rules: Raw) -> Iterator[Found]:
    sites = tables(rules.get("site_hours"))
    yield from name_faults("site_hours", sites)
    named = [(f"site_hours.{where}", hours) for where, hours in sites]
    if isinstance(working := rules.get("working_hours"), dict):
        named.append(("working_hours", working))
    for key, hours in named:
        begins, ends = hours.get("from_h", 6), hours.get("until_h", 22)
        if isinstance(begins, int) and isinstance(ends, int) and ends <= begins:
            yield f"{key}.until_h", ends, f"an hour after from_h, which is {begins}"


def _store_faults(store: Raw) -> Iterator[Found]:
    if isinstance(url := store.get("url"), str) and not is_safe_url(url):
        yield "url", url, "an https:// address without a password in it; http:// only to this machine"
    kind, auth = store.get("kind", "sqlite"), store.get("auth")
    if kind == "influx2":
        yield from (
            (key, None, "its name; influx2 needs it") for key in ("org", "token_file") if not store.get(key)
        )
    if auth == "basic" and not store.get("user"):
        yield "user", None, "a name; InfluxDB 2 and 3 take any"
    if auth in {"token", "bearer"} and not store.get("token_file"):
        yield "token_file", None, "a file, since auth is by token"
    if (auth == "basic" or (store.get("user") and auth is None)) and not store.get("password_file"):
        yield "password_file", None, "a file, since a user is given"
    steps = [table for table in store.get("downsample") or () if isinstance(table, dict)]
    whole = [(t["after_days"], t["step_s"]) for t in steps if {"after_days", "step_s"} <= t.keys()]
    for (days, step_s), (later, coarser) in itertools.pairwise(whole):
        if not (later > days and coarser > step_s and coarser % step_s == 0):
            yield (
                "downsample",
                f"{later} days, {coarser} s",
                f"later than {days} days and a multiple of {step_s} s",
            )
    if any(86_400 % step_s for _, step_s in whole if isinstance(step_s, int) and step_s > 0):
        yield "downsample", None, "steps of which a day has a whole number"
    keep = store.get("retention_days", 0)
    if whole and isinstance(keep, int) and keep and keep <= whole[-1][0]:
        yield "retention_days", keep, f"more than the {whole[-1][0]} days after which readings become means"


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
