"""Engines beside the embedded ones: they come when wanted, serve before they are named, and go when nobody is led to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from freehold.core.crypto import Identity
from freehold.core.process import Supervisor
from freehold.core.snapshot import write_snapshot
from freehold.gateway.routing.types import Routes
from freehold.registry.artefacts import Store
from freehold.serving.catalogue import admit
from freehold.serving.deployments import deployed, healthy, secret_of, targets
from freehold.serving.fleet import Defaults, Fleet
from freehold.serving.loopback import ask
from freehold.serving.wanted import Wanted, ready, standing, unwant, want
from tests.serving.tiny import admit_classifier

WISH = Wanted(name="owned-tickets", model="tickets-1")
BODY = json.dumps({"messages": [{"role": "user", "content": "I was charged twice on my bill"}]}).encode()


class House:
    """A home with a fleet in it and somebody who publishes routes."""

    def __init__(self, home):
        self.home = home
        self.run = home / "run"
        self.identity = Identity.load(home / "identity.key")
        self.store = Store(home / "store", self.identity)
        self.supervisor = Supervisor(self.run / "processes.json", lambda *_: None)
        self.publishing = True
        self.version = 0

    def publish(self):
        self.version += 1
        routes = Routes(targets=targets(deployed(self.run)))
        write_snapshot(self.home / "snapshots", "routes", self.version, 0.0, routes, self.identity)

    async def publisher(self):
        before = None
        while True:
            if self.publishing and (now := deployed(self.run)) != before:
                before = now
                self.publish()
            await asyncio.sleep(0.02)

    async def until(self, condition, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, (standing(self.home), self.logs())
            await asyncio.sleep(0.01)
        return found

    def logs(self):
        return [one.read_text()[-800:] for one in (self.home / "logs").glob("*.log")]

    def phase(self):
        return {one.name: one.phase for one in standing(self.home)}.get("owned-tickets")

    def children(self):
        return [one.name for one in self.supervisor.statuses()]

    async def answer(self, deployment):
        status, body = await ask(
            deployment.port, "/v1/chat/completions", secret=secret_of(deployment), body=BODY, within=10
        )
        assert status == 200, body
        return json.loads(body)["choices"][0]["message"]["content"]


def mode(path):
    """Of a file; 0 where there is none."""
    found = Path(path)
    return stat.S_IMODE(found.stat().st_mode) if found.exists() else 0


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def living(house, work):
    async def whole():
        fleet = Fleet(house.home, house.supervisor, house.store, (), Defaults(1, 512, 1), lambda *_: None)
        tasks = [asyncio.create_task(fleet.run()), asyncio.create_task(house.publisher())]
        try:
            await work()
        finally:
            for one in tasks:
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await house.supervisor.close()

    asyncio.run(whole())


def test_what_is_wanted_serves_and_what_is_unwanted_ends(house, tmp_path):
    admit_classifier(house.store, tmp_path)

    async def work():
        want(house.home, WISH)
        made = await house.until(lambda: ready(house.home, "owned-tickets"))
        assert await house.answer(made) == "billing"
        assert mode(made.secret_path) == 0o600
        (target,) = targets(deployed(house.run))
        assert (target.name, target.driver, target.owned) == ("owned-tickets", "openai", True)
        unwant(house.home, "owned-tickets")
        await house.until(lambda: not house.children())
        assert deployed(house.run) == ()
        assert standing(house.home) == ()
        assert not mode(made.secret_path)
        assert not await healthy(made.port)

    living(house, work)


def test_a_target_is_named_only_while_its_engine_answers(house, tmp_path):
    admit_classifier(house.store, tmp_path)
    house.publishing = False

    async def work():
        want(house.home, WISH)
        (made,) = await house.until(lambda: deployed(house.run))
        assert await house.answer(made) == "billing"
        assert ready(house.home, "owned-tickets") is None
        assert house.phase() == "starting"
        house.publish()
        await house.until(lambda: ready(house.home, "owned-tickets"))
        unwant(house.home, "owned-tickets")
        await house.until(lambda: deployed(house.run) == ())
        for _ in range(20):  # routes still lead to it: it must go on answering
            assert await house.answer(made) == "billing"
            await asyncio.sleep(0.02)
        house.publish()
        await house.until(lambda: not house.children())

    living(house, work)


def test_a_successor_takes_over_without_a_gap(house, tmp_path):
    admit_classifier(house.store, tmp_path)
    admit_classifier(house.store, tmp_path, name="tickets-2", texts={"money": "charged twice bill", "doors": "locked"})

    async def work():
        want(house.home, WISH)
        first = await house.until(lambda: ready(house.home, "owned-tickets"))
        want(house.home, Wanted(name="owned-tickets", model="tickets-2"))
        seen = set()
        while ready(house.home, "owned-tickets") is None:
            (now,) = deployed(house.run)
            seen.add(await house.answer(now))
            await asyncio.sleep(0.01)
        second = ready(house.home, "owned-tickets")
        assert second.port != first.port
        assert await house.answer(second) == "money"
        assert seen <= {"billing", "money"}
        await house.until(lambda: house.children() == [second.process])

    living(house, work)


def test_what_cannot_be_loaded_is_told_not_tried_for_ever_and_tried_again_when_wanted_again(house, tmp_path):
    manifest = admit_classifier(house.store, tmp_path)
    blob = house.store.blob(manifest.files[0].sha256)
    good = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(good[:-1] + b"?")

    async def work():
        want(house.home, WISH)
        await house.until(lambda: house.phase() == "failed")
        (told,) = standing(house.home)
        assert "is signed" in told.reason
        assert house.children() == []
        assert deployed(house.run) == ()
        blob.write_bytes(good)
        want(house.home, WISH)
        await house.until(lambda: ready(house.home, "owned-tickets"))

    living(house, work)


def test_a_model_that_is_not_in_the_store_is_told_and_no_process_is_started(house, tmp_path):
    manifest = admit_classifier(house.store, tmp_path)

    async def work():
        want(house.home, Wanted(name="owned-tickets", model="nobody"))
        await house.until(lambda: house.phase() == "failed")
        assert "nobody" in standing(house.home)[0].reason
        want(house.home, Wanted(name="owned-tickets", model="tickets-1", sha256="0" * 64))
        await house.until(lambda: "is wanted" in standing(house.home)[0].reason)
        want(house.home, Wanted(name="owned-tickets", model="tickets-1", sha256=manifest.files[0].sha256))
        await house.until(lambda: ready(house.home, "owned-tickets"))
        (house.home / "deployments" / "owned-bad.json").write_text("{")
        await house.until(lambda: "owned-bad" in {one.name for one in standing(house.home)})
        assert ready(house.home, "owned-tickets")

    living(house, work)


def test_a_failing_successor_leaves_the_model_that_serves(house, tmp_path):
    admit_classifier(house.store, tmp_path)

    async def work():
        want(house.home, WISH)
        made = await house.until(lambda: ready(house.home, "owned-tickets"))
        want(house.home, Wanted(name="owned-tickets", model="nobody"))
        await house.until(lambda: house.phase() == "failed")
        assert deployed(house.run) == (made,)
        assert await house.answer(made) == "billing"
        want(house.home, WISH)
        assert await house.until(lambda: ready(house.home, "owned-tickets")) == made

    living(house, work)


def test_a_killed_engine_comes_back_and_is_told_meanwhile(house, tmp_path):
    admit_classifier(house.store, tmp_path)

    async def work():
        want(house.home, WISH)
        made = await house.until(lambda: ready(house.home, "owned-tickets"))
        os.kill(house.supervisor.statuses()[0].pid, signal.SIGKILL)
        await house.until(lambda: house.phase() == "restarting")
        await house.until(lambda: ready(house.home, "owned-tickets"))
        assert await house.answer(made) == "billing"

    living(house, work)


def test_wishes_outlive_the_fleet_and_secrets_do_not(house, tmp_path):
    admit_classifier(house.store, tmp_path)
    seen = []

    async def work():
        want(house.home, WISH)
        seen.append(await house.until(lambda: ready(house.home, "owned-tickets")))
        seen[-1] = (seen[-1], secret_of(seen[-1]))

    living(house, work)
    (house.run / "deployments.json").unlink()
    house.supervisor = Supervisor(house.run / "processes.json", lambda *_: None)

    async def again():
        made = await house.until(lambda: ready(house.home, "owned-tickets"))
        assert secret_of(made) != seen[0][1]
        assert made.secret_path == seen[0][0].secret_path or not mode(seen[0][0].secret_path)
        assert await house.answer(made) == "billing"

    living(house, again)


def test_a_chat_engine_ends_only_when_its_calls_have(house, weights, tmp_path):
    """A stream under way when nobody wants its engine any more comes to its own end."""
    admit(weights, house.store, time.time)
    body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 160, "stream": True, "ignore_eos": True,
            "stream_options": {"include_usage": True}}  # fmt: skip

    async def work():
        want(house.home, Wanted(name="owned-talk", model="smollm2-135m-instruct", slots=2, max_output=200))
        made = await house.until(lambda: ready(house.home, "owned-talk"))
        assert (made.kind, made.context_per_call, made.max_output) == ("chat", 256, 200)
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        data = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret_of(made)}\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        got = await reader.readuntil(b"data: ")
        unwant(house.home, "owned-talk")
        got += await reader.read()
        writer.close()
        assert b"data: [DONE]" in got
        assert b'"completion_tokens":160' in got
        await house.until(lambda: not house.children())

    living(house, work)
