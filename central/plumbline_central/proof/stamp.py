"""Time stamps (RFC 3161) of tree heads: the request to send, and the check of what came back.

The one file that imports rfc3161-client; the certificates it wants are read with cryptography.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from plumbline.errors import ConfigError, Refused

_GRANTED: Final = 0
_CERTIFICATES: Final = 0xA0  # [0] IMPLICIT SET OF
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


def request(data: bytes) -> tuple[bytes, int | None]:
    """The request for a stamp of `data` (SHA-256, with the authority's certificate), and its nonce."""
    made = (
        TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
    )
    built = made.build()
    return built.as_bytes(), built.nonce


def check(response: bytes, data: bytes, *, nonce: int | None, ca_pem: bytes | None) -> datetime:
    """When `data` was stamped. Raises Refused for a response that does not prove it.

    Without `ca_pem`, the authority's root and intermediate certificates, only the response's contents are compared;
    who signed it is then not known.
    """
    try:
        decoded = decode_timestamp_response(_in_der_order(response))
        if decoded.status != _GRANTED:
            said = "; ".join(decoded.status_string) or f"status {decoded.status}"
            raise Refused(f"the authority refused the stamp: {said}")
        token = decoded.tst_info
        imprint = token.message_imprint
    except ValueError as error:
        raise Refused(
            f"no time-stamp response: {error}", hint="Name the .tsr file the authority sent."
        ) from None
    if imprint.hash_algorithm != _SHA256 or imprint.message != hashlib.sha256(data).digest():
        raise Refused(
            "the stamp is not for this tree head", hint="Send the newest .tsq, or name its response."
        )
    if nonce is not None and token.nonce != nonce:
        raise Refused("the stamp answers another request", hint="It may be an old response: ask again.")
    if ca_pem is not None:
        _check_chain(decoded, data, ca_pem)
    return token.gen_time


def _in_der_order(response: bytes) -> bytes:
    """The response with its certificates sorted as DER wants a set, which openssl does not do and the library insists on.

    Nothing that is signed moves: certificates stand outside the signature.
    """
    try:
        at = _into(response, 0)  # TimeStampResp
        at = _into(response, _past(response, at))  # past the status, into the token
        at = _into(response, _past(response, at))  # past its type, into [0]
        at = _into(response, at)  # SignedData
        for _ in range(3):  # version, digest algorithms, contents
            at = _past(response, at)
        if response[at] != _CERTIFICATES:
            return response
        start, end = _into(response, at), _past(response, at)
        certificates: list[bytes] = []
        at = start
        while at < end:
            certificates.append(response[at : _past(response, at)])
            at = _past(response, at)
    except IndexError:
        return response  # the library will say what is wrong with it
    return response[:start] + b"".join(sorted(certificates)) + response[end:]


def _into(der: bytes, at: int) -> int:
    """Where the contents of the element at `at` begin."""
    size = der[at + 1]
    return at + 2 + (size & 0x7F if size & 0x80 else 0)


def _past(der: bytes, at: int) -> int:
    """Where the element after the one at `at` begins. Raises IndexError past the end."""
    start = _into(der, at)
    size = int.from_bytes(der[at + 2 : start], "big") if start > at + 2 else der[at + 1]
    if start + size > len(der):
        raise IndexError
    return start + size


def _check_chain(response: TimeStampResponse, data: bytes, ca_pem: bytes) -> None:
    try:
        certificates = x509.load_pem_x509_certificates(ca_pem)
    except ValueError as error:
        raise ConfigError(f"no PEM certificates: {error}", hint="Name the authority's CA file.") from None
    builder = VerifierBuilder()
    for certificate in certificates:
        if certificate.issuer == certificate.subject:
            builder = builder.add_root_certificate(certificate)
        else:
            builder = builder.add_intermediate_certificate(certificate)
    try:
        builder.build().verify_message(response, data)
    except (VerificationError, ValueError) as error:
        raise Refused(f"the stamp was not made by the authority of that CA file: {error}") from None
