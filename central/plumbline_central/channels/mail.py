"""Alerts by mail; the one file of central that speaks SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

from plumbline.clock import Clock, SystemClock
from plumbline.errors import Refused, Unreachable
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.wording import Message, Wording

_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in. `security`: tls from the first byte, starttls, or none (this machine only)."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str = ""
    password: str = ""


class MailChannel:
    """One list of receivers. A notice keeps its Message-ID, so that a mail sent twice is seen to be one."""

    def __init__(
        self,
        name: str,
        server: MailServer,
        sender: str,
        receivers: Sequence[str],
        wording: Wording,
        *,
        clock: Clock | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.name: Final = f"mail:{name}"
        self._server = server
        self._sender = sender
        self._receivers = tuple(receivers)
        self._wording = wording
        self._clock = clock or SystemClock()
        self._timeout_s = timeout_s

    async def send(self, notice: Notice) -> None:
        await self._hand_in(self._mail(self._wording.one(notice), notice.id))

    async def send_together(self, notices: Sequence[Notice]) -> None:
        ids = f"{notices[0].id}-{notices[-1].id}"
        await self._hand_in(self._mail(self._wording.digest(notices), ids))

    def _mail(self, message: Message, ids: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, ", ".join(self._receivers)
        mail["Subject"] = message.title
        mail["Date"] = format_datetime(self._clock.wall())
        domain = self._sender.rpartition("@")[2].strip("> ")
        mail["Message-ID"] = f"<plumbline-{ids}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer by a holiday robot
        mail.set_content(message.text)
        return mail

    async def _hand_in(self, mail: EmailMessage) -> None:
        try:
            await asyncio.to_thread(self._hand_in_now, mail)
        except smtplib.SMTPAuthenticationError as error:  # a person must mend it; until then nothing is lost
            raise Unreachable(f"{self.name}: {_said(error)}", hint="Correct user or password.") from None
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise self._judged(code, text) from None
        except smtplib.SMTPResponseException as error:
            raise self._judged(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"{self.name}: {str(error) or type(error).__name__}") from None

    def _judged(self, code: int, text: bytes | str) -> Unreachable | Refused:
        """RFC 5321 4.2.1: 4xx may be tried again, 5xx not."""
        said = f"{self.name}: {code} {_text(text)}"
        if 500 <= code < 600:
            return Refused(said, hint="Correct sender or receivers; the notice is parked.")
        return Unreachable(said)

    def _hand_in_now(self, mail: EmailMessage) -> None:
        server = self._server
        tls = ssl.create_default_context()
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout_s, context=tls
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
        with smtp:
            if server.security == "starttls":
                smtp.starttls(context=tls)
            if server.user:
                smtp.login(server.user, server.password)
            refused = smtp.send_message(mail)
        for code, text in refused.values():  # some took it: telling all again would tell them twice
            raise Refused(
                f"{self.name}: {len(refused)} of {len(self._receivers)} refused: {code} {_text(text)}"
            )


def _said(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(words: bytes | str) -> str:
    return " ".join((words.decode("utf-8", "replace") if isinstance(words, bytes) else words).split())[:300]
