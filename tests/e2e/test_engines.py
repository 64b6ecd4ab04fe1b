"""An engine of the settings in a whole instance: an adapter takes over from another while callers call, and none is lost."""

from __future__ import annotations

import threading

import pytest

from freehold.core.crypto import Identity
from freehold.identity.service import service_key
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from tests.e2e.instance import running, until, vendors
from tests.fakes.engine_vllm import FakeVllm

CONFIG = """\
[engines.gpu]
kind = "vllm"
url = "http://127.0.0.1:@port/v1"
api_key = "${file:@key}"
model = "base"
[routes.main]
targets = ["owned-gpu"]
"""
TARGET = "owned-tickets"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    with FakeVllm("base") as fake, vendors() as fakes:
        (folder / "key").write_text(fake.key)
        text = CONFIG.replace("@port", str(fake.port)).replace("@key", str(folder / "key"))
        with running(folder, text, fakes) as instance:
            yield instance, fake


def admit(instance, name, data):
    folder = instance.home.parent / name
    folder.mkdir()
    files = {"adapter_model.safetensors": data, "adapter_config.json": b"{}"}
    for each, content in files.items():
        (folder / each).write_bytes(content)
    blobs = tuple(Blob(one, digest_of(folder / one), (folder / one).stat().st_size) for one in files)
    store = Store(instance.home / "store", Identity.load(instance.home / "identity.key"))
    manifest = Manifest(
        name=name, kind="adapter", format="safetensors", files=blobs, origin=Origin("test", "1", blobs[0].sha256),
        making=Making("none"), licence="MIT", made_at="2026-11-23T00:00:00Z",
    )  # fmt: skip
    store.admit(manifest, {one: folder / one for one in files})


def test_adapters_change_under_load_and_every_call_is_answered(served):
    instance, fake = served
    key = service_key(instance.home)

    def ask(model):
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
        return instance.ask("/v1/chat/completions", body, {"x-freehold-label": "restricted:GDPR"}, key)

    until(lambda: ask("main").status == 200, "the engine is led to")
    for name in ("tickets-1", "tickets-2"):
        admit(instance, name, name.encode())
    made = instance.freehold("deploy", "model", "tickets-1", "--target", TARGET, "--engine", "gpu")
    assert made["phase"] == "ready"
    (first,) = fake.adapters

    statuses, enough = [], threading.Event()

    def calling():
        while not enough.is_set():
            statuses.append(ask(f"target:{TARGET}").status)

    callers = [threading.Thread(target=calling) for _ in range(3)]
    for one in callers:
        one.start()
    try:
        until(lambda: len(statuses) > 20, "calls are answered")
        instance.freehold("deploy", "model", "tickets-2", "--target", TARGET, "--engine", "gpu")
        until(lambda: first not in fake.adapters, "the first one is unloaded")
        until(lambda: (now := len(statuses)) and len(statuses) >= now, "calls go on")
    finally:
        enough.set()
        for one in callers:
            one.join()
    assert set(statuses) == {200}
    (second,) = fake.adapters
    assert second != first
    assert fake.unloaded_while_called == []

    (engine,) = instance.freehold("deploy", "engines")
    assert [(one["name"], one["phase"]) for one in engine["standings"]] == [("owned-gpu", "ready"), (TARGET, "ready")]
    assert fake.key not in str(engine)
    instance.freehold("deploy", "stop", TARGET)
    until(lambda: not fake.adapters, "the second one is unloaded")
    assert ask(f"target:{TARGET}").status == 404
    assert ask("main").status == 200
