"""`freehold models sign` and `check-signature`: by key, by certificate and by the identity, and what they refuse."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from freehold.core.crypto import Identity

PEM = serialization.Encoding.PEM


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    return folder


@pytest.fixture
def key(tmp_path):
    made = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(
        made.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public = made.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    return made


def test_what_is_signed_is_good_until_a_file_changes(cli, model, key):
    signed = cli("models", "sign", "model", "--key", "key.pem", "--json")
    assert (signed.code, signed.json["files"]) == (0, 1)
    told = cli("models", "check-signature", "model", "--key", "public.pem", "--json")
    assert (told.code, told.json["method"], told.json["signer"]) == (0, "key", signed.json["signer"])
    (model / "more.py").write_text("")
    told = cli("models", "check-signature", "model", "--key", "public.pem")
    assert told.code == 4
    assert "more.py is not signed" in told.out


def test_nobody_counts_but_whom_one_names(cli, model, key, tmp_path):
    cli("models", "sign", "model", "--key", "key.pem")
    assert cli("models", "check-signature", "model").code == 4
    (tmp_path / "freehold.toml").write_text('[models]\nsigners = ["public.pem"]\n')
    assert cli("models", "check-signature", "model").code == 0
    (tmp_path / "freehold.toml").write_text('[models]\nsigners = ["nothing.pem"]\n')
    assert cli("models", "check-signature", "model").code == 1


def test_one_file_is_signed_beside_it(cli, model, key):
    assert cli("models", "sign", "model/w.bin", "--key", "key.pem").code == 0
    assert (model / "w.bin.sig").is_file()
    assert cli("models", "check-signature", "model/w.bin", "--key", "public.pem").code == 0


def test_the_identity_signs_where_there_is_one(cli, model, tmp_path):
    assert cli("models", "sign", "model").code == 1
    identity = Identity.load(tmp_path / ".freehold" / "identity.key")
    assert cli("models", "sign", "model").code == 0
    public = ed25519.Ed25519PublicKey.from_public_bytes(identity.public)
    (tmp_path / "public.pem").write_bytes(public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert cli("models", "check-signature", "model", "--key", "public.pem").code == 0


def test_certificates_need_their_key(cli, model, key):
    assert cli("models", "sign", "model", "--certificates", "public.pem").code == 1
    assert cli("models", "sign", "model", "--key", "key.pem", "--certificates", "public.pem").code == 1
    assert not (model / "model.sig").exists()
