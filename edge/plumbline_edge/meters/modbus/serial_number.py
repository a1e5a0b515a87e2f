"""The meter's own number, as its label shows it."""

from __future__ import annotations

from plumbline_edge.meters.profiles.profile import SerialNumber


def text_of(place: SerialNumber, raw: bytes) -> str:
    """The number in the registers' bytes; empty where the meter has none to tell (all zeros, all ones, spaces)."""
    if not raw.strip(b"\0") or not raw.strip(b"\xff"):
        return ""
    if place.type == "text":
        text = raw.split(b"\0")[0].decode("ascii", "replace")
        return "".join(letter for letter in text if letter.isprintable() and letter != "\ufffd").strip()
    return str(int.from_bytes(raw))
