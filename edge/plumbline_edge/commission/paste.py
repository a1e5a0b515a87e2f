"""Adds a block to a site file, if the file is without mistakes then; else it stays as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from plumbline.errors import ConfigError, FaultyFile
from plumbline_edge.config import load_site


def append(path: Path, block: str) -> None:
    """Write the block behind what stands there. Raises ConfigError, and leaves the file alone, where it would not do."""
    real = path.resolve()
    fresh = real.with_name(f".{real.name}.new")
    try:
        before = real.read_text(encoding="utf-8")
        fresh.write_text(f"{before.rstrip()}\n\n{block}", encoding="utf-8")
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
