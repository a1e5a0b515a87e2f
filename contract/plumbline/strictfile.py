"""Reads a settings file that a person wrote: strictly, and with every mistake reported at once.

The settings are frozen dataclasses whose constraints stand in annotations (annotated-types). This file is the only
one of gateway and centre that reads them with pydantic.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le
from pydantic import TypeAdapter, ValidationError

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.topics import NAME, is_name

T = TypeVar("T")
_MOST_BYTES: Final = 4_000_000
Raw: TypeAlias = Mapping[str, Any]
Found: TypeAlias = tuple[str, object, str] | Fault
"""One mistake: (key, value, expectation), or a Fault of its own where it stands in another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictFile(Generic[T]):
    """How one kind of file is read.

    `sense` finds what single keys cannot show (names, shapes that must agree); it is given the file's folder and
    its tables as they came, of any shape. `names_a_file(key, value)` tells which strings are file names: they are
    taken from the file's own folder.
    """

    settings: type[T]
    if_missing: str
    """What to do where there is no such file, in one sentence; `{path}` stands for it."""
    sense: Callable[[Path, Raw], Iterable[Found]]
    names_a_file: Callable[[str, str], bool]

    def load(self, path: Path, *, completed: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> T:
        """The settings in the file at `path`; `completed` may first add to its tables what a purpose needs no file for.

        Raises FaultyFile with every mistake: file, key, value, expectation. Raises ConfigError where there is no
        file, or where it is not TOML.
        """
        adapter = TypeAdapter(self.settings)
        try:
            raw = self._read(path)
            if completed is not None:
                raw = completed(raw)
            found = [*_shape(adapter, self.settings, raw), *self.sense(path.parent, raw)]
        except RecursionError:
            raise ConfigError(
                f"{path}: nested too deep", hint="Take out what stands in so many brackets."
            ) from None
        if found:
            raise FaultyFile(_each_once(str(path), found))
        return adapter.validate_python(self._resolved("", raw, path.parent.absolute()))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ConfigError(
                    f"{path}: more than {_MOST_BYTES / 1e6:g} MB", hint="Is this a settings file?"
                )
            return tomllib.loads(content.decode("utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", hint=self.if_missing.format(path=path)) from None
        except ValueError as error:  # no TOML, no UTF-8, or a number of more digits than Python reads
            raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None

    def _resolved(self, key: str, value: Any, folder: Path) -> Any:
        if isinstance(value, str):
            return str(folder / value) if self.names_a_file(key, value) else value
        if isinstance(value, dict):
            return {inner: self._resolved(inner, below, folder) for inner, below in value.items()}
        if isinstance(value, list):
            return [self._resolved(key, below, folder) for below in value]
        return value


def tables(value: object) -> list[tuple[str, dict[str, Any]]]:
    """The tables of an array, each with what to call it: its name, else its place."""
    if not isinstance(value, list):
        return []
    return [(_spoken_name(table, i), table) for i, table in enumerate(value) if isinstance(table, dict)]


def name_faults(kind: str, named: Iterable[tuple[str, Raw]]) -> Iterator[Found]:
    """Names that are none of ours, or used twice."""
    seen: set[str] = set()
    for where, table in named:
        name = table.get("name")
        if not isinstance(name, str):
            continue
        if not is_name(name):
            yield f"{kind}.{where}.name", name, f"a name like {NAME}"
        if name in seen:
            yield f"{kind}.{where}.name", name, "a name used only once"
        seen.add(name)


def missing_files(folder: Path, raw: Raw) -> Iterator[Found]:
    """Every `*_file` that is not there."""
    for key, name in _file_keys(raw):
        if not (folder / name).is_file():
            yield key, name, "a file that exists"


def folder_faults(folder: Path, raw: Raw, key: str) -> Iterator[Found]:
    """A folder to be made, whose parent is not there."""
    if isinstance(name := raw.get(key), str):
        parent = (folder / name).absolute().parent
        if not parent.is_dir():
            yield key, name, f"a folder whose parent exists; create {parent} first"


def broker_faults(raw: Raw) -> Iterator[Found]:
    """A broker on another machine without a CA file: nothing travels in the clear."""
    broker = raw.get("broker")
    host = broker.get("host") if isinstance(broker, dict) else None
    if isinstance(host, str) and not is_loopback(host) and not raw["broker"].get("ca_file"):
        yield "broker.ca_file", None, f"a CA file, since {host} is not this machine"


def prefixed(where: str, found: Iterable[Found]) -> Iterator[Found]:
    """The same mistakes, one table further in; what stands in another file keeps its place there."""
    for one in found:
        yield one if isinstance(one, Fault) else (f"{where}.{one[0]}", one[1], one[2])


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or all that is known where nothing is like it."""
    words = list(known)
    likely = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {likely[0]!r}?" if likely else f"one of {', '.join(words)}"


def is_loopback(host: str) -> bool:
    """Whether traffic to `host` stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _each_once(file: str, found: Iterable[Found]) -> list[Fault]:
    """A file that is named by several tables is found wrong several times, and told of once."""
    faults: list[Fault] = []
    for one in found:
        fault = one if isinstance(one, Fault) else Fault(file=file, key=one[0], value=one[1], expected=one[2])
        if fault not in faults:
            faults.append(fault)
    return faults


def _shape(adapter: TypeAdapter[T], settings: type[T], raw: Raw) -> Iterator[Found]:
    """What pydantic finds wrong with keys, types and bounds."""
    try:
        adapter.validate_python(raw)
    except ValidationError as bad:
        for problem in bad.errors(include_url=False):
            where = [part for part in problem["loc"] if part not in ("tuple", "str")]
            value = None if problem["type"] == "missing" else problem["input"]
            yield _spoken(raw, where), value, _expected(settings, problem, where)


def _expected(settings: type, problem: Raw, where: list[int | str]) -> str:
    match problem["type"]:
        case "missing":
            return "a value here"
        case "unexpected_keyword_argument" | "extra_forbidden":
            known = [field.name for field in fields(_holder(settings, where[:-1]))]
            return f"no such key; {near(str(where[-1]), known)}"
    message = str(problem["msg"]).removeprefix("Input should be ").removeprefix("a valid ")
    return _bounds(settings, where) or message


def _holder(settings: Any, where: Iterable[int | str]) -> Any:
    """The class that holds the key at `where`."""
    here = settings
    for part in where:
        if isinstance(part, str):
            hint = get_type_hints(here)[part]
            here = next((arg for arg in (hint, *get_args(hint)) if is_dataclass(arg)), hint)
    return here


def _bounds(settings: type, where: list[int | str]) -> str | None:
    """`1-247`, where both ends of a number are limited."""
    names = [part for part in where if isinstance(part, str)]
    holder = _holder(settings, names[:-1])
    if not is_dataclass(holder) or not names:
        return None
    hint = get_type_hints(holder, include_extras=True).get(names[-1])
    if type(None) in get_args(hint):
        hint = get_args(hint)[0]
    while get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    marks = getattr(hint, "__metadata__", ())
    low = next((mark.ge for mark in marks if isinstance(mark, Ge)), None)
    above = next((mark.gt for mark in marks if isinstance(mark, Gt)), None)
    high = next((mark.le for mark in marks if isinstance(mark, Le)), None)
    if high is None or (low is None and above is None):
        return None
    return f"{low}-{high}" if low is not None else f"more than {above}, at most {high}"


def _spoken(raw: Raw, where: Iterable[int | str]) -> str:
    """`meters.crane.unit` instead of `meters.2.unit`, where that table has a name."""
    here: Any = raw
    parts: list[str] = []
    for part in where:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        parts.append(_spoken_name(here, part) if isinstance(part, int) else part)
    return ".".join(parts) or "file"


def _spoken_name(table: object, place: int) -> str:
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) else str(place)


def _file_keys(raw: Raw) -> Iterator[tuple[str, str]]:
    for key, value in raw.items():
        if key.endswith("_file") and isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", name) for inner, name in _file_keys(value))
        else:
            for where, table in tables(value):
                yield from ((f"{key}.{where}.{inner}", name) for inner, name in _file_keys(table))
