"""When the certificates in central's own files run out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from plumbline_central.rules.snapshot import Certificate

log = logging.getLogger(__name__)

_READ_EVERY: Final = timedelta(hours=1)


class CertificateFiles:
    """Reads PEM files once an hour; one that cannot be read says nothing, and whoever needs it says so."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._read_at: datetime | None = None
        self._found: tuple[Certificate, ...] = ()

    def known(self, now: datetime) -> tuple[Certificate, ...]:
        if self._read_at is None or abs(now - self._read_at) >= _READ_EVERY:
            self._read_at = now
            found = (_read(subject, path) for subject, path in self._files.items())
            self._found = tuple(one for one in found if one is not None)
        return self._found


def _read(subject: str, path: Path) -> Certificate | None:
    """The first certificate of a chain to run out."""
    from cryptography import x509  # noqa: PLC0415 - 20 ms, and only where there are certificates

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as why:
        log.debug("certificate %s: %s", path, why)
        return None
    return Certificate(subject=subject, expires=min(one.not_valid_after_utc for one in chain))
