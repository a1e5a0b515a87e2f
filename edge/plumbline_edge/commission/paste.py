"""Adds a block to a site file, if the file is without mistakes then; else it stays as it is."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError, FaultyFile
from plumbline.topics import is_name
from plumbline_edge.config import load_site

_BEGUN: Final = """\
# Made by plumbline edge scan; firmware_configs/sites/example.toml shows all that may stand here.

site = "site1"                    # the site's id at central: write yours
gateway = "{gateway}"  # this gateway's id; never used twice
state_dir = "/var/lib/plumbline"  # the outbox and the device key live here
timezone = "Asia/Shanghai"        # for the times of photos

[broker]
host = "127.0.0.1"                # anything else needs ca_file: nothing leaves in the clear
"""


def begun(host: str) -> str:
    """A site file without meters, for a gateway that has none yet."""
    name = host.split(".", maxsplit=1)[0].lower()
    return _BEGUN.format(gateway=name if is_name(name) else "gateway1")


def may_append(path: Path) -> None:
    """Raises ConfigError where `append` could not write there, so that nobody waits for a scan in vain."""
    real = path.resolve()
    if not real.parent.is_dir():
        raise ConfigError(f"{real.parent}: no such folder", hint=f"sudo mkdir -p {real.parent}")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{real.parent}: may not be written", hint="Run with sudo, or leave --write out.")
    if real.suffix != ".toml":
        raise ConfigError(f"{path}: no name of a site file", hint="Name it like /etc/plumbline/site.toml")


def append(path: Path, block: str) -> None:
    """Write the block behind what stands there, or in a new file. Raises ConfigError, and leaves the file alone, where it would not do."""
    real = path.resolve()
    fresh = real.with_name(f".{real.name}.new")
    try:
        before = real.read_text(encoding="utf-8") if real.exists() else begun(socket.gethostname())
        fresh.write_text(f"{before.rstrip()}\n\n{block}", encoding="utf-8")
        if real.exists():
            shutil.copymode(real, fresh)
            owner = real.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)  # scanned with sudo, it is still the gateway's file
        load_site(fresh)
        fresh.replace(real)
    except FaultyFile as wrong:
        text = str(wrong).replace(str(fresh), str(path))
        raise ConfigError(
            f"nothing was written: with this block the file would have mistakes\n{text}",
            hint=f"Mend {path}, then scan again or paste the block yourself.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Run with sudo, or paste the block into the file yourself."
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
