"""The socket and the server that answer for the page and the API."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from plumbline.errors import ConfigError
from plumbline_central.settings import HttpSettings

if TYPE_CHECKING:
    import uvicorn

_FAREWELL_S: Final = 5
"""Real seconds that a clean stop waits for open requests."""


def address(http: HttpSettings) -> str:
    """Where a person on this machine finds the page."""
    host = "127.0.0.1" if http.host == "0.0.0.0" else http.host  # noqa: S104 - compared, not bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if http.tls_cert_file else 'http'}://{shown}:{http.port}/"


def listen(http: HttpSettings) -> socket.socket:
    """The page's socket, bound before anything starts. Raises ConfigError where it cannot be had."""
    try:
        family = socket.getaddrinfo(http.host, http.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((http.host, http.port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {http.host}:{http.port}: {error.strerror}",
            hint="Choose another port under [http], or end the program that has it.",
        ) from None


def web_server(api: Any, http: HttpSettings) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415

    class Server(uvicorn.Server):
        """Leaves signals to us."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            api,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ssl_certfile=http.tls_cert_file,
            ssl_keyfile=http.tls_key_file,
            timeout_graceful_shutdown=_FAREWELL_S,
        )
    )
