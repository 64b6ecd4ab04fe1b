"""A caller's trace is written down with its call, also a refused one, and goes to no target."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.tracing import trace_of
from freehold.ledger.frames import Open, Refused
from tests.gateway import pieces as p
from tests.gateway.machine import Machine

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
HEADER = f"00-{TRACE}-01"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER, TRACE),
        (f"00-{TRACE}-00", TRACE),
        (f"cc-{TRACE}-01", TRACE),
        (f"cc-{TRACE}-01-more.of-it", TRACE),
        (f"00-{TRACE}-01-more", ""),
        (f"ff-{TRACE}-01", ""),
        (HEADER.upper(), ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", ""),
        (f"{HEADER},{HEADER}", ""),
        (f"{HEADER}\n", ""),
        (HEADER[:-1], ""),
        ("", ""),
    ],
)
def test_only_what_the_standard_allows_is_a_trace(header: str, told: str) -> None:
    assert trace_of(header.encode()) == told


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_header_gives_a_trace_or_nothing(header: bytes) -> None:
    assert trace_of(header) in ("", header[3:52].decode("latin-1"))


def test_it_is_written_down_and_sent_to_nobody(machine: Machine) -> None:
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("solo"), f"traceparent: {HEADER}"))
    upstream = machine.connect() if machine.connecting else machine.busy()[0]
    assert TRACE[:32].encode() not in upstream.transport.sent
    assert b"traceparent" not in upstream.transport.sent
    opened = [one for one in machine.frames() if isinstance(one, Open)][-1]
    assert opened.trace == TRACE
    machine.lose(upstream)


def test_a_refused_call_keeps_it_too(machine: Machine) -> None:
    machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body("no-such-route"), f"traceparent: {HEADER}"))
    machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body("no-such-route"), "traceparent: nonsense"))
    found = [one.trace for one in machine.frames() if isinstance(one, Refused)]
    assert found[-2:] == [TRACE, ""]
