from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from plumbline_central.rules.certificates import CertificateFiles

from .conftest import NOW


def pem(days):
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, None)
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_of_a_chain_the_first_to_end_counts_and_what_cannot_be_read_says_nothing(tmp_path):
    (tmp_path / "chain.pem").write_bytes(pem(90) + pem(20))
    (tmp_path / "no.pem").write_text("nothing", encoding="utf-8")
    files = CertificateFiles(
        {"broker": tmp_path / "chain.pem", "page": tmp_path / "no.pem", "store-ca": tmp_path / "away.pem"}
    )

    (found,) = files.known(NOW)
    assert (found.subject, found.expires) == ("broker", NOW + timedelta(days=20))


def test_a_renewed_certificate_is_seen_within_the_hour(tmp_path):
    path = tmp_path / "cert.pem"
    path.write_bytes(pem(5))
    files = CertificateFiles({"page": path})
    files.known(NOW)
    path.write_bytes(pem(365))

    assert files.known(NOW + timedelta(minutes=59))[0].expires == NOW + timedelta(days=5)
    assert files.known(NOW + timedelta(minutes=61))[0].expires == NOW + timedelta(days=365)
