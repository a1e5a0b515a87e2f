"""How to reach an MQTT broker: settings, password and certificates, the same for gateway and centre."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from plumbline.errors import ConfigError

Port = Annotated[int, Ge(1), Le(65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One broker. Off this machine a CA file is required: nothing travels in the clear."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}
    host: str = "127.0.0.1"
    port: Port = 1883
    version: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: Annotated[int, Ge(5), Le(600)] = 30

    def password(self) -> str | None:
        """What stands in the password file. Raises ConfigError where it cannot be read."""
        if self.password_file is None:
            return None
        try:
            return Path(self.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"{self.password_file}: {error.strerror}", hint="Put the broker's password there."
            ) from None

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 or newer, checked against `ca_file` alone; None without one. Raises ConfigError for bad files."""
        if self.ca_file is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"the broker's certificate files: {error}",
                hint="Check ca_file, cert_file and key_file under [broker].",
            ) from None
        return context
