"""Flat tables to TOML text, for the files that simulators write in a person's place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any


def toml_text(tables: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Tables with their headings (`[[meters]]`; empty: none); strings, numbers and arrays are written as JSON does."""
    lines: list[str] = []
    for heading, table in tables:
        lines += [heading] if heading else []
        lines += [f"{key} = {_value(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else json.dumps(value)
