"""The `plumbline` command: finds the part that is asked for, loads only that, and turns errors into sentences."""

from __future__ import annotations

import importlib
import logging
import sys
from dataclasses import dataclass
from typing import Final

import typer
from rich.console import Console

from plumbline import __version__
from plumbline.errors import ConfigError, MissingExtra, PlumblineError
from plumbline.terminal import printable

_USAGE_ERROR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One word after `plumbline`: the modules whose `app` holds its commands, and the extra that brings them."""

    about: str
    modules: tuple[str, ...]
    extra: str


_PARTS: Final = {
    "demo": _Part(
        about="The whole product on this machine, on a simulated site.",
        modules=("plumbline_sim.demo.cli",),
        extra="all",
    ),
    "edge": _Part(
        about="The gateway: scan, read, doctor, camera, check, run, status, tail, export.",
        modules=(
            "plumbline_edge.cli",
            "plumbline_edge.commission.cli",
            "plumbline_edge.camera.cli",
            "plumbline_edge.outbox.cli",
        ),
        extra="edge",
    ),
    "central": _Part(
        about="The central service: run, init, site, enroll, plan, indicator, status, gaps, verify, rebuild, archive, head, stamp,"
        " export.",
        modules=(
            "plumbline_central.cli",
            "plumbline_central.ledger.cli",
            "plumbline_central.proof.cli",
            "plumbline_central.indicators.plan_cli",
            "plumbline_central.indicators.cli",
        ),
        extra="central",
    ),
    "sim": _Part(
        about="Simulated meters and cameras, recorded buses.", modules=("plumbline_sim.cli",), extra="sim"
    ),
    "model": _Part(
        about="The model that judges photos: run, card, check, calibrate, train, evaluate.",
        modules=("plumbline_edge.vision.cli", "plumbline_edge.vision.calibrate", "plumbline_train.cli"),
        extra="edge,sim",
    ),
}


def main() -> None:
    """Exit with 0, with 1 where something is away or was refused, with 2 where a file or option must be edited."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """What `main` exits with."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log every snapshot
    word, *rest = arguments or ["--help"]
    if word == "--version":
        print(__version__)
        return 0
    if word not in _PARTS:
        return _say_usage(word)
    try:
        _load(word)(args=rest, prog_name=f"plumbline {word}")
    except PlumblineError as error:
        return _say_error(error)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _load(word: str) -> typer.Typer:
    part = _PARTS[word]
    whole = typer.Typer(
        help=part.about, no_args_is_help=word != "demo", add_completion=False, pretty_exceptions_enable=False
    )
    for name in part.modules:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as missing:
            raise MissingExtra(word, part.extra, str(missing.name)) from None
        whole.registered_commands += module.app.registered_commands
        whole.registered_groups += module.app.registered_groups
        if module.app.registered_callback is not None:
            whole.registered_callback = module.app.registered_callback
    return whole


def _say_usage(word: str) -> int:
    wide = max(map(len, _PARTS))
    lines = [f"  plumbline {name:<{wide}}  {part.about}" for name, part in _PARTS.items()]
    text = "\n".join(
        [
            "Plumbline measures the progress of building sites and says where they leave their plan.",
            "",
            *lines,
            "",
            "Each has --help. Start with: plumbline demo",
        ]
    )
    asked = word in ("--help", "-h", "help")
    print(
        text if asked else f"plumbline: no command {word!r}\n\n{text}",
        file=sys.stdout if asked else sys.stderr,
    )
    return 0 if asked else _USAGE_ERROR


def _say_error(error: PlumblineError) -> int:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console.print(printable(str(error)))
    if error.hint:
        console.print(printable(f"→ {error.hint}"))
    return _USAGE_ERROR if isinstance(error, ConfigError) else 1
