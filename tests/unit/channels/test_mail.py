"""Mail is handed in to a real SMTP conversation; what the server says decides."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import threading
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from plumbline.clock import ManualClock
from plumbline.errors import Refused, Unreachable
from plumbline_central.channels.mail import MailChannel, MailServer
from plumbline_central.channels.wording import Wording

NOW = datetime(2026, 3, 3, 5, 10, tzinfo=UTC)


class Postbox:
    """RFC 5321 as far as one client needs it; `says` replaces the answer to a command by its first word."""

    def __init__(self, **says):
        self.says = {word.upper(): line for word, line in says.items()}
        self.mails = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            with line, line.makefile("rwb") as talk:
                self.converse(talk)

    def converse(self, talk):
        def say(text):
            talk.write(text.encode() + b"\r\n")
            talk.flush()

        say("220 postbox")
        while command := talk.readline().decode().strip():
            word = command.split()[0].upper()
            if word in self.says:
                say(self.says[word])
            elif word == "EHLO":
                say("250-postbox\r\n250-8BITMIME\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                say("235 welcome")
            elif word == "DATA":
                say("354 go on")
                body = b""
                while (row := talk.readline()) != b".\r\n":
                    body += row.removeprefix(b".")
                self.mails.append(email.message_from_bytes(body, policy=email.policy.default))
                say("250 kept")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def postbox():
    made = []

    def open_(**says):
        made.append(Postbox(**says))
        return made[-1]

    yield open_
    for one in made:
        one.stop()


def channel(port, *, receivers=("li@example.org",), **server):
    return MailChannel(
        "office", MailServer(host="127.0.0.1", port=port, security="none", **server), "Plumbline <p@example.org>",
        receivers, Wording("zh", ZoneInfo("Asia/Shanghai")), clock=ManualClock(NOW), timeout_s=5,
    )  # fmt: skip


def test_a_mail_says_what_happened_and_names_itself_for_ever(postbox, notice):
    box = postbox()
    for _ in range(2):
        asyncio.run(channel(box.port).send(notice()))
    first, second = box.mails

    assert first["Subject"] == "【告警】 school：进度偏离计划（注意）"
    assert "落后 8 个百分点" in first.get_content()
    assert first["Message-ID"] == second["Message-ID"] == "<plumbline-7@example.org>"
    assert first["Auto-Submitted"] == "auto-generated"


def test_several_notices_are_one_mail(postbox, notice):
    box = postbox()
    asyncio.run(channel(box.port).send_together([notice(number=n) for n in (1, 2, 3)]))

    assert [mail["Subject"] for mail in box.mails] == ["3 条告警有变化，3 条未关闭"]


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ({"rcpt": "550 no such user"}, Refused),
        ({"rcpt": "450 greylisted"}, Unreachable),
        ({"data": "554 spam"}, Refused),
        ({"mail": "421 too busy"}, Unreachable),
        ({"auth": "535 wrong password"}, Unreachable),
    ],
)
def test_4xx_and_a_wrong_password_wait_and_5xx_is_parked(postbox, notice, says, error):
    box = postbox(**says)

    with pytest.raises(error, match=next(iter(says.values()))[:3]):
        asyncio.run(channel(box.port, user="p", password="x").send(notice()))
    assert box.mails == []


def test_a_server_that_is_away_is_tried_again(notice):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    with pytest.raises(Unreachable, match="refused"):
        asyncio.run(channel(port).send(notice()))
