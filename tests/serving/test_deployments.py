"""Deployments, their commands and targets, and engines that die and come back."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from pathlib import Path

from freehold.core.crypto import Identity
from freehold.core.label import parse_label
from freehold.core.process import Supervisor
from freehold.registry.artefacts import Store
from freehold.serving.catalogue import MODELS, admit, manifest_of
from freehold.serving.deployments import command, deploy, deployed, healthy, targets

MANIFESTS = tuple(manifest_of(one, 0.0) for one in MODELS)


def test_each_model_gets_a_port_and_a_secret_of_its_own(tmp_path):
    made = deploy(tmp_path, MANIFESTS, threads=0, context=8192, slots=4)
    assert [one.name for one in made] == ["owned-chat", "owned-embed"]
    assert made[0].port != made[1].port
    secrets = {Path(one.secret_path).read_text() for one in made}
    assert len(secrets) == 2
    assert all(len(one) == 64 for one in secrets)
    for path in (*(Path(one.secret_path) for one in made), tmp_path / "deployments.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert deployed(tmp_path) == made
    assert (made[0].threads, made[0].context_per_call) == (os.cpu_count(), 2048)


def test_nothing_is_deployed_before_the_first_start(tmp_path):
    assert deployed(tmp_path) == ()


def test_targets_are_owned_local_and_take_every_label(tmp_path):
    chat, embed = targets(deploy(tmp_path, MANIFESTS, threads=1, context=8192, slots=4))
    for one in (chat, embed):
        assert one.owned
        assert (one.driver, one.region, one.origin.host) == ("llama_cpp", "local", "127.0.0.1")
        assert parse_label("restricted:GDPR,HIPAA").within(one.clearance)
        assert parse_label("unknown").within(one.clearance)
        assert one.credential == f"${{file:{tmp_path / (one.name + '.secret')}}}"
    assert (chat.dialects[0], embed.dialects) == ("openai_chat", ("openai_embeddings",))
    assert (chat.context_tokens, embed.context_tokens) == (2048, 512)
    assert "no_tools" in chat.quirks


def test_the_command_names_the_model_and_never_the_secret(tmp_path):
    identity = Identity.load(tmp_path / "key")
    for one in deploy(tmp_path, MANIFESTS, threads=1, context=8192, slots=4):
        spec = command(one, tmp_path / "store", identity, tmp_path / "log")
        line = " ".join(spec.argv) + str(spec.env)
        assert Path(one.secret_path).read_text() not in line
        assert f"--model {one.model}" in line
        assert ".gguf" not in line
        assert identity.public.hex() in line


def test_a_dead_engine_comes_back_on_its_port(weights, tmp_path):
    async def work():
        identity = Identity.load(tmp_path / "key")
        store = Store(tmp_path / "store", identity)
        admit(weights, store, time.time)
        one = deploy(tmp_path / "run", (store.show("minilm-l6-v2"),), threads=1, context=512, slots=1)[0]
        supervisor = Supervisor(tmp_path / "run" / "processes.json", lambda *_: None)
        try:
            supervisor.start(command(one, store.root, identity, tmp_path / "log"))
            await supervisor.ready(60)
            assert await healthy(one.port)
            os.kill(supervisor.statuses()[0].pid, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while supervisor.statuses()[0].restarts == 0:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            await supervisor.ready(60)
            assert await healthy(one.port)
        finally:
            await supervisor.close()
        assert not await healthy(one.port)

    asyncio.run(work())


def test_an_engine_does_not_load_what_was_changed_in_the_store(weights, tmp_path):
    async def work():
        identity = Identity.load(tmp_path / "key")
        store = Store(tmp_path / "store", identity)
        (manifest,) = (one for one in admit(weights, store, time.time) if one.kind == "embedding")
        blob = store.blob(manifest.files[0].sha256)
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.unlink()  # it shares its bytes with the cache
        blob.write_bytes(data)
        one = deploy(tmp_path / "run", (manifest,), threads=1, context=512, slots=1)[0]
        spec = command(one, store.root, identity, tmp_path / "log")
        process = await asyncio.create_subprocess_exec(
            *spec.argv, env=dict(spec.env), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        _, said = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1
        assert b"is signed" in said

    asyncio.run(work())
