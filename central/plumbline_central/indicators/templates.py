"""The library of indicators, read from `templates.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from plumbline_central.indicators.indicator import Indicator, Template, from_template

PROGRESS: Final = "progress"


@cache
def templates() -> Mapping[str, Template]:
    """By id, in the order of the file."""
    text = files("plumbline_central.indicators").joinpath("templates.toml").read_text(encoding="utf-8")
    return {
        id_: msgspec.convert({"id": id_, **table}, Template) for id_, table in tomllib.loads(text).items()
    }


def implied(site: str) -> Indicator:
    """The indicator that every site has without a word: the progress that its photos show."""
    return from_template(templates()[PROGRESS], site)
