"""Overlays: a share of one workflow's calls goes to a move's target first, by its conversation, and falls back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.label import parse_label
from freehold.gateway.assign import Template, Workflows
from freehold.gateway.routing.choose import drawn
from freehold.gateway.routing.types import Overlay, Watch
from freehold.gateway.shingles import Shingler
from freehold.identity.types import SERVICE
from freehold.ledger.frames import Body, Open
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

CLOSE = "connection: close"
"""So that no connection is kept, and each attempt shows in `connecting`."""
ANSWER = p.response(p.chat_answer(), 200, CLOSE)
SERVICE_KEY = "fh-service-key"
TARGETS = (p.target("a", 9001), p.target("b", 9002), p.free("own", 9003), p.free("low", 9004, clearance="public"))


def table(*overlays: Overlay, watches=(), attempts: int = 1):
    paths = (p.route("solo", "a", attempts=attempts), p.route("two", "a", "b"), p.route("other", "b"))
    return p.routes(TARGETS, *paths, overlays=overlays, watches=watches)


def moving(home: Path, *overlays: Overlay, watches=(), **who) -> Machine:
    service = p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public"))
    return Machine(home, table(*overlays, watches=watches), p.keys(p.principal(**who), service))


def all_of(target: str = "own", share: float = 1.0, workflow: str = "wf_1") -> Overlay:
    return Overlay(workflow=workflow, target=target, share=share)


def asked(machine: Machine, model: str = "solo", *lines: str, workflow: str = "wf_1", key: str = p.KEY, **more):
    connection = machine.caller()
    named = (f"x-freehold-workflow: {workflow}",) if workflow else ()
    machine.ask(connection, p.request(p.CHAT, p.chat_body(model, **more), *named, *lines, key=key))
    return connection


def answered(connection) -> Answer:
    wire = connection.transport
    (found,) = read_answers(wire.sent, ["POST"], ended=wire.closed)
    return found


def served_by(machine: Machine, connection) -> str:
    machine.answer(machine.connect(), ANSWER)
    answer = answered(connection)
    assert answer.status == 200
    return answer.headers["x-freehold-target"]


def test_calls_of_the_workflow_go_to_the_overlays_target_and_others_do_not(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    assert served_by(machine, asked(machine)) == "own"
    assert served_by(machine, asked(machine, workflow="wf_2")) == "a"
    assert served_by(machine, asked(machine, workflow="")) == "a"
    assert served_by(machine, asked(machine, "other")) == "own", "whichever route the caller names"
    body = p.chat_body("solo", metadata={"workflow": "wf_1"})
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, body))
    assert served_by(machine, connection) == "own"
    opened = [one for one in machine.frames() if isinstance(one, Open)]
    assert [(one.route, one.target, one.workflow) for one in opened][:2] == [
        ("solo", "own", "wf_1"), ("solo", "a", "wf_2"),
    ]  # fmt: skip


def test_the_share_is_the_conversations_and_who_is_in_stays_in_as_it_grows(tmp_path) -> None:
    names = [f"conversation-{at}" for at in range(60)]
    inside: dict[float, set[str]] = {}
    machine = moving(tmp_path)
    for share in (0.05, 0.25, 0.5):
        machine.publish(routes=table(all_of(share=share)))
        inside[share] = {
            one
            for one in names
            if served_by(machine, asked(machine, "solo", f"x-freehold-conversation: {one}")) == "own"
        }
        assert inside[share] == {one for one in names if drawn("", one) < share}
    assert inside[0.05] < inside[0.25] < inside[0.5]


@given(st.text(max_size=20), st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_drawings_are_stable_nested_and_told_apart_by_salt(what: str, salt: str, one: float, other: float) -> None:
    at = drawn(salt, what)
    assert 0 <= at < 1 and at == drawn(salt, what)
    assert not at < min(one, other) or at < max(one, other)


def test_two_moves_do_not_pick_the_same_conversations() -> None:
    first, second = ({at for at in range(4000) if drawn(salt, str(at)) < 0.25} for salt in ("one", "two"))
    assert 850 < len(first) < 1150 and 150 < len(first & second) < 350


FAILURES = (
    p.response(b'{"error":{"message":"no"}}', 500),
    p.response(b'{"error":{"message":"too long","type":"invalid_request_error"}}', 400),
    p.response(b'{"error":{"message":"who?"}}', 404),
    p.response(b"what is this"),
    b"what is this",
)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stream", [False, True])
def test_whatever_its_target_answers_badly_the_route_makes_good(tmp_path, failure: bytes, stream: bool) -> None:
    machine = moving(tmp_path, all_of())
    connection = asked(machine, stream=stream)
    machine.answer(machine.connect(), failure)
    machine.answer(machine.connect(), p.chunked(*p.chat_stream(), lines=(CLOSE,)) if stream else ANSWER)
    answer = answered(connection)
    assert answer.status == 200 and answer.headers["x-freehold-target"] == "a"
    assert [one.target for one in machine.ends()[-1].tried] == ["own", "a"]


def test_an_error_of_the_routes_own_target_is_told_as_ever(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    connection = asked(machine)
    machine.refuse_connection()
    body = b'{"error":{"message":"your fault"}}'
    machine.answer(machine.connect(), p.response(body, 400))
    assert (answered(connection).status, answered(connection).body) == (400, body)


def test_the_route_keeps_its_own_number_of_attempts(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    connection = asked(machine)
    machine.refuse_connection()
    machine.refuse_connection()
    assert answered(connection).status == 502 and not machine.connecting and not machine.timers


def test_a_target_at_rest_is_not_waited_for(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    for _ in range(5):
        connection = asked(machine)
        machine.refuse_connection()
        assert served_by(machine, connection) == "a"
    assert machine.health["own"].breaker.reason == "failing"
    assert served_by(machine, asked(machine)) == "a"
    assert len(machine.ends()[-1].tried) == 1


def test_an_overlay_never_widens_where_content_may_go(tmp_path) -> None:
    machine = moving(tmp_path, all_of("low"))
    assert served_by(machine, asked(machine)) == "a", "internal content stays off a target cleared for public"
    machine.publish(keys=p.keys(p.principal(label=parse_label("public"))))
    assert served_by(machine, asked(machine)) == "low"
    assert served_by(machine, asked(machine, "solo", "x-freehold-label: internal")) == "a"


def test_an_overlay_gives_no_right_to_a_route(tmp_path) -> None:
    machine = moving(tmp_path, all_of(), routes=("other",))
    connection = asked(machine, "solo")
    assert answered(connection).status == 403 and not machine.connecting
    assert served_by(machine, asked(machine, "other")) == "own"


def test_a_swap_leaves_calls_under_way_as_they_began(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    old = asked(machine)
    machine.publish(routes=table())
    assert served_by(machine, old) == "own"
    assert served_by(machine, asked(machine)) == "a"


def test_an_overlay_whose_target_is_gone_is_left_out_and_said_so(tmp_path) -> None:
    machine = moving(tmp_path, all_of("gone"), all_of(workflow="wf_2"))
    assert served_by(machine, asked(machine)) == "a"
    assert served_by(machine, asked(machine, workflow="wf_2")) == "own"
    assert "'gone', which does not exist" in machine.log.getvalue()


def test_the_first_of_the_routes_own_targets_is_no_detour(tmp_path) -> None:
    machine = moving(tmp_path, all_of("b"))
    assert served_by(machine, asked(machine, "two")) == "b"
    connection = asked(machine, "two")
    machine.refuse_connection()
    assert served_by(machine, connection) == "a"
    connection = asked(machine, "other")  # it leads to b alone: one attempt, no second at the same target
    machine.answer(machine.connect(), FAILURES[1])
    assert answered(connection).status == 400


# Watches


@pytest.mark.parametrize("stream", [False, True])
def test_a_watched_workflows_bodies_are_kept_and_no_others(tmp_path, stream: bool) -> None:
    machine = moving(tmp_path, watches=(Watch(workflow="wf_1"),))
    whole = p.chunked(*p.chat_stream(), lines=(CLOSE,)) if stream else ANSWER
    for workflow in ("wf_1", "wf_2"):
        connection = asked(machine, workflow=workflow, stream=stream)
        machine.answer(machine.connect(), whole)
        assert answered(connection).status == 200
    bodies = [one for one in machine.frames() if isinstance(one, Body)]
    assert [one.side for one in bodies] == ["request", "response"]
    call = machine.calls[0]
    unsealed = {one.side: machine.plane.sealer.open(one.sealed, one.call + one.side.encode()) for one in bodies}
    assert unsealed["request"] == call.inbound.body and {one.label for one in bodies} == {"internal"}
    first = next(one for one in machine.ends() if one.call == call.id)
    assert hashlib.sha256(unsealed["response"]).digest() == first.response_sha256


def test_a_watch_keeps_a_share(tmp_path) -> None:
    machine = moving(tmp_path, watches=(Watch(workflow="wf_1", share=0.3, salt="w"),))
    names = [str(at) for at in range(40)]
    for name in names:
        served_by(machine, asked(machine, "solo", f"x-freehold-conversation: {name}"))
    kept = sum(isinstance(one, Body) and one.side == "request" for one in machine.frames())
    assert kept == sum(drawn("w", name) < 0.3 for name in names) > 0


# Service keys


def service(machine: Machine, model: str, *lines: str):
    return asked(machine, model, *lines, key=SERVICE_KEY)


def test_a_service_key_names_any_target_and_gets_that_alone(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    assert served_by(machine, service(machine, "target:b", "x-freehold-label: internal")) == "b"
    connection = service(machine, "target:a", "x-freehold-label: internal")
    machine.refuse_connection()
    assert answered(connection).status == 502 and not machine.connecting and not machine.timers
    assert answered(service(machine, "target:none", "x-freehold-label: internal")).status == 404


def test_no_move_touches_what_freehold_itself_asks(tmp_path) -> None:
    machine = moving(tmp_path, all_of(), watches=(Watch(workflow="wf_1"),))
    assert served_by(machine, service(machine, "solo", "x-freehold-label: internal")) == "a"
    assert not any(isinstance(one, Body) for one in machine.frames())


@pytest.mark.parametrize("model", ["target:a", "solo"])
def test_a_service_call_states_its_label_and_is_held_to_it(tmp_path, model: str) -> None:
    machine = moving(tmp_path)
    connection = service(machine, model)
    assert answered(connection).status == 400 and b"label" in answered(connection).body
    secret = service(machine, model, "x-freehold-label: restricted")
    assert answered(secret).status == 403 and not machine.connecting
    assert answered(service(machine, "target:low", "x-freehold-label: internal")).status == 403
    assert served_by(machine, service(machine, "target:low", "x-freehold-label: public")) == "low"


def test_an_ordinary_key_cannot_name_a_target(tmp_path) -> None:
    machine = moving(tmp_path)
    for model in ("target:a", "a"):
        connection = asked(machine, model, "x-freehold-label: public")
        answer = answered(connection)
        assert answer.status == 404 and answer.headers["x-freehold-error"] == "FH-NOT-002"
    connection = machine.caller()
    lines = f"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {SERVICE_KEY}\r\n\r\n"
    machine.ask(connection, lines.encode())
    assert b"target:" not in machine.sent(connection)


# Workflows that callers do not name


class Templates:
    """Stands for the compiled `workflows` snapshot: what asks for a stream is one workflow."""

    def of(self, body: bytes, peek, key_id: str) -> str:
        assert body and key_id == "key_app"
        return "wf_1" if peek.stream else ""

    def named(self, name: str) -> str:
        return {"refunds": "wf_1"}.get(name, name)


def test_a_call_that_names_no_workflow_is_told_one_and_a_name_wins(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    machine.plane.assigner = Templates()
    asked(machine, workflow="", stream=True)
    asked(machine, workflow="")
    asked(machine, workflow="wf_2", stream=True)
    asked(machine, workflow="refunds")
    opened = [one for one in machine.frames() if isinstance(one, Open)]
    assert [one.workflow for one in opened] == ["wf_1", "", "wf_2", "wf_1"]
    assert [one.target for one in opened] == ["own", "a", "a", "own"]


def test_the_workflows_snapshot_tells_and_names_and_a_bad_one_changes_nothing(tmp_path) -> None:
    machine = moving(tmp_path, all_of())
    said = "You triage the letters of an insurance office into one of nine trays."
    template = Template(workflow="wf_1", system=Shingler().of_system(said).astype("<u8").tobytes(), count=100)
    machine.publish(workflows=Workflows(templates=(template,), names=(("letters", "wf_1"),)))
    messages = [{"role": "system", "content": said}, {"role": "user", "content": "A tree fell on my car."}]
    asked(machine, workflow="", messages=messages)
    asked(machine, workflow="letters")
    asked(machine, workflow="")
    machine.publish(workflows=Workflows(templates=(Template(workflow="wf_1", system=b"odd"),)))
    assert "snapshot refused" in machine.log.getvalue() and machine.plane.ready
    asked(machine, workflow="", messages=messages)
    connection = machine.caller()
    machine.ask(connection, p.request("/v1/embeddings", b'{"model":"solo","input":"x"}'))
    opened = [one for one in machine.frames() if isinstance(one, Open)]
    assert [one.workflow for one in opened] == ["wf_1", "wf_1", "", "wf_1", ""]
