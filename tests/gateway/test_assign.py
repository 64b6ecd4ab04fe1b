from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.assign import Assigner, Template, Workflows
from freehold.gateway.dialects.anthropic_messages import AnthropicMessages
from freehold.gateway.dialects.openai_chat import OpenAiChat
from freehold.gateway.prompt import prompt_of
from freehold.gateway.shingles import Shingler

SORT = "You sort the letters of a town hall and say which office should answer them, in one word only."
SUM = "Sum the text up in three bullets that a child of ten understands, and do not add anything else."
TOOLS = "You are the agent of a library and may look up, reserve and renew books for the reader who asks."
ASK = "Which of these rivers is the longest? Answer with the name of the river and nothing else please:"
USER = ("dark street lamp at the corner", "the school bus was late 3 times", "tax form 12 is missing", "Amazon, Nile")


def template(workflow, system="", user="", **more):
    found = Shingler().of(system, user, user)
    return Template(workflow=workflow, system=found.system.tobytes(), user=found.user[:12].tobytes(), **more)


def asked(user, system="", **more):
    messages = [{"role": "system", "content": system}] if system else []
    return {"model": "m", "messages": [*messages, {"role": "user", "content": user}], **more}


def tool(name):
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


CONTENT = Workflows(
    templates=(
        template("wf_sort", SORT),
        template("wf_sum_tools", SUM, tools=("look_1", "look_2")),
        template("wf_sum", SUM),
        template("wf_json", SUM, keys=("city", "street")),
        template("wf_books", TOOLS, tools=("find", "reserve", "renew")),
        template("wf_ask", "", ASK),
    ),
    names=(("rivers", "wf_ask"), ("letters", "wf_sort")),
)


