"""Text completions: relayed in their own dialect, metered, stripped, looked at; never taken for a conversation."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, NotTranslatable, UpstreamFailed
from freehold.gateway.assemble import assemble, events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Peek
from freehold.ledger.frames import Close, Open
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, frames
from tests.gateway.machine import Machine

PATH = "/v1/completions"
ONE = dialect("openai_completions")
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    targets = (p.target("vendor", 9001, dialects=("openai_completions",)), p.target("chat", 9002))
    return Machine(
        tmp_path, p.routes(targets, p.route("rented", "vendor", attempts=1), p.route("chat", "chat")), p.keys()
    )


def ask(machine: Machine, model: str = "rented", **more):
    connection = machine.caller()
    machine.ask(connection, p.request(PATH, json.dumps({"model": model, "prompt": "once upon", **more}).encode()))
    return connection


def said(*texts: str, usage: dict | None = USAGE, **choice) -> bytes:
    choices = [
        {"text": one, "index": at, "logprobs": None, "finish_reason": "stop", **choice} for at, one in enumerate(texts)
    ]
    told = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": choices}
    return json.dumps({**told, "usage": usage} if usage else told, separators=(",", ":")).encode()


def chunk(text: str, index: int = 0, reason: str | None = None) -> bytes:
    one = {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
    told = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [one]}
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


COUNTED = b'data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'  # fmt: skip
STREAM = (chunk(" a"), chunk(" time", reason="stop"), COUNTED, p.DONE)


def test_it_goes_byte_for_byte_but_for_the_model(machine) -> None:
    body = b'{ "prompt": ["caf\\u00e9", "b"],  "model":"rented", "suffix": "end", "best_of": 2, "x": 1.10}'
    connection = machine.caller()
    machine.ask(connection, p.request(PATH, body))
    upstream = answer(machine, p.response(said(" a", " b")))
    assert upstream.transport.sent.startswith(b"POST /v1/completions HTTP/1.1\r\n")
    assert upstream.transport.sent.endswith(body.replace(b'"rented"', b'"vendor-upstream"'))
    assert answered(connection).body == said(" a", " b")
    assert frames(machine, Close)[0].tried[0].usage.output == 3


@pytest.mark.parametrize("asked", [True, False])
def test_usage_in_a_stream_is_metered_and_shown_to_who_asked(machine, asked) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    connection = ask(machine, stream=True, **options)
    upstream = answer(machine, p.chunked(*STREAM))
    assert b'"include_usage":true' in upstream.transport.sent.replace(b" ", b"")
    assert answered(connection).body == b"".join(STREAM if asked else (*STREAM[:2], p.DONE))
    assert frames(machine, Close)[0].tried[0].usage.output == 3


def test_a_stream_without_its_end_mark_is_cut(machine) -> None:
    connection = ask(machine, stream=True)
    answer(machine, p.chunked(*STREAM[:2]))
    assert not answered(connection).complete and frames(machine, Close)[0].outcome == "broken"


def test_a_model_that_answers_is_not_one_that_goes_on(machine) -> None:
    found = answered(ask(machine, "chat"))
    assert (found.status, found.headers["x-freehold-error"]) == (400, "FH-REQ-004") and not machine.connecting


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt": "a"}, Peek("r")),
        ({"prompt": "a", "max_tokens": 5, "n": 2, "user": "u"}, Peek("r", max_output=5, choices=2, conversation="u")),
        ({"prompt": ["a", "b", "c"], "best_of": 4, "n": 1}, Peek("r", choices=12)),
        ({"prompt": [1, 2, 3]}, Peek("r")),
        ({"prompt": [[1, 2], [3]]}, Peek("r", choices=2)),
        ({"prompt": "a", "stream": True}, Peek("r", stream=True, wants_usage=False)),
    ],
)
def test_what_routing_needs(body, expected) -> None:
    assert ONE.peek(json.dumps({"model": "r", **body}).encode()) == expected


# Its neutral form

texts = st.text(max_size=12)
prompts = st.one_of(texts, st.lists(texts, max_size=3), st.lists(st.integers(0, 9), min_size=1, max_size=3))
requests = st.fixed_dictionaries(
    {"model": st.just("r"), "prompt": prompts},
    optional={
        "suffix": texts, "max_tokens": st.integers(0, 9), "temperature": st.floats(0, 2), "stop": st.lists(texts, min_size=1, max_size=2),
        "logprobs": st.integers(0, 5), "echo": st.booleans(), "logit_bias": st.just({"5": 1}), "x_new": texts, "seed": st.integers(),
    },
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(requests)
def test_a_request_comes_through_its_neutral_form_whole(body) -> None:
    sent, dropped = ONE.encode_request(ONE.decode_request(json.dumps(body).encode()), "t")
    expected = {name: one for name, one in body.items() if one not in ("", None) or name in {"prompt", "x_new"}}
    assert json.loads(sent) == {**expected, "model": "t"} and dropped == ()


answers = st.builds(
    lambda given, usage: said(*given, usage=usage),
    st.lists(texts, min_size=1, max_size=3),
    st.sampled_from([USAGE, None, {**USAGE, "own": 1}]),
)


@settings(max_examples=40, deadline=None)
@given(answers)
def test_an_answer_comes_through_its_neutral_form_and_its_events_whole(body) -> None:
    found = ONE.decode_answer(body)
    assert assemble(events_of(found)) == found
    again, dropped = ONE.encode_answer(found)
    assert {**json.loads(again), "usage": None} == {**json.loads(body), "usage": None} and dropped == ()
    assert json.loads(again).get("usage") == json.loads(body).get("usage")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(texts, st.integers(0, 1)), max_size=6), st.lists(st.integers(0, 2000), max_size=5))
def test_a_stream_split_anywhere_says_the_same_again(grown, cuts) -> None:
    ends = [chunk("", one, "stop") for one in sorted({at for _, at in grown} | {0})]
    whole = b"".join([*(chunk(text, at) for text, at in grown), *ends, COUNTED, p.DONE])
    places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    decoder, encoder = ONE.stream_decoder(), ONE.stream_encoder(Peek("r", stream=True))
    events = [one for a, b in pairwise(places) for one in decoder.feed(whole[a:b])]
    events += decoder.end()
    told = assemble(events)
    for choice in told.choices:
        assert choice.parts[0].text == "".join(text for text, at in grown if at == choice.index)
    again = ONE.stream_decoder()
    assert assemble([*again.feed(encoder.feed(events)), *again.end()]) == told


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=40), requests.map(lambda one: json.dumps(one).encode()[:-3])))
def test_noise_raises_our_errors(noise) -> None:
    with suppress(BadRequest):
        ONE.decode_request(noise)
    with suppress(UpstreamFailed):
        ONE.decode_answer(noise)
    with suppress(UpstreamFailed):
        decoder = ONE.stream_decoder()
        decoder.feed(b"data: " + noise + b"\n\n")
        decoder.end()


def test_a_conversation_is_refused() -> None:
    request = dialect("openai_chat").decode_request(p.chat_body())
    with pytest.raises(NotTranslatable):
        ONE.encode_request(request, "t")


# Guarded


@pytest.mark.parametrize("prompt", [f"write to {g.EMAIL}", [f"write to {g.EMAIL}", "b"]])
def test_prompts_and_suffix_are_looked_at(machine, prompt) -> None:
    g.arm(machine, g.rule("redact"))
    ask(machine, prompt=prompt, suffix=g.EMAIL, stop=["x"])
    upstream = answer(machine, p.response(said("ok")))
    body = json.loads(upstream.transport.sent.rpartition(b"\r\n\r\n")[2])
    assert g.EMAIL not in json.dumps(body) and body["suffix"] == "[EMAIL]" and body["stop"] == ["x"]
    assert body["prompt"] == ("write to [EMAIL]" if isinstance(prompt, str) else ["write to [EMAIL]", "b"])


def test_tokens_cannot_be_looked_at_and_go_to_no_rented_target(machine) -> None:
    g.arm(machine, g.rule("flag"))
    found = answered(ask(machine, prompt=[1, 2, 3]))
    assert (found.status, found.headers["x-freehold-error"]) == (403, "FH-POL-002")


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_said_is_looked_at(machine, stream) -> None:
    g.arm(machine, g.rule("redact"))
    connection = ask(machine, stream=stream)
    name, rest = g.EMAIL[:6], g.EMAIL[6:]
    pieces = (chunk(f"to {name}"), chunk(f"{rest} now"), chunk("", reason="stop"), COUNTED, p.DONE)
    answer(machine, p.chunked(*pieces) if stream else p.response(said(f"to {g.EMAIL} now")))
    found = answered(connection)
    assert found.complete and name.encode() not in found.body and b"[EMAIL]" in found.body
    (close,) = frames(machine, Close)
    assert close.outcome == "ok" and g.scan_of(close) == {"EMAIL": 1} and close.tried[0].usage.output == 3
    assert frames(machine, Open)[0].dialect == "openai_completions"
