"""Calls through a machine with a guard: asked, answered, and what was sent and written down of them."""

from __future__ import annotations

import json
from pathlib import Path

from freehold.core.label import parse_label
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

OWNED = {"clearance": "unknown"}
KEYS = p.keys(
    p.principal(),
    p.principal("fh-lowers", name="lowers", rights=("declassify",), label=parse_label("restricted")),
    p.principal("fh-approves", name="approves", rights=("approve",)),
)


def two_targets(home: Path) -> Machine:
    """`both` leads to a rented target, then to an owned one; `rented` and `claude` to rented ones alone."""
    targets = (p.target("vendor", 9001), p.free("mine", 9002, **OWNED), p.claude("claude", 9003))
    routes = (
        p.route("both", "vendor", "mine", attempts=2),
        p.route("rented", "vendor", attempts=1),
        p.route("claude", "claude", attempts=1),
    )
    return Machine(home, p.routes(targets, *routes), KEYS)


def ask(machine: Machine, model: str, *lines: str, path: str = p.CHAT, key: str = p.KEY, **more):
    """One call; a text alone is the user's only turn."""
    if isinstance(more.get("messages"), str):
        more["messages"] = [{"role": "user", "content": more["messages"]}]
    body = p.chat_body(model, **more) if path == p.CHAT else p.messages_body(model, **more)
    connection = machine.caller()
    machine.ask(connection, p.request(path, body, *lines, key=key))
    return connection


def answer(machine: Machine, *reads: bytes):
    """The target that was asked, and has it say this."""
    upstream = machine.connect() if machine.connecting else machine.busy()[-1]
    for one in reads:
        machine.answer(upstream, one)
    return upstream


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def sent(upstream) -> dict:
    """The body that left last."""
    return json.loads(upstream.transport.sent.rpartition(b"\r\n\r\n")[2])


def in_reads(*events: bytes) -> list[bytes]:
    """A stream that comes event by event."""
    head, _, rest = p.chunked(events[0], end=b"").partition(b"\r\n\r\n")
    return [head + b"\r\n\r\n" + rest, *(b"%x\r\n%b\r\n" % (len(one), one) for one in events[1:]), b"0\r\n\r\n"]


def text_of(found: Answer) -> str:
    return json.loads(found.body)["choices"][0]["message"]["content"]


def streamed(found: Answer) -> str:
    """What a chat's stream told, joined."""
    lines = [line[6:] for line in found.body.decode().splitlines() if line.startswith("data: {")]
    deltas = [one["choices"][0]["delta"] for one in map(json.loads, lines) if one.get("choices")]
    return "".join(one.get("content") or "" for one in deltas)


def frames(machine: Machine, kind: type) -> list:
    return [one for one in machine.frames() if isinstance(one, kind)]


def answered_ok(machine: Machine, messages: list) -> bool:
    connection = ask(machine, "rented", messages=messages)
    answer(machine, p.response(p.chat_answer("ok")))
    return answered(connection).status == 200
