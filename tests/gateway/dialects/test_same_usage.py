"""The same answer costs the same, whichever dialect it is told in."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.assemble import events_of
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.messages import Answer, Choice, Counted, Text
from freehold.gateway.ports import Peek
from freehold.ledger.meter import Price, Usage, cost, rate

NAMES = ("anthropic_messages", "bedrock_converse", "gemini", "openai_chat", "openai_responses")
RATE = rate(Price(input=Decimal(3), output=Decimal(15), cached=Decimal("0.3"), source="a test", as_of="2026-11-01"))
counts = st.integers(0, 1_000_000)


@st.composite
def usages(draw) -> Usage:
    """What every dialect can tell: input of which some was read from a cache, and output."""
    fresh, cached = draw(counts), draw(counts)
    return Usage(input=fresh + cached, output=draw(counts), cached=cached)


@pytest.mark.parametrize("name", NAMES)
@given(usage=usages())
def test_whole_and_streamed_it_is_the_same_usage_and_the_same_cost(name, usage):
    one = dialect(name)
    answer = Answer(id="a", model="m", choices=(Choice(parts=(Text("x"),), stop="end"),), usage=usage)
    body, _ = one.encode_answer(answer, created=1)
    told = one.usage(body)
    decoder = one.stream_decoder()
    stream = one.stream_encoder(Peek(model="m", stream=True), created=1).feed(events_of(answer))
    events = decoder.feed(stream) + decoder.end()
    streamed = [event.usage for event in events if isinstance(event, Counted)][-1]
    assert (told.input, told.output, told.cached) == (usage.input, usage.output, usage.cached)
    assert cost(told, RATE) == cost(streamed, RATE) == cost(usage, RATE)
