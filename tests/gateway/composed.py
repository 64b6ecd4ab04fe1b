"""Machines with composites: a pair that must agree, a member that must be sure, and a last resort."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.routing.types import Composite
from freehold.grading.types import Spec
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

CLOSE = "connection: close"
HELLO = p.response(p.chat_answer("hello"), 200, CLOSE)
OTHER = p.response(p.chat_answer("goodbye"), 200, CLOSE)
VENDOR = p.response(p.chat_answer("the vendor's"), 200, CLOSE)
BUDGET = "team/x"
DIALECT = {one.name: one for one in DIALECTS}


def pair(**more) -> Composite:
    more.setdefault("members", ("a", "b"))
    more.setdefault("grader", Spec("label"))
    return Composite(name="pair", kind="agreement", escalate="v", **more)


def sure(**more) -> Composite:
    return Composite(name="sure", kind="confidence", members=("a",), escalate="v", threshold=0.9, **more)


def cascading(home: Path, *composites: Composite, targets=(), money: bool = False, overlays=(), **who) -> Machine:
    made = targets or (p.target("a", 9001), p.target("b", 9002), p.target("v", 9003))
    composites = composites or (pair(), sure())
    paths = tuple(p.route(one.name, one.name, attempts=1) for one in composites)
    content = p.routes(made, *paths, p.route("plain", "v"), composites=composites, overlays=overlays)
    if money:
        who["budgets"] = (BUDGET,)
    policy = Policy(budgets=(Budget(id=BUDGET, limit=Decimal(100)),) if money else ())
    return Machine(home, content, p.keys(p.principal(**who)), policy)


def asked(machine: Machine, model: str = "pair", *lines: str, path: str = p.CHAT, **more):
    connection = machine.caller()
    body = p.chat_body(model, **more) if path == p.CHAT else p.messages_body(model, **more)
    machine.ask(connection, p.request(path, body, *lines))
    return connection


def answer(machine: Machine, *datas: bytes) -> None:
    """The targets that are asked answer, one after the other."""
    for data in datas:
        machine.answer(machine.connect(), data)


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def tried(machine: Machine) -> list[tuple[str, str]]:
    return [(one.target, one.outcome) for one in machine.ends()[-1].tried]


def sent(machine: Machine, at: int) -> dict:
    return json.loads(machine.upstreams[at].transport.sent.partition(b"\r\n\r\n")[2])


FAILURES = (
    p.response(b'{"error":{"message":"no"}}', 500),
    p.response(b'{"error":{"message":"too long"}}', 400),
    p.response(b'{"error":{"message":"wait"}}', 429, "retry-after: 60"),
    p.response(b'{"error":{"message":"inside"}}'),
    p.response(p.chat_answer()[:-5]),
    p.response(b'{"choices":[]}'),
    p.chunked(*p.chat_stream()),
    b"what is this",
)
"""What a member may do instead of answering."""
