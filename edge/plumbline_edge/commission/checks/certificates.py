"""How long certificates are still good; reads them with cryptography, as `plumbline.signing` does keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning

_SOON: Final = timedelta(days=30)


def check_file(what: str, path: Path, now: datetime) -> Finding:
    """A PEM file's first certificate."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        return fault(
            what, f"{path}: {error.strerror}", "Put the file there, or mend its name under [broker]."
        )
    except ValueError:
        return fault(what, f"{path} is no certificate", "It must be a PEM file: -----BEGIN CERTIFICATE-----")
    return judge(what, certificate.not_valid_after_utc, now)


def expires_of_der(certificate: bytes) -> datetime:
    """Until when a certificate is valid, from its DER bytes. Raises ValueError."""
    return x509.load_der_x509_certificate(certificate).not_valid_after_utc


def judge(what: str, until: datetime, now: datetime) -> Finding:
    """By how much time is left."""
    said = f"valid until {until.astimezone(UTC):%Y-%m-%d}"
    if until <= now:
        return fault(
            what, f"expired on {until.astimezone(UTC):%Y-%m-%d}", "Get a new one from who runs the broker."
        )
    if until - now < _SOON:
        return warning(
            what, f"{said}: {(until - now).days} days left", "Get a new one from who runs the broker."
        )
    return ok(what, said)
