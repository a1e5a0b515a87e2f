"""Numbers as people read them: fixed decimals, grouped thousands, a true minus sign."""

from __future__ import annotations

from typing import Final

MINUS: Final = "\u2212"


def fixed(value: float, decimals: int) -> str:
    """`value` with exactly `decimals` digits behind the point; what rounds to zero has no sign."""
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def percent(value: float) -> str:
    return f"{fixed(value, 1)} %"


def signed(value: float) -> str:
    """Percentage points with their sign, one decimal."""
    text = fixed(value, 1)
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"
