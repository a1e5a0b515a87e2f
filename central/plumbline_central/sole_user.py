"""One central per data folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from plumbline.errors import ConfigError


@contextlib.contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """Hold the data folder, made where it is not there: two writers would each trust what only they cached.

    Raises ConfigError where another process has it.
    """
    try:
        data_dir.mkdir(exist_ok=True, mode=0o750)
        lock = (data_dir / "central.lock").open("w")
    except OSError as error:
        raise ConfigError(f"{data_dir}: {error.strerror}", hint="Check that it can be written to.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{data_dir} is in use by another central",
                hint="Stop it first, or give this one its own data_dir.",
            ) from None
        yield
