"""The installation's Ed25519 identity, and sealed bytes (AES-256-GCM) at rest."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from freehold.core.errors import BadSignature


def sha256(data: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(data).digest()


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(temporary, path)


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's bytes, made on first use. Of processes that make it at once, one wins and all read what it wrote."""
    if not path.exists():
        mine = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        write_private(mine, make())
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
    return path.read_bytes()


class Verifier:
    """The public half: checks signatures. `key_id` is the first 16 hex digits of the key's SHA-256."""

    def __init__(self, public: bytes) -> None:
        self.public = public
        self.key_id = sha256(public).hex()[:16]
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises BadSignature unless this identity signed `data`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            raise BadSignature(f"not signed by identity {self.key_id}, or changed since") from None


class Identity(Verifier):
    """The private half too: signs."""

    def __init__(self, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        super().__init__(self._private.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._private.sign(data)

    @classmethod
    def load(cls, path: Path) -> Identity:
        """Read the identity at `path`, making it on first use."""
        return cls(read_or_make(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw()))


class Sealer:
    """Seals bytes with one 256-bit key; output is a 12-byte nonce and the ciphertext with its tag."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._digest_key = hmac.digest(key, b"freehold/digest/v1", "sha256")

    def seal(self, data: bytes, bound_to: bytes = b"") -> bytes:
        """Encrypt; `bound_to` must be given again to open."""
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, data, bound_to)

    def open(self, sealed: bytes, bound_to: bytes = b"") -> bytes:
        """Decrypt. Raises BadSignature where the bytes or what they are bound to changed."""
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], bound_to)
        except InvalidTag:
            raise BadSignature("sealed bytes do not open: changed, or sealed with another key") from None

    def digest(self, purpose: bytes, data: bytes) -> bytes:
        """32 bytes that only the holder of the key can compute: equal data shows as equal, and nothing else does."""
        return hmac.digest(self._digest_key, purpose + b"\0" + data, "sha256")

    @classmethod
    def load(cls, path: Path) -> Sealer:
        """Read the key at `path`, making it on first use."""
        return cls(read_or_make(path, lambda: AESGCM.generate_key(256)))
