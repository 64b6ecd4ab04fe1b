"""One way out: every connection to a target is opened by the egress, and without it nothing leaves at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from freehold.core.errors import EgressRefused
from freehold.core.permit import Origin
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.instance import Instance


class Watch:
    """Who connects to where, by Python's own audit events. Hooks cannot be taken out, so it is told when to look."""

    def __init__(self, ports: set[int]) -> None:
        self.ports = ports
        self.looking = True
        self.seen: list[tuple[int, bool]] = []

    def __call__(self, event: str, arguments: tuple) -> None:
        if not self.looking or event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
            return
        port = (
            arguments[1] if event == "socket.getaddrinfo" else arguments[1][1] if isinstance(arguments[1], tuple) else 0
        )
        if port in self.ports:
            self.seen.append((port, _by_egress(sys._getframe(1))))


def _by_egress(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.endswith("core/egress.py") and frame.f_code.co_name == "connect":
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def watch(served: Instance, fake_openai, fake_anthropic) -> Iterator[Watch]:
    made = Watch({fake_openai.port, fake_anthropic.port})
    sys.addaudithook(made)
    yield made
    made.looking = False


BODIES = (
    (p.CHAT, p.chat_body),
    (p.CHAT, lambda route: p.chat_body(route, stream=True)),
    (p.MESSAGES, p.messages_body),
    (p.MESSAGES, lambda route: p.messages_body(route, stream=True)),
    ("/v1/messages/count_tokens", p.messages_body),
    ("/v1/embeddings", lambda route: json.dumps({"model": route, "input": "x"}).encode()),
)
ROUTES = ("gpt", "claude", "gpt-then-claude", "claude-then-gpt", "gpt-twice")
FAULTS = (None, Fault("redirect"), Fault("status", status=429), Fault("reset"), Fault("cut"))


def asked(served: Instance, *vendors) -> int:
    """Everything of everything, with what goes wrong going wrong; how many calls."""
    count = 0
    for path, body in BODIES:
        for route in ROUTES:
            for fault in FAULTS:
                if fault is not None:
                    for vendor in vendors:
                        vendor.fail(fault)
                served.ask(p.request(path, body(route)))
                count += 1
            served.do(lambda: [one.health.breaker.succeeded() for one in served.plane.table.stops.values()])
    return count


def test_every_connection_to_a_target_is_opened_by_the_egress(served, watch, fake_openai, fake_anthropic) -> None:
    assert asked(served, fake_openai, fake_anthropic) == 150
    ports = {port for port, _ in watch.seen}
    assert ports == {fake_openai.port, fake_anthropic.port} and all(ours for _, ours in watch.seen)


def test_without_the_egress_nothing_leaves(served, watch, fake_openai, fake_anthropic) -> None:
    async def refuse(*given: object) -> None:
        raise EgressRefused("the way out is closed")

    served.plane.egress.connect = refuse
    assert asked(served, fake_openai, fake_anthropic) == 150
    assert not watch.seen and not fake_openai.requests and not fake_anthropic.requests


def test_an_origin_that_left_the_routes_is_reached_no_more(served, fake_openai) -> None:
    gone = Origin("http", "127.0.0.1", fake_openai.port)
    served.do(lambda: setattr(served.plane.egress, "allowed", served.plane.egress.allowed - {gone}))
    assert served.ask(p.request(p.CHAT, p.chat_body("gpt"))).headers["x-freehold-error"] == "FH-POL-004"
    assert not fake_openai.requests
