import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from plumbline.cli import run
from plumbline.errors import ConfigError, Refused
from plumbline_central.proof import stamp

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

AUTHORITY = """
[tsa]
default_tsa = here
[here]
dir = .
serial = ./serial
signer_cert = ./tsa.pem
signer_key = ./tsa.key
certs = ./ca.pem
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[tsa_ext]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ca_ext]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
"""


class Authority:
    """A time-stamp authority of openssl's, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "tsa.conf").write_text(AUTHORITY)
        (folder / "serial").write_text("01\n")
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN=test CA {folder.name}", "-keyout", "ca.key", "-out", "ca.pem",
            "-config", "tsa.conf", "-extensions", "ca_ext",
        )  # fmt: skip
        self.openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=test TSA {folder.name}",
            "-keyout", "tsa.key", "-out", "tsa.csr", "-config", "tsa.conf",
        )  # fmt: skip
        self.openssl(
            "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "tsa.conf", "-extensions", "tsa_ext", "-out", "tsa.pem",
        )  # fmt: skip

    @property
    def ca(self):
        return self.folder / "ca.pem"

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def answer(self, request, response):
        self.openssl("ts", "-reply", "-config", "tsa.conf", "-queryfile", request, "-out", response)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
def answered(authority, tmp_path):
    request, nonce = stamp.request(b"a tree head")
    (tmp_path / "q.tsq").write_bytes(request)
    authority.answer(tmp_path / "q.tsq", tmp_path / "r.tsr")
    return (tmp_path / "r.tsr").read_bytes(), nonce


def test_a_real_authoritys_stamp_is_checked_and_tells_when(authority, answered):
    response, nonce = answered
    at = stamp.check(response, b"a tree head", nonce=nonce, ca_pem=authority.ca.read_bytes())

    assert abs(at - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_stamp_of_something_else_is_refused(authority, answered):
    response, nonce = answered

    with pytest.raises(Refused, match="not for this tree head"):
        stamp.check(response, b"another", nonce=nonce, ca_pem=None)
    with pytest.raises(Refused, match="answers another request"):
        stamp.check(response, b"a tree head", nonce=7, ca_pem=None)


def test_a_stamp_of_another_authority_is_refused(answered, tmp_path):
    response, nonce = answered
    other = Authority(tmp_path / "other")

    with pytest.raises(Refused, match="not made by the authority"):
        stamp.check(response, b"a tree head", nonce=nonce, ca_pem=other.ca.read_bytes())


@pytest.mark.parametrize("response", [b"", b"nonsense", b"\x30\x03\x02\x01\x00"])
def test_nonsense_is_no_response(response):
    with pytest.raises(Refused):
        stamp.check(response, b"a tree head", nonce=None, ca_pem=None)


@pytest.mark.parametrize("pem", [b"", b"nonsense"])
def test_a_file_without_certificates_is_the_callers_mistake(answered, pem):
    with pytest.raises(ConfigError, match="no PEM certificates"):
        stamp.check(answered[0], b"a tree head", nonce=None, ca_pem=pem)


def test_an_altered_response_is_refused(authority, answered):
    response, nonce = answered
    for at in range(len(response) - 200, len(response), 40):  # in the signature
        bad = bytearray(response)
        bad[at] ^= 1
        with pytest.raises(Refused):
            stamp.check(bytes(bad), b"a tree head", nonce=nonce, ca_pem=authority.ca.read_bytes())


def test_the_commands_write_a_request_and_keep_the_answer(site, authority, verifier, tmp_path, capsys):
    data = ["--data", str(site.folder)]

    assert run(["central", "head", *data]) == 0
    assert run(["central", "stamp", "--folder", str(tmp_path), *data]) == 0
    response = tmp_path / "head-14.tsr"
    authority.answer(tmp_path / "head-14.tsq", response)
    assert run(["central", "stamp", "--response", str(response), "--tsa-ca", str(authority.ca), *data]) == 0
    assert "the head of 14 batches existed on" in capsys.readouterr().out
    with site.proofs() as proofs:
        assert proofs.book.stamps() == {14: response.read_bytes()}
    assert run(["central", "export", "--out", str(tmp_path / "e.zip"), *data]) == 0
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened, tsa_ca=str(authority.ca))
    assert (report.faults, report.stamps_checked, report.stamps_unchecked) == ([], 1, 0)
    authority.openssl(
        "ts", "-verify", "-data", tmp_path / "head-14.json", "-in", response, "-CAfile", authority.ca
    )  # raises where foreign eyes do not agree


def test_a_stamp_needs_a_head_first(site, capsys):
    assert run(["central", "stamp", "--data", str(site.folder)]) == 1
    assert "there is no tree head yet" in capsys.readouterr().err
