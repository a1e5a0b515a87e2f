"""The gateway with one hole in it, to show that the search for unmasked pictures finds what comes out of that hole.

`python leaky_gateway.py HOLE SITE.toml`; HOLE is `none`, or what leaks.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
import tempfile
from pathlib import Path

from plumbline.clock import clock_from_environment
from plumbline_edge import app
from plumbline_edge.camera import image, privacy
from plumbline_edge.config import load_site

HOLES = ("none", "preview", "day0", "file", "deleted_file", "pixels")
HELD = []


def leaking(hole, settings):
    """Make the hole."""
    state = Path(settings.state_dir)
    real_decode = image.decode

    def keeping(data, **limits):
        picture = real_decode(data, **limits)
        state.mkdir(exist_ok=True)
        match hole:
            case "file":
                (state / "last.bin").write_bytes(b"a photo: " + data[:5000])
            case "pixels":
                (state / "swap.bin").write_bytes(picture.tobytes())
            case "deleted_file":
                file = tempfile.TemporaryFile()  # noqa: SIM115 - held open on purpose
                file.write(data)
                file.flush()
                HELD.append(file)
        return picture

    if hole == "preview":
        privacy.mask = lambda picture, *_, **__: privacy._encoded(picture)
    elif hole == "day0":
        privacy.hide_people = lambda picture, *_, **__: picture
    elif hole != "none":
        image.decode = keeping


def main():
    logging.basicConfig(level=logging.INFO)
    hole, site = sys.argv[1:]
    settings = load_site(Path(site))
    assert hole in HOLES
    assert dataclasses.is_dataclass(settings)
    leaking(hole, settings)
    asyncio.run(app.run(settings, clock_from_environment()))


if __name__ == "__main__":
    main()
