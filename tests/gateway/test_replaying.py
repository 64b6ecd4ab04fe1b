"""The exact response cache: the same request gets its answer again, nobody gets what is not theirs."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from freehold.core.label import parse_label
from freehold.gateway.routing.types import CacheRule, Overlay, Watch
from freehold.ledger.frames import Close, Open
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

RULE = CacheRule(60.0)
ANSWER = p.response(p.chat_answer())
PUBLIC = parse_label("public")
KEYS = p.keys(
    p.principal(team="red", label=PUBLIC),
    p.principal("fh-red", name="red-2", team="red", label=PUBLIC),
    p.principal("fh-blue", name="blue", team="blue", label=PUBLIC),
    p.principal("fh-secret", name="secret", team="red", label=parse_label("internal")),
    p.principal("fh-service", name="service", team="red", role="service"),
)


def machine_with(home: Path, rule: CacheRule | None = RULE, *, policy: Policy | None = None, **more) -> Machine:
    targets = (p.target("a", 9001), p.claude("c", 9004))
    given = (
        p.route("assistant", "a", cache=rule),
        p.route("claude", "c", cache=rule),
        p.route("other", "a", cache=rule),
    )
    return Machine(home, p.routes(targets, *given, **more), KEYS, policy)


def ask(machine: Machine, body: bytes | None = None, *lines: str, key: str = p.KEY, path: str = p.CHAT):
    connection = machine.caller()
    machine.ask(connection, p.request(path, p.chat_body() if body is None else body, *lines, key=key))
    return connection


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def primed(home: Path, rule: CacheRule = RULE, body: bytes | None = None, **more) -> Machine:
    """A machine whose cache holds the answer to `body`."""
    machine = machine_with(home, rule, **more)
    connection = ask(machine, body)
    machine.answer(machine.connect(), ANSWER)
    assert answered(connection).headers["x-freehold-cache"] == "miss"
    return machine


def sends(machine: Machine, *given, **more) -> bool:
    """Is something sent for this request?"""
    before = len(machine.busy()) + len(machine.connecting)
    ask(machine, *given, **more)
    return len(machine.busy()) + len(machine.connecting) > before


def test_the_same_request_gets_its_answer_again_and_nothing_is_sent(tmp_path: Path) -> None:
    machine = primed(tmp_path)
    machine.wait(7.0)
    answer = answered(ask(machine))
    assert answer.status == 200 and answer.body == p.chat_answer()
    assert answer.headers["x-freehold-cache"] == "hit" and answer.headers["age"] == "7"
    assert Decimal(answer.headers["x-freehold-saved"]) == machine.ends()[0].cost > 0
    assert Decimal(answer.headers["x-freehold-cost"]) == 0
    assert answer.headers["x-freehold-target"] == "a"
    assert not machine.busy() and not machine.connecting


def test_a_hit_is_journaled_whole_and_costs_nothing(tmp_path: Path) -> None:
    machine = primed(tmp_path)
    answer = answered(ask(machine))
    opened, close = machine.frames()[-2:]
    assert isinstance(opened, Open) and isinstance(close, Close)
    assert opened.target == "a" and opened.reserved == 0
    assert opened.request_sha256 == hashlib.sha256(p.chat_body()).digest()
    (tried,) = close.tried
    assert (tried.outcome, tried.cost, tried.usage.input, close.cost) == ("cached", 0, 7, 0)
    assert close.response_sha256 == hashlib.sha256(answer.body).digest() and close.delivered == len(answer.body)


def test_a_budget_and_a_limit_lose_nothing_by_a_hit(tmp_path: Path) -> None:
    who = p.principal(budgets=("team/x",), tokens_per_minute=100_000)
    table = p.routes((p.target("a", 9001),), p.route("assistant", "a", cache=RULE))
    machine = Machine(tmp_path, table, p.keys(who), Policy(budgets=(Budget(id="team/x", limit=Decimal(100)),)))
    ask(machine)
    machine.grant("10")
    machine.answer(machine.connect(), ANSWER)
    held, level = machine.plane.purse.slices["team/x"], next(iter(machine.plane.callers.values())).tokens
    left, before = held.left, level.level
    assert answered(ask(machine)).headers["x-freehold-cache"] == "hit"
    assert held.left == left and level.level == before


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_is_replayed_as_a_stream(tmp_path: Path, usage: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if usage else {}
    machine = machine_with(tmp_path)
    first = ask(machine, p.chat_body(stream=True, **more))
    machine.answer(machine.connect(), p.chunked(*p.chat_stream()))
    second = answered(ask(machine, p.chat_body(stream=True, **more)))
    assert second.complete and second.headers["x-freehold-cache"] == "hit"
    assert second.body == answered(first).body and (b'"usage"' in second.body) == usage
    assert second.headers["content-type"].startswith("text/event-stream")
    assert machine.ends()[-1].response_sha256 == hashlib.sha256(second.body).digest()
    assert sends(machine)  # whole is another request than streamed


def test_a_translated_answer_is_kept_in_the_callers_dialect(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    first = ask(machine, p.chat_body("claude"))
    machine.answer(machine.connect(), p.response(p.message_answer()))
    second = answered(ask(machine, p.chat_body("claude")))
    assert second.headers["x-freehold-cache"] == "hit" and second.body == answered(first).body
    assert msgspec.json.decode(second.body)["object"] == "chat.completion"


def test_order_and_space_and_who_asks_make_no_difference(tmp_path: Path) -> None:
    machine = primed(tmp_path, body=p.chat_body(temperature=0.5, user="anna", metadata={"run": "1"}))
    body = b'{ "temperature" : 0.5, "user": "berta",\n"messages":[{"content":"%b","role":"user"}],"model":"assistant"}'
    assert answered(ask(machine, body % p.PROMPT.encode())).headers["x-freehold-cache"] == "hit"


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (p.chat_body(temperature=0.50001), ()),
        (p.chat_body("other", temperature=0.5), ()),
        (p.chat_body(temperature=0.5, seed=1), ()),
        (p.chat_body(temperature="0.5"), ()),
        (p.chat_body(temperature=0.5)[:-1] + b',"temperature":0.5}', ()),
        (p.chat_body(temperature=0.5), ("openai-beta: x",)),
        (p.chat_body(temperature=0.5), ("x-freehold-strict: 1",)),
        (p.chat_body(temperature=0.5), ("x-freehold-label: internal",)),
        (p.chat_body(temperature=0.5), ("x-freehold-cache: off",)),
        (p.chat_body(temperature=0.5), ("x-freehold-cache: refresh",)),
    ],
)
def test_another_request_is_another_one(tmp_path: Path, body: bytes, lines: tuple[str, ...]) -> None:
    machine = primed(tmp_path, body=p.chat_body(temperature=0.5))
    assert not sends(machine, p.chat_body(temperature=0.5))
    assert sends(machine, body, *lines)


@pytest.mark.parametrize(
    ("share", "served"), [("key", set()), ("team", {"fh-red"}), ("everyone", {"fh-red", "fh-blue"})]
)
def test_only_who_may_share_is_served(tmp_path: Path, share: str, served: set[str]) -> None:
    machine = primed(tmp_path, CacheRule(60.0, share))
    assert not sends(machine)
    assert {key for key in ("fh-red", "fh-blue", "fh-secret") if not sends(machine, key=key)} == served


def test_what_was_asked_under_a_higher_label_is_served_to_no_lower_one(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, CacheRule(60.0, "everyone"))
    ask(machine, key="fh-secret")
    machine.answer(machine.connect(), ANSWER)
    assert sends(machine)
    assert not sends(machine, key="fh-secret")


def test_a_change_of_policy_or_routes_forgets_what_was_kept(tmp_path: Path) -> None:
    machine = primed(tmp_path)
    machine.publish(policy=Policy())
    assert sends(machine)
    machine.answer(machine.busy()[0] if machine.busy() else machine.connect(), ANSWER)
    assert not sends(machine)
    machine.publish(routes=p.routes((p.target("a", 9001),), p.route("assistant", "a", cache=RULE)))
    assert sends(machine)


def test_time_and_memory_are_bounded(tmp_path: Path) -> None:
    machine = primed(tmp_path)
    machine.wait(59.0)
    assert not sends(machine) and len(machine.plane.answers) == 1
    machine.wait(1.1)
    assert len(machine.plane.answers) == 0 and machine.plane.answers.bytes == 0
    assert sends(machine)


@pytest.mark.parametrize(
    "answer",
    [
        p.response(b'{"error":{"message":"your fault"}}', 400),
        p.response(b'{"error":{"message":"inside"}}'),
        p.response(p.chat_answer()[:-5]),
    ],
)
def test_errors_are_not_kept(tmp_path: Path, answer: bytes) -> None:
    machine = machine_with(tmp_path)
    ask(machine)
    machine.answer(machine.connect(), answer)
    assert len(machine.plane.answers) == 0


def test_a_stream_that_was_cut_or_left_is_not_kept(tmp_path: Path) -> None:
    machine = machine_with(tmp_path)
    ask(machine, p.chat_body(stream=True))
    cut = machine.connect()
    machine.answer(cut, p.chunked(*p.chat_stream())[:500])
    machine.lose(cut)
    left = ask(machine, p.chat_body(stream=True))
    machine.answer(machine.connect(), p.chunked(*p.chat_stream())[:500])
    machine.lose(left)
    assert len(machine.plane.answers) == 0


def test_tools_are_kept_only_where_the_route_says_so(tmp_path: Path) -> None:
    body = p.chat_body(tools=[{"type": "function", "function": {"name": "f"}}])
    for tools in (False, True):
        machine = machine_with(tmp_path / str(tools), CacheRule(60.0, tools=tools))
        ask(machine, body)
        machine.answer(machine.connect(), ANSWER)
        assert sends(machine, body) is not tools


def test_freeholds_own_rooms_and_moving_workflows_always_ask(tmp_path: Path) -> None:
    machine = primed(
        tmp_path, overlays=(Overlay(workflow="wf_1", target="a", share=0.0),), watches=(Watch(workflow="wf_1"),)
    )
    assert sends(machine, None, "x-freehold-label: internal", key="fh-service")
    assert sends(machine, None, "x-freehold-workflow: wf_1")
    assert not sends(machine, None, "x-freehold-workflow: wf_2")


def test_a_wish_that_means_nothing_is_refused(tmp_path: Path) -> None:
    assert answered(ask(machine_with(tmp_path), None, "x-freehold-cache: maybe")).status == 400


def test_a_route_without_a_cache_has_none(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, None)
    connection = ask(machine)
    machine.answer(machine.connect(), ANSWER)
    assert "x-freehold-cache" not in answered(connection).headers and len(machine.plane.answers) == 0
