"""Responses of OpenAI's SDK against an owned model, a vendor that speaks them, and a vendor that does not."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.sdks import CITY, PERSON, PNG, OpenAi, openai_client
from tests.fakes.replies import Reply

ROUTES = ("owned-chat", "gpt", "claude")
VENDORS = ("gpt", "claude")
TOOLS = [
    {"type": "function", "name": name, "description": f"Says the {name}.", "parameters": CITY, "strict": True}
    for name in ("weather", "time")
]
FORM = {"format": {"type": "json_schema", "name": "person", "schema": PERSON, "strict": True}}


class Person(BaseModel):
    name: str
    age: int


class Responses:
    """`client.responses`, sync or async."""

    def __init__(self, face: OpenAi) -> None:
        self.face = face

    def create(self, **fields: Any) -> Any:
        return self.face.run(lambda client: client.responses.create(**fields))

    def events(self, **fields: Any) -> list[Any]:
        def sync(client: Any) -> list[Any]:
            return list(client.responses.create(stream=True, **fields))

        async def gathered(client: Any) -> list[Any]:
            return [one async for one in await client.responses.create(stream=True, **fields)]

        return self.face.run(sync if self.face.sync else gathered)

    def helped(self, **fields: Any) -> Any:
        """The response that the SDK's stream helper put together."""

        def sync(client: Any) -> Any:
            with client.responses.stream(**fields) as stream:
                for _ in stream:
                    pass
                return stream.get_final_response()

        async def gathered(client: Any) -> Any:
            async with client.responses.stream(**fields) as stream:
                async for _ in stream:
                    pass
                return await stream.get_final_response()

        return self.face.run(sync if self.face.sync else gathered)


@pytest.fixture(params=["sync", "async"])
def responses(request, house):
    return Responses(OpenAi(house, request.param == "sync"))


@pytest.fixture
def alone(house):
    """The sync client alone, where what is asked is the gateway and not the SDK."""
    return Responses(OpenAi(house, True))


@pytest.fixture
def sent(house_vendors):
    """What the vendor behind a route was sent last."""
    return lambda route: (house_vendors.openai if route == "gpt" else house_vendors.anthropic).last.json


@pytest.mark.parametrize("route", ROUTES)
def test_text(responses, route):
    got = responses.create(model=route, input="Write one sentence about the sea.", max_output_tokens=16, temperature=0)
    assert got.object == "response" and got.id and got.model and got.output_text.strip()
    assert got.status in {"completed", "incomplete"}
    assert got.output[-1].type == "message" and got.output[-1].role == "assistant"
    assert got.usage.total_tokens == got.usage.input_tokens + got.usage.output_tokens > 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_says_what_the_whole_response_says(responses, route):
    fields = {"model": route, "input": "Count to five.", "max_output_tokens": 16, "temperature": 0}
    events = responses.events(**fields)
    kinds = [one.type for one in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in {"response.completed", "response.incomplete"}
    assert [one.sequence_number for one in events] == list(range(len(events)))
    text = "".join(one.delta for one in events if one.type == "response.output_text.delta")
    last = events[-1].response
    assert text.strip() and last.output_text == text and last.usage.output_tokens > 0
    whole = responses.create(**fields)
    assert whole.output_text == text and whole.status == last.status


@pytest.mark.parametrize("route", ROUTES)
def test_the_stream_helper_puts_the_response_together(responses, route):
    got = responses.helped(model=route, input="Say hello.", max_output_tokens=64, temperature=0)
    assert got.output_text.strip() and got.usage.input_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", VENDORS)
def test_parallel_tools_and_their_results_go_round(responses, sent, route, stream):
    fields = {"model": route, "tools": TOOLS, "max_output_tokens": 64}
    got = (responses.helped if stream else responses.create)(input="Weather and time in Paris?", **fields)
    calls = [one for one in got.output if one.type == "function_call"]
    assert [one.name for one in calls] == ["weather", "time"] and len({one.call_id for one in calls}) == 2
    assert all(isinstance(json.loads(one.arguments)["city"], str) for one in calls)
    results = [
        {"type": "function_call_output", "call_id": one.call_id, "output": f"result {at}"}
        for at, one in enumerate(calls)
    ]
    said = [one.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for one in got.output]
    final = responses.create(input=[{"role": "user", "content": "Weather and time?"}, *said, *results], **fields)
    assert final.output_text
    told = json.dumps(sent(route))
    assert all(one.call_id in told for one in calls) and "result 0" in told and "result 1" in told


@pytest.mark.parametrize("stream", [False, True])
def test_an_owned_model_calls_a_tool(responses, stream):
    fields = {"model": "owned-chat", "tools": TOOLS[:1], "tool_choice": "required", "temperature": 0}
    ask = responses.helped if stream else responses.create
    got = ask(input="What is the weather in Paris?", max_output_tokens=64, **fields)
    (call,) = [one for one in got.output if one.type == "function_call"]
    assert call.name == "weather" and list(json.loads(call.arguments)) == ["city"]


@pytest.mark.parametrize("route", ROUTES)
def test_structured_output_fits_its_schema(responses, sent, route):
    fields = {"model": route, "input": "Ann, 30 years old, as JSON.", "max_output_tokens": 64, "temperature": 0}
    found = json.loads(responses.create(text=FORM, **fields).output_text)
    assert set(found) == {"name", "age"} and isinstance(found["age"], int)
    if route == "claude":
        assert sent(route)["output_config"] == {"format": {"type": "json_schema", "schema": PERSON}}


@pytest.mark.parametrize("route", ROUTES)
def test_the_parse_helper_gives_a_value(responses, route):
    fields = {"model": route, "input": "Ann, 30 years old, as JSON.", "max_output_tokens": 200, "temperature": 0}
    got = responses.face.run(lambda client: client.responses.parse(text_format=Person, **fields))
    assert isinstance(got.output_parsed, Person)


def test_a_call_goes_out_as_it_came_where_the_vendor_speaks_it(alone, sent):
    fields = {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Think."}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So."}]},
            {"role": "user", "content": "Go on."},
        ],
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}, "store": False,
        "tools": [{"type": "web_search"}], "instructions": "Be brief.",
    }  # fmt: skip
    alone.create(model="gpt", **fields)
    assert sent("gpt") == {"model": "gpt-fake", **fields}


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_encrypted_comes_back_and_goes_out_again(responses, house_vendors, stream):
    house_vendors.openai.say(Reply(text="Done.", thinking="First this.", redacted="c2VhbGVk", reasoning=8))
    got = (responses.helped if stream else responses.create)(model="gpt", input="Think.", store=False)
    thought = got.output[0]
    assert (thought.type, thought.encrypted_content, thought.summary[0].text) == (
        "reasoning",
        "c2VhbGVk",
        "First this.",
    )
    assert got.usage.output_tokens_details.reasoning_tokens == 8


