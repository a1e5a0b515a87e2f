"""The credential of a time-series server, out of its file each time it may have changed."""

from __future__ import annotations

from pathlib import Path

from plumbline.errors import Unreachable


def secret_in(path: str | None) -> str:
    """What stands in the file, without the line's end; nothing where no file is named. Raises Unreachable."""
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreachable(
            f"{path}: {error}", hint="It must hold the password or token, and be readable."
        ) from None
