"""Shapes of requests that coding clients send, long histories of tools and all: in their own dialect not a byte of them
changes but the model's name, or its place in the path.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from freehold.gateway.dialects.registry import dialect
from freehold.gateway.ports import Dialect

MODEL = "upstream/model-2"
TURNS = 60
SIGNED = "EqQBCgIYAhIkYjU2" + "Zm9v" * 200 + "=="
CODE = 'def f(x):\r\n\treturn "ü\u2028\\n" + f"{x!r}"  # "model": "not-this"\n'


def ephemeral(more: str = "5m") -> dict[str, str]:
    return {"type": "ephemeral", "ttl": more}


def claude_style(dice: Random) -> dict[str, Any]:
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "<env>\nmodel: x\n</env>"}]}]
    for number in range(TURNS):
        use = {"type": "tool_use", "id": f"toolu_{number:04}", "name": "Edit", "input": {"path": "a.py", "new": CODE}}
        thought = {"type": "thinking", "thinking": "Let me look. " * dice.randrange(1, 5), "signature": SIGNED}
        messages.append({"role": "assistant", "content": [thought, {"type": "redacted_thinking", "data": SIGNED}, use]})
        content = [
            {"type": "text", "text": CODE},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ]
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": use["id"], "content": content}
        if number > TURNS - 3:
            result["cache_control"] = ephemeral("1h")
        messages.append(
            {"role": "user", "content": [result, {"type": "text", "text": "<system-reminder>go</system-reminder>"}]}
        )
    return {
        "model": "claude-main",
        "max_tokens": 32000,
        "temperature": 1.0,
        "system": [{"type": "text", "text": "You write code.", "cache_control": ephemeral()}],
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "tools": [
            {"name": "Edit", "input_schema": {"type": "object"}, "cache_control": ephemeral()},
            {"type": "bash_20250124", "name": "bash"},
        ],
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "metadata": {"user_id": "user_0_account__session_1"},
        "messages": messages,
        "stream": True,
    }


def responses_style(dice: Random) -> dict[str, Any]:
    items: list[Any] = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": CODE}]}]
    for number in range(TURNS):
        items += [
            {"type": "reasoning", "summary": [], "encrypted_content": SIGNED},
            {
                "type": "function_call",
                "name": "shell",
                "arguments": json.dumps({"command": ["rg", CODE]}),
                "call_id": f"c{number}",
            },
            {"type": "function_call_output", "call_id": f"c{number}", "output": "x" * dice.randrange(200)},
            {"type": "custom_tool_call", "call_id": f"p{number}", "name": "apply_patch", "input": "*** Begin Patch\n"},
        ]
    return {
        "model": "gpt-main",
        "instructions": "You are a coding agent.\n",
        "input": items,
        "tools": [
            {
                "type": "custom",
                "name": "apply_patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01997",
        "text": {"verbosity": "low"},
    }


def chat_style(dice: Random) -> dict[str, Any]:
    messages: list[Any] = [{"role": "system", "content": "You write code."}, {"role": "user", "content": CODE}]
    for number in range(TURNS):
        calls = [
            {
                "id": f"call_{number}_{at}",
                "type": "function",
                "function": {"name": "read", "arguments": json.dumps({"f": CODE})},
            }
            for at in range(dice.randrange(1, 4))
        ]
        messages.append({"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": one["id"], "content": CODE} for one in calls]
    tool = {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}, "strict": True}}
    options = {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0, "n": 1, "x_vendor": 1.50}
    return {"model": "chat-main", "messages": messages, "tools": [tool], "tool_choice": "auto", **options}


def gemini_style(dice: Random) -> dict[str, Any]:
    contents: list[Any] = [{"role": "user", "parts": [{"text": CODE}]}]
    for number in range(TURNS):
        call = {"functionCall": {"name": "replace", "args": {"old": CODE, "n": number}}, "thoughtSignature": SIGNED}
        contents.append({"role": "model", "parts": [{"thought": True, "text": "hm " * dice.randrange(9)}, call]})
        contents.append(
            {"role": "user", "parts": [{"functionResponse": {"name": "replace", "response": {"output": CODE}}}]}
        )
    return {
        "contents": contents,
        "systemInstruction": {"role": "user", "parts": [{"text": "You are an agent."}]},
        "tools": [{"functionDeclarations": [{"name": "replace", "parametersJsonSchema": {"type": "object"}}]}],
        "generationConfig": {"temperature": 0, "topP": 1, "thinkingConfig": {"includeThoughts": True}},
    }


STYLES = (
    ("anthropic_messages", claude_style, ""),
    ("openai_responses", responses_style, ""),
    ("openai_chat", chat_style, ""),
    ("gemini", gemini_style, "/v1beta/models/gemini-main:streamGenerateContent?alt=sse"),
)


@pytest.mark.parametrize(("name", "style", "path"), STYLES)
@pytest.mark.parametrize("written", ["compact", "spaced", "escaped"])
def test_not_a_byte_changes_but_the_models_name(name, style, path, written):
    one: Dialect = dialect(name)
    request = style(Random(f"{name}{written}"))
    form: dict[str, Any] = {"separators": (",", ":")} if written == "compact" else {"indent": 1}
    body = json.dumps(request, ensure_ascii=written == "escaped", **form).encode()
    placed = body if one.in_path is None else one.in_path.place(path, body)
    peek = one.peek(placed)
    assert (peek.stream, peek.tools) == (True, True)
    sent = one.with_model(placed, peek, MODEL, add_usage=False)
    if one.in_path is None:
        mine = b'"model":' + (b"" if written == "compact" else b" ")
        old = json.dumps(request["model"]).encode()
        assert sent == body.replace(mine + old, mine + json.dumps(MODEL).encode(), 1)
    else:
        assert sent == body
        assert MODEL in one.in_path.upstream(MODEL, peek)


@pytest.mark.parametrize(("name", "style", "path"), STYLES)
def test_what_a_guard_would_read_of_them_is_their_texts_and_they_are_written_again_alike(name, style, path):
    one: Dialect = dialect(name)
    body = json.dumps(style(Random(name)), ensure_ascii=False, separators=(",", ":")).encode()
    placed = body if one.in_path is None else one.in_path.place(path, body)
    request = one.decode_request(placed)
    again, dropped = one.encode_request(request, one.peek(placed).model)
    assert dropped == ()
    if one.in_path is not None:
        again = one.in_path.put(again, one.peek(placed).model, stream=True)
    assert one.decode_request(again) == request
