"""What is kept of a model is opened byte for byte, whatever its name has come to mean since."""

from __future__ import annotations

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature, NotFound
from freehold.registry.artefacts import Store
from freehold.registry.types import Lineage
from tests.registry.test_artefacts import manifest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))


def admit(store, folder, data, **given):
    path = folder / "model.gguf"
    path.write_bytes(data)
    return store.admit(manifest(path, **given), {"model.gguf": path})


def test_a_release_outlives_its_name_and_gc_until_nobody_needs_it(store, tmp_path):
    admit(store, tmp_path, b"first")
    first = f"tiny@{store.keep('tiny')}"
    assert store.kept() == ()
    admit(store, tmp_path, b"second")
    assert store.open_verified("tiny").read_bytes() == b"second"
    assert [one.name for one in store.kept()] == [first]
    assert store.gc(needed={first.partition("@")[2]}) == ()
    assert store.open_verified(first).read_bytes() == b"first"
    second = f"tiny@{store.keep('tiny')}"
    store.remove("tiny")
    assert store.open_verified(first).read_bytes() == b"first"
    assert store.open_verified(second).read_bytes() == b"second"
    assert store.gc(needed={second.partition("@")[2]})
    with pytest.raises(NotFound):
        store.open_verified(first)
    assert store.open_verified(second).read_bytes() == b"second"


def test_a_kept_adapter_is_opened_on_the_very_base_it_was_trained_on(store, tmp_path):
    base = admit(store, tmp_path, b"base one", name="base")
    line = Lineage(recipe="lora", dataset_sha256="d" * 64, base="base", base_sha256=base.files[0].sha256)
    admit(store, tmp_path, b"low rank", kind="adapter", lineage=line)
    reference = f"tiny@{store.keep('tiny')}"
    admit(store, tmp_path, b"base two", name="base")
    store.gc(needed={reference.partition("@")[2]})
    for name in (reference, "tiny"):
        opened = store.open_with_base(name)
        assert [one.read_bytes() for one in opened] == [b"base one", b"low rank"]
    store.remove("tiny")
    store.gc(needed=())
    assert store.kept() == ()


def test_a_release_that_was_tampered_with_is_not_opened(store, tmp_path):
    admit(store, tmp_path, b"first")
    reference = f"tiny@{store.keep('tiny')}"
    admit(store, tmp_path, b"second")
    (path,) = (store.root / "releases").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Apache-2.0", b"MIT-------"))
    with pytest.raises(BadSignature):
        store.open_verified(reference)
    other = store.record("tiny")
    path.write_bytes((store.root / "models" / "tiny.json").read_bytes())
    with pytest.raises(BadArtefact, match="another image"):
        store.open_verified(reference)
    path.write_bytes(whole)
    assert store.open_verified(f"tiny@{other.image}").read_bytes() == b"second"
    blob = store.open_verified(reference)
    blob.chmod(0o600)
    blob.write_bytes(b"f1rst")
    with pytest.raises(BadArtefact):
        store.open_verified(reference)


@pytest.mark.parametrize("name", ["tiny@", "tiny@stable", "tiny@" + "0" * 64, "../x@" + "0" * 64, "tiny@../../x"])
def test_what_is_no_release_is_refused(store, tmp_path, name):
    with pytest.raises((BadArtefact, NotFound)):
        store.open_verified(name)
