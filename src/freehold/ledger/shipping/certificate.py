"""The dock's certificate: made by itself at the first start, and pinned by every replica's join file."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from freehold.core.crypto import read_or_make

_NAME = "Freehold dock"
_YEARS = 20
"""Nobody renews a pinned certificate in passing: to change it, remove the file and let the replicas join anew."""


def certificate(home: Path, now: float) -> str:
    """The certificate in PEM, made on first use."""
    key = serialization.load_pem_private_key(read_or_make(_key_file(home), _new_key), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return read_or_make(_file(home), lambda: _signed(key, now)).decode()


def listening(home: Path, now: float) -> ssl.SSLContext:
    """How the dock speaks TLS."""
    certificate(home, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(_file(home), _key_file(home))
    return context


def pinned(pem: str) -> ssl.SSLContext:
    """How a replica speaks to the dock that holds this very certificate, whatever its address is called."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=pem)
    return context


def _file(home: Path) -> Path:
    return home / "dock.pem"


def _key_file(home: Path) -> Path:
    return home / "dock.key"


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _signed(key: ec.EllipticCurvePrivateKey, now: float) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    begins = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
