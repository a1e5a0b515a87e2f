"""Finds the words of the page in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from plumbline_central.api.services import Language

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
TAGS: Final[dict[Language, str]] = {"zh": "zh-CN", "en": "en"}
"""BCP 47 names for the lang attribute and for number formats."""


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's catalog; call it with a key and the names its text asks for. A missing key raises KeyError."""

    language: Language
    entries: Mapping[str, str]

    @property
    def tag(self) -> str:
        return TAGS[self.language]

    def __call__(self, key: str, **names: Any) -> str:
        text = self.entries[key]
        return text.format(**names) if names else text

    def outside(self, group: str, name: str, fallback: str | None = None) -> str:
        """The words for a name that came from outside and may be none of ours: then `fallback`, or the name itself."""
        return self.entries.get(f"{group}.{name}", name if fallback is None else fallback)


@cache
def texts(language: Language) -> Texts:
    """The catalog texts_{language}.toml beside this file."""
    raw = files("plumbline_central.web").joinpath(f"texts_{language}.toml").read_text(encoding="utf-8")
    groups: dict[str, dict[str, str]] = tomllib.loads(raw)
    return Texts(
        language, {f"{group}.{name}": text for group, names in groups.items() for name, text in names.items()}
    )


def pick_language(
    asked: str | None, remembered: str | None, accept_language: str | None, default: Language
) -> Language:
    """What the address asks for, else what the cookie remembers, else the browser's first language of ours."""
    for wish in (asked, remembered):
        for language in LANGUAGES:
            if wish == language:
                return language
    for tag in _by_preference(accept_language or ""):
        for language in LANGUAGES:
            if tag == language or tag.startswith(f"{language}-"):
                return language
    return default


def _by_preference(accept_language: str) -> list[str]:
    """Language tags of an Accept-Language header (RFC 9110 12.5.4), most wanted first."""
    wishes: list[tuple[float, str]] = []
    for part in accept_language.split(","):
        tag, _, quality = part.strip().lower().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        if weight > 0:
            wishes.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(wishes, key=lambda wish: wish[0])]
