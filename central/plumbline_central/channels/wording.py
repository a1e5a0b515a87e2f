"""What people read of an alert: a title, the numbers, what to do, and where to look; in Chinese or English."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal
from urllib.parse import quote

from plumbline_central.alerts.alert import Alert, Notice

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_LONGEST: Final = 300
_WIDE: Final = str.maketrans({mark: ord(mark) + 0xFEE0 for mark in "<>[]`*"})
"""Marks of markdown and of Feishu's and WeCom's mentions, as their full-width twins."""
_LISTED: Final = 15
"""Alerts that a digest names; of the rest it gives the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a person; `text` has one thing a line and ends with the link, where there is one."""

    title: str
    text: str
    link: str = ""

    def within(self, most_bytes: int) -> Message:
        """The same with whole lines left out at the end of the text until it fits, the link kept."""
        if len(self.text.encode()) <= most_bytes:
            return self
        lines, tail = self.text.splitlines(), f"\n…\n{self.link}" if self.link else "\n…"
        room = most_bytes - len(tail.encode())
        kept: list[str] = []
        for line in lines:
            room -= len(line.encode()) + 1
            if room < 0:
                break
            kept.append(line)
        return Message(title=self.title, text="\n".join(kept) + tail, link=self.link)


class Wording:
    """One language's words. `site_name` gives the name that people use; `page` is the address of the page or ""."""

    def __init__(
        self,
        language: Language,
        tz: tzinfo,
        *,
        site_name: Callable[[str, Language], str] = lambda site, _: site,
        page: str = "",
    ) -> None:
        self._language: Language = language
        self._words = _catalog(language)
        self._tz = tz
        self._site_name = site_name
        self._page = page.rstrip("/")

    def one(self, notice: Notice) -> Message:
        """What a step of an alert says."""
        told = self.of(notice.alert)
        step = self._words["step"][notice.what]
        return Message(title=f"{step} {told.title}", text=told.text, link=told.link)

    def of(self, alert: Alert) -> Message:
        """How an alert stands."""
        rule = self._words["rule"][alert.rule]
        facts = self._facts(alert)
        link = self._link(alert)
        lines = [
            _filled(rule["says"], facts),
            self._words["line"]["since"].format_map(facts),
            *([self._words["line"]["assigned"].format_map(facts)] if alert.assigned_to else []),
            self._words["line"]["do"].format_map(facts | {"do": rule["do"]}),
            *([self._words["line"]["photo"].format(photo=photo)] if (photo := self._photo(alert)) else []),
            *([link] if link else []),
        ]
        title = self._words["line"]["title"].format_map(facts | {"rule": rule["name"]})
        return Message(title=title, text="\n".join(lines), link=link)

    def digest(self, notices: Sequence[Notice]) -> Message:
        """Several at once: each alert once, as its newest notice has it, the gravest first."""
        newest = {notice.alert.id: notice for notice in notices}
        grave = sorted(newest.values(), key=lambda n: (not n.alert.open, n.alert.severity != "red", n.at))
        lines = [f"- {self.one(notice).title}" for notice in grave[:_LISTED]]
        if len(grave) > _LISTED:
            lines.append(self._words["digest"]["more"].format(count=len(grave) - _LISTED))
        if self._page:
            lines.append(self._page)
        opened = sum(notice.alert.open for notice in grave)
        title = self._words["digest"]["title"].format(count=len(grave), open=opened)
        return Message(title=title, text="\n".join(lines), link=self._page)

    def _facts(self, alert: Alert) -> dict[str, Any]:
        words = self._words["line"]
        side = "" if alert.deviation_pp is None else words["behind" if alert.deviation_pp < 0 else "ahead"]
        found: dict[str, Any] = {
            "site": _plain(self._site_name(alert.site, self._language)), "subject": _plain(alert.subject),
            "gateway": _plain(alert.gateway), "severity": self._words["severity"][alert.severity],
            "at": self._time(alert.raised_at), "assigned_to": _plain(alert.assigned_to or ""), "side": side,
            **{name: _plain(v) if isinstance(v, str) else _number(v) for name, v in alert.facts.items()},
        }  # fmt: skip
        numbers = {
            "deviation": alert.deviation_pp, "actual": alert.actual, "planned": alert.planned,
            "low": alert.low, "high": alert.high,
        }  # fmt: skip
        found |= {name: _number(value) for name, value in numbers.items() if value is not None}
        if alert.deviation_pp is not None:
            found["off"] = _number(abs(alert.deviation_pp))
        if isinstance(reason := alert.facts.get("reason"), str):
            found["reason"] = self._reason(reason)
        if alert.evidence:
            found["seen_at"] = self._time(alert.evidence[-1].at)
        return found

    def _reason(self, code: str) -> str:
        """Why the gate refused a photo; a gateway newer than this central may name what has no words yet."""
        words: Mapping[str, str] = self._words["reason"]
        if code.startswith("HTTP_"):
            return words["HTTP"].format(code=_plain(code.removeprefix("HTTP_")))
        return words.get(code, _plain(code))

    def _link(self, alert: Alert) -> str:
        return f"{self._page}/sites/{quote(alert.site)}#alert-{alert.id}" if self._page else ""

    def _photo(self, alert: Alert) -> str:
        photo = alert.evidence[-1].photo if alert.evidence else str(alert.facts.get("photo", ""))
        if not (self._page and photo):
            return ""
        return f"{self._page}/api/v1/sites/{quote(alert.site)}/photos/{quote(photo)}.jpg"

    def _time(self, at: datetime) -> str:
        return at.astimezone(self._tz).strftime("%m-%d %H:%M")


def _filled(sentences: Sequence[str], facts: Mapping[str, Any]) -> str:
    """The first sentence whose every number is known; the last one needs none."""
    for sentence in sentences:
        missing: defaultdict[str, str] = defaultdict(str, facts)
        said = sentence.format_map(missing)
        if missing.keys() == facts.keys():
            return said
    return sentences[-1]


def _plain(text: str) -> str:
    """What others wrote, as one short line that no chat service takes for markup, a mention or a link's words."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).translate(_WIDE)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _number(value: float) -> str:
    return f"{value:z.1f}".removesuffix(".0") if abs(value) < 1e6 else f"{value:.3g}"


@cache
def _catalog(language: Language) -> dict[str, Any]:
    """wording_{language}.toml beside this file."""
    raw = files("plumbline_central.channels").joinpath(f"wording_{language}.toml")
    return tomllib.loads(raw.read_text(encoding="utf-8"))
