"""Targets that lie, over real sockets: the right error in the caller's dialect, settled once, written down, and no
byte of a broken answer that could pass for a whole one.
"""

from __future__ import annotations

import json

import pytest

from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.instance import Instance, until

WHOLE = {
    # fault: (outcome of the attempt, status to the caller)
    "bad_json": ("lied", 502),
    "short_body": ("unreachable", 502),
    "long_body": ("lied", 502),
    "cut": ("unreachable", 502),
    "error_inside": ("lied", 502),
    "reset": ("unreachable", 502),
    "reset_mid": ("unreachable", 502),
    "redirect": ("failed", 502),
}
STREAMS = {
    "cut": "unreachable",
    "cut_politely": "lied",
    "no_end": "lied",
    "error_inside": "lied",
    "reset_mid": "unreachable",
    "bad_chunk": "lied",
}
FINE = ("slow", "one_write", "no_length")
DIALECTS = ("openai", "anthropic")


def ask(dialect: str, model: str, *lines: str, **more) -> bytes:
    if dialect == "openai":
        return p.request(p.CHAT, p.chat_body(model, **more), *lines)
    return p.request(p.MESSAGES, p.messages_body(model, **more), *lines)


def own(dialect: str) -> str:
    return "gpt" if dialect == "openai" else "claude"


@pytest.fixture
def vendors(fake_openai, fake_anthropic) -> dict:
    return {"gpt": fake_openai, "claude": fake_anthropic}


def assert_error(answer, dialect: str, status: int, code: str) -> None:
    """An error as the dialect's SDK reads it, with its headers."""
    assert answer.complete and answer.status == status, answer
    assert answer.headers["x-freehold-error"] == code
    assert answer.headers["content-type"] == "application/json"
    value = json.loads(answer.body)
    if dialect == "openai":
        assert set(value["error"]) == {"message", "type", "param", "code"} and value["error"]["code"] == code
        assert answer.headers["x-request-id"].startswith("call_")
    else:
        assert value["type"] == "error" and value["error"]["details"]["error_code"] == code
        assert value["request_id"] == answer.headers["request-id"]
    for secret in (p.SECRET, p.PROMPT, "sk-fake"):
        assert secret not in json.dumps(value)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("kind", WHOLE)
def test_a_lie_in_a_whole_answer(served: Instance, vendors, dialect: str, model: str, kind: str) -> None:
    vendors[model].fail(Fault(kind))
    answer = served.ask(ask(dialect, model))
    outcome, status = WHOLE[kind]
    end = served.home.end()
    assert_error(answer, dialect, status, end.error)
    assert end.outcome == "failed" and end.status == status
    assert [(one.target, one.outcome) for one in end.tried] == [(model, outcome)]
    assert end.cost == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("kind", STREAMS)
def test_a_lie_in_a_stream_never_looks_whole(served: Instance, vendors, dialect: str, model: str, kind: str) -> None:
    vendors[model].fail(Fault(kind, after=5))
    answer = served.ask(ask(dialect, model, stream=True))
    end = served.home.end()
    assert [one.outcome for one in end.tried] in ([STREAMS[kind]], ["refused"])
    if answer.status != 200:  # the lie came with the first bytes: nothing of it was passed on
        assert_error(answer, dialect, 502, end.error)
        return
    assert not answer.complete and end.outcome == "broken"
    assert b"data: [DONE]" not in answer.body and b"event: message_stop" not in answer.body
    assert end.cost > 0 and end.tried[0].usage.estimated == (kind != "no_end")
    translated = model != own(dialect)
    if translated:
        assert b'"error"' in answer.body


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", FINE)
def test_what_is_odd_but_legal_goes_through(
    served: Instance, vendors, dialect: str, model: str, stream: bool, kind: str
) -> None:
    vendors[model].fail(Fault(kind))
    answer = served.ask(ask(dialect, model, stream=stream))
    end = served.home.end()
    assert answer.status == 200 and answer.complete and end.outcome == "ok" and end.cost > 0
    assert not end.tried[0].usage.estimated


FALLBACKS = (*WHOLE, "status-500", "status-429", "status-529", "status-401", "status-404")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", FALLBACKS)
def test_another_target_answers_where_nothing_had_been_sent(served: Instance, vendors, dialect: str, kind: str) -> None:
    first = own(dialect)
    other = "claude" if first == "gpt" else "gpt"
    name, _, status = kind.partition("-")
    vendors[first].fail(Fault(name, status=int(status or 500)))
    answer = served.ask(ask(dialect, f"{first}-then-{other}"))
    end = served.home.end()
    assert answer.status == 200 and answer.headers["x-freehold-target"] == other
    assert [one.target for one in end.tried] == [first, other] and end.outcome == "ok"
    assert len(vendors[first].requests) == len(vendors[other].requests) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["wrong_type", "error_inside", "reset", "redirect", "bad_chunk"])
