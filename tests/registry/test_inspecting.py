"""A model can be looked into: what its tensors hold, who is near whom, how far it is from its base."""

from __future__ import annotations

import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from freehold.core.crypto import Identity
from freehold.core.errors import Conflict, NotFound
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store, digest_of
from freehold.registry.inspecting import inspect
from freehold.registry.leaving import export
from freehold.registry.offers import Rules
from freehold.registry.papers import signing
from freehold.serving.catalogue import admit
from tests.registry.test_admission import folder, looked, offer  # noqa: F401  a fixture


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))


def let_in(store, path, **given):
    return Admission(store, looked, Rules()).take(path, offer(licence="mit", **given))


def test_statistics_are_those_of_the_values_and_differences_those_from_the_base(store, tmp_path):
    random = np.random.default_rng(7)
    values = random.normal(3, 2, (300, 50)).astype(np.float32)
    values[0, :3] = (np.nan, np.inf, 0)
    save_file({"w": values, "same": np.ones(4, np.float16)}, tmp_path / "base.safetensors")
    moved = {"w": values * np.float32(1.1), "same": np.ones(4, np.float16)}
    moved["w"][0, :2] = 0
    plain = values.copy()
    plain[0, :2] = 0
    save_file({"w": plain, "same": np.ones(4, np.float16)}, tmp_path / "plain.safetensors")
    save_file(moved, tmp_path / "tuned.safetensors")
    let_in(store, tmp_path / "base.safetensors", name="base")
    figures = {one.name: one for one in inspect(store, "base", deep=True).figures}
    good = values[np.isfinite(values)].astype(np.float64)
    assert (figures["w"].broken, figures["w"].zeros, figures["w"].values) == (2, 1, 15000)
    assert figures["w"].mean == pytest.approx(good.mean())
    assert figures["w"].deviation == pytest.approx(good.std())
    assert (figures["w"].least, figures["w"].greatest) == (good.min(), good.max())
    let_in(store, tmp_path / "plain.safetensors", name="plain")
    let_in(store, tmp_path / "tuned.safetensors", name="tuned", base="plain")
    found = inspect(store, "tuned", deep=True)
    assert found.base == "plain"
    assert [one.name for one in found.differences] == ["w", "same"]
    assert found.differences[0].relative == pytest.approx(0.1, rel=1e-4)
    assert found.differences[1].relative == 0


def test_the_embedded_model_shows_what_it_is_made_of(weights, store):
    admit(weights, store, time.time)
    found = inspect(store, "smollm2-135m-instruct", "dog")
    assert (found.architecture, found.layers) == ("llama", 30)
    assert found.parameters == 134_515_008
    assert "messages" in found.template
    assert found.tokenizer["ggml.tokens"] == "49152 values"
    near = found.embeddings
    assert (near.tokens, near.width) == (49152, 576)
    assert any("dog" in one.token.lower() or "cat" in one.token.lower() for one in near.neighbours)
    assert [one.cosine for one in near.neighbours] == sorted((one.cosine for one in near.neighbours), reverse=True)
    with pytest.raises(NotFound):
        inspect(store, "smollm2-135m-instruct", "no such token")


def test_what_is_exported_is_whole_and_signed(store, folder, tmp_path):  # noqa: F811
    made = let_in(store, folder)
    export(store, "tiny", tmp_path / "out")
    assert {one.name: digest_of(tmp_path / "out" / one.name) for one in made.files} == {
        one.name: one.sha256 for one in made.files
    }
    bundle = (tmp_path / "out" / "model.sig").read_bytes()
    key = (tmp_path / "out.papers" / "signer.pem").read_bytes()
    assert signing.check(bundle, signing.digests(tmp_path / "out"), signing.Trust(keys=(key,))).method == "key"
    assert {one.name for one in (tmp_path / "out.papers").iterdir()} == {
        "bom.cdx.json",
        "card.json",
        "lineage.dsse.json",
        "record.json",
        "scan.json",
        "signer.pem",
    }
    with pytest.raises(Conflict):
        export(store, "tiny", tmp_path / "out")
