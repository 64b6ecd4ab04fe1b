"""Engines of the settings: started or asked, their adapters brought while they serve, no call dropped on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from freehold.core.crypto import Identity
from freehold.core.process import Supervisor
from freehold.core.snapshot import write_snapshot
from freehold.gateway.routing.types import Routes
from freehold.registry import channel_files, channels
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from freehold.registry.channels import Act, Coming, Facts, Release
from freehold.serving.attached import Attached
from freehold.serving.attachments import attached, forget, seen
from freehold.serving.keeper import engine_name
from freehold.serving.wanted import Wanted, standing, unwant, want
from freehold.settings.engines import attachments
from freehold.settings.environment import resolve_secret
from freehold.settings.tree import Settings
from tests.fakes.engine_sglang import FakeSglang
from tests.fakes.engine_vllm import FakeVllm

FAKES = {"sglang": FakeSglang, "vllm": FakeVllm}
ROOT = Path(__file__).parents[2]


class House:
    """A home with attached engines in it and somebody who publishes routes."""

    def __init__(self, home):
        self.home, self.run = home, home / "run"
        self.identity = Identity.load(home / "identity.key")
        self.store = Store(home / "store", self.identity)
        self.supervisor = Supervisor(self.run / "processes.json", lambda *_: None)
        self.publishing, self.version = True, 0

    def admit(self, name, kind, files, form="safetensors"):
        folder = self.home / "sources" / name
        folder.mkdir(parents=True)
        for each, data in files.items():
            (folder / each).write_bytes(data)
        blobs = tuple(Blob(one, digest_of(folder / one), (folder / one).stat().st_size) for one in files)
        manifest = Manifest(
            name=name, kind=kind, format=form, files=blobs, origin=Origin("test", "1", blobs[0].sha256),
            making=Making("none"), licence="MIT", made_at="2026-11-23T00:00:00Z",
        )  # fmt: skip
        self.store.admit(manifest, {one: folder / one for one in files})
        return manifest

    def adapter(self, name, data):
        return self.admit(name, "adapter", {"adapter_model.safetensors": data, "adapter_config.json": b"{}"})

    def publish(self):
        self.version += 1
        write_snapshot(
            self.home / "snapshots", "routes", self.version, 0.0, Routes(targets=attached(self.run)), self.identity
        )

    async def publisher(self):
        before = None
        while True:
            if self.publishing and (now := attached(self.run)) != before:
                before = now
                self.publish()
            await asyncio.sleep(0.02)

    async def until(self, condition, seconds=20.0):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, (standing(self.home), self.logs())
            await asyncio.sleep(0.01)
        return found

    def logs(self):
        return [one.read_text()[-800:] for one in (self.home / "logs").glob("*.log")]

    def phase(self, name):
        return {one.name: one.phase for one in standing(self.home)}.get(name)

    def target(self, name):
        return {one.name: one for one in attached(self.run)}.get(name)


def cmdline(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture(params=["sglang", "vllm"])
def engine(request):
    with FAKES[request.param]("base") as made:
        yield request.param, made


def by_url(kind, engine, house, **more):
    secret = house.home / "key"
    secret.write_text(engine.key)
    table = {"kind": kind, "url": f"http://127.0.0.1:{engine.port}/v1", "model": "base"}
    return {"gpu": {**table, "api_key": f"${{file:{secret}}}", **more}}


def living(house, tables, work):
    async def whole():
        found = attachments(Settings.model_validate({"engines": tables}), house.run, resolve_secret)
        looking = Attached(house.home, house.supervisor, house.store, found, lambda *_: None)
        tasks = [asyncio.create_task(looking.run()), asyncio.create_task(house.publisher())]
        try:
            await work()
        finally:
            for one in tasks:
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await house.supervisor.close()

    asyncio.run(whole())
    assert seen(house.run) == ()
    forget(house.run)
    assert attached(house.run) == ()


def test_an_engine_that_runs_already_gets_a_target_once_it_answers(house, engine):
    kind, fake = engine
    fake.healthy = False

    async def work():
        await house.until(lambda: house.phase("owned-gpu") == "starting")
        assert attached(house.run) == ()
        fake.healthy = True
        made = await house.until(lambda: house.target("owned-gpu"))
        assert (made.model, made.origin.port, made.owned) == ("base", fake.port, True)
        assert fake.calls("base") == 1  # warmed up before anybody was led to it
        fake.healthy = False
        await house.until(lambda: house.target("owned-gpu") is None)
        assert house.phase("owned-gpu") in ("starting", "restarting")

    living(house, by_url(kind, fake, house), work)


def test_a_new_version_of_an_adapter_takes_over_and_no_call_is_cut(house, engine):
    """The old one is unloaded only when its last call has ended, however long that takes."""
    kind, fake = engine
    first, second = house.adapter("tickets-1", b"one"), house.adapter("tickets-2", b"two")
    old = engine_name("owned-tickets", first.files[0].sha256)
    new = engine_name("owned-tickets", second.files[0].sha256)

    async def work():
        want(house.home, Wanted(name="owned-tickets", model="tickets-1", engine="gpu"))
        made = await house.until(lambda: house.target("owned-tickets"))
        assert (made.model, made.digest) == (old, first.files[0].sha256)
        await house.until(lambda: house.phase("owned-tickets") == "ready")
        house.publishing = False
        want(house.home, Wanted(name="owned-tickets", model="tickets-2", engine="gpu"))
        await house.until(lambda: (found := house.target("owned-tickets")) and found.model == new)
        for _ in range(20):  # routes still lead to the old one
            assert set(fake.adapters) == {old, new}
            await asyncio.sleep(0.02)
        fake.busy = 0 if kind == "sglang" else 1  # the one waits by itself, for the other we do
        house.publish()
        await house.until(lambda: house.phase("owned-tickets") == "ready")
        if kind == "vllm":
            await asyncio.sleep(0.6)
            assert old in fake.adapters
            fake.busy = 0
        await house.until(lambda: set(fake.adapters) == {new})
        house.publishing = True
        unwant(house.home, "owned-tickets")
        await house.until(lambda: not fake.adapters)
        assert house.target("owned-gpu")
        assert house.target("owned-tickets") is None
        assert fake.unloaded_while_called == []

    living(house, by_url(kind, fake, house), work)


def test_adapters_of_the_settings_are_brought_again_to_an_engine_that_forgot_them(house, engine):
    kind, fake = engine
    made = house.adapter("tickets-1", b"one")
    name = engine_name("owned-tickets", made.files[0].sha256)

    async def work():
        await house.until(lambda: name in fake.adapters and house.phase("owned-tickets") == "ready")
        assert house.target("owned-tickets").digest == made.files[0].sha256
        fake.adapters.clear()  # as a restart of it does
        await house.until(lambda: name in fake.adapters)

    living(house, by_url(kind, fake, house, adapters={"owned-tickets": "tickets-1"}), work)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [("bytes", "is signed"), ("kind", "is no adapter"), ("refused", "does not load"), ("gone", "tickets-9")],
)
def test_an_adapter_that_cannot_be_served_is_told_of_and_the_engine_serves_on(house, spoil, why):
    made = house.adapter("tickets-1", b"one")
    house.admit("plain", "chat", {"model.safetensors": b"w"})
    if spoil == "bytes":
        blob = house.store.blob(made.files[0].sha256)
        blob.chmod(0o600)
        blob.write_bytes(b"eno")
    model = {"kind": "plain", "gone": "tickets-9"}.get(spoil, "tickets-1")

    with FakeVllm("base", lora=spoil != "refused") as fake:

        async def work():
            want(house.home, Wanted(name="owned-tickets", model=model, engine="gpu"))
            await house.until(lambda: house.phase("owned-tickets") == "failed")
            assert why in next(one.reason for one in standing(house.home) if one.name == "owned-tickets")
            assert house.target("owned-tickets") is None
            assert house.target("owned-gpu")
            assert not fake.adapters

        living(house, by_url("vllm", fake, house), work)


@pytest.mark.parametrize("kind", ["sglang", "vllm"])
def test_an_engine_with_a_command_is_started_from_the_store_and_started_again(house, kind):
    made = house.admit("base-1", "chat", {"model.safetensors": b"weights", "config.json": b"{}"})
    adapter = house.adapter("tickets-1", b"one")
    tables = {
        "gpu": {
            "kind": kind,
            "command": [sys.executable, "-m", f"tests.fakes.engine_{kind}"],
            "environment": {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
            "model": "base-1",
            "adapters": {"owned-tickets": "tickets-1"},
        }
    }

    def running():
        status = house.supervisor.status("engine-gpu")
        return status if status and status.phase == "ready" else None

    async def work():
        found = await house.until(lambda: house.target("owned-gpu"))
        assert found.digest == made.files[0].sha256
        assert resolve_secret(found.credential)
        first = running().pid
        argv = cmdline(first)
        assert resolve_secret(found.credential).encode() not in argv
        await house.until(lambda: house.phase("owned-tickets") == "ready")
        assert house.target("owned-tickets").digest == adapter.files[0].sha256
        os.kill(first, signal.SIGKILL)
        await house.until(lambda: (again := running()) and again.pid != first)
        await house.until(lambda: house.phase("owned-gpu") == "ready" and house.phase("owned-tickets") == "ready")

    living(house, tables, work)


def test_a_model_whose_bytes_changed_is_not_started(house):
    made = house.admit("base-1", "chat", {"model.safetensors": b"weights"})
    blob = house.store.blob(made.files[0].sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"weighty")
    tables = {"gpu": {"kind": "vllm", "command": [sys.executable, "-m", "tests.fakes.engine_vllm"], "model": "base-1"}}

    async def work():
        await house.until(lambda: house.phase("owned-gpu") == "failed")
        assert house.supervisor.status("engine-gpu") is None

    living(house, tables, work)


def test_an_adapter_of_the_settings_follows_its_channel_there_and_back(house, engine):
    kind, fake = engine
    made = [house.adapter(f"tickets-{number}", bytes([number])) for number in (1, 2)]
    old, new = (engine_name("owned-tickets", one.files[0].sha256) for one in made)
    act, facts = Act("ada", "2026-11-23T00:00:00Z"), Facts(signed=True, scan="allow")

    def change(how):
        channel_files.change(house.store.root, "stable", house.identity, how)

    def promote(name):
        release = Release(name, house.store.keep(name))
        change(lambda one: channels.promote(one, Coming("adapter", "tickets", release, facts), act))

    async def led_to(name):
        await house.until(lambda: (found := house.target("owned-tickets")) and found.model == name)
        await house.until(lambda: house.phase("owned-tickets") == "ready" and set(fake.adapters) == {name})

    async def work():
        await house.until(lambda: house.phase("owned-tickets") == "failed")  # nothing stands there yet
        promote("tickets-1")
        await led_to(old)
        promote("tickets-2")
        await led_to(new)
        change(lambda one: channels.back(one, "tickets", act, facts))
        await led_to(old)

    living(house, by_url(kind, fake, house, adapters={"owned-tickets": "tickets@stable"}), work)
