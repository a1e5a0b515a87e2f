"""File systems to break: a small ext4 whose power can be cut, a small tmpfs to fill. Needs root; unmounts what it mounted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.result import CannotRun

_EXT4_IOC_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = 2
"""As when the power goes: what was not synced is gone, the journal is not written out."""


@dataclass(slots=True)
class LoopDisk:
    """An ext4 in a file, mounted at `at`."""

    image: Path
    at: Path

    def cut_power(self) -> None:
        """Everything not yet synced is gone. Programs that use it get errors; end them, then `restore_power`."""
        descriptor = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def restore_power(self) -> None:
        """Mount again, as at the next boot: ext4 replays its journal."""
        if not _unmounted(self.at):
            raise OSError(f"{self.at} is still in use: mounted again it would be the same broken file system")
        self.mount()

    def mount(self, *options: str) -> None:
        _run("mount", "-o", ",".join(("loop", *options)), str(self.image), str(self.at))

    def turn_read_only(self) -> None:
        """As ext4 does by itself after an error, whoever is writing; `restore_power` ends it."""
        _run("mount", "-o", "remount,abort", str(self.at))


@contextlib.contextmanager
def loop_disk(folder: Path, megabytes: int) -> Iterator[LoopDisk]:
    """A fresh ext4 for as long as the block runs. Raises CannotRun where this machine cannot have one."""
    _require_root()
    disk = LoopDisk(folder / "disk.img", folder / "disk")
    with disk.image.open("wb") as image:
        image.truncate(megabytes << 20)
    disk.at.mkdir(exist_ok=True)
    _run("mkfs.ext4", "-q", "-F", "-O", "^metadata_csum_seed", str(disk.image))
    disk.mount()
    try:
        yield disk
    finally:
        _unmount(disk.at)
        disk.image.unlink()


@contextlib.contextmanager
def ram_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size at `at`. Raises CannotRun where it cannot be mounted."""
    _require_root()
    at.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at))
    try:
        yield at
    finally:
        _unmount(at)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise CannotRun("mounting needs root")


def _unmount(at: Path) -> None:
    """Where a program holds it for good, it is detached and goes with its last user."""
    if not _unmounted(at):
        subprocess.run(["umount", "--lazy", str(at)], capture_output=True, check=False)


def _unmounted(at: Path) -> bool:
    """Whether it went; a program that was killed may hold it for a moment."""
    for _ in range(250):
        if not os.path.ismount(at):
            return True
        if subprocess.run(["umount", str(at)], capture_output=True, check=False).returncode:
            time.sleep(0.02)
    return False


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotRun(f"no {argv[0]}") from None
    if done.returncode:
        raise CannotRun(f"{' '.join(argv)}: {done.stderr.strip()}")
