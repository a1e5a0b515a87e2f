"""Makes text that came from others safe to show: it moves no cursor, paints nothing and turns no line around."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with its lines, and every other character that does not print as an escape."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def on_one_line(text: str) -> str:
    """The same without line ends: for a name inside a line, which must not begin a line of its own."""
    return printable(text).replace("\n", "\\n")