def test_reasoning_of_another_vendor_is_named_as_dropped(alone, house_vendors):
    history = [
        {"role": "user", "content": "Think."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": "Go on."},
    ]
    raw = alone.face.run(lambda client: client.responses.with_raw_response.create(model="claude", input=history))
    assert "thinking" in raw.headers["x-freehold-dropped"] and raw.parse().output_text
    assert "c2VhbGVk" not in json.dumps(house_vendors.anthropic.last.json)


def test_thinking_of_another_vendor_is_told_as_a_summary(responses, house_vendors):
    house_vendors.anthropic.say(Reply(text="Done.", thinking="First this."))
    for got in (responses.create(model="claude", input="x"), responses.helped(model="claude", input="x")):
        assert [one.type for one in got.output] == ["reasoning", "message"]
        assert got.output[0].summary[0].text == "First this."


def test_images_arrive_in_the_vendors_own_form(alone, sent):
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]
    alone.create(model="claude", input=[{"role": "user", "content": parts}], max_output_tokens=16)
    content = sent("claude")["messages"][0]["content"]
    assert content[1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}


def test_a_response_that_was_cut_is_incomplete(responses, house_vendors):
    house_vendors.anthropic.say(Reply(text="cut", stop="max_tokens"))
    got = responses.create(model="claude", input="x")
    assert (got.status, got.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("route", VENDORS)
def test_what_is_counted_is_what_is_charged(alone, house, house_vendors, route):
    reply = Reply(text="short", input=1000, output=50, cached=600)
    (house_vendors.openai if route == "gpt" else house_vendors.anthropic).say(reply)
    raw = alone.face.run(lambda client: client.responses.with_raw_response.create(model=route, input="hello"))
    usage = raw.parse().usage
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens) == (1000, 600, 50)
    kept = house.call(raw.headers["x-request-id"])["call"]
    price = {"gpt": 400 * 1 + 600 * 0.1 + 50 * 2, "claude": 400 * 3 + 600 * 0.3 + 50 * 15}[route]
    assert float(kept["cost"]) == pytest.approx(price / 1e6)


def test_a_relayed_stream_is_charged_too(alone, house, house_vendors):
    house_vendors.openai.say(Reply(text="word " * 4000, input=1000, output=50))
    with openai_client(house) as client:
        raw = client.responses.with_raw_response.create(model="gpt", input="hello", stream=True)
        assert list(raw.parse())[-1].type == "response.completed"
    kept = house.call(raw.headers["x-request-id"])["call"]
    assert (kept["usage"]["input"], kept["usage"]["output"]) == (1000, 50)


# What a vendor keeps


def test_a_lone_target_that_keeps_answers_is_asked_to_go_on(alone, sent):
    first = alone.create(model="gpt", input="hello", store=True)
    alone.create(model="gpt", input="more", previous_response_id=first.id)
    assert sent("gpt")["previous_response_id"] == first.id


@pytest.mark.parametrize("route", ["claude", "owned-chat", "mixed", "shared", "owned-and-real"])
@pytest.mark.parametrize("field", ["previous_response_id", "conversation"])
def test_what_leans_on_another_answer_is_refused_where_nobody_has_it(alone, house_vendors, route, field):
    with pytest.raises(openai.BadRequestError) as caught:
        alone.create(model=route, input="hello", **{field: "resp_1"})
    assert (caught.value.code, caught.value.param) == ("FH-REQ-030", field)
    assert "whole conversation" in str(caught.value)
    assert not house_vendors.openai.requests and not house_vendors.anthropic.requests


@pytest.mark.parametrize("route", ["claude", "owned-chat"])
def test_an_answer_cannot_be_kept_where_nobody_keeps_any(alone, route):
    with pytest.raises(openai.BadRequestError) as caught:
        alone.create(model=route, input="hello", store=True)
    assert (caught.value.code, caught.value.param) == ("FH-REQ-030", "store")


def test_background_is_refused(alone, house_vendors):
    with pytest.raises(openai.BadRequestError) as caught:
        alone.create(model="gpt", input="hello", background=True)
    assert caught.value.param == "background" and not house_vendors.openai.requests
