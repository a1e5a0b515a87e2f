"""`make faults`: plays the whole matrix, prints a table, writes it into docs/reliability.md. `--help` says the rest."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench"), str(HERE.parent / "support")]

import machine  # noqa: E402
from harness.drivers import environment  # noqa: E402
from harness.result import CannotRun, seed  # noqa: E402
from matrix import FAULTS, Fault, fault  # noqa: E402

from plumbline.clock import SystemClock  # noqa: E402

_DOCS: Final = HERE.parents[1] / "docs" / "reliability.md"
_MARKED: Final = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
_SIDE_BY_SIDE: Final = 2
_LONGEST_S: Final = 2_400


def main() -> int:
    options = _options()
    if options.one:
        return _play(options.one, options.count, options.seed)
    wanted = [one for one in FAULTS if not options.only or one.name in options.only.split(",")]
    if options.short:
        wanted = [one for one in wanted if one.short is not None]
    print(f"seed {options.seed}, {machine.name()}", flush=True)
    began = time.monotonic()
    results = asyncio.run(_all(wanted, options))
    table = _table([results[one.name] for one in wanted if one.name in results], options.seed)
    print(f"\n{table}\n{time.monotonic() - began:.0f} s in all")
    if not (options.only or options.short):
        _DOCS.write_text(_MARKED.sub(lambda m: f"{m[1]}{table}\n{m[2]}", _DOCS.read_text("utf-8")), "utf-8")
    return int(any(not result["ok"] for result in results.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="F1,F2: these only; the docs are left alone")
    parser.add_argument("--short", action="store_true", help="the counts of `make test`")
    parser.add_argument("--seed", type=int, default=seed(), help="PLUMBLINE_FAULT_SEED, or a fixed one")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help="instead of the matrix's own count")
    return parser.parse_args()


def _play(name: str, count: int, seed: int) -> int:
    """In a process of its own: one scenario; its result as a JSON line."""
    logging.disable(logging.CRITICAL)
    signal.signal(
        signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT)
    )  # so that everything is cleared up
    with tempfile.TemporaryDirectory(prefix=f"plf-{name}-", ignore_cleanup_errors=True) as folder:
        try:
            result = fault(name).run(count, seed, Path(folder))
        except CannotRun as why:
            said: dict[str, object] = {"name": name, "skipped": str(why), "ok": True}
        except Exception as error:  # noqa: BLE001 - the other faults are played all the same
            said = {"name": name, "failed": f"{type(error).__name__}: {error}", "ok": False}
        else:
            said = asdict(result) | {"said": result.said}
    print(json.dumps(said), flush=True)
    return 0


async def _all(wanted: Sequence[Fault], options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The long soak beside everything, those that measure speed one by one, the others two at a time."""
    results: dict[str, dict[str, object]] = {}

    async def play(one: Fault) -> None:
        results[one.name] = await _played(one, options)

    async with asyncio.TaskGroup() as tasks:
        for one in wanted:
            if one.beside:
                tasks.create_task(play(one))
        for one in wanted:
            if one.alone:
                await play(one)
        turn = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def in_turn(one: Fault) -> None:
            async with turn:
                await play(one)

        for one in wanted:
            if not (one.alone or one.beside):
                tasks.create_task(in_turn(one))
    return results


async def _played(one: Fault, options: argparse.Namespace) -> dict[str, object]:
    count = options.count or (one.short if options.short else one.often)
    began = time.monotonic()
    print(f"{one.name} begins, {count}", flush=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "run.py"), "--one", one.name, "--count", str(count), "--seed", str(options.seed),
        stdout=asyncio.subprocess.PIPE, env=environment(), start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _LONGEST_S)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.shield(process.wait())
    lines = said.decode().splitlines()
    result = (
        json.loads(lines[-1]) if lines else {"name": one.name, "failed": "it ended by itself", "ok": False}
    )
    result["seconds"] = round(time.monotonic() - began)
    print(f"{one.name} {_verdict(result)} after {result['seconds']} s: {_figures(result)}", flush=True)
    return result


def _table(results: Sequence[dict[str, object]], seed: int) -> str:
    now = SystemClock().wall()
    lines = [
        f"{now:%Y-%m-%d}, seed {seed}, {machine.name()}.",
        "",
        "| fault | promise | measured | verdict | s |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        columns = (
            result["name"],
            result.get("promise", ""),
            _figures(result),
            _verdict(result),
            result["seconds"],
        )
        lines.append("| " + " | ".join(str(column) for column in columns) + " |")
    return "\n".join(lines)


def _figures(result: dict[str, object]) -> object:
    return result.get("said") or result.get("skipped") or result.get("failed")


def _verdict(result: dict[str, object]) -> str:
    if "skipped" in result:
        return "skipped"
    return "kept" if result["ok"] else "**NOT KEPT**"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("ended by hand; everything that was started and mounted is gone again")
