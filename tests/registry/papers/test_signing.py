"""Signatures over models: what the format's own library signs is read here, the other way round too, and nothing else."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.registry.papers import signing
from freehold.registry.papers.signing import Trust, by_identity, by_key, check, digests, sign

PEM = serialization.Encoding.PEM
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
FILES = {"w.bin": "a" * 64, "sub/README.md": "b" * 64}


def private(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def public(key):
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(name, key, by=None, ca=False, signs=True):
    """`by` is the name and key of the authority; without it it vouches for itself."""
    issuer, authority = by or (name, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGAN)
        .not_valid_after(BEGAN + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(signs, False, False, False, False, ca, ca, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if not ca:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return made.sign(authority, hashes.SHA256())


def pem(*certificates):
    return b"".join(one.public_bytes(PEM) for one in certificates)


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def chain(key):
    """A root, an authority between, and the signer of `key`."""
    root, middle = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    first = certificate("root", root, ca=True)
    second = certificate("middle", middle, by=("root", root), ca=True)
    return first, second, certificate("maker", key, by=("middle", middle)), (root, middle)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "w.bin").write_bytes(bytes(range(256)) * 10)
    (folder / "sub" / "README.md").write_text("# A model\n")
    (folder / ".gitattributes").write_text("*.bin lfs\n")
    return folder


def library(*arguments):
    if importlib.util.find_spec("model_signing") is None:
        pytest.skip("model-signing is not installed: pip install --group dev")
    command = [sys.executable, "-W", "ignore", "-m", "model_signing", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda one: one.name)
def test_what_is_signed_by_key_is_checked_by_key(curve):
    key = ec.generate_private_key(curve)
    found = check(sign("m", FILES, by_key(private(key))), FILES, Trust(keys=(public(key),)))
    assert (found.method, found.signer) == ("key", signing.fingerprint(key.public_key()))


def test_this_installation_signs_too(tmp_path):
    identity = Identity.load(tmp_path / "identity.key")
    pem = ed25519.Ed25519PublicKey.from_public_bytes(identity.public).public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert check(sign("m", FILES, by_identity(identity)), FILES, Trust(keys=(pem,))).method == "key"


def test_the_formats_library_reads_our_signature_by_key(model, tmp_path, key):
    (tmp_path / "public.pem").write_bytes(public(key))
    (model / "model.sig").write_bytes(sign("model", digests(model), by_key(private(key))))
    told = library("verify", "key", model, "--public_key", tmp_path / "public.pem", "--signature", model / "model.sig")
    assert told.returncode == 0, told.stderr
    (model / "w.bin").write_bytes(b"other")
    told = library("verify", "key", model, "--public_key", tmp_path / "public.pem", "--signature", model / "model.sig")
    assert told.returncode != 0


def test_we_read_the_formats_librarys_signature_by_key(model, tmp_path, key):
    (tmp_path / "private.pem").write_bytes(private(key))
    told = library("sign", "key", model, "--private_key", tmp_path / "private.pem", "--signature", model / "model.sig")
    assert told.returncode == 0, told.stderr
    assert check((model / "model.sig").read_bytes(), digests(model), Trust(keys=(public(key),))).method == "key"


def test_we_read_the_formats_librarys_signature_over_one_file(model, tmp_path, key):
    (tmp_path / "private.pem").write_bytes(private(key))
    file = model / "w.bin"
    told = library("sign", "key", file, "--private_key", tmp_path / "private.pem", "--signature", tmp_path / "sig")
    assert told.returncode == 0, told.stderr
    assert check((tmp_path / "sig").read_bytes(), digests(file), Trust(keys=(public(key),))).method == "key"
    with pytest.raises(BadArtefact, match="changed"):
        check((tmp_path / "sig").read_bytes(), {"w.bin": "0" * 64}, Trust(keys=(public(key),)))


def test_certificates_go_both_ways(model, tmp_path, key, chain):
    root, middle, leaf, _ = chain
    for name, content in (("key", private(key)), ("root", pem(root)), ("middle", pem(middle)), ("leaf", pem(leaf))):
        (tmp_path / f"{name}.pem").write_bytes(content)
    sig = model / "model.sig"
    given = ("--private_key", tmp_path / "key.pem", "--signing_certificate", tmp_path / "leaf.pem")
    told = library(
        "sign", "certificate", model, *given, "--certificate_chain", tmp_path / "middle.pem", "--signature", sig
    )
    assert told.returncode == 0, told.stderr
    found = check(sig.read_bytes(), digests(model), Trust(authorities=(pem(root),)))
    assert (found.method, found.signer) == ("certificate", "CN=maker")
    sig.write_bytes(sign("model", digests(model), by_key(private(key), pem(leaf, middle))))
    told = library("verify", "certificate", model, "--certificate_chain", tmp_path / "root.pem", "--signature", sig)
    assert told.returncode == 0, told.stderr


def test_a_chain_that_leads_to_nobody_we_know_does_not_count(key, chain):
    root, middle, leaf, _ = chain
    bundle = sign("m", FILES, by_key(private(key), pem(leaf, middle)))
    other = certificate("root", ec.generate_private_key(ec.SECP256R1()), ca=True)
    with pytest.raises(BadSignature, match="no authority"):
        check(bundle, FILES, Trust(authorities=(pem(other),)))
    with pytest.raises(BadSignature, match="no authority"):
        check(bundle, FILES, Trust(keys=(public(key),)))
    with pytest.raises(BadSignature, match="no authority"):
        check(sign("m", FILES, by_key(private(key), pem(leaf))), FILES, Trust(authorities=(pem(root),)))
    sent_along = sign("m", FILES, by_key(private(key), pem(leaf, middle, root)))
    with pytest.raises(BadSignature, match="no authority"):
        check(sent_along, FILES, Trust())


def test_a_certificate_that_is_not_for_signing_does_not_count(key, chain):
    root, middle, _, (_, between) = chain
    leaf = certificate("maker", key, by=("middle", between), signs=False)
    with pytest.raises(BadSignature, match="not for signing"):
        check(sign("m", FILES, by_key(private(key), pem(leaf, middle))), FILES, Trust(authorities=(pem(root),)))


def test_a_signer_cannot_vouch_for_another(key, chain):
    """The certificate of a signer, used as an authority."""
    root, middle, leaf, _ = chain
    mine = ec.generate_private_key(ec.SECP256R1())
    forged = certificate("impostor", mine, by=("maker", key))
    bundle = sign("m", FILES, by_key(private(mine), pem(forged, leaf, middle)))
    with pytest.raises(BadSignature):
        check(bundle, FILES, Trust(authorities=(pem(root),)))


def test_a_key_nobody_trusts_does_not_count(key):
    bundle = sign("m", FILES, by_key(private(key)))
    other = ec.generate_private_key(ec.SECP256R1())
    for keys in ((), (public(other),)):
        with pytest.raises(BadSignature, match="none of those"):
            check(bundle, FILES, Trust(keys=keys))
    assert check(bundle, FILES, Trust(keys=(public(other), public(key)))).method == "key"


def test_without_a_hint_every_key_is_tried(key):
    bundle = json.loads(sign("m", FILES, by_key(private(key))))
    other = ec.generate_private_key(ec.SECP256R1())
    for material in ({"publicKey": {}, "tlogEntries": []}, {"publicKey": {"hint": None}}, {}):
        bundle["verificationMaterial"] = material
        found = check(json.dumps(bundle).encode(), FILES, Trust(keys=(public(other), public(key))))
        assert found.signer == signing.fingerprint(key.public_key())
        with pytest.raises(BadSignature):
            check(json.dumps(bundle).encode(), FILES, Trust(keys=(public(other),)))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({**FILES, "w.bin": "c" * 64}, "w.bin was changed"),
        ({**FILES, "more.py": "c" * 64}, "more.py is not signed"),
        ({"w.bin": "a" * 64}, "sub/README.md is missing"),
        ({"w2.bin": "a" * 64, "sub/README.md": "b" * 64}, "w2.bin is not signed; w.bin is missing"),
        ({}, "missing"),
    ],
)
def test_a_signature_is_about_exactly_its_files(key, files, why):
    with pytest.raises(BadArtefact, match=why):
        check(sign("m", FILES, by_key(private(key))), files, Trust(keys=(public(key),)))


def resealed(key, change):
    """A bundle of the right signer over a statement changed before it was signed."""
    made = []

    def spy(data):
        made.append(data)
        return b""

    sign("m", FILES, signing.Signer(sign=spy))
    statement = json.loads(made[0].split(b" ", 4)[4])
    change(statement)
    payload = json.dumps(statement).encode()
    signer = by_key(private(key))
    bundle = json.loads(sign("m", FILES, signer))
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    signature = signer.sign(signing.dsse.encoded(signing.dsse.IN_TOTO, payload))
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(bundle).encode()


def shards(statement):
    statement["predicate"]["serialization"]["method"] = "shards"


def blake(statement):
    statement["predicate"]["resources"][0]["algorithm"] = "blake3"


def twice(statement):
    statement["predicate"]["resources"].append(statement["predicate"]["resources"][0])


def other_sum(statement):
    statement["subject"][0]["digest"]["sha256"] = "0" * 64


def other_kind(statement):
    statement["predicateType"] = "https://slsa.dev/provenance/v1"


def nothing(statement):
    pass


@pytest.mark.parametrize("change", [shards, blake, twice, other_sum, other_kind])
def test_a_statement_that_is_not_understood_whole_does_not_count(key, change):
    assert check(resealed(key, nothing), FILES, Trust(keys=(public(key),))).method == "key"
    with pytest.raises(BadArtefact):
        check(resealed(key, change), FILES, Trust(keys=(public(key),)))


FIXED = ed25519.Ed25519PrivateKey.from_private_bytes(b"1" * 32)
BUNDLE = sign("m", FILES, by_key(private(FIXED)))


@given(st.integers(0, len(BUNDLE) - 1), st.integers(1, 255))
@settings(max_examples=80, deadline=None)
def test_a_changed_bundle_is_refused_and_never_crashes(at, flipped):
    changed = BUNDLE[:at] + bytes([BUNDLE[at] ^ flipped]) + BUNDLE[at + 1 :]
    try:
        check(changed, FILES, Trust(keys=(public(FIXED),)))
    except BadArtefact:
        return
    same = json.loads(changed.decode("utf-8", "replace"))["dsseEnvelope"]
    assert same["payload"] == json.loads(BUNDLE)["dsseEnvelope"]["payload"]


def test_links_are_not_signed(model):
    (model / "link").symlink_to(model / "w.bin")
    with pytest.raises(BadArtefact, match="link"):
        digests(model)


def test_what_the_format_leaves_out_is_left_out_at_the_top_alone(model):
    (model / "sub" / ".gitattributes").write_text("x")
    assert [*digests(model)] == ["sub/.gitattributes", "sub/README.md", "w.bin"]


@pytest.mark.parametrize("pem", [b"", b"no key", private(ed25519.Ed25519PrivateKey.generate())[:40]])
def test_what_is_no_key_signs_nothing(pem):
    with pytest.raises(BadArtefact):
        by_key(pem)
    with pytest.raises(BadArtefact):
        by_key(private(ec.generate_private_key(ec.SECP256K1())))
