"""What the property tests draw: answers each dialect can tell exactly, requests as callers write them, and cuts."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from freehold.gateway.assemble import events_of
from freehold.gateway.messages import (
    Answer,
    Choice,
    Closed,
    Event,
    Grown,
    Opaque,
    Opened,
    Redacted,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from freehold.ledger.meter import Usage

NASTY = (
    "data: [DONE]\n\n",
    '"choices":[]',
    '{"type":"message_stop"}',
    "\r\n5a\r\n",
    "\n\ndata: {}\n\n",
    'é𝄞\u2028\u0000\\"/',
    ": comment\n",
    "event: error",
    '"model":"x"',
)

words = st.one_of(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.sampled_from(NASTY))
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
plain_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), words), lambda one: st.lists(one, max_size=3), max_leaves=4
)
objects = st.dictionaries(words, plain_json, max_size=3)
raw_objects = st.builds(lambda one, pad: json.dumps(one, indent=pad), objects, st.sampled_from([None, 1]))


@st.composite
def usages(draw: Any, long: bool = False) -> Usage:
    """Counts whose parts fit into their totals."""
    cached, written, plain = draw(st.integers(0, 50)), draw(st.integers(0, 50)), draw(st.integers(0, 50))
    output = draw(st.integers(0, 99))
    return Usage(
        input=cached + written + plain,
        output=output,
        cached=cached,
        cache_write=written,
        cache_write_1h=draw(st.integers(0, written)) if long else 0,
        reasoning=draw(st.integers(0, output)),
    )


@st.composite
def tool_calls(draw: Any, most: int = 3) -> list[ToolCall]:
    """Calls with distinct ids and arguments that are an object, with the writer's own spaces."""
    ids = draw(st.lists(names, max_size=most, unique=True))
    return [ToolCall(one, draw(names), draw(raw_objects)) for one in ids]


@st.composite
def openai_choices(draw: Any, index: int = 0) -> Choice:
    parts: list[Any] = []
    if draw(st.booleans()):
        parts.append(Thinking(draw(words), field=draw(st.sampled_from(["reasoning_content", "reasoning"]))))
    if draw(st.booleans()):
        parts.append(Text(draw(words)))
    if draw(st.integers(0, 3)) == 0:
        parts.append(Refusal(draw(words)))
    parts += draw(tool_calls())
    stop = draw(st.sampled_from(["end", "length", "tool_calls", "content_filter"]))
    return Choice(index=index, parts=tuple(parts), stop=stop)


@st.composite
def openai_answers(draw: Any, most: int = 2) -> Answer:
    """An answer that chat completions can tell without loss."""
    count = draw(st.integers(1, most))
    return Answer(
        id=draw(names),
        model=draw(names),
        created=draw(st.integers(1, 2_000_000_000)),
        choices=tuple(draw(openai_choices(index)) for index in range(count)),
        usage=draw(usages()),
    )


@st.composite
def anthropic_answers(draw: Any, opaque: bool = True) -> Answer:
    """An answer that messages can tell without loss."""
    one = st.one_of(
        st.builds(Text, words),
        st.builds(lambda text, said: Text(text, citations=(_citation(said),)), words, words),
        st.builds(Thinking, words, names),
        st.builds(Redacted, names),
        *([st.builds(_server_tool, names)] if opaque else []),
    )
    parts = [*draw(st.lists(one, max_size=4)), *draw(tool_calls())]
    parts = draw(st.permutations(parts))
    calls = any(isinstance(part, ToolCall) for part in parts)
    stop = draw(st.sampled_from(["length", "refusal", "pause", "stop_sequence", "tool_calls" if calls else "end"]))
    return Answer(
        id=draw(names),
        model=draw(names),
        choices=(Choice(parts=tuple(parts), stop=stop, stop_sequence=draw(words) if stop == "stop_sequence" else ""),),
        usage=draw(usages(long=True)),
    )


def _own(name: str, value: str) -> tuple[str, str, Raw]:
    return "openai_responses", f"own.{name}", Raw(json.dumps(value).encode())


