"""Why a photo has no percent, in words, and what a person at the camera can do about it."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, str]] = {
    "TIMEOUT": "the camera did not deliver a whole picture in time",
    "CONNECT": "the camera did not accept a connection, or is not there",
    "NO_PHOTO": "no new photo in the folder",
    "NAME": "the camera's name has no address",
    "PROTOCOL": "the camera broke off, or gave no picture",
    "ADDRESS": "the camera's address is not one the gateway may fetch from",
    "REDIRECT": "the camera redirects to another host",
    "SETTINGS": "the camera's password file cannot be read",
    "UNREADABLE": "what came is not one whole JPEG or PNG",
    "TOO_LARGE": "the picture is over the limit of bytes or pixels",
    "DARK": "too dark to see the facade",
    "GLARE": "too much of the facade is burnt out",
    "BLUR": "out of focus or shaken",
    "FOG_RAIN": "fog or rain hides the facade",
    "OBSTRUCTED": "something stands before the lens",
    "LENS_DIRT": "the lens is dirty",
    "NOT_A_SITE": "this does not look like the site",
    "MOVED": "the camera no longer looks where it did on day 0",
    "FROZEN": "the very same picture as last time",
    "CLOCK": "taken before the last one, in the future, or by a clock nobody has set",
    "MODEL": "the model is missing or failed",
    "CALIBRATION": "the calibration file is missing, damaged or made for another model",
    "NOT_VISIBLE": "too little of the facade can be seen",
    "FAULT": "a mistake in the program; see the gateway's log",
}
"""Every code that can stand in Progress.gate, besides HTTP_<status>, and what it means to a person."""

HINTS: Final[dict[str, str]] = {
    "DARK": "Photograph by day: see `at`.",
    "GLARE": "Turn it out of the sun, or choose other times in `at`.",
    "BLUR": "Clean and focus it, and fix it so that wind does not shake it.",
    "LENS_DIRT": "Clean it.",
    "OBSTRUCTED": "Look what hangs or stands before it.",
    "FROZEN": "Restart the camera: it gives the same picture again and again.",
    "MOVED": "Turn it back, or mark the facade's corners anew.",
    "NOT_VISIBLE": "Wait until nets or scaffold are gone, or move the camera.",
    "NOT_A_SITE": "Check the facade's corners in the site file.",
    "MODEL": "Run `plumbline model check`.",
    "UNREADABLE": "Let its address answer with one whole picture.",
    "TOO_LARGE": "Lower its resolution, or raise max_megapixels.",
}
"""Of those codes that somebody at the camera can do something about."""