def test_another_target_streams_where_nothing_had_been_sent(served: Instance, vendors, dialect: str, kind: str) -> None:
    first = own(dialect)
    other = "claude" if first == "gpt" else "gpt"
    vendors[first].fail(Fault(kind, after=0))
    answer = served.ask(ask(dialect, f"{first}-then-{other}", stream=True))
    end = served.home.end()
    assert answer.status == 200 and answer.complete and end.outcome == "ok"
    assert [one.target for one in end.tried] == [first, other]
    assert answer.body.count(b"[DONE]") + answer.body.count(b"event: message_stop") == 1


@pytest.mark.parametrize(("status", "told", "kind"), [(429, 429, "rate_limit_error"), (503, 429, "rate_limit_error"), (529, 529, "overloaded_error"), (500, 502, "api_error"), (504, 504, "timeout_error"), (404, 404, "not_found_error")])  # fmt: skip
def test_what_a_vendor_refuses_is_told_in_anthropics_words(
    served: Instance, vendors, status: int, told: int, kind: str
) -> None:
    vendors["claude"].fail(Fault("status", status=status, headers=(("retry-after", "17"),)))
    answer = served.ask(ask("anthropic", "claude"))
    assert (answer.status, json.loads(answer.body)["error"]["type"]) == (told, kind)
    assert answer.headers.get("retry-after") == "17"
    assert served.home.end().status == told


@pytest.mark.parametrize(("status", "told"), [(429, 429), (503, 429), (500, 502), (504, 504), (401, 502), (403, 502)])
def test_what_a_vendor_refuses_is_told_in_openais_words(served: Instance, vendors, status: int, told: int) -> None:
    vendors["gpt"].fail(Fault("status", status=status, headers=(("retry-after", "17"),)))
    answer = served.ask(ask("openai", "gpt"))
    assert answer.status == told and set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
    assert served.home.end().status == told


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("kind", "stream", "wait"), [("stall_first", True, 31.0), ("stall_first", False, 61.0)])
def test_a_target_that_says_nothing_is_left_for_the_next(
    served: Instance, vendors, dialect: str, kind: str, stream: bool, wait: float
) -> None:
    vendors[own(dialect)].fail(Fault(kind))
    other = "claude" if own(dialect) == "gpt" else "gpt"
    with served.client() as client:
        client.send(ask(dialect, f"{own(dialect)}-then-{other}", stream=stream))
        until(lambda: vendors[own(dialect)].requests)
        served.skip(wait)
        answer = client.read("POST")
    assert answer.status == 200 and answer.complete
    assert [one.outcome for one in served.home.end().tried] == ["timeout", "ok"]
    assert vendors[own(dialect)].last.hung_up.wait(10)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_stalls_midway_is_broken_off(served: Instance, vendors, dialect: str) -> None:
    vendors[own(dialect)].fail(Fault("stall_mid", after=4))
    with served.client() as client:
        client.send(ask(dialect, own(dialect), stream=True))
        client.read_until(b"data:")
        served.skip(31.0)
        answer = client.read("POST")
    assert not answer.complete and served.home.end().tried[0].outcome == "timeout"
    assert vendors[own(dialect)].last.hung_up.wait(10)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_stops_the_target_and_is_settled(
    served: Instance, vendors, dialect: str, stream: bool
) -> None:
    vendors[own(dialect)].fail(Fault("stall_mid" if stream else "stall_first", after=4))
    with served.client() as client:
        client.send(ask(dialect, own(dialect), stream=stream))
        until(lambda: vendors[own(dialect)].requests)
        if stream:
            client.read_until(b"data:")
    assert vendors[own(dialect)].last.hung_up.wait(10)
    end = served.home.end()
    assert (end.outcome, end.status) == ("cancelled", 499) and end.cost > 0
    assert served.plane.table.stops[own(dialect)].health.in_flight == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_vendor_got_is_the_callers_body_but_for_the_model(served: Instance, vendors, dialect: str) -> None:
    data = ask(dialect, own(dialect), "x-freehold-conversation: c1", metadata={"odd": "\u00e9 \\u0041"})
    served.ask(data)
    request = vendors[own(dialect)].last
    body = data.partition(b"\r\n\r\n")[2]
    model = {"gpt": b'"gpt-fake"', "claude": b'"claude-fake"'}[own(dialect)]
    assert request.body == body.replace(f'"{own(dialect)}"'.encode(), model, 1)
    assert p.KEY not in str(request.headers) and "x-freehold-conversation" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