def of(assigner, body, dialect=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return assigner.of(raw, (dialect or OpenAiChat()).peek(raw), "key")


@pytest.mark.parametrize(
    ("body", "workflow"),
    [
        (asked(USER[0], SORT), "wf_sort"),
        (asked(USER[0], SUM), "wf_sum"),
        (asked(USER[0], SUM, tools=[tool("look_1"), tool("look_2")]), "wf_sum_tools"),
        (asked(USER[0], SUM, tools=[tool("look_7"), tool("look_8")]), ""),
        (asked(USER[0], TOOLS, tools=[tool("find"), tool("reserve")]), "wf_books"),
        (asked(USER[0], TOOLS), ""),
        (asked(f"{ASK} {USER[3]}"), "wf_ask"),
        (asked(f"{ASK} {USER[3]}", "You are a pirate and nobody has ever seen this prompt before."), "wf_ask"),
        (asked(USER[1]), ""),
        (asked(USER[1], "You are a pirate and nobody has ever seen this prompt before."), ""),
    ],
)
def test_template_tools_and_schema_say_which(body, workflow):
    assigner = Assigner(CONTENT)
    assert [of(assigner, body) for _ in range(3)] == [workflow] * 3


def test_a_schema_is_part_of_the_match():
    schema = {"type": "object", "properties": {"city": {}, "street": {}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assigner = Assigner(CONTENT)
    assert of(assigner, asked(USER[0], SUM, response_format=form)) == "wf_json"
    assert of(assigner, asked(USER[0], SUM)) == "wf_sum"


def test_the_same_for_anthropic_bodies():
    body = {"model": "m", "max_tokens": 9, "system": SORT, "messages": [{"role": "user", "content": USER[0]}]}
    late = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": USER[0]}], "system": SORT}
    parts = {**body, "system": [{"type": "text", "text": SUM}], "tools": [{"name": "look_1"}, {"name": "look_2"}]}
    assigner = Assigner(CONTENT)
    assert of(assigner, body, AnthropicMessages()) == "wf_sort"
    assert of(assigner, late, AnthropicMessages()) == "wf_sort"
    assert of(assigner, {**late, "system": SUM}, AnthropicMessages()) == "wf_sum"
    assert of(assigner, parts, AnthropicMessages()) == "wf_sum_tools"


def test_names_lead_to_ids_and_unknown_ones_stay():
    assigner = Assigner(CONTENT)
    assert assigner.named("rivers") == "wf_ask" and assigner.named("else") == "else"


def test_changing_lines_and_numbers_do_not_hide_a_template():
    assigner = Assigner(CONTENT)
    for number in range(5):
        assert of(assigner, asked(USER[0], f"Ticket {number}{number} of 2026-01-0{number}, Ada\n{SORT}")) == "wf_sort"


def test_two_workflows_that_are_equally_near_give_none():
    assigner = Assigner(Workflows(templates=(template("wf_a", SORT), template("wf_b", SORT))))
    assert of(assigner, asked(USER[0], SORT)) == ""


def test_without_workflows_nothing_is_read():
    assert of(Assigner(Workflows()), asked(USER[0], SORT)) == ""


def test_the_cache_does_not_grow_for_ever():
    assigner = Assigner(CONTENT)
    for number in range(5000):
        of(assigner, asked(USER[0], f"customer {'abcdefghij'[number % 10] * (number // 10 % 500 + 1)}\n{SORT}"))
    assert len(assigner._cache) <= 4096


texts = st.sampled_from(
    [*USER, SORT, SUM, TOOLS, ASK, "7 days", "8 days", '"tools": [] "role":"user"', "ü\u2028\U0001f600"]
)
tools = st.lists(st.sampled_from(["look_1", "look_2", "look_9", "find", "reserve", "renew"]), max_size=3, unique=True)


@st.composite
def bodies(draw):
    """Bodies as clients write them: members in any order, with and without spaces, turns of every role."""
    members = {"model": "m"}
    messages = [
        {"role": draw(st.sampled_from(["system", "user", "assistant", "developer"])), "content": draw(texts)}
        for _ in range(draw(st.integers(0, 4)))
    ]
    if draw(st.booleans()):
        messages = [{"content": one["content"], "role": one["role"]} for one in messages]
    members["messages"] = messages
    names = draw(tools)
    if names:
        members["tools"] = [tool(one) for one in names]
    if draw(st.booleans()):
        members["response_format"] = {"type": draw(st.sampled_from(["text", "json_object"]))}
    order = draw(st.permutations(sorted(members)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    whole = {name: members[name] for name in order}
    return json.dumps(whole, separators=separators, ensure_ascii=draw(st.booleans())).encode()


@settings(max_examples=120, deadline=None)
@given(st.lists(bodies(), min_size=1, max_size=12))
def test_the_cache_says_what_the_full_match_says(many):
    assigner, dialect = Assigner(CONTENT), OpenAiChat()
    for body in many + many:
        found = assigner.of(body, dialect.peek(body), "key")
        assert found == Assigner(CONTENT).match(prompt_of(body)).workflow


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_body_is_too_broken(body):
    peek = OpenAiChat().peek(json.dumps(asked("x")).encode())
    assert Assigner(CONTENT).of(body, peek, "key") == ""


def test_content_survives_its_snapshot():
    packed = msgspec.msgpack.encode(CONTENT)
    assert msgspec.msgpack.decode(packed, type=Workflows) == CONTENT


def test_every_dialect_tells_the_same_prompt():
    schema = {"type": "object", "properties": {"label": {"type": "string"}, "why": {"type": "string"}}}
    said = ["sort this", "it is a letter", "and this one"]
    roles = ["user", "assistant", "user"]
    turns = list(zip(roles, said, strict=True))
    chat = {
        "messages": [{"role": "system", "content": SORT}, *({"role": who, "content": text} for who, text in turns)],
        "tools": [tool("look_1")],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    }
    messages = {
        "system": [{"type": "text", "text": SORT}],
        "messages": [{"role": who, "content": [{"type": "text", "text": text}]} for who, text in turns],
        "tools": [{"name": "look_1", "input_schema": {}}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }
    responses = {
        "instructions": SORT,
        "input": [{"role": who, "content": [{"type": "input_text", "text": text}]} for who, text in turns],
        "tools": [{"type": "function", "name": "look_1", "parameters": {}}],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}},
    }
    gemini = {
        "systemInstruction": {"parts": [{"text": SORT}]},
        "contents": [{"role": {"assistant": "model"}.get(who, who), "parts": [{"text": text}]} for who, text in turns],
        "tools": [{"functionDeclarations": [{"name": "look_1"}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema},
    }
    first = prompt_of(json.dumps(chat).encode())
    assert (first.system, first.first, first.last, first.turns) == (SORT, said[0], said[2], 1)
    assert (first.tools, first.keys) == (("look_1",), ("label", "why"))
    for body in (messages, responses, gemini):
        assert prompt_of(json.dumps(body).encode()) == first
    bedrock = {
        "system": [{"text": SORT}],
        "messages": [{"role": who, "content": [{"text": text}]} for who, text in turns],
        "toolConfig": {"tools": [{"toolSpec": {"name": "look_1", "inputSchema": {"json": {}}}}]},
    }
    told = prompt_of(json.dumps(bedrock).encode())
    assert (told.system, told.first, told.last, told.turns, told.tools) == (SORT, said[0], said[2], 1, ("look_1",))
    lone = prompt_of(json.dumps({"instructions": SORT, "input": "sort this"}).encode())
    assert (lone.system, lone.first, lone.last) == (SORT, "sort this", "sort this")
