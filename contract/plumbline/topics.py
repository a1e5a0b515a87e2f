"""The MQTT topics, and what a name on them may look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from plumbline.errors import Refused

ROOT: Final = "plumbline/1"
NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,47}$"
"""Sites, gateways, meters, cameras and zones: safe in a topic, a file name, a URL and a line of InfluxDB."""

_LEGAL: Final = re.compile(NAME)
ALL_UP: Final = f"{ROOT}/+/+/up"
ALL_STATE: Final = f"{ROOT}/+/+/state"


def is_name(text: str) -> bool:
    return _LEGAL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class GatewayTopics:
    """The topics of one gateway. Raises Refused for a name that could reach into another's."""

    site: str
    gateway: str

    def __post_init__(self) -> None:
        for name in (self.site, self.gateway):
            if not is_name(name):
                raise Refused(f"{name!r} cannot stand in a topic", hint=f"Names match {NAME}")

    @property
    def up(self) -> str:
        return f"{ROOT}/{self.site}/{self.gateway}/up"

    @property
    def ack(self) -> str:
        return f"{ROOT}/{self.site}/{self.gateway}/ack"

    @property
    def state(self) -> str:
        return f"{ROOT}/{self.site}/{self.gateway}/state"


def parse(topic: str) -> tuple[GatewayTopics, str]:
    """Whose topic it is, and its last word. Raises Refused for anything else."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT:
        raise Refused(f"{topic!r} is no topic of ours")
    return GatewayTopics(parts[2], parts[3]), parts[4]


def alert(site: str, key: str) -> str:
    """Where consumers find an alert; retained while it is active."""
    return f"{ROOT}/alerts/{site}/{key}"
