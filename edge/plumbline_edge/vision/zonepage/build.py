"""A photo to the page on which its zones are drawn: one HTML file that opens in any browser and sends nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from pathlib import Path
from typing import Final

from plumbline.errors import Refused
from plumbline.terminal import on_one_line
from plumbline_edge.camera import image
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.vision import photo_file

_SCRIPTS: Final = ("words.js", "geometry.js", "block.js", "seen.js", "page.js")
_QUALITY: Final = 92


def page(photo: Path) -> str:
    """The whole page. The photo is in it upright and at full size, without its EXIF block.

    Raises Refused where the file is no photo.
    """
    jpeg, (width, height) = _upright(photo)
    style = _part("page.css")
    script = "'use strict';\n(() => {\n" + "\n".join(map(_part, _SCRIPTS)) + "\n})();"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    filled = {
        "POLICY": policy,
        "STYLE": style,
        "SCRIPT": script,
        "FILE": html.escape(on_one_line(photo.name)),
        "WIDTH": str(width),
        "HEIGHT": str(height),
        "PHOTO": base64.b64encode(jpeg).decode("ascii"),
    }
    return re.sub(r"@@([A-Z]+)@@", lambda word: filled[word.group(1)], _part("page.html"))


def _upright(photo: Path) -> tuple[bytes, tuple[int, int]]:
    """The picture encoded anew, which leaves everything but its pixels behind, and its width and height."""
    import cv2  # noqa: PLC0415 - 40 MB, only where there are photos
    import numpy as np  # noqa: PLC0415

    try:
        raw = image.painting(photo_file.read(photo))
        header = image.read_header(raw)
    except PhotoRefused as why:
        raise Refused(f"{photo}: {why}", hint="Name one photo: JPEG, PNG or WebP.") from None
    if header.width_px * header.height_px / 1e6 > photo_file.MAX_MEGAPIXELS:
        raise Refused(f"{photo}: over {photo_file.MAX_MEGAPIXELS:g} megapixels", hint="Save it smaller.")
    try:
        pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise Refused(f"{photo}: cannot be decoded", hint="Name one photo: JPEG, PNG or WebP.")
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return jpeg, (pixels.shape[1], pixels.shape[0])


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(inline: str) -> str:
    """How a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(inline.encode("utf-8")).digest()).decode("ascii")
