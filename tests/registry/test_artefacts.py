"""Nothing leaves the store but what its identity signed, byte for byte."""

from __future__ import annotations

import json
import stat

import pytest

from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, BadSignature, NotFound
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of

DATA = b"weights" * 1000


@pytest.fixture
def identity(tmp_path):
    return Identity.load(tmp_path / "identity.key")


@pytest.fixture
def store(tmp_path, identity):
    return Store(tmp_path / "store", identity)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(DATA)
    return path


def manifest(source, name="tiny", **changes):
    blob = Blob("model.gguf", digest_of(source), source.stat().st_size)
    given = {
        "name": name,
        "kind": "chat",
        "format": "gguf",
        "files": (blob,),
        "origin": Origin("package", "1.0", "0" * 64),
        "making": Making("none"),
        "licence": "Apache-2.0",
        "made_at": "2026-11-22T00:00:00.000Z",
    }
    return Manifest(**{**given, **changes})


def admitted(store, source, **options):
    return store.admit(manifest(source), {"model.gguf": source}, **options)


@pytest.mark.parametrize("link", [False, True])
def test_what_was_admitted_is_opened_and_cannot_be_written(store, source, link):
    made = admitted(store, source, link=link)
    path = store.open_verified("tiny")
    assert path.read_bytes() == DATA
    assert path.name == made.files[0].sha256
    assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    assert store.list() == (made,)
    assert store.show("tiny") == made


def test_admitting_again_changes_nothing(store, source):
    admitted(store, source)
    before = store.open_verified("tiny").stat()
    admitted(store, source)
    assert store.open_verified("tiny").stat().st_ino == before.st_ino


def test_a_source_that_is_not_what_the_manifest_says_is_not_listed(store, source):
    wrong = manifest(source)
    source.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(BadArtefact):
        store.admit(wrong, {"model.gguf": source})
    assert store.list() == ()
    assert [one for one in store.root.rglob("*") if one.is_file()] == []


@pytest.mark.parametrize("damage", [DATA[:-1], DATA[:-1] + b"!", DATA + b"!", b""])
def test_changed_bytes_are_never_opened(store, source, damage):
    path = store.blob(admitted(store, source).files[0].sha256)
    path.chmod(0o600)
    path.write_bytes(damage)
    with pytest.raises(BadArtefact):
        store.open_verified("tiny")


def test_missing_bytes_are_told(store, source):
    store.blob(admitted(store, source).files[0].sha256).unlink()
    with pytest.raises(BadArtefact, match="lacks"):
        store.open_verified("tiny")


def test_a_blob_that_is_there_already_is_checked_before_it_is_used_again(store, source):
    path = store.blob(admitted(store, source).files[0].sha256)
    path.chmod(0o600)
    path.write_bytes(b"x" * len(DATA))
    with pytest.raises(BadArtefact):
        admitted(store, source)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["manifest"].update(licence="MIT"),
        lambda told: told["manifest"]["files"][0].update(sha256="0" * 64),
        lambda told: told["manifest"]["origin"].update(version="2.0"),
        lambda told: told.update(signature="00" * 64),
    ],
)
def test_a_changed_manifest_does_not_verify(store, source, change):
    admitted(store, source)
    path = store.root / "models" / "tiny.json"
    told = json.loads(path.read_bytes())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(BadSignature):
        store.open_verified("tiny")


@pytest.mark.parametrize("content", ["", "{}", "[]", "{", '{"manifest": 1}'])
def test_a_manifest_that_is_none_is_told(store, source, content):
    admitted(store, source)
    (store.root / "models" / "tiny.json").write_text(content)
    with pytest.raises(BadArtefact):
        store.show("tiny")


def test_a_manifest_cannot_be_put_under_another_name(store, source):
    admitted(store, source)
    (store.root / "models" / "tiny.json").rename(store.root / "models" / "other.json")
    with pytest.raises(BadArtefact):
        store.show("other")


def test_another_identity_does_not_accept_it(store, source, tmp_path):
    admitted(store, source)
    stranger = Identity.load(tmp_path / "other.key")
    with pytest.raises(BadSignature):
        Store(store.root, stranger).open_verified("tiny")


def test_the_public_half_reads_but_does_not_admit(store, source, identity):
    admitted(store, source)
    reader = Store(store.root, Verifier(identity.public))
    assert reader.open_verified("tiny").read_bytes() == DATA
    with pytest.raises(TypeError):
        admitted(reader, source)


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "", "a/b", "A", ".hidden", "a" * 65, "tiny\n"])
def test_names_stay_inside_the_store(store, source, name):
    with pytest.raises(BadArtefact):
        store.show(name)
    with pytest.raises(BadArtefact):
        store.admit(manifest(source, name=name), {"model.gguf": source})


@pytest.mark.parametrize("digest", ["..", "0" * 63, "G" * 64, "../../" + "0" * 58])
def test_digests_stay_inside_the_store(store, digest):
    with pytest.raises(BadArtefact):
        store.blob(digest)


def test_an_unknown_name_is_not_found(store):
    with pytest.raises(NotFound):
        store.open_verified("tiny")
