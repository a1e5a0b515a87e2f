"""A throw-away authority and a broker's certificate, for gateways that refuse to speak in the clear."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plumbline.clock import SystemClock


def make(folder: Path, address: str) -> None:
    """`ca.pem`, `broker.pem` and `broker.key` for a broker at `address`, good for a day."""
    now = SystemClock().wall()
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fault harness")])

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )

    broker = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate(ca_name, ca_key.public_key(), ca=True).public_bytes(pem))
    (folder / "broker.pem").write_bytes(certificate(broker, key.public_key(), ca=False).public_bytes(pem))
    raw = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "broker.key").write_bytes(raw)
    for name in ("ca.pem", "broker.pem", "broker.key"):
        (folder / name).chmod(0o644)  # the broker gives up root and must still read them; they live for a day
