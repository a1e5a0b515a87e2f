"""Whether the broker can be reached, is who it says, and lets this gateway in; step by step, to name the one that fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from pathlib import Path

from plumbline.clock import Clock
from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_edge.commission.checks import certificates
from plumbline_edge.commission.checks.finding import Finding, fault, ok
from plumbline_edge.mqtt import greet
from plumbline_edge.settings import SiteSettings

_CONNECT_S = 5.0
_HERE = frozenset(("localhost", "127.0.0.1", "::1"))


async def check(settings: SiteSettings, clock: Clock, *, connect_s: float = _CONNECT_S) -> list[Finding]:
    """TCP, TLS, certificates, and a connection under a name of its own; the running gateway keeps its own."""
    broker = settings.broker
    where = f"{broker.host}:{broker.port}"
    findings: list[Finding] = []
    now = clock.wall()
    if broker.cert_file is not None:
        findings.append(certificates.check_file("own certificate", Path(broker.cert_file), now))
    try:
        tls = broker.tls()
        broker.password()
    except ConfigError as wrong:
        return [*findings, fault("broker", str(wrong), wrong.hint)]
    reached = await _reach(broker.host, broker.port, None, connect_s)
    if isinstance(reached, str):
        hint = f"The readings are kept meanwhile. {_away(reached, broker.host)}"
        return [*findings, fault("broker", f"{where}: {reached}", hint)]
    findings.append(ok("broker", f"{where} accepts connections"))
    if tls is not None:
        shown = await _reach(broker.host, broker.port, tls, connect_s)
        if isinstance(shown, str):
            hint = "ca_file must be the one that signed the broker's certificate, and `host` the name in it."
            return [*findings, fault("broker TLS", f"{where}: {shown}", hint)]
        findings.append(certificates.judge("broker certificate", certificates.expires_of_der(shown), now))
    try:
        await greet(
            broker, client_id=f"plumbline-{settings.site}-{settings.gateway}-doctor", within_s=connect_s
        )
    except Refused as no:
        findings.append(fault("broker login", str(no), no.hint))
    except Unreachable as away:
        findings.append(fault("broker login", str(away), away.hint))
    else:
        findings.append(ok("broker login", f"{where} lets this gateway in (MQTT {broker.version})"))
    return findings


def _away(said: str, host: str) -> str:
    """What to do where the broker's port cannot be reached."""
    if "refused" not in said:
        return "Check the network and that the firewall lets this port out."
    if host in _HERE:
        return "No broker runs on this machine: systemctl status mosquitto"
    return "That machine is there, but no broker listens at this port: start it there, or mend `port`."


async def _reach(host: str, port: int, tls: ssl.SSLContext | None, within_s: float) -> bytes | str:
    """The certificate that was shown, in DER, empty without TLS; or a text that says what failed."""
    try:
        async with asyncio.timeout(within_s):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except TimeoutError:
        return f"no connection within {within_s:g} s"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"no TLS: {error.reason or error}"
    except OSError as error:
        return (
            os.strerror(error.errno).lower()
            if error.errno and error.errno > 0
            else "no such host, or no route"
        )
    secured = writer.get_extra_info("ssl_object")
    shown = b"" if secured is None else secured.getpeercert(binary_form=True) or b""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(within_s):
            await writer.wait_closed()
    return shown