@st.composite
def responses_answers(draw: Any, opaque: bool = True) -> Answer:
    """An answer that responses can tell without loss: items with ids of their own, parts of one item together."""
    ids = iter(draw(st.lists(names, min_size=8, max_size=8, unique=True)))
    parts: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(["say", "think", "speak", "cite", "seal", "tool"]), max_size=5)):
        place = _own("id", next(ids))
        if kind == "say":
            parts += [Text(one, extra=(place,)) for one in draw(st.lists(words, min_size=1, max_size=2))]
            parts += [Refusal(draw(words))] if draw(st.booleans()) else []
        elif kind == "cite":
            parts.append(Text(draw(words), citations=(_cited(draw(words)),), extra=(place,)))
        elif kind == "think":
            parts += [Thinking(one, extra=(place,)) for one in draw(st.lists(words, min_size=1, max_size=2))]
        elif kind == "speak":
            parts.append(Thinking(draw(words), draw(names), extra=(place, _own("kind", "reasoning_text"))))
        elif kind == "seal":
            parts.append(Thinking(draw(st.sampled_from(["", "so"])), draw(names), extra=(place,)))
        elif opaque:
            parts.append(_searched(draw(names)))
    for one in draw(tool_calls()):
        parts.append(msgspec.structs.replace(one, extra=(_own("id", f"fc_{one.id}"),)))
    calls = any(isinstance(part, ToolCall) for part in parts)
    stop = draw(st.sampled_from(["length", "content_filter", "tool_calls" if calls else "end"]))
    return Answer(
        id=draw(names),
        model=draw(names),
        created=draw(st.integers(1, 2_000_000_000)),
        choices=(Choice(parts=tuple(parts), stop=stop),),
        usage=draw(usages()),
    )


def _cited(said: str) -> Raw:
    place = {"start_index": 0, "end_index": 1, "url": "https://x"}
    return Raw(json.dumps({"type": "url_citation", "title": said, **place}).encode())


def _searched(name: str) -> Opaque:
    raw = json.dumps(
        {"type": "web_search_call", "id": name, "status": "completed", "action": {"type": "search", "query": "q"}}
    )
    return Opaque("openai_responses", "item.web_search_call", Raw(raw.encode()))


def _citation(said: str) -> Raw:
    place = {"document_index": 0, "document_title": None, "start_page_number": 1, "end_page_number": 2, "file_id": None}
    return Raw(json.dumps({"type": "page_location", "cited_text": said, **place}).encode())


def _server_tool(name: str) -> Opaque:
    raw = json.dumps({"type": "server_tool_use", "id": name, "name": "web_search", "input": {}}).encode()
    return Opaque("anthropic_messages", "server_tool_use", Raw(raw))


@st.composite
def streams(draw: Any, answer: Answer) -> list[Event]:
    """A legal stream that tells this answer: texts in fragments, calls that follow one another mixed."""
    found: list[Event] = []
    for event in events_of(answer):
        if isinstance(event, Grown) and len(event.text) > 1 and event.logprobs is None:
            at = draw(st.integers(1, len(event.text) - 1))
            found += [msgspec.structs.replace(event, text=event.text[:at])]
            found += [msgspec.structs.replace(event, text=event.text[at:])]
        else:
            found.append(event)
    return _mixed(found) if draw(st.booleans()) else found


def _mixed(events: list[Event]) -> list[Event]:
    """Runs of calls with all beginnings first, then their growth in turns, then all ends: legal in chat completions."""
    found: list[Event] = []
    run: list[list[Event]] = []

    def flush() -> None:
        rest = [list(one) for one in run]
        found.extend(one.pop(0) for one in rest)
        while any(len(one) > 1 for one in rest):
            found.extend(one.pop(0) for one in rest if len(one) > 1)
        found.extend(one[0] for one in rest)
        run.clear()

    inside: list[Event] | None = None
    for event in events:
        if isinstance(event, Opened) and isinstance(event.part, ToolCall):
            inside = [event]
        elif inside is not None:
            inside.append(event)
            if isinstance(event, Closed):
                run.append(inside)
                inside = None
        else:
            if run:
                flush()
            found.append(event)
    return found


def cut(draw: Any, body: bytes) -> list[bytes]:
    """The body in pieces, at most a dozen, cut anywhere."""
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    edges = [0, *places, len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def respelled(draw: Any, body: bytes) -> bytes:
    """The same events with other line ends, comments and spacing: legal, if unusual."""
    if draw(st.booleans()):
        body = body.replace(b"\ndata: ", b"\ndata:").replace(b"\n\n", b"\n\n: keep-alive\n\n")
    if draw(st.booleans()):
        body = body.replace(b"\n", b"\r\n")
    return body[: -len(b"\n")] if draw(st.booleans()) else body
