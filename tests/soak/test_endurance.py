"""A minute of mixed traffic: memory stays level, and nothing is left open once the callers are gone."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.instance import running, until, vendors
from tests.e2e.sdks import ask, async_anthropic_client, async_openai_client
from tests.fakes.wire import Fault

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
CALLERS = 24
GROWTH = 0.10
"""Most growth of the gateway's memory over the second half of the run."""
CONFIG = """\
[routes.gpt]
targets = ["gpt", "claude"]
budget = { limit = 1000000, period = "day" }
[routes.claude]
targets = ["claude"]
[capture]
bodies = true
"""
FAULTS = (*[None] * 12, Fault("status", status=500), Fault("cut", after=3), Fault("reset"), Fault("bad_json"))
FAILED = (openai.APIError, anthropic.APIError, httpx2.HTTPError, StopAsyncIteration, TimeoutError, ValueError)


class Child:
    """What the kernel says of a process."""

    def __init__(self, instance, name) -> None:
        self.folder = Path(f"/proc/{instance.processes()[name]['pid']}")

    def resident(self) -> int:
        return int((self.folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    def files(self) -> list[str]:
        found = []
        for one in (self.folder / "fd").iterdir():
            try:
                found.append(str(one.readlink()))
            except FileNotFoundError:
                continue
        return found

    def threads(self) -> int:
        return len(list((self.folder / "task").iterdir()))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with vendors() as both, running(tmp_path_factory.mktemp("soak"), CONFIG, both) as made:
        yield made, both


async def caller(clients, dice, over):
    one, two = clients
    while not over():
        fields = {"model": dice.choice(("gpt", "claude")), "messages": ask("word " * dice.randrange(1, 400))}
        try:
            match dice.randrange(6):
                case 0:
                    await one.chat.completions.create(max_tokens=16, **fields)
                case 1:
                    await two.messages.create(max_tokens=16, **fields)
                case 2:
                    async for _ in await one.chat.completions.create(stream=True, max_tokens=64, **fields):
                        pass
                case 3:
                    async with two.messages.stream(max_tokens=64, **fields) as stream:
                        await stream.get_final_message()
                case 4:
                    stream = await one.chat.completions.create(stream=True, max_tokens=64, **fields)
                    await anext(aiter(stream))
                    await stream.close()
                case 5:
                    async with asyncio.timeout(dice.random() * 0.05):
                        await one.chat.completions.create(max_tokens=16, **fields)
        except FAILED:
            continue


def rude(instance, dice):
    """Connections that say nothing, half a request, or nonsense, and go."""
    with socket.create_connection(("127.0.0.1", urlsplit(instance.base).port)) as wire:
        wire.sendall(
            dice.choice((b"", b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n", dice.randbytes(40)))
        )


async def storm(instance, both, watch):
    end, seed, samples = time.monotonic() + SECONDS, random.Random(1), []
    async with async_openai_client(instance) as one, async_anthropic_client(instance) as two:
        over = lambda: time.monotonic() > end  # noqa: E731
        callers = [asyncio.create_task(caller((one, two), random.Random(at), over)) for at in range(CALLERS)]
        while not over():
            for vendor in (both.openai, both.anthropic):
                vendor.requests.clear()
                vendor.fail(seed.choice(FAULTS))
            await asyncio.to_thread(rude, instance, seed)
            samples.append(watch())
            await asyncio.sleep(0.2)
        await asyncio.gather(*callers)
    return samples


@pytest.mark.soak
@pytest.mark.timeout(SECONDS * 3 + 120)
def test_memory_stays_level_and_nothing_is_left_open(house):
    instance, both = house
    names = ("gateway", "writer", "admin")
    assert instance.chat("gpt").status == 200
    gateway = Child(instance, "gateway")
    pids = {name: instance.processes()[name]["pid"] for name in names}
    before = {name: (len(Child(instance, name).files()), Child(instance, name).threads()) for name in names}
    samples = asyncio.run(storm(instance, both, gateway.resident))
    half = samples[len(samples) // 2 :]
    first, last = (sorted(part)[len(part) // 2] for part in (half[: len(half) // 3], half[-len(half) // 3 :]))
    print(json.dumps({"rss_middle": first, "rss_end": last, "growth": last / first - 1, "samples": len(samples)}))
    assert last <= first * (1 + GROWTH)
    assert {name: instance.processes()[name]["pid"] for name in names} == pids, "nothing had to be restarted"
    until(lambda: not instance.pending(), "every call is settled")
    # Idle connections to vendors are dropped after some seconds; journal segments may rotate: two files of slack.
    for name in names:
        child = Child(instance, name)
        until(lambda: len(child.files()) <= before[name][0] + 2, f"{name} closes what it opened")  # noqa: B023  at once
    assert gateway.threads() <= before["gateway"][1] + 1
    assert "defect" not in (instance.home / "logs" / "gateway.log").read_text()
    assert len(instance.calls(outcome="ok")) > SECONDS
