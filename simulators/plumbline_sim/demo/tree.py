"""The demo's child processes: started with logs of their own, ended in order, gone when the demo is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from plumbline.errors import Unreachable

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_DYING_WITH_US: Final = (
    sys.executable,
    "-ISc",
    f"import ctypes, os, sys; ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, 15); os.execvp(sys.argv[1], sys.argv[1:])",
)
"""Becomes the command after it. A preexec_fn would do the same, but must not be used where there are threads."""
_END_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process of ours."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, for the person who must find out why it ended."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    async def end(self) -> None:
        """Ask it to end, wait, and kill it only if it does not."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _END_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class ProcessTree:
    """Children end in the reverse order of their start when the block is left, however it is left."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            if child.running:
                await child.end()

    async def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
        """Start `command`; what it prints goes to its log."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *_DYING_WITH_US,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **environment},
                start_new_session=True,  # a Ctrl-C in the terminal is for the demo, which ends its children in order
            )
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises Unreachable, with its last words, where a child has ended by itself."""
        for child in self._children:
            code = child.process.returncode
            if code not in (None, 0, -signal.SIGTERM):
                raise Unreachable(
                    f"{child.name} ended with {code}:\n{child.last_words()}",
                    hint=f"Its whole log: {child.log}",
                )
