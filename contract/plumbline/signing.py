"""The device key: made on the gateway, signs what the gateway says; the one file that imports cryptography."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plumbline.errors import ConfigError, Refused

ALGORITHM: Final = "ed25519"
_AS_WHO: Final = "Run as the user that owns the state folder, or name a folder of your own as state_dir."


class OutOfReach(ConfigError):
    """This user may not read the key, or may not keep one there."""


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """An Ed25519 key (RFC 8032) that never leaves the machine it was made on."""

    _private: Ed25519PrivateKey

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The key kept at `path`, made on first use, readable by its owner only.

        Raises ConfigError where the file is not a key: a damaged key is a person's decision, never replaced.
        OutOfReach where this user may not read it, or not make one.
        """
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return cls(_write_new_key(path))
        except OSError as error:
            raise OutOfReach(f"{path}: {error.strerror}", hint=_AS_WHO) from None
        if len(raw) != 32:
            raise ConfigError(
                f"{path} holds {len(raw)} bytes and is no device key",
                hint="Restore it from the handover file, or move it away and enrol the gateway anew.",
            )
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    @property
    def public(self) -> str:
        """The public key as 64 hex digits, as central's registry wants it."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, statement: bytes) -> bytes:
        return self._private.sign(statement)


def verify(public: str, statement: bytes, signature: bytes) -> None:
    """Return if `signature` over `statement` was made with the key whose public half is `public` (hex).

    Raises Refused otherwise.
    """
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, statement)
    except (InvalidSignature, ValueError):
        raise Refused("the signature was not made by the gateway's enrolled key") from None


def _write_new_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.private_bytes_raw())
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # made by a person with sudo, it is still the key of whoever owns the folder
            owner = path.parent.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)
        fresh.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(
                folder
            )  # or a power cut right now would leave a gateway that was enrolled with a lost key
        finally:
            os.close(folder)
    except OSError as error:
        raise OutOfReach(
            f"{path.parent}: cannot keep the device key: {error.strerror}", hint=_AS_WHO
        ) from None
    return key
