"""Jobs over worker processes, results in the order of the jobs: the figures never depend on who was faster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast

from plumbline_train.evaluate.looking import Judge
from plumbline_train.evaluate.studio import Studio

Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Result_co]):
    """A piece of work that needs the model; it and its result can be pickled."""

    def do(self, judge: Judge, studio: Studio) -> Result_co:
        """Render, look, and give back values."""
        ...


_ready: list[tuple[Judge, Studio]] = []
"""What a worker process works with."""


def run(
    jobs: Sequence[Job[Result_co]],
    model: Path,
    *,
    workers: int,
    report: Callable[[], None],
    frames: Path | None = None,
) -> Iterator[Result_co]:
    """Each job's result in turn; `report` is called once per job done. One worker works in this process.

    Photos are kept in `frames`, where it is given, and drawn only if they are not there.
    """
    if workers <= 1:
        judge, studio = Judge(model), Studio(frames)
        for job in jobs:
            yield job.do(judge, studio)
            report()
        return
    Judge(
        model
    )  # a faulty file ends this here: a pool starts a worker anew for each that dies beginning, without end
    # spawned, not forked: a GL context and onnxruntime's threads do not survive a fork
    with multiprocessing.get_context("spawn").Pool(workers, _begin, (model, frames)) as pool:
        for result in pool.imap(_do, jobs):
            yield cast("Result_co", result)
            report()


def _begin(model: Path, frames: Path | None) -> None:
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    cv2.setNumThreads(1)
    _ready.append((Judge(model), Studio(frames)))


def _do(job: Job[object]) -> object:
    return job.do(*_ready[0])
