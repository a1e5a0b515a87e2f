"""Group robots of DingTalk, Feishu and WeCom: their messages, signatures and what their answers mean.

Each answers HTTP 200 whatever became of the message; the code in the body says it. Limits and codes are those of the
vendors' pages on custom robots: open.dingtalk.com (custom-robot-access), open.feishu.cn (custom bot usage guide),
developer.work.weixin.qq.com (message push, group robot).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote_plus

import msgspec

from plumbline.clock import Clock, SystemClock
from plumbline.errors import Refused, Unreachable
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.http import Answer, Poster
from plumbline_central.channels.port import Busy
from plumbline_central.channels.rate import Bucket
from plumbline_central.channels.wording import Message, Wording

Kind = Literal["dingtalk", "feishu", "wecom"]
_TIMEOUT_S: Final = 10.0
_LONGEST_ANSWER: Final = 4_000
_FULL_HOUR_S: Final = 20
"""Feishu asks to stay away from :00 and :30, when everybody's reports go out (error 11232)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robot:
    """What one vendor asks for: how a message looks and is signed, how much and how often it takes."""

    body: Callable[[Message], dict[str, Any]]
    sign: Callable[[str, str, int], tuple[str, dict[str, Any]]]
    """(url, secret, seconds since 1970) to (url, fields beside the message)."""
    code: str
    """The field of the answer that is 0 where the message was taken."""
    too_often: frozenset[int]
    most_bytes: int
    per_minute: int
    pause_s: float
    """How long the vendor shuts out who wrote too often."""


def _dingtalk_url(url: str, secret: str, now_s: int) -> tuple[str, dict[str, Any]]:
    now_ms = now_s * 1000
    mac = hmac.new(secret.encode(), f"{now_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{url}&timestamp={now_ms}&sign={quote_plus(base64.b64encode(mac).decode())}", {}


def _feishu_fields(url: str, secret: str, now_s: int) -> tuple[str, dict[str, Any]]:
    """The vendor signs an empty text; the key is the time, a line feed and the secret."""
    mac = hmac.new(f"{now_s}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return url, {"timestamp": str(now_s), "sign": base64.b64encode(mac).decode()}


ROBOTS: Final[dict[Kind, Robot]] = {
    "dingtalk": Robot(
        body=lambda m: {"msgtype": "markdown", "markdown": {"title": m.title, "text": f"### {m.title}\n\n{m.text}"}},
        sign=_dingtalk_url, code="errcode", too_often=frozenset({130101, 410100}),
        most_bytes=20_000, per_minute=20, pause_s=600.0,
    ),
    "feishu": Robot(
        body=lambda m: {"msg_type": "text", "content": {"text": f"{m.title}\n{m.text}"}},
        sign=_feishu_fields, code="code", too_often=frozenset({9499, 11232}),
        most_bytes=20_000, per_minute=100, pause_s=60.0,
    ),
    "wecom": Robot(
        body=lambda m: {"msgtype": "markdown", "markdown": {"content": f"**{m.title}**\n{m.text}"}},
        sign=lambda url, _secret, _now: (url, {}), code="errcode", too_often=frozenset({45009}),
        most_bytes=4_096, per_minute=20, pause_s=60.0,
    ),
}  # fmt: skip


class RobotChannel:
    """One group robot. Its address is its password, and stands in a file."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        url: str,
        wording: Wording,
        *,
        secret: str = "",
        per_minute: int | None = None,
        timeout_s: float = _TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = f"chat:{name}"
        self._kind = kind
        self._robot = ROBOTS[kind]
        self._url = url
        self._secret = secret
        self._wording = wording
        self._clock = clock or SystemClock()
        self._poster = Poster(self.name, timeout_s=timeout_s, longest_answer=_LONGEST_ANSWER)
        often = per_minute or self._robot.per_minute
        self._bucket = Bucket.full(capacity=often / 4, per_s=often / 60, now_s=self._now_s())

    async def send(self, notice: Notice) -> None:
        await self._say(self._wording.one(notice))

    async def send_together(self, notices: Sequence[Notice]) -> None:
        await self._say(self._wording.digest(notices))

    async def _say(self, message: Message) -> None:
        self._bucket, wait_s = self._bucket.taken(self._now_s())
        if wait_s:
            raise Busy(f"{self.name}: as many messages as the robot takes", after_s=wait_s)
        now_s = int(self._now_s())
        if self._kind == "feishu" and (into := now_s % 1800) < _FULL_HOUR_S:
            raise Busy(f"{self.name}: not on the half hour", after_s=_FULL_HOUR_S - into)
        url, fields = self._robot.sign(self._url, self._secret, now_s) if self._secret else (self._url, {})
        body = msgspec.json.encode(self._robot.body(message.within(self._robot.most_bytes // 2)) | fields)
        answer = await self._poster.post(url, body, {"content-type": "application/json"})
        self._poster.judge(answer)
        self._judge_code(answer)

    def _judge_code(self, answer: Answer) -> None:
        try:
            said: Any = msgspec.json.decode(answer.body)
            code = int(said[self._robot.code])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            raise Unreachable(f"{self.name}: answered no code: {answer.words[:300]}") from None
        if code == 0:
            return
        told = f"{self.name}: code {code}: {said.get('errmsg') or said.get('msg') or ''}".rstrip(": ")
        if code in self._robot.too_often:
            raise Busy(told, after_s=self._robot.pause_s)
        if code < 0:  # "system busy" at all three
            raise Unreachable(told)
        raise Refused(
            told, hint="Look at the robot's settings: address, keyword, signature, allowed addresses."
        )

    def _now_s(self) -> float:
        return self._clock.wall().timestamp()
