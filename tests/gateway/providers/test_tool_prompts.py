"""Tools become an instruction and a schema, and what cannot be carried is refused."""

from __future__ import annotations

import pytest
from msgspec import Raw

from freehold.core.errors import NotTranslatable
from freehold.gateway.messages import (
    Format,
    Image,
    Opaque,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tests.gateway.providers.sample import (
    ASK,
    adapted,
    answer,
    request,
    schema_of,
)


def test_a_request_without_tools_stays_as_it_is():
    made, restore = adapted(tools=(), format=Format("json_object"))
    assert made == request(tools=(), format=Format("json_object"))
    assert restore is None


def test_tools_become_an_instruction_and_a_schema():
    made, restore = adapted()
    assert made.tools == ()
    assert made.tool_choice is None
    assert restore is not None
    assert made.turns[0].role == "system"
    told = made.turns[0].parts[-1].text
    assert "get_weather: Weather" in told
    assert '"city"' in told
    schema = schema_of(made)
    calls, free = schema["anyOf"]
    assert [one["properties"]["name"]["const"] for one in calls["properties"]["tool_calls"]["items"]["anyOf"]] == [
        "get_weather",
        "get_time",
    ]
    assert "maxLength" in free["properties"]["answer"]
    assert schema["$defs"]["tool_1"]["properties"]["zone"] == {"$ref": "#/$defs/tool_1/$defs/Zone"}


def test_the_callers_own_system_prompt_comes_first():
    turns = (Turn("system", (Text("Be brief."),)), *ASK)
    made, _ = adapted(turns=turns)
    assert made.turns[0].parts[0] == Text("Be brief.")
    assert len(made.turns) == 2


@pytest.mark.parametrize(
    ("choice", "names", "most"),
    [
        (ToolChoice("any"), ["get_weather", "get_time"], 4),
        (ToolChoice("any", parallel=False), ["get_weather", "get_time"], 1),
        (ToolChoice("tool", "get_time"), ["get_time"], 4),
    ],
)
def test_a_choice_that_must_call_leaves_no_way_to_answer(choice, names, most):
    schema = schema_of(adapted(tool_choice=choice)[0])
    assert list(schema["properties"]) == schema["required"] == ["tool_calls"]
    calls = schema["properties"]["tool_calls"]
    assert (calls["minItems"], calls["maxItems"]) == (1, most)
    items = calls["items"].get("anyOf", [calls["items"]])
    assert [one["properties"]["name"]["const"] for one in items] == names


def test_the_choice_none_drops_the_tools_and_keeps_the_format():
    made, restore = adapted(tool_choice=ToolChoice("none"), format=Format("json_object"))
    assert (made.tools, made.tool_choice, restore) == ((), None, None)
    assert made.format == Format("json_object")


def test_a_format_beside_tools_holds_for_the_answer():
    wanted = Format("json_schema", Raw(b'{"type":"object","properties":{"mood":{"enum":["good"]}}}'))
    made, restore = adapted(format=wanted)
    schema = schema_of(made)
    assert schema["$defs"]["answer"]["properties"]["mood"] == {"enum": ["good"]}
    restored = restore.answer(answer('{"answer": {"mood": "good"}}'))
    assert restored.choices[0].parts == (Text('{"mood":"good"}'),)


def test_a_tool_without_parameters_takes_none():
    for raw in (b"", b"{}", b'{"type":"object"}', b'{"type":"object","properties":{}}'):
        schema = schema_of(adapted(tools=(Tool("now", Raw(raw)),), tool_choice=ToolChoice("any"))[0])
        assert "properties" not in schema["$defs"]["tool_0"] or schema["$defs"]["tool_0"]["properties"] == {}


def test_earlier_calls_and_results_are_told_as_text():
    call = ToolCall("id1", "get_weather", '{"city":"Paris"}')
    turns = (
        *ASK,
        Turn("assistant", (Text("Let me look."), call)),
        Turn("user", (ToolResult("id1", (Text("18 degrees"),)), ToolResult("id2", (Text("no"),), is_error=True))),
    )
    for made in (adapted(turns=turns)[0], adapted(turns=turns, tools=())[0]):
        parts = [one for turn in made.turns for one in turn.parts]
        assert all(isinstance(one, Text) for one in parts)
        text = "\n".join(one.text for one in parts)
        assert '{"tool_calls": [{"name": "get_weather", "arguments": {"city":"Paris"}}]}' in text
        assert "get_weather returned: 18 degrees" in text
        assert "the tool failed: no" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"turns": (Turn("user", (Image(url="https://x/y.png"),)),)},
        {"turns": (Turn("user", (ToolResult("id1", (Image(data="AA", media_type="image/png"),)),)),), "tools": ()},
        {"tools": (Tool("", Raw(b""), opaque=Opaque("openai_chat", "custom", Raw(b"{}"))),)},
        {"tool_choice": ToolChoice("tool", "unknown")},
        {"logprobs": True},
    ],
)
def test_what_cannot_be_carried_is_refused(changes):
    with pytest.raises(NotTranslatable):
        adapted(**changes)
