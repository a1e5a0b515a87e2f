"""Keeps what this process holds in memory from everyone who could write it down."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def seclude() -> None:
    """From now on no core is dumped of this process and no other user's process may read its memory.

    For a gateway with a camera: raw pictures are nowhere but in here. Where the system has no such call (not Linux),
    cores at least stay off.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
