"""Jobs over worker processes, results in the order of the jobs: the figures never depend on who was faster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast

from plumbline_train.evaluate.looking import Judge

Result_co = TypeVar("Result_co", covariant=True)


class Job(Protocol[Result_co]):
    """A piece of work that needs the model; it and its result can be pickled."""

    def do(self, judge: Judge) -> Result_co:
        """Render, look, and give back values."""
        ...


_judges: list[Judge] = []


def run(
    jobs: Sequence[Job[Result_co]], model: Path, *, workers: int, report: Callable[[], None]
) -> Iterator[Result_co]:
    """Each job's result in turn; `report` is called once per job done. One worker works in this process."""
    if workers <= 1:
        judge = Judge(model)
        for job in jobs:
            yield job.do(judge)
            report()
        return
    Judge(
        model
    )  # a faulty file ends this here: a pool starts a worker anew for each that dies beginning, without end
    # spawned, not forked: a GL context and onnxruntime's threads do not survive a fork
    with multiprocessing.get_context("spawn").Pool(workers, _begin, (str(model),)) as pool:
        for result in pool.imap(_do, jobs):
            yield cast("Result_co", result)
            report()


def _begin(model: str) -> None:
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    cv2.setNumThreads(1)
    _judges.append(Judge(Path(model)))


def _do(job: Job[object]) -> object:
    return job.do(_judges[0])
