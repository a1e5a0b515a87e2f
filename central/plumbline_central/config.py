"""Reads CENTRAL.toml strictly and reports every mistake at once; the one file of central's start that uses pydantic."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.topics import NAME, is_name
from plumbline_central.settings import CentralSettings

_CENTRAL: Final = TypeAdapter(CentralSettings)
_Found = tuple[str, object, str]
"""(key, value, expectation)"""


def load_central(path: Path) -> CentralSettings:
    """The settings in the file at `path`; relative file names in it are taken from its own folder.

    Raises FaultyFile with every mistake: file, key, value, expectation. Raises ConfigError where there is no file.
    """
    raw = _read(path)
    found = [*_shape_faults(raw), *_sense_faults(path.parent, raw)]
    if found:
        raise FaultyFile(
            [Fault(file=str(path), key=key, value=value, expected=expected) for key, value, expected in found]
        )
    return _CENTRAL.validate_python(_with_absolute_files(raw, path.parent.absolute()))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint=f"`plumbline central init {path}` writes one to start from."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None


def _shape_faults(raw: Mapping[str, Any]) -> Iterator[_Found]:
    """What pydantic finds wrong with keys, types and bounds."""
    try:
        _CENTRAL.validate_python(raw)
    except ValidationError as bad:
        for problem in bad.errors(include_url=False):
            where = [str(part) for part in problem["loc"]]
            match problem["type"]:
                case "missing":
                    yield ".".join(where), None, "a value here"
                case "unexpected_keyword_argument":
                    yield ".".join(where), problem["input"], _known_keys(where)
                case _:
                    message = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
                    yield ".".join(where), problem["input"], message


def _known_keys(where: list[str]) -> str:
    here: Any = CentralSettings
    for part in where[:-1]:
        if not part.isdigit():
            hint = get_type_hints(here)[part]
            here = next(arg for arg in (hint, *get_args(hint)) if is_dataclass(arg))
    known = [field.name for field in fields(here)]
    near = difflib.get_close_matches(where[-1], known, n=1)
    return f"no such key; did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"


def _sense_faults(folder: Path, raw: Mapping[str, Any]) -> Iterator[_Found]:
    """What single keys cannot show: files, certificates, names. Tolerates any shape."""
    if isinstance(name := raw.get("data_dir"), str):
        parent = (folder / name).absolute().parent
        if not parent.is_dir():
            yield "data_dir", name, f"a folder whose parent exists; create {parent} first"
    broker, http = (table if isinstance(table := raw.get(key), dict) else {} for key in ("broker", "http"))
    if isinstance(host := broker.get("host"), str) and not is_loopback(host) and not broker.get("ca_file"):
        yield "broker.ca_file", None, f"a CA file, since {host} is not this machine"
    yield from _pair("broker", broker, "cert_file", "key_file")
    if isinstance(host := http.get("host"), str) and not is_loopback(host) and not http.get("tls_cert_file"):
        yield "http.tls_cert_file", None, f"a certificate, since {host} can be reached from other machines"
    yield from _pair("http", http, "tls_cert_file", "tls_key_file")
    yield from _band_faults(raw.get("alerts"))
    yield from _webhook_faults(raw.get("webhooks"))
    for key, file in _files(raw):
        if not (folder / file).is_file():
            yield key, file, "a file that exists"


def _band_faults(alerts: object) -> Iterator[_Found]:
    if not isinstance(alerts, dict):
        return
    rises, clears = (
        alerts.get(key, default) for key, default in (("raise_over_pp", 5.0), ("clear_below_pp", 4.0))
    )
    if isinstance(rises, (int, float)) and isinstance(clears, (int, float)) and clears > rises:
        yield "alerts.clear_below_pp", clears, f"at most raise_over_pp, which is {rises:g}"


def _pair(table: str, raw: Mapping[str, Any], certificate: str, key: str) -> Iterator[_Found]:
    for there, lacking in ((certificate, key), (key, certificate)):
        if raw.get(there) and not raw.get(lacking):
            yield f"{table}.{lacking}", None, f"a file, since {there} is given"


def _webhook_faults(value: object) -> Iterator[_Found]:
    seen: set[str] = set()
    for i, hook in enumerate(value if isinstance(value, list) else []):
        if not isinstance(hook, dict):
            continue
        if isinstance(name := hook.get("name"), str):
            if not is_name(name):
                yield f"webhooks.{i}.name", name, f"a name like {NAME}"
            if name in seen:
                yield f"webhooks.{i}.name", name, "a name used only once"
            seen.add(name)
        if isinstance(url := hook.get("url"), str) and not _is_safe_url(url):
            yield f"webhooks.{i}.url", url, "an https:// address without a password in it"


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


def _files(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key that names a file which must be there already."""
    for key, value in raw.items():
        if key.endswith("_file") and isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield from _below(key, _files(value))
        elif isinstance(value, list):
            for i, table in enumerate(value):
                if isinstance(table, dict):
                    yield from _below(f"{key}.{i}", _files(table))


def _below(where: str, found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((f"{where}.{key}", name) for key, name in found)


def _with_absolute_files(raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    def resolved(key: str, value: object) -> object:
        if isinstance(value, str) and (key.endswith("_file") or key == "data_dir"):
            return str(folder / value)
        if isinstance(value, dict):
            return {inner: resolved(inner, v) for inner, v in value.items()}
        if isinstance(value, list):
            return [resolved(key, v) for v in value]
        return value

    return {key: resolved(key, value) for key, value in raw.items()}


def is_loopback(host: str) -> bool:
    """Whether traffic to `host` stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
