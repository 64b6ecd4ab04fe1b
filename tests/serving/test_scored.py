"""A classifier's answers on the wire: the shapes clients know, usage said to be estimated, confidence beside the choice."""

from __future__ import annotations

import json

import msgspec
import pytest

from freehold.core.errors import BadRequest, MalformedJson, NotTranslatable
from freehold.gateway.dialects.openai_chat import OpenAiChat
from freehold.grading.types import ToolCall
from freehold.serving.scored import Desk


class Fixed(msgspec.Struct):
    """A scorer that always says the same."""

    text: str = "billing"
    tool_calls: tuple[ToolCall, ...] = ()
    confidence: float = 0.97

    def answer(self, request):
        return self


def ask(scorer=None, **fields):
    body = {"model": "m", "messages": [{"role": "user", "content": "charged twice"}], **fields}
    return Desk(scorer or Fixed(), "tickets-1", lambda: 1e9).answer(json.dumps(body).encode())


def events(body):
    lines = [one.removeprefix(b"data: ") for one in body.split(b"\n\n") if one]
    assert lines[-1] == b"[DONE]"
    return [json.loads(one) for one in lines[:-1]]


def test_a_label_is_a_chat_completion_with_its_confidence():
    streamed, body = ask()
    told = json.loads(body)
    assert not streamed
    (choice,) = told["choices"]
    assert choice["message"] == {"role": "assistant", "content": "billing"}
    assert (choice["finish_reason"], choice["freehold"]) == ("stop", {"confidence": 0.97})
    assert (told["object"], told["model"], told["created"]) == ("chat.completion", "tickets-1", 10**9)


def test_usage_is_a_quarter_of_the_characters_rounded_up_and_said_to_be_estimated():
    messages = [
        {"role": "system", "content": "abcd"},
        {"role": "user", "content": [{"type": "text", "text": "éé"}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None},
    ]
    told = json.loads(ask(messages=messages)[1])["usage"]
    assert told == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4, "estimated": True}


def test_tool_calls_come_as_calls():
    scorer = Fixed("", (ToolCall("route_ticket", '{"queue":"billing"}'),))
    told = json.loads(ask(scorer)[1])
    (choice,) = told["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]) == (
        "function",
        {"name": "route_ticket", "arguments": '{"queue":"billing"}'},
    )
    assert "index" not in call


@pytest.mark.parametrize("scorer", [Fixed(), Fixed("", (ToolCall("a", "{}"), ToolCall("b", "{}")))])
def test_a_stream_says_what_the_whole_answer_says(scorer):
    streamed, body = ask(scorer, stream=True, stream_options={"include_usage": True})
    assert streamed
    told, whole = events(body), json.loads(ask(scorer)[1])
    decoder = OpenAiChat().stream_decoder()
    assert [*decoder.feed(body), *decoder.end()]
    assert told[0]["choices"][0]["delta"]["content"] == whole["choices"][0]["message"]["content"]
    calls = told[0]["choices"][0]["delta"].get("tool_calls", [])
    assert [one.pop("index") for one in calls] == list(range(len(scorer.tool_calls)))
    assert [one["function"] for one in calls] == [
        one["function"] for one in whole["choices"][0]["message"].get("tool_calls", [])
    ]
    end = told[1]["choices"][0]
    assert (end["finish_reason"], end["freehold"]["confidence"]) == (whole["choices"][0]["finish_reason"], 0.97)
    assert (told[2]["choices"], told[2]["usage"]) == ([], whole["usage"])


def test_a_stream_tells_no_usage_unasked():
    assert all("usage" not in one for one in events(ask(stream=True)[1]))


def test_every_answer_has_an_id_of_its_own():
    desk = Desk(Fixed(), "m", lambda: 0.0)
    body = b'{"messages":[]}'
    assert json.loads(desk.answer(body)[1])["id"] != json.loads(desk.answer(body)[1])["id"]


@pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}])
def test_what_a_classifier_cannot_give_is_refused(fields):
    with pytest.raises(NotTranslatable):
        ask(**fields)


@pytest.mark.parametrize(
    ("body", "error"), [(b"{", MalformedJson), (b'{"messages":1}', BadRequest), (b"{}", BadRequest)]
)
def test_what_is_no_request_is_refused(body, error):
    with pytest.raises(error):
        Desk(Fixed(), "m", lambda: 0.0).answer(body)
