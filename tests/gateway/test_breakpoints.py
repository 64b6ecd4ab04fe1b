"""Breakpoints of the prompt cache: set where a translated request has none, never beside a caller's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.gateway.breakpoints import with_breakpoints
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.messages import Image, Request, Text, ToolResult
from tests.gateway import pieces as p
from tests.gateway.machine import Machine

CHAT = next(one for one in DIALECTS if one.name == "openai_chat")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
    {"role": "assistant", "content": "three"},
    {"role": "user", "content": "four"},
]
MARK = {"type": "ephemeral"}


def sent(home: Path, path: str, body: dict[str, Any], ttl: str) -> dict[str, Any]:
    """What a target with `prompt_cache` is sent."""
    table = p.routes((p.claude("c", 9004, prompt_cache=ttl),), p.route("assistant", "c"))
    machine = Machine(home, table, p.keys())
    machine.ask(machine.caller(), p.request(path, msgspec.json.encode({"model": "assistant", **body})))
    head, _, data = machine.connect().transport.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST")
    return msgspec.json.decode(data)


def marks(found: Any) -> list[Any]:
    """Every `cache_control` in what was sent."""
    if isinstance(found, dict):
        return [value for name, value in found.items() if name == "cache_control"] + marks(list(found.values()))
    return [mark for one in found for mark in marks(one)] if isinstance(found, list) else []


def test_tools_system_prompt_and_last_turn_end_in_a_breakpoint(tmp_path: Path) -> None:
    body = sent(tmp_path, p.CHAT, {"messages": MESSAGES, "tools": [TOOL, TOOL]}, "5m")
    assert len(marks(body)) == 3
    assert body["tools"][-1]["cache_control"] == MARK and "cache_control" not in body["tools"][0]
    assert body["system"][-1]["cache_control"] == MARK
    assert body["messages"][-1]["content"][-1]["cache_control"] == MARK


def test_they_live_as_long_as_the_target_says(tmp_path: Path) -> None:
    assert marks(sent(tmp_path, p.CHAT, {"messages": MESSAGES}, "1h")) == [{"type": "ephemeral", "ttl": "1h"}] * 2


def test_none_where_the_target_does_not_say_so(tmp_path: Path) -> None:
    assert marks(sent(tmp_path, p.CHAT, {"messages": MESSAGES, "tools": [TOOL]}, "")) == []


def test_a_callers_own_breakpoints_stay_alone(tmp_path: Path) -> None:
    part = {"type": "text", "text": "one", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "1h"}}
    body = sent(tmp_path, p.CHAT, {"messages": [MESSAGES[0], {"role": "user", "content": [part]}]}, "5m")
    assert marks(body) == [{"type": "ephemeral", "ttl": "1h"}]


def test_the_same_dialect_is_passed_on_byte_for_byte(tmp_path: Path) -> None:
    body = {"max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": "x"}]}
    assert sent(tmp_path, p.MESSAGES, body, "5m") == {"model": "c-upstream", **body}


_texts = st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=5))
_images = st.just({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}})
_turns = st.one_of(
    st.builds(lambda text: {"role": "system", "content": text}, st.text(max_size=5)),
    st.builds(lambda parts: {"role": "user", "content": parts}, st.lists(_texts | _images, min_size=1, max_size=3)),
    st.builds(lambda text: {"role": "assistant", "content": text}, st.text(min_size=1, max_size=5)),
    st.builds(lambda text: {"role": "tool", "tool_call_id": "t1", "content": text}, st.text(max_size=5)),
)


def stripped(request: Request) -> Request:
    """The request without any breakpoint."""
    turns = []
    for turn in request.turns:
        parts = [
            msgspec.structs.replace(one, cache=None) if isinstance(one, Text | Image | ToolResult) else one
            for one in turn.parts
        ]
        turns.append(msgspec.structs.replace(turn, parts=tuple(parts)))
    tools = tuple(msgspec.structs.replace(one, cache=None) for one in request.tools)
    return msgspec.structs.replace(request, turns=tuple(turns), tools=tools)


@settings(max_examples=60)
@given(st.lists(_turns, min_size=1, max_size=5), st.booleans(), st.sampled_from(["5m", "1h"]))
def test_nothing_else_changes_and_there_are_never_too_many(turns: list[Any], tools: bool, ttl: str) -> None:
    body = {"model": "m", "messages": turns, **({"tools": [TOOL]} if tools else {})}
    request = CHAT.decode_request(msgspec.json.encode(body))
    marked = with_breakpoints(request, ttl)
    assert stripped(marked) == request
    count = sum(part.cache is not None for turn in marked.turns for part in turn.parts if hasattr(part, "cache"))
    assert count + sum(one.cache is not None for one in marked.tools) <= 3
    assert with_breakpoints(marked, "1h" if ttl == "5m" else "5m") == marked or count + tools == 0


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_text_carries_none(text: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    request = CHAT.decode_request(msgspec.json.encode(body))
    assert (with_breakpoints(request, "5m") == request) == (not text)
