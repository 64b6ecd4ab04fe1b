"""What comes back through the door, whatever the other side does."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from freehold.evals.door import UNASKABLE, Door, Manner
from freehold.evals.errors import DoorClosed, DoorRefused
from freehold.grading.types import ToolCall
from tests.evals.conftest import completion

REQUEST = b'{"model": "gpt", "stream": true, "stream_options": {}, "messages": [{"role": "user", "content": "hi"}]}'


def told(code, status, message="no"):
    return status, {"error": {"message": message}}, {"x-freehold-error": code}


def test_a_target_is_asked_by_name_with_label_workflow_and_purpose(gateway, door):
    gateway.play = lambda target, request: (
        200,
        completion("", [("f", {"a": 1})], choices=completion("", [("f", {"a": 1})])["choices"]),
        {"x-freehold-cost": "0.00012", "x-freehold-composite": "escalated"},
    )
    reply = door.ask("owned-a", REQUEST, "internal:GDPR", "wf_1")
    assert reply.answer.tool_calls == (ToolCall("f", '{"a": 1}'),)
    assert (reply.status, reply.cost, reply.target, reply.composite) == (
        200,
        Decimal("0.00012"),
        "owned-a",
        "escalated",
    )
    assert (reply.usage.input, reply.usage.output) == (10, 5)
    _, body, headers = gateway.asked[0]
    assert body == {"model": "target:owned-a", "messages": [{"role": "user", "content": "hi"}]}
    assert headers["authorization"] == "Bearer fh-key"
    assert headers["x-freehold-label"] == "internal:GDPR"
    assert headers["x-freehold-workflow"] == "wf_1"
    assert headers["x-freehold-purpose"] == "evaluation"


def test_a_route_is_asked_by_its_own_name(gateway, door):
    door.ask("route:assistant", REQUEST, "internal")
    assert gateway.asked[0][1]["model"] == "assistant"


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (told("FH-UP-003", 504, "slow"), "FH-UP-003 slow"),
        (told("FH-UP-002", 502), "FH-UP-002 no"),
        (told("FH-POL-002", 403), "FH-POL-002 no"),
        ((500, b"<html>", {}), "500"),
        ((200, b"{", {}), "lied: no chat completion"),
        ((200, b'{"choices": []}', {}), "lied: no chat completion"),
        ((200, b"[1]", {}), "lied: no chat completion"),
    ],
)
def test_what_fails_on_the_models_side_is_a_reply(gateway, door, play, error):
    gateway.play = lambda target, request: play
    reply = door.ask("m", REQUEST, "internal")
    assert reply.answer is None
    assert reply.error == error


def test_an_answer_that_is_cut_off_is_none(gateway, door):
    gateway.play = lambda target, request: (200, completion("yes"), {"content-length": "99999", "connection": "close"})
    assert door.ask("m", REQUEST, "internal", timeout=5).error in ("cut", "timeout")


def test_a_model_that_hangs_is_given_up_at_its_deadline(gateway, door):
    gateway.play = lambda target, request: None
    reply = door.ask("m", REQUEST, "internal", timeout=0.2)
    assert (reply.answer, reply.status, reply.error) == (None, 0, "timeout")


@pytest.mark.parametrize("code", ["FH-KEY-002", "FH-NOT-002"])
def test_a_mistake_of_ours_raises(gateway, door, code):
    gateway.play = lambda target, request: told(code, 401)
    with pytest.raises(DoorRefused, match=code):
        door.ask("m", REQUEST, "internal")


@pytest.mark.parametrize(("code", "status"), [("FH-LIM-002", 429), ("FH-AVA-003", 503)])
def test_a_gateway_without_room_is_waited_for_and_then_closed(gateway, code, status):
    waits = []
    with Door(gateway.url, "k", pause=waits.append) as door:
        plays = iter([(status, {}, {"x-freehold-error": code, "retry-after": "7"}), (200, completion("yes"), {})])
        gateway.play = lambda target, request: next(plays)
        assert door.ask("m", REQUEST, "internal").answer.text == "yes"
        assert waits == [7.0]
        gateway.play = lambda target, request: told(code, status)
        with pytest.raises(DoorClosed, match=code):
            door.ask("m", REQUEST, "internal")


def test_a_gateway_that_is_gone_is_closed(gateway):
    url = gateway.url
    gateway.close()
    with Door(url, "k", pause=lambda _: None) as door, pytest.raises(DoorClosed):
        door.ask("m", REQUEST, "internal")


def test_a_model_that_fails_for_once_is_asked_again_where_that_is_wanted(gateway):
    with Door(gateway.url, "k", manner=Manner(again=1), pause=lambda _: None) as door:
        plays = iter([(500, b"", {}), (200, completion("yes"), {})])
        gateway.play = lambda target, request: next(plays)
        assert door.ask("m", REQUEST, "internal").answer.text == "yes"
        gateway.play = lambda target, request: told("FH-UP-005", 400)
        gateway.asked.clear()
        assert door.ask("m", REQUEST, "internal").status == 400
        assert len(gateway.asked) == 1


def test_replies_come_in_the_order_asked_and_progress_is_told(gateway, door):
    gateway.play = lambda target, request: (200, completion(request["messages"][0]["content"]), {})
    asked = [
        ("m", json.dumps({"messages": [{"role": "user", "content": str(n)}]}).encode(), "internal", "")
        for n in range(50)
    ]
    counts = []
    assert [one.answer.text for one in door.ask_all(iter(asked), counts.append)] == [str(n) for n in range(50)]
    assert counts == list(range(1, 51))


def test_no_more_is_read_than_is_under_way(gateway, door):
    read = []

    def asked():
        for n in range(100):
            read.append(n)
            yield "m", REQUEST, "internal", ""

    replies = door.ask_all(asked())
    next(replies)
    assert len(read) <= 9
    replies.close()


def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(gateway, door):
    gateway.play = lambda target, request: (200, completion("yes"), {})
    assert door.ask("m", REQUEST, "internal").answer
    for one in door._line._idle:
        one.sock.shutdown(2)
    assert door.ask("m", REQUEST, "internal").answer.text == "yes"


def test_a_request_that_is_none_is_not_asked(gateway, door):
    assert door.ask("m", b"[]", "internal").error == UNASKABLE
    assert door.ask("m", b"\xff", "internal").error == UNASKABLE
    assert gateway.asked == []


def test_embeddings(gateway, door):
    gateway.play = lambda target, request: (200, {"data": [{"embedding": [1, 2.5]}]}, {})
    assert door.embed("e", "text", "internal") == [1.0, 2.5]
    gateway.play = lambda target, request: (200, {"data": []}, {})
    with pytest.raises(DoorClosed):
        door.embed("e", "text", "internal")
