"""A prompt in the store is served by its base's engine; its examples travel with the target."""

from __future__ import annotations

import time

import msgspec
import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact
from freehold.gateway.few_shot import FewShot, Shot, parse
from freehold.grading.types import Answer
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from freehold.registry.trained import Product, admit_trained
from freehold.serving.deployments import Deployment, command, targets
from freehold.serving.engines.llama_cpp import opened, parser

SHOTS = FewShot(workflow="wf_1", shots=(Shot("where is it", Answer("card")),), tokens=5)


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))
    (tmp_path / "base.gguf").write_bytes(b"weights")
    blob = Blob("base.gguf", digest_of(tmp_path / "base.gguf"), 7)
    given = {"origin": Origin("p", "1", "0" * 64), "making": Making("none"), "made_at": "2026-11-22T00:00:00.000Z"}
    made.admit(
        Manifest(name="base", kind="chat", format="gguf", files=(blob,), licence="Apache-2.0", **given),
        {"base.gguf": tmp_path / "base.gguf"},
    )
    return made


def product(tmp_path, **changes):
    (tmp_path / "few_shot.json").write_bytes(msgspec.json.encode(SHOTS))
    given = {
        "name": "prompt-1",
        "kind": "prompt",
        "format": "json",
        "files": (tmp_path / "few_shot.json",),
        "recipe": "prompt",
        "dataset_sha256": "d" * 64,
        "base": "base",
    }
    return Product(**{**given, **changes})


def test_the_engine_of_a_prompt_opens_its_base_and_nothing_else(store, tmp_path):
    manifest = admit_trained(store, product(tmp_path), time.time())
    assert opened(store, "prompt-1", "prompt") == (store.blob(store.show("base").files[0].sha256), None)
    assert parse(store.open_verified(manifest.name).read_bytes()) == SHOTS
    with pytest.raises(BadArtefact):
        admit_trained(store, product(tmp_path, name="no-base", base=""), time.time())


def test_its_target_carries_the_examples(store, tmp_path):
    text = msgspec.json.encode(SHOTS).decode()
    one = Deployment(
        name="owned-p", kind="prompt", model="prompt-1", port=9, secret_path=str(tmp_path / "s"), threads=1,
        context=512, slots=1, examples=text,
    )  # fmt: skip
    target = targets((one,))[0]
    assert target.examples == text and target.driver == "llama_cpp" and target.quirks == ("no_tools",)
    spec = command(one, store.root, store.verifier, tmp_path / "log")
    assert parser().parse_args(spec.argv[3:]).kind == "prompt"
    assert "where is it" not in " ".join(spec.argv)
