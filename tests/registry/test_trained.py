"""Trained artefacts keep their lineage, their base's licence, and their tie to the base's very bytes."""

from __future__ import annotations

import json

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature, Conflict, NotFound
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from freehold.registry.trained import OWN_LICENCE, Product, admit_trained

DATASET = "d" * 64


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))


def file(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def admit_base(store, tmp_path, data=b"base", name="base"):
    path = file(tmp_path, f"{name}.gguf", data)
    blob = Blob(path.name, digest_of(path), len(data))
    given = {"origin": Origin("p", "1", "0" * 64), "making": Making("none"), "made_at": "2026-11-22T00:00:00.000Z"}
    manifest = Manifest(name=name, kind="chat", format="gguf", files=(blob,), licence="Apache-2.0", **given)
    return store.admit(manifest, {path.name: path})


def adapter(tmp_path, **changes):
    files = (file(tmp_path, "adapter.gguf", b"lora"), file(tmp_path, "adapter_model.safetensors", b"peft"))
    given = {"name": "triage", "kind": "adapter", "format": "gguf", "files": files, "recipe": "lora"}
    return Product(**{**given, "dataset_sha256": DATASET, "base": "base", "workflow": "wf_0", **changes})


def test_an_adapter_carries_dataset_base_and_the_bases_licence(store, tmp_path):
    base = admit_base(store, tmp_path)
    made = admit_trained(store, adapter(tmp_path), 0.0)
    assert store.show("triage") == made
    assert made.licence == "Apache-2.0"
    assert made.lineage.dataset_sha256 == DATASET
    assert (made.lineage.base, made.lineage.base_sha256) == ("base", base.files[0].sha256)
    assert [one.name for one in made.files] == ["adapter.gguf", "adapter_model.safetensors"]
    opened = store.open_with_base("triage")
    assert [one.read_bytes() for one in opened] == [b"base", b"lora"]


def test_a_classifier_of_own_data_alone_has_no_licence_of_others(store, tmp_path):
    path = file(tmp_path, "linear.safetensors", b"weights")
    made = admit_trained(store, adapter(tmp_path, kind="classifier", files=(path,), base=""), 0.0)
    assert made.licence == OWN_LICENCE
    assert made.lineage.base_sha256 == ""
    with pytest.raises(BadArtefact, match="names no base"):
        store.open_with_base("triage")


def test_an_adapter_is_refused_where_its_base_is_another(store, tmp_path):
    admit_base(store, tmp_path)
    admit_trained(store, adapter(tmp_path), 0.0)
    admit_base(store, tmp_path, b"another base")
    with pytest.raises(BadArtefact, match="was trained on"):
        store.open_with_base("triage")


def test_an_adapter_is_refused_where_its_base_was_changed_on_disk(store, tmp_path):
    base = admit_base(store, tmp_path)
    admit_trained(store, adapter(tmp_path), 0.0)
    blob = store.blob(base.files[0].sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"bad!")
    with pytest.raises(BadArtefact):
        store.open_with_base("triage")


@pytest.mark.parametrize(
    ("change", "error"), [({"base": ""}, BadArtefact), ({"base": "none"}, NotFound), ({"files": ()}, BadArtefact)]
)
def test_what_cannot_be_traced_is_not_admitted(store, tmp_path, change, error):
    admit_base(store, tmp_path)
    with pytest.raises(error):
        admit_trained(store, adapter(tmp_path, **change), 0.0)
    assert [one.name for one in store.list()] == ["base"]


def test_a_changed_lineage_does_not_verify(store, tmp_path):
    admit_base(store, tmp_path)
    admit_trained(store, adapter(tmp_path), 0.0)
    path = store.root / "models" / "triage.json"
    told = json.loads(path.read_bytes())
    told["manifest"]["lineage"]["dataset_sha256"] = "e" * 64
    path.write_text(json.dumps(told))
    with pytest.raises(BadSignature):
        store.show("triage")


def test_a_manifest_signed_before_there_were_lineages_still_verifies(store, tmp_path):
    admit_base(store, tmp_path)
    path = store.root / "models" / "base.json"
    told = json.loads(path.read_bytes())
    del told["manifest"]["lineage"]
    path.write_text(json.dumps(told))
    assert store.show("base").licence == "Apache-2.0"


def test_removing_takes_the_bytes_nobody_else_names(store, tmp_path):
    base = admit_base(store, tmp_path)
    made = admit_trained(store, adapter(tmp_path), 0.0)
    admit_trained(store, adapter(tmp_path, name="other", files=(tmp_path / "adapter.gguf",)), 0.0)
    with pytest.raises(Conflict):
        store.remove("base")
    store.remove("triage")
    assert [one.name for one in store.list()] == ["base", "other"]
    there = [store.blob(one.sha256).exists() for one in (*base.files, *made.files)]
    assert there == [True, True, False]
    with pytest.raises(NotFound):
        store.remove("triage")
