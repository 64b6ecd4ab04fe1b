"""Answers held to the schema come back as calls or text, whole, streamed and cut."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import UpstreamLied
from freehold.gateway.messages import (
    Counted,
    Ended,
    Grown,
    Text,
    ToolCall,
)
from freehold.ledger.meter import Usage
from tests.gateway.providers.sample import (
    CALLS,
    adapted,
    answer,
    collected,
    stream,
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_calls_come_back_as_calls(size):
    whole = adapted()[1].answer(answer(CALLS))
    choice = whole.choices[0]
    assert [(one.name, one.arguments) for one in choice.parts] == [
        ("get_weather", '{"city":"Paris"}'),
        ("get_time", "{}"),
    ]
    assert len({one.id for one in choice.parts}) == 2
    assert choice.stop == "tool_calls"
    assert whole.usage == Usage(input=3, output=4)
    events = adapted()[1].feed(stream(CALLS, size=size))
    assert collected(events) == (choice.parts, "tool_calls")
    assert events[-2:] == [Counted(Usage(input=3, output=4)), Ended()]


def test_a_call_said_twice_is_made_once():
    one = '{"name": "get_time", "arguments": {"zone": "UTC"}}'
    restored = adapted()[1].answer(answer(f'{{"tool_calls": [{one}, {one}]}}'))
    assert len(restored.choices[0].parts) == 1


@given(st.text(max_size=40), st.integers(1, 9), st.booleans())
def test_an_answer_streams_as_it_comes_and_ends_as_the_text(text, size, ascii_only):
    said = json.dumps({"answer": text}, ensure_ascii=ascii_only)
    try:
        said.encode()
    except UnicodeEncodeError:  # half a pair is no text to either side
        return
    restore = adapted()[1]
    events = []
    for event in stream(said, size=size):
        events += restore.feed([event])
    parts, stop = collected(events)
    assert "".join(one.text for one in parts) == text
    assert stop == "end"
    assert adapted()[1].answer(answer(said)).choices[0].parts == (Text(text),)


def test_the_text_of_an_answer_does_not_wait_for_its_end():
    restore = adapted()[1]
    seen = []
    for event in stream('{"answer": "One two three"}', size=4)[:-4]:
        seen += restore.feed([event])
    assert "".join(one.text for one in seen if isinstance(one, Grown)).startswith("One two")


def test_choices_do_not_mix():
    restore = adapted()[1]
    one, other = stream('{"answer": "first"}'), stream(CALLS, choice=1)
    pairs = itertools.zip_longest(one[1:-2], other[1:-2])
    events = restore.feed([event for pair in pairs for event in pair if event is not None])
    first = [event for event in events if getattr(event, "choice", 0) == 0]
    second = [event for event in events if getattr(event, "choice", None) == 1]
    assert collected(first)[0] == (Text("first"),)
    assert [type(part) for part in collected(second)[0]] == [ToolCall, ToolCall]


@pytest.mark.parametrize("cut", range(1, len(CALLS)))
def test_an_answer_cut_by_its_limit_keeps_whole_calls_alone(cut):
    restored = adapted()[1].answer(answer(CALLS[:cut], stop="length")).choices[0]
    assert restored.stop == "length"
    assert [one.name for one in restored.parts] in ([], ["get_weather"], ["get_weather", "get_time"])
    assert collected(adapted()[1].feed(stream(CALLS[:cut], stop="length"))) == (restored.parts, "length")


def test_a_text_cut_by_its_limit_is_kept():
    restored = adapted()[1].answer(answer('{"answer": "One two', stop="length")).choices[0]
    assert (restored.parts, restored.stop) == ((Text("One two"),), "length")


@pytest.mark.parametrize("said", ["", "Hello", "{}", '{"tool_calls": []}', '{"tool_calls": [{"name": 1}]}', "[]"])
def test_a_complete_answer_of_another_form_is_a_lie(said):
    with pytest.raises(UpstreamLied):
        adapted()[1].answer(answer(said))
    with pytest.raises(UpstreamLied):
        adapted()[1].feed(stream(said))


def test_a_stop_text_of_the_callers_may_cut_it():
    _, restore = adapted(stop=("three",))
    assert restore.answer(answer('{"answer": "One two ')).choices[0].parts == (Text("One two "),)
