"""Nothing of a call is left for the collector: it comes round so rarely that what waits for it is a leak for an hour."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from freehold.policy.types import Policy
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.guarded_house import WATCH
from tests.gateway.instance import Home, Instance, until

ROUNDS = 5
MORE_SAID = [{"role": "user", "content": "Write to eva.lindt@example.com, please."}]


@pytest.fixture(scope="module")
def vendors() -> Iterator[tuple]:
    from tests.fakes.fake_anthropic import FakeAnthropic
    from tests.fakes.fake_openai import FakeOpenAi

    with FakeOpenAi() as openai, FakeAnthropic() as anthropic:
        yield openai, anthropic


@pytest.fixture
def house(tmp_path, vendors) -> Iterator[Instance]:
    """Routes to either vendor, with every detector and without."""
    openai, anthropic = vendors
    openai.calm()
    targets = (
        p.target("gpt", openai.port, model="gpt-fake", **p.LIMITS),
        p.claude("claude", anthropic.port, model="claude-fake", **p.LIMITS),
    )
    routes = [p.route(f"{name}{guard}", name, guard=guard) for name in ("gpt", "claude") for guard in ("", "watch")]
    home = Home(tmp_path, p.routes(targets, *routes), p.keys(), Policy(guards=(WATCH,)))
    with Instance(home, secret=openai.key) as instance:
        yield instance


def left(house: Instance, call) -> Counter:
    """What of ours a collector would find after some of these calls, by its type."""
    call()  # what is made once, is made now
    kinds: list[type] = []

    def collect() -> None:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds.extend(type(one) for one in gc.garbage)
        gc.set_debug(0)
        gc.garbage.clear()

    def idle() -> bool:
        def gone() -> bool:
            for bucket in house.plane.pool._idle.values():
                for upstream in bucket:
                    upstream.abort()
                bucket.clear()
            return not house.plane.calls and not house.plane.connections

        return bool(house.do(gone))

    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            call()
        until(idle)
        house.do(lambda: None)  # the loop's turn in which the last connections are told that they are lost
        house.do(collect)
    finally:
        gc.enable()
    return Counter(one.__qualname__ for one in kinds if one.__module__.startswith(("freehold", "httptools")))


@pytest.mark.parametrize("guard", ["", "watch"])
@pytest.mark.parametrize("vendor", ["gpt", "claude"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
def test_of_an_answered_call(house, path, stream, vendor, guard):
    body = p.chat_body if path == p.CHAT else p.messages_body
    asked = p.request(path, body(f"{vendor}{guard}", stream=stream, messages=MORE_SAID))

    def call() -> None:
        assert house.ask(asked).status == 200

    assert left(house, call) == Counter()


@pytest.mark.parametrize("guard", ["", "watch"])
@pytest.mark.parametrize("fault", ["status", "cut", "bad_chunk", "reset", "reset_mid", "error_inside", "no_end"])
def test_of_a_call_whose_vendor_fails(house, vendors, fault, guard):
    openai = vendors[0]
    asked = p.request(p.CHAT, p.chat_body(f"gpt{guard}", stream=True))

    def call() -> None:
        openai.always = Fault(fault)
        house.ask(asked)
        openai.always = None

    assert left(house, call) == Counter()


@pytest.mark.parametrize("guard", ["", "watch"])
@pytest.mark.parametrize("stall", ["stall_first", "stall_mid"])
def test_of_a_caller_who_hangs_up(house, vendors, stall, guard):
    openai = vendors[0]
    asked = p.request(p.CHAT, p.chat_body(f"gpt{guard}", stream=True))

    def call() -> None:
        openai.always = Fault(stall)
        with house.client() as client:
            client.send(asked)
            until(lambda: house.plane.calls)
        until(lambda: not house.plane.calls)
        openai.calm()

    assert left(house, call) == Counter()


@pytest.mark.parametrize("bad", ["key", "route", "json", "http"])
def test_of_a_call_that_is_refused(house, bad):
    asked = {
        "key": p.request(p.CHAT, p.chat_body("gpt"), key="fh-nobody"),
        "route": p.request(p.CHAT, p.chat_body("nowhere")),
        "json": p.request(p.CHAT, b"{"),
        "http": b"NONSENSE\r\n\r\n",
    }[bad]

    def call() -> None:
        assert house.ask(asked).status >= 400

    assert left(house, call) == Counter()
