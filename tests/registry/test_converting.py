"""Weights that come as pickles or arrays stand in the store as safetensors, with word of what they were."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from freehold.cli.models import models
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store
from freehold.registry.converting import Brought, name_after
from freehold.registry.errors import ReviewNeeded
from freehold.registry.gate.scan import scan
from freehold.registry.held import waiting
from freehold.registry.offers import Review, Rules
from freehold.registry.papers.binding import document, line_of
from freehold.registry.staging import digest_of
from tests.registry.test_admission import DAY, NOW, offer
from tests.registry.test_convert import opened


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"), lambda: NOW)


@pytest.fixture
def admission(store):
    return Admission(store, scan, Rules(), lambda: NOW)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    np.save(made / "weights.npy", np.arange(6, dtype="<f4").reshape(2, 3))
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("---\nlicense: mit\n---\n")
    return made


def test_only_the_converted_file_is_in_the_store_and_its_papers_say_what_it_was(store, admission, folder):
    source = digest_of(folder / "weights.npy")
    made = admission.take(folder, offer(format="files"))
    assert [one.name for one in made.files] == ["weights.safetensors", "README.md", "config.json"]
    assert made.format == "safetensors"
    assert (made.making.how, made.making.from_sha256, made.origin.sha256) == ("convert", source, source)
    found, _ = opened(store.open_verified("tiny"))
    assert found["tensor"] == ("F32", (2, 3), np.arange(6, dtype="<f4").tobytes())
    told = msgspec.json.decode(document(store, made, "converted"), type=Brought)
    assert (told.first.into, told.first.brought.sha256) == ("weights.safetensors", source)
    (step,) = line_of(store, "tiny").steps
    assert (step.how, [one.sha256 for one in step.of]) == ("convert", [source])
    assert source not in {one.name for one in (store.root / "blobs" / "sha256").iterdir()}


def test_what_came_linked_keeps_its_own_bytes(admission, folder):
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    admission.take(folder, offer(format="files"), link=True)
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before


def test_a_person_may_vouch_for_what_is_converted_now_and_anew(store, admission, folder):
    (folder / "code.py").write_text("print(1)\n")
    with pytest.raises(ReviewNeeded):
        admission.take(folder, offer(format="files"))
    (held,) = waiting(store.root, store.verifier)
    assert held.offer.making.how == "convert"
    made = admission.review("tiny", Review("ada", NOW + DAY))
    again = admission.review("tiny", Review("ada", NOW + 2 * DAY))
    assert made.files == again.files
    assert (again.making, again.format) == (made.making, "safetensors")
    assert document(store, again, "converted") == document(store, made, "converted")


def test_what_cannot_be_converted_needs_a_person(admission, folder):
    np.save(folder / "big.npy", np.arange(3, dtype=">f4"))
    with pytest.raises(ReviewNeeded, match=r"big\.npy: is not converted: .*big-endian"):
        admission.take(folder, offer(format="files"))


def test_one_file_does_not_take_anothers_place(admission, folder):
    np.save(folder / "weights.bin", np.ones(1))
    (folder / "weights.bin.npy").rename(folder / "weights.bin")
    with pytest.raises(BadArtefact, match="there already"):
        admission.take(folder, offer(format="files"))


def test_parts_and_the_list_of_them_get_new_names_and_settings_of_training_stay(store, admission, folder):
    torch = pytest.importorskip("torch")
    (folder / "weights.npy").unlink()
    names = [f"pytorch_model-0000{one}-of-00002.bin" for one in (1, 2)]
    for name, key in zip(names, "ab", strict=True):
        torch.save({key: torch.ones(2)}, folder / name)
    torch.save({"lr": 0.1}, folder / "training.bin")
    index = {"metadata": {}, "weight_map": dict(zip("ab", names, strict=True))}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    made = admission.take(folder, offer(format="files"))
    assert {one.name for one in made.files} == {
        *("README.md", "config.json", "model.safetensors.index.json", "training.bin"),
        *(name_after(one) for one in names),
    }
    (listed,) = (one for one in made.files if one.name.endswith("index.json"))
    told = json.loads(store.blob(listed.sha256).read_bytes())["weight_map"]
    assert told == {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}


def test_a_makers_signature_is_over_what_the_maker_sent(admission, folder, monkeypatch):
    seen = []

    def check(bundle, digests, trust):
        seen.append(digests)
        raise BadSignature("stop here")

    monkeypatch.setattr("freehold.registry.papers.signing.check", check)
    with pytest.raises(BadSignature):
        admission.take(folder, offer(format="files", signature=b"{}"))
    assert seen == [{one.name: digest_of(one) for one in folder.iterdir()}]


def test_models_convert_writes_each_file_and_says_what_it_could_not(tmp_path, folder):
    out = tmp_path / "out"
    np.savez(folder / "more.npz", a=np.ones(2), b=np.zeros((2, 2), "i1"))
    ended = CliRunner().invoke(models, ["convert", str(folder), "--out", str(out), "--json"])
    assert ended.exit_code == 0, ended.output
    assert [(one["file"], one["tensors"]) for one in json.loads(ended.stdout)] == [("more.npz", 2), ("weights.npy", 1)]
    assert sorted(one.name for one in out.iterdir()) == ["more.safetensors", "weights.safetensors"]
    np.save(folder / "text.npy", np.array(["a"]))
    ended = CliRunner().invoke(models, ["convert", str(folder / "text.npy"), "--out", str(out)])
    assert ended.exit_code == 4
    assert "safetensors has not" in ended.output
