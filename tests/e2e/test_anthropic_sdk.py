"""Anthropic's SDK against an owned model, its own vendor, and the other vendor behind a translation."""

from __future__ import annotations

import json

import anthropic
import pytest
from pydantic import BaseModel

from tests.e2e.sdks import CITY, PERSON, PNG, Messages, ask
from tests.fakes.fake_anthropic import SIGNATURE, told
from tests.fakes.replies import Reply

ROUTES = ("owned-chat", "gpt", "claude")
VENDORS = ("gpt", "claude")
TOOLS = [
    {"name": name, "description": f"Says the {name}.", "input_schema": CITY} for name in ("weather", "time")
]  # fmt: skip


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(params=["sync", "async"])
def messages(request, house):
    return Messages(house, request.param == "sync")


@pytest.fixture
def sent(house_vendors):
    """What the vendor behind a route was sent last."""
    return lambda route: (house_vendors.openai if route == "gpt" else house_vendors.anthropic).last.json


def text_of(message):
    return "".join(one.text for one in message.content if one.type == "text")


def prompt_of(message):
    """All of the prompt: what was read from the cache stands beside `input_tokens` in this dialect."""
    return message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


@pytest.mark.parametrize("route", ROUTES)
def test_text(messages, route):
    got = messages.create(model=route, messages=ask("Write one sentence about the sea."), max_tokens=16)
    assert got.type == "message" and got.role == "assistant" and got.id and got.model
    assert text_of(got).strip()
    assert got.stop_reason in {"end_turn", "max_tokens"}
    assert got.usage.input_tokens > 0 and got.usage.output_tokens > 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_is_well_formed_and_says_the_same(messages, route):
    fields = {"model": route, "messages": ask("Count to five."), "max_tokens": 16}
    events = messages.events(**fields)
    kinds = [one.type for one in events if one.type != "ping"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 1
    assert events[0].message.usage.input_tokens >= 0
    delta = next(one for one in events if one.type == "message_delta")
    assert delta.delta.stop_reason in {"end_turn", "max_tokens"} and delta.usage.output_tokens > 0
    text = "".join(one.delta.text for one in events if one.type == "content_block_delta")
    assert text.strip()
    if route != "owned-chat":
        assert text == text_of(messages.create(**fields))


@pytest.mark.parametrize("route", ROUTES)
def test_the_stream_helper_puts_the_message_together(messages, route):
    got = messages.helped(model=route, messages=ask("Count to five."), max_tokens=8)
    assert text_of(got).strip() and got.usage.input_tokens > 0 and got.usage.output_tokens > 0


@pytest.mark.parametrize("route", VENDORS)
def test_system_prompt_and_turns_keep_their_place(messages, sent, route):
    turns = [*ask("one"), {"role": "assistant", "content": "two"}, *ask("three")]
    messages.create(model=route, system="Be brief.", messages=turns, max_tokens=16)
    body = sent(route)
    assert body["model"] == f"{route}-fake"
    if route == "claude":
        assert (body["system"], body["messages"]) == ("Be brief.", turns)
    else:
        assert body["messages"] == [{"role": "system", "content": "Be brief."}, *turns]


def test_a_conversation_with_an_owned_model(messages):
    fields = {"model": "owned-chat", "system": "Answer in one word.", "max_tokens": 8}
    first = messages.create(messages=ask("Name a colour."), **fields)
    turns = [*ask("Name a colour."), {"role": "assistant", "content": text_of(first)}, *ask("Another one.")]
    second = messages.create(messages=turns, **fields)
    assert prompt_of(second) > prompt_of(first)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", VENDORS)
def test_parallel_tools_and_their_results_go_round(messages, sent, route, stream):
    fields = {"model": route, "tools": TOOLS, "max_tokens": 64}
    got = (messages.helped if stream else messages.create)(messages=ask("Weather and time in Paris?"), **fields)
    calls = [one for one in got.content if one.type == "tool_use"]
    assert got.stop_reason == "tool_use" and [one.name for one in calls] == ["weather", "time"]
    assert len({one.id for one in calls}) == 2 and all(isinstance(one.input["city"], str) for one in calls)
    results = [{"type": "tool_result", "tool_use_id": one.id, "content": f"result of {one.name}"} for one in calls]
    said = [one.model_dump(include={"type", "id", "name", "input", "text"}) for one in got.content]
    history = [
        *ask("Weather and time in Paris?"),
        {"role": "assistant", "content": said},
        {"role": "user", "content": results},
    ]
    final = messages.create(messages=history, **fields)
    assert text_of(final) and final.stop_reason == "end_turn"
    told = json.dumps(sent(route)["messages"])
    assert all(one.id in told for one in calls) and "result of weather" in told and "result of time" in told


@pytest.mark.parametrize("route", VENDORS)
def test_one_tool_at_a_time(messages, sent, route):
    choice = {"type": "any", "disable_parallel_tool_use": True}
    got = messages.create(model=route, tools=TOOLS, tool_choice=choice, messages=ask("Paris?"), max_tokens=64)
    assert sum(one.type == "tool_use" for one in got.content) == 1
    if route == "gpt":
        assert sent(route)["tool_choice"] == "required" and sent(route)["parallel_tool_calls"] is False


@pytest.mark.parametrize("stream", [False, True])
def test_an_owned_model_calls_a_tool(messages, stream):
    fields = {"tools": TOOLS[:1], "tool_choice": {"type": "any"}, "max_tokens": 80, "extra_body": {"temperature": 0}}
    say = messages.helped if stream else messages.create
    got = say(model="owned-chat", messages=ask("What is the weather in Paris?"), **fields)
    (call,) = [one for one in got.content if one.type == "tool_use"]
    assert got.stop_reason == "tool_use" and call.name == "weather" and list(call.input) == ["city"]


@pytest.mark.parametrize("route", VENDORS)
def test_images_arrive_in_the_vendors_own_form(messages, sent, route):
    blocks = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}},
    ]
    messages.create(model=route, messages=[{"role": "user", "content": blocks}], max_tokens=16)
    content = sent(route)["messages"][0]["content"]
    if route == "claude":
        assert content == blocks
    else:
        assert [one["type"] for one in content] == ["text", "image_url", "image_url"]
        assert content[1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
        assert content[2]["image_url"]["url"] == "https://pictures.example/a.png"


@pytest.mark.parametrize("route", ROUTES)
def test_structured_output_fits_its_schema(messages, sent, route):
    config = {"format": {"type": "json_schema", "schema": PERSON}}
    fields = {"model": route, "messages": ask("Ann, 30 years old, as JSON."), "max_tokens": 64}
    found = json.loads(text_of(messages.create(output_config=config, **fields)))
    assert set(found) == {"name", "age"} and isinstance(found["age"], int)
    if route == "gpt":
        assert sent(route)["response_format"]["json_schema"]["schema"] == PERSON


@pytest.mark.parametrize("route", VENDORS)
def test_the_parse_helper_gives_a_value(messages, route):
    fields = {"model": route, "messages": ask("Ann, 30 years old, as JSON."), "max_tokens": 200}
    got = messages.run(lambda client: client.messages.parse(output_format=Person, **fields))
    assert isinstance(got.parsed_output, Person)


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_and_its_signature_go_round_untouched(messages, sent, stream):
    fields = {"model": "claude", "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
    got = (messages.helped if stream else messages.create)(messages=ask("Why?"), **fields)
    thought = got.content[0]
    assert thought.type == "thinking" and thought.thinking and thought.signature == SIGNATURE
    said = [one.model_dump(exclude_none=True, exclude={"parsed_output"}) for one in got.content]
    messages.create(messages=[*ask("Why?"), {"role": "assistant", "content": said}, *ask("And?")], **fields)
    assert sent("claude")["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": thought.thinking,
        "signature": SIGNATURE,
    }


def test_redacted_thinking_is_handed_on(messages, house_vendors):
    house_vendors.anthropic.say(Reply(redacted="c2VhbGVk", text="done"))
    for got in (messages.create, messages.helped):
        first = got(model="claude", messages=ask("Why?"), max_tokens=16).content[0]
        assert (first.type, first.data) == ("redacted_thinking", "c2VhbGVk")


def test_what_a_translation_drops_is_named_and_strict_refuses(messages, house_vendors):
    block = {"type": "text", "text": "a long manual", "cache_control": {"type": "ephemeral"}}
    fields = {"messages": ask("Why?"), "system": [block], "extra_body": {"top_k": 5}, "max_tokens": 16}
    headers, _ = messages.raw(model="gpt", **fields)
    dropped = set(headers["x-freehold-dropped"].split(", "))
    assert dropped >= {"cache_control", "top_k"}
    assert "cache_control" not in house_vendors.openai.last.body.decode()
    before = len(house_vendors.openai.requests)
    for model, headers in (("gpt-strict", {}), ("gpt", {"x-freehold-strict": "1"})):
        with pytest.raises(anthropic.BadRequestError, match="strict"):
            messages.create(model=model, extra_headers=headers, **fields)
    assert len(house_vendors.openai.requests) == before


@pytest.mark.parametrize("route", VENDORS)
def test_cache_usage_is_told_and_priced(messages, house, house_vendors, route):
    if route == "claude":
        house_vendors.anthropic.say(Reply(text="short", input=1000, output=50, cached=600, cache_write=200))
    else:
        house_vendors.openai.say(Reply(text="short", input=1000, output=50, cached=600))
    block = {"type": "text", "text": "a long manual", "cache_control": {"type": "ephemeral"}}
    fields = {"model": route, "messages": ask("Why?"), "system": [block], "max_tokens": 100}
    headers, got = messages.raw(**fields)
    usage = got.usage
    written = 200 if route == "claude" else 0
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (600, written)
    assert usage.input_tokens == 400 - written
    kept = house.call(headers["request-id"])["call"]
    assert (kept["usage"]["input"], kept["usage"]["cached"], kept["usage"].get("cache_write", 0)) == (
        1000,
        600,
        written,
    )
    price = {"claude": 200 * 3 + 600 * 0.3 + 200 * 3.75 + 50 * 15, "gpt": 400 + 600 * 0.1 + 50 * 2}[route]
    assert float(kept["cost"]) == pytest.approx(price / 1e6)
    streamed = messages.helped(**fields).usage
    assert (streamed.cache_read_input_tokens, streamed.input_tokens) == (600, 400 - written)


def test_cache_breakpoints_reach_their_own_vendor_byte_for_byte(house, house_vendors):
    body = (
        b'{ "model" :"claude","max_tokens":16,"system":[{"type":"text","text":"a \\u00e9 manual",'
        b'"cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"Why?"}]}'
    )
    got = house.ask("/v1/messages", body, {"anthropic-version": "2023-06-01", "anthropic-beta": "extended-cache-ttl"})
    assert got.status == 200, got.body
    assert house_vendors.anthropic.last.body == body.replace(b'"claude"', b'"claude-fake"')
    assert house_vendors.anthropic.last.headers["anthropic-beta"] == "extended-cache-ttl"


@pytest.mark.parametrize("stream", [False, True])
def test_stop_sequences(messages, sent, house_vendors, stream):
    house_vendors.anthropic.say(Reply(text="one", stop="stop_sequence", stop_sequence="END"))
    fields = {"messages": ask("Why?"), "stop_sequences": ["END"], "max_tokens": 16}
    got = (messages.helped if stream else messages.create)(model="claude", **fields)
    assert (got.stop_reason, got.stop_sequence) == ("stop_sequence", "END")
    messages.create(model="gpt", **fields)
    assert sent("gpt")["stop"] == ["END"]


def test_counting_tokens(messages, house_vendors):
    headers, exact = messages.raw("count_tokens", model="claude", messages=ask("one two three"))
    assert exact.input_tokens == told(house_vendors.anthropic.last.json) and "x-freehold-estimated" not in headers
    headers, own = messages.raw("count_tokens", model="owned-chat", messages=ask("one two three"))
    assert own.input_tokens > 3 and "x-freehold-estimated" not in headers
    headers, about = messages.raw("count_tokens", model="gpt", messages=ask("one two three"))
    assert about.input_tokens > 0 and headers["x-freehold-estimated"] == "input_tokens"
    assert [one.path for one in house_vendors.anthropic.requests] == ["/v1/messages/count_tokens"]
    assert not house_vendors.openai.requests


def test_models_are_the_routes(messages):
    async def names(client):
        return [one.id async for one in client.models.list()]

    listed = messages.run(lambda client: [one.id for one in client.models.list()] if messages.sync else names(client))
    assert {"owned-chat", "gpt", "claude"} <= set(listed)
    assert messages.run(lambda client: client.models.retrieve("claude")).display_name == "claude"
    with pytest.raises(anthropic.NotFoundError):
        messages.run(lambda client: client.models.retrieve("clod"))


@pytest.mark.parametrize("route", ROUTES)
def test_headers_name_the_call_and_its_target(messages, house, route):
    fields = {"model": route, "messages": ask("hi"), "max_tokens": 4}
    headers, got = messages.raw(**fields)
    assert headers["request-id"].startswith("call_") and headers["x-freehold-target"] == route
    assert got._request_id == headers["request-id"]
    assert house.call(headers["request-id"])["call"]["dialect"] == "anthropic_messages"
