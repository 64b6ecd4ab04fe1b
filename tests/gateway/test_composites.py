"""Composites: labels, confidence, difficulty, and where they are used."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from freehold.core.label import parse_label
from freehold.gateway.routing.difficulty import MEASURES, PAIRS, WORDS, Head, Parameters, dumps
from freehold.gateway.routing.types import Composite, Overlay
from freehold.ledger.frames import Body
from tests.gateway import pieces as p
from tests.gateway.composed import (
    CLOSE,
    FAILURES,
    HELLO,
    OTHER,
    VENDOR,
    answer,
    answered,
    asked,
    cascading,
    pair,
    tried,
)
from tests.gateway.machine import Machine

# Labels


def cleared(**clearances: str):
    return tuple(
        p.target(name, 9001 + at, clearance=clearances.get(name, "confidential")) for at, name in enumerate("abv")
    )


def test_members_that_may_not_take_the_label_are_passed_over(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(b="public"))
    connection = asked(machine)
    answer(machine, VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated" and tried(machine) == [("v", "ok")]


def test_where_the_last_resort_may_not_take_it_members_serve_or_nobody_does(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(v="public"))
    connection = asked(machine)
    answer(machine, HELLO, HELLO)
    assert answered(connection).headers["x-freehold-composite"] == "served"
    connection = asked(machine)
    answer(machine, HELLO, OTHER)
    got = answered(connection)
    assert got.status == 403 and not machine.connecting and b"hello" not in got.body
    connection = asked(machine)
    machine.refuse_connection()
    assert answered(connection).status == 502 and not machine.connecting


def test_where_nothing_may_take_it_nothing_is_sent(tmp_path) -> None:
    machine = cascading(tmp_path, targets=cleared(a="public", v="public"))
    assert answered(asked(machine)).status == 403 and not machine.connecting


# Confidence


def stating(confidence: object, text: str = "hello") -> bytes:
    return p.response(p.chat_answer(text, freehold={"confidence": confidence}), 200, CLOSE)


def test_a_confident_answer_is_served_without_what_it_says_of_itself(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, "sure")
    answer(machine, stating(0.95))
    got = answered(connection)
    assert json.loads(got.body) == json.loads(p.chat_answer()) and got.headers["x-freehold-composite"] == "served"
    assert tried(machine) == [("a", "ok")]
    connection = asked(machine, "sure", "x-freehold-confidence: 1")
    answer(machine, stating(0.9))
    assert json.loads(answered(connection).body)["choices"][0]["freehold"] == {"confidence": 0.9}
    for path, more in ((p.CHAT, {"stream": True}), (p.MESSAGES, {}), (p.MESSAGES, {"stream": True})):
        connection = asked(machine, "sure", path=path, **more)
        answer(machine, stating(0.95))
        assert b"hello" in answered(connection).body and b"confidence" not in answered(connection).body
        assert "x-freehold-dropped" not in answered(connection).headers


@pytest.mark.parametrize("said", [0.5, None, 2.0, -1.0, "0.95", {}])
def test_an_unsure_or_silent_member_is_passed_over(tmp_path, said: object) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, "sure")
    answer(machine, stating(said), VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"
    assert tried(machine) == [("a", "unsure"), ("v", "ok")]


# Difficulty


def weights() -> bytes:
    """A scorer to which every question is hard, and nothing else."""
    plain = Head(words=bytes(4 * WORDS), pairs=bytes(4 * PAIRS), measures=(0.0,) * MEASURES, bias=5.0)
    asking = tuple(-10.0 if at == 9 else 0.0 for at in range(MEASURES))  # is there a question mark?
    found = Parameters(
        owned=replace(plain, measures=asking), frontier=plain, word_rarity=plain.words, pair_rarity=plain.pairs,
        slope=10.0, intercept=-5.0,
    )  # fmt: skip
    return dumps(found)


@pytest.mark.parametrize("stream", [False, True])
def test_the_easy_goes_to_the_member_as_it_comes_and_the_hard_past_it(tmp_path, stream: bool) -> None:
    easy = Composite(name="easy", kind="difficulty", members=("a",), escalate="v", threshold=0.5, weights=weights())
    machine = cascading(tmp_path, easy)
    whole = p.chunked(*p.chat_stream(), lines=(CLOSE,)) if stream else HELLO
    for text, way, target in (("say 2 + 2", "served", "a"), ("what is 12345 * 2?", "escalated", "v")):
        connection = asked(machine, "easy", stream=stream, messages=[{"role": "user", "content": text}])
        answer(machine, whole)
        got = answered(connection)
        assert (got.headers["x-freehold-composite"], got.headers["x-freehold-target"]) == (way, target)
        assert tried(machine) == [(target, "ok")]
    connection = asked(machine, "easy", stream=stream, messages=[{"role": "user", "content": "2 + 2"}])
    answer(machine, FAILURES[0], whole)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"


def test_weights_that_are_none_take_nothing_else_along(tmp_path) -> None:
    bad = Composite(name="easy", kind="difficulty", members=("a",), escalate="v", weights=b"\x93")
    machine = cascading(tmp_path)
    machine.publish(routes=p.routes((p.target("a", 1), p.target("v", 2)), p.route("new", "a"), composites=(bad,)))
    assert set(machine.plane.table.paths) == {"new"} and not machine.plane.table.joints
    assert "weights that are none" in machine.log.getvalue()
    before = machine.plane.table
    machine.publish(routes=p.routes((p.target("a", 1), p.target("v", 2)), p.route("new", "easy"), composites=(bad,)))
    assert machine.plane.table is before, "a route without its only target is no route"


# Where composites are used


def test_as_an_overlays_target_and_then_the_routes_own_plan(tmp_path) -> None:
    overlay = Overlay(workflow="wf_1", target="pair", share=1.0)
    machine = cascading(tmp_path, overlays=(overlay,))
    connection = asked(machine, "plain", "x-freehold-workflow: wf_1")
    answer(machine, HELLO, HELLO)
    assert answered(connection).headers["x-freehold-composite"] == "served"
    connection = asked(machine, "plain", "x-freehold-workflow: wf_1")
    answer(machine, HELLO, OTHER, VENDOR)
    assert answered(connection).headers["x-freehold-composite"] == "escalated"
    connection = asked(machine, "plain")
    answer(machine, VENDOR)
    assert "x-freehold-composite" not in answered(connection).headers


def test_what_cannot_be_weighed_goes_to_the_last_resort(tmp_path) -> None:
    machine = cascading(tmp_path)
    connection = asked(machine, n=2)
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and tried(machine) == [("v", "ok")]
    connection = machine.caller()
    machine.ask(connection, p.request("/v1/embeddings", b'{"model":"pair","input":"x"}'))
    assert machine.connecting[0][0].name == "v"


def test_a_composite_without_its_member_escalates_and_says_so(tmp_path) -> None:
    machine = cascading(tmp_path, pair(members=("a", "gone")))
    connection = asked(machine)
    answer(machine, VENDOR)
    assert answered(connection).status == 200 and "does not exist: gone" in machine.log.getvalue()


def test_a_captured_call_keeps_what_the_caller_got(tmp_path) -> None:
    content = p.routes(
        (p.target("a", 9001), p.target("b", 9002), p.target("v", 9003)),
        p.route("pair", "pair", capture=True), composites=(pair(),),
    )  # fmt: skip
    machine = Machine(tmp_path, content, p.keys(p.principal(label=parse_label("internal"))))
    connection = asked(machine, stream=True)
    answer(machine, HELLO, HELLO)
    request, response = [one for one in machine.frames() if isinstance(one, Body)]
    opened = machine.plane.sealer.open(response.sealed, response.call + b"response")
    assert opened == answered(connection).body and request.side == "request"
