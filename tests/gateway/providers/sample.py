"""A request with two tools, the engine's ways of answering it, and what a client makes of a stream."""

from __future__ import annotations

import json

import msgspec
from msgspec import Raw

from freehold.core.label import UNKNOWN
from freehold.core.permit import Origin
from freehold.gateway.messages import (
    Answer,
    Choice,
    Closed,
    Counted,
    Ended,
    Grown,
    Opened,
    Request,
    Started,
    Stopped,
    Text,
    Tool,
    ToolCall,
    Turn,
)
from freehold.gateway.providers.llama_cpp import LlamaCppDriver
from freehold.ledger.meter import Usage
from freehold.policy.targets import Target

DRIVER = LlamaCppDriver()
TARGET = Target(
    name="owned-chat",
    provider="embedded",
    driver="llama_cpp",
    dialects=("openai_chat",),
    model="small",
    origin=Origin("http", "127.0.0.1", 1),
    clearance=UNKNOWN,
    quirks=("no_tools",),
)
WEATHER = Tool(
    "get_weather", Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'), "Weather"
)
CLOCK = Tool(
    "get_time",
    Raw(b'{"type":"object","properties":{"zone":{"$ref":"#/$defs/Zone"}},"$defs":{"Zone":{"enum":["UTC","CET"]}}}'),
)
ASK = (Turn("user", (Text("What is the weather in Paris?"),)),)


def request(**changes):
    return Request(**{"model": "small", "turns": ASK, "tools": (WEATHER, CLOCK), **changes})


def adapted(**changes):
    made, restore = DRIVER.adapt(TARGET, request(**changes))
    return made, restore


def schema_of(made):
    return json.loads(bytes(made.format.schema))


def answer(text, stop="end"):
    choice = Choice(parts=(Text(text),), stop=stop)
    return Answer(id="chatcmpl-1", model="small", choices=(choice,), usage=Usage(input=3, output=4))


def stream(text, stop="end", size=3, choice=0):
    grown = [Grown(0, text[i : i + size], choice=choice) for i in range(0, len(text), size)]
    events = [Opened(0, Text(""), choice), *grown, Closed(0, choice), Stopped(stop, choice=choice)]
    return [Started("chatcmpl-1", "small"), *events, Counted(Usage(input=3, output=4)), Ended()]


def collected(events):
    """Parts and stop of the one choice of a stream, as a client joins them; blocks must open, grow and close in order."""
    parts, stop, opened = {}, None, set()
    for event in events:
        if isinstance(event, Opened):
            assert event.block not in parts
            parts[event.block] = event.part
            opened.add(event.block)
        elif isinstance(event, Grown):
            assert event.block in opened
            part = parts[event.block]
            key = "arguments" if isinstance(part, ToolCall) else "text"
            parts[event.block] = msgspec.structs.replace(part, **{key: getattr(part, key) + event.text})
        elif isinstance(event, Closed):
            opened.remove(event.block)
        elif isinstance(event, Stopped):
            assert not opened
            stop = event.stop
    return tuple(parts[one] for one in sorted(parts)), stop


CALLS = '{"tool_calls": [{"name": "get_weather", "arguments": {\n "city": "Paris"}},\n {"name": "get_time", "arguments": {}}]}'
