"""Renders scenes in a process of its own: drawing would keep this one's meters from answering, and OpenGL knows one thread."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from plumbline.errors import MissingExtra, Unreachable
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project

_MISSING, _UNREACHABLE = "missing", "unreachable"


def jpeg_of(project: Project, day: float, conditions: Conditions, size: tuple[int, int]) -> bytes:
    """The scene as a JPEG; waits for it, from any thread.

    Raises MissingExtra without moderngl, Unreachable where the machine has no OpenGL or the process ended.
    """
    return _STUDIO.ask(project, day, conditions, size)


@dataclass(slots=True)
class _Studio:
    """The process, from the first picture on; it ends with this one, also where this one is killed."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _process: SpawnProcess | None = None
    _line: Connection | None = None

    def ask(self, *wanted: Any) -> bytes:
        with self._lock:
            line = self._started()
            try:
                line.send(wanted)
                answer = line.recv()
            except (EOFError, OSError):
                self._process = None
                raise Unreachable(
                    "the process that draws has ended", hint="Is there memory left? Try again."
                ) from None
        match answer:
            case bytes():
                return answer
            case (kind, _, _) if kind == _MISSING:
                raise MissingExtra("drawing scenes", "sim", "moderngl")
            case (_, words, hint):
                raise Unreachable(words, hint=hint)
        raise AssertionError(answer)

    def _started(self) -> Connection:
        if self._process is None or self._line is None or not self._process.is_alive():
            spawning = multiprocessing.get_context("spawn")
            self._line, far = spawning.Pipe()
            self._process = spawning.Process(target=_draw, args=(far,), name="drawing", daemon=True)
            self._process.start()
            far.close()
        return self._line


_STUDIO = _Studio()


def _draw(line: Connection) -> None:
    """What the process does until the other end is gone."""
    import cv2  # noqa: PLC0415 - only where pictures are made

    from plumbline_sim.scene.render import render  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is for the other end
    while True:
        try:
            project, day, conditions, size = line.recv()
        except EOFError:
            return
        try:
            shot = render(project, day, conditions, size)
            _, data = cv2.imencode(".jpg", shot.bgr, [cv2.IMWRITE_JPEG_QUALITY, conditions.jpeg_quality])
            line.send(data.tobytes())
        except MissingExtra as error:
            line.send((_MISSING, str(error), error.hint))
        except Unreachable as error:
            line.send((_UNREACHABLE, str(error), error.hint))
