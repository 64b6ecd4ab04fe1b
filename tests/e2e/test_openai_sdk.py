"""OpenAI's SDK against an owned model, its own vendor, and the other vendor behind a translation."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.sdks import CITY, PERSON, PNG, OpenAi, ask, openai_client
from tests.fakes.replies import Reply

ROUTES = ("owned-chat", "gpt", "claude")
VENDORS = ("gpt", "claude")
TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"Says the {name}.", "parameters": CITY}}
    for name in ("weather", "time")
]


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(params=["sync", "async"])
def chat(request, house):
    return OpenAi(house, request.param == "sync")


@pytest.fixture
def sent(house_vendors):
    """What the vendor behind a route was sent last."""
    return lambda route: (house_vendors.openai if route == "gpt" else house_vendors.anthropic).last.json


@pytest.mark.parametrize("route", ROUTES)
def test_text(chat, route):
    got = chat.create(model=route, messages=ask("Write one sentence about the sea."), max_tokens=16, temperature=0)
    choice = got.choices[0]
    assert got.object == "chat.completion" and got.id and got.model
    assert choice.message.role == "assistant" and choice.message.content.strip()
    assert choice.finish_reason in {"stop", "length"}
    assert got.usage.prompt_tokens > 0 and got.usage.completion_tokens > 0
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_says_what_the_whole_answer_says(chat, route):
    fields = {"model": route, "messages": ask("Count to five."), "max_tokens": 16, "temperature": 0}
    chunks = chat.chunks(**fields)
    assert {one.id for one in chunks} == {chunks[0].id}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [one.choices[0].finish_reason for one in chunks if one.choices[0].finish_reason]
    text = "".join(one.choices[0].delta.content or "" for one in chunks)
    assert text.strip()
    if route != "owned-chat":  # llama.cpp's server tells the time anew with each chunk
        assert {one.created for one in chunks} == {chunks[0].created}
        assert text == chat.create(**fields).choices[0].message.content


@pytest.mark.parametrize("route", ROUTES)
def test_usage_in_a_stream_comes_when_it_is_asked_for_and_only_then(chat, route):
    fields = {"model": route, "messages": ask("Count to five."), "max_tokens": 8, "temperature": 0}
    plain = chat.chunks(**fields)
    assert all(one.usage is None and one.choices for one in plain)
    asked = chat.chunks(stream_options={"include_usage": True}, **fields)
    assert asked[-1].choices == [] and asked[-1].usage.completion_tokens > 0
    assert all(one.usage is None for one in asked[:-1])


@pytest.mark.parametrize("route", ROUTES)
def test_the_stream_helper_puts_the_answer_together(chat, route):
    got = chat.helped(model=route, messages=ask("Say hello."), max_tokens=64, stop=[" "], temperature=0)
    assert got.choices[0].message.content.strip() and got.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("route", VENDORS)
def test_system_prompt_and_turns_keep_their_place(chat, sent, route):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    chat.create(model=route, messages=turns, max_tokens=16)
    body = sent(route)
    assert body["model"] == f"{route}-fake"
    if route == "gpt":
        assert body["messages"] == turns
    else:
        assert body["system"] == "Be brief."
        assert [(one["role"], one["content"]) for one in body["messages"]] == [
            ("user", "one"),
            ("assistant", "two"),
            ("user", "three"),
        ]


def test_a_conversation_with_an_owned_model(chat):
    turns = [{"role": "system", "content": "Answer in one word."}, *ask("Name a colour.")]
    first = chat.create(model="owned-chat", messages=turns, max_tokens=8, temperature=0)
    turns += [{"role": "assistant", "content": first.choices[0].message.content}, *ask("Another one.")]
    second = chat.create(model="owned-chat", messages=turns, max_tokens=8, temperature=0)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", VENDORS)
def test_parallel_tools_and_their_results_go_round(chat, sent, route, stream):
    fields = {"model": route, "tools": TOOLS, "max_tokens": 64, "parallel_tool_calls": True}
    got = (chat.helped if stream else chat.create)(messages=ask("Weather and time in Paris?"), **fields)
    message = got.choices[0].message
    assert got.choices[0].finish_reason == "tool_calls"
    assert [one.function.name for one in message.tool_calls] == ["weather", "time"]
    assert len({one.id for one in message.tool_calls}) == 2
    assert all(isinstance(json.loads(one.function.arguments)["city"], str) for one in message.tool_calls)
    results = [
        {"role": "tool", "tool_call_id": one.id, "content": f"result {at}"} for at, one in enumerate(message.tool_calls)
    ]
    history = [
        *ask("Weather and time in Paris?"),
        message.model_dump(include={"role", "content", "tool_calls"}),
        *results,
    ]
    final = chat.create(messages=history, **fields)
    assert final.choices[0].message.content
    told = json.dumps(sent(route)["messages"])
    assert all(one.id in told for one in message.tool_calls) and "result 0" in told and "result 1" in told


@pytest.mark.parametrize("stream", [False, True])
def test_an_owned_model_calls_a_tool(chat, stream):
    fields = {"model": "owned-chat", "tools": TOOLS[:1], "tool_choice": "required", "max_tokens": 64, "temperature": 0}
    got = (chat.helped if stream else chat.create)(messages=ask("What is the weather in Paris?"), **fields)
    (call,) = got.choices[0].message.tool_calls
    assert got.choices[0].finish_reason == "tool_calls" and call.function.name == "weather"
    assert list(json.loads(call.function.arguments)) == ["city"]


@pytest.mark.parametrize("route", VENDORS)
def test_images_arrive_in_the_vendors_own_form(chat, sent, route):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}},
    ]
    chat.create(model=route, messages=[{"role": "user", "content": parts}], max_tokens=16)
    content = sent(route)["messages"][0]["content"]
    if route == "gpt":
        assert content == parts
    else:
        assert [one["type"] for one in content] == ["text", "image", "image"]
        assert content[1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
        assert content[2]["source"] == {"type": "url", "url": "https://pictures.example/a.png"}


def test_an_owned_model_refuses_what_it_cannot_see(chat):
    parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    with pytest.raises(openai.BadRequestError):
        chat.create(model="owned-chat", messages=[{"role": "user", "content": parts}], max_tokens=16)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_structured_output_fits_its_schema(chat, sent, route, stream):
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    fields = {"model": route, "messages": ask("Ann, 30 years old, as JSON."), "response_format": form, "max_tokens": 64}
    if stream:
        text = "".join(one.choices[0].delta.content or "" for one in chat.chunks(temperature=0, **fields))
    else:
        text = chat.create(temperature=0, **fields).choices[0].message.content
    found = json.loads(text)
    assert set(found) == {"name", "age"} and isinstance(found["age"], int)
    if route == "claude":
        assert sent(route)["output_config"] == {"format": {"type": "json_schema", "schema": PERSON}}


@pytest.mark.parametrize("route", ROUTES)
def test_the_parse_helper_gives_a_value(chat, route):
    fields = {"model": route, "messages": ask("Ann, 30 years old, as JSON."), "max_tokens": 200, "temperature": 0}
    got = chat.run(lambda client: client.chat.completions.parse(response_format=Person, **fields))
    assert isinstance(got.choices[0].message.parsed, Person)


@pytest.mark.parametrize("route", VENDORS)
def test_stop_sequences_are_handed_on(chat, sent, route):
    chat.create(model=route, messages=ask("hello"), stop=["END", "STOP"], max_tokens=16)
    assert sent(route)["stop" if route == "gpt" else "stop_sequences"] == ["END", "STOP"]


def test_an_owned_model_stops_where_it_is_told_to(chat):
    fields = {"model": "owned-chat", "messages": ask("Count: 1, 2, 3, 4, 5, 6"), "max_tokens": 24, "temperature": 0}
    whole = chat.create(**fields).choices[0].message.content
    mark = whole.split()[1]
    cut = chat.create(stop=[mark], **fields).choices[0]
    assert cut.finish_reason == "stop" and mark not in cut.message.content


@pytest.mark.parametrize("route", ["owned-chat", "gpt"])
def test_logprobs(chat, route):
    got = chat.create(model=route, messages=ask("hello"), max_tokens=4, logprobs=True, top_logprobs=2)
    found = got.choices[0].logprobs.content
    assert found and all(one.logprob <= 0 and isinstance(one.token, str) for one in found)
    chunks = chat.chunks(model=route, messages=ask("hello"), max_tokens=4, logprobs=True, top_logprobs=2)
    assert [one for one in chunks if one.choices[0].logprobs is not None and one.choices[0].logprobs.content]


def test_several_choices(chat):
    got = chat.create(model="gpt", messages=ask("hello"), n=2, max_tokens=8)
    assert [one.index for one in got.choices] == [0, 1]
    assert {one.choices[0].index for one in chat.chunks(model="gpt", messages=ask("hello"), n=2) if one.choices} == {
        0,
        1,
    }


def test_several_choices_are_refused_where_there_is_one(chat, house_vendors):
    with pytest.raises(openai.BadRequestError) as caught:
        chat.create(model="claude", messages=ask("hello"), n=2, max_tokens=8)
    assert caught.value.param == "n" and caught.value.code.startswith("FH-")
    assert not house_vendors.anthropic.requests


@pytest.mark.parametrize("route", VENDORS)
def test_cached_and_reasoning_tokens_are_parts_of_the_totals(chat, house, house_vendors, route):
    reply = Reply(text="short", input=1000, output=50, cached=600, reasoning=20 if route == "gpt" else 0)
    (house_vendors.openai if route == "gpt" else house_vendors.anthropic).say(reply)
    raw = chat.run(lambda client: client.chat.completions.with_raw_response.create(model=route, messages=ask("hello")))
    usage = raw.parse().usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        1000,
        50 if route == "claude" else usage.completion_tokens,
    )
    assert usage.prompt_tokens_details.cached_tokens == 600
    kept = house.call(raw.headers["x-request-id"])["call"]
    assert (kept["usage"]["input"], kept["usage"]["cached"]) == (1000, 600)
    price = {"gpt": (400 * 1 + 600 * 0.1 + usage.completion_tokens * 2), "claude": 400 * 3 + 600 * 0.3 + 50 * 15}[route]
    assert float(kept["cost"]) == pytest.approx(price / 1e6)


@pytest.mark.parametrize("route", ["owned-embed", "embed"])
def test_embeddings(chat, route):
    texts = ["a boat", "a ship"]
    floats = chat.run(lambda client: client.embeddings.create(model=route, input=texts, encoding_format="float"))
    packed = chat.run(lambda client: client.embeddings.create(model=route, input=texts))
    assert [one.index for one in floats.data] == [0, 1] and floats.usage.prompt_tokens > 0
    for one, other in zip(floats.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-3)
        assert sum(value * value for value in one.embedding) == pytest.approx(1, abs=1e-2)


def test_embeddings_of_a_text_alone(house):
    with openai_client(house) as client:
        near, far = (client.embeddings.create(model="owned-embed", input=one).data[0] for one in ("a boat", "tax law"))
        base = client.embeddings.create(model="owned-embed", input="a ship").data[0].embedding
    one, other = (sum(a * b for a, b in zip(base, each.embedding, strict=True)) for each in (near, far))
    assert one > other


def test_models_are_the_routes(chat, house):
    async def names(client):
        return [one.id async for one in client.models.list()]

    listed = chat.run(lambda client: [one.id for one in client.models.list()] if chat.sync else names(client))
    assert {"owned-chat", "owned-embed", "gpt", "claude", "embed"} <= set(listed)
    one = chat.run(lambda client: client.models.retrieve("owned-chat"))
    assert (one.id, one.object, one.owned_by) == ("owned-chat", "model", "owned")
    with pytest.raises(openai.NotFoundError):
        chat.run(lambda client: client.models.retrieve("owned-chatt"))


@pytest.mark.parametrize("route", ROUTES)
def test_headers_name_the_call_and_its_target(chat, house, route):
    raw = chat.run(
        lambda client: client.chat.completions.with_raw_response.create(model=route, messages=ask("hi"), max_tokens=4)
    )
    assert raw.headers["x-request-id"].startswith("call_") and raw.headers["x-freehold-target"] == route
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    assert house.call(raw.headers["x-request-id"])["call"]["route"] == route
