"""The support matrix: what really happens to each field between two dialects. Run as a module, it writes the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from freehold.core.errors import NotTranslatable
from freehold.gateway.assemble import events_of
from freehold.gateway.dialects.registry import DIALECTS, dialect
from freehold.gateway.outgoing import TRANSLATED
from freehold.gateway.ports import Dialect, Peek
from tests.gateway.dialects import matrix_bedrock, matrix_gemini, matrix_responses
from tests.gateway.dialects.matrix_responses import PROBE, Row

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "dialects.md"
CHAT, MESSAGES, RESPONSES = dialect("openai_chat"), dialect("anthropic_messages"), dialect("openai_responses")
BEDROCK, GEMINI = dialect("bedrock_converse"), dialect("gemini")


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


TEXT = {"type": "text", "text": "x"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": PROBE})}}
FUNCTION = {"type": "function", "function": {"name": PROBE, "parameters": {"type": "object"}}}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": PROBE}}

CHAT_REQUEST = (
    Row("messages: system", {"messages": [{"role": "system", "content": PROBE}, {"role": "user", "content": "x"}]}),
    Row("messages: developer", {"messages": [{"role": "developer", "content": PROBE}, {"role": "user", "content": "x"}]}),
    Row("messages: system, later", {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": PROBE}]}),
    Row("messages: user text", user({"type": "text", "text": PROBE})),
    Row("messages: image by URL", user({"type": "image_url", "image_url": {"url": f"https://x/{PROBE}"}})),
    Row("messages: image as data URL", user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PROBE}"}})),
    Row("messages: image detail", user({"type": "image_url", "image_url": {"url": f"https://x/{PROBE}", "detail": "low"}})),
    Row("messages: audio", user({"type": "input_audio", "input_audio": {"data": PROBE, "format": "wav"}})),
    Row("messages: file", user({"type": "file", "file": {"file_id": PROBE}})),
    Row("messages: name", {"messages": [{"role": "user", "content": "x", "name": PROBE}]}),
    Row("messages: prompt_cache_breakpoint", user({**TEXT, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}), "ephemeral", "prompt_cache_breakpoint"),
    Row("messages: parallel tool calls", {"messages": [{"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "c2"}]}]}, "c2"),
    Row("messages: tool result", {"messages": [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c1", "content": PROBE}]}),
    Row("messages: refusal of the assistant", {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "refusal": PROBE}, {"role": "user", "content": "x"}]}),
    Row("messages: reasoning_content", {"messages": [{"role": "assistant", "content": "x", "reasoning_content": PROBE}]}),
    Row("messages: function (deprecated)", {"messages": [{"role": "function", "name": "f", "content": PROBE}]}),
    Row("tools: function", {"tools": [FUNCTION]}),
    Row("tools: strict", {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, '"strict":true'),
    Row("tools: custom", {"tools": [{"type": "custom", "custom": {"name": PROBE}}]}),
    Row("functions (deprecated)", {"functions": [{"name": PROBE}]}),
    Row("tool_choice", {"tool_choice": "required"}, '"any"', '"required"'),
    Row("tool_choice: one function", {"tool_choice": {"type": "function", "function": {"name": PROBE}}}),
    Row("tool_choice: allowed_tools", {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
    Row("parallel_tool_calls", {"parallel_tool_calls": False}, "disable_parallel_tool_use", '"parallel_tool_calls":false'),
    Row("response_format: json_schema", {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"title": PROBE}}}}),
    Row("response_format: json_object", {"response_format": {"type": "json_object"}}, PROBE, '"json_object"'),
    Row("max_completion_tokens", {"max_completion_tokens": 1234}, "1234"),
    Row("max_tokens", {"max_tokens": 1234}, "1234"),
    Row("no limit (4096 is sent)", {}, "4096", "model"),
    Row("temperature up to 1", {"temperature": 0.5}, "0.5"),
    Row("temperature above 1", {"temperature": 1.5}, "1.0", "1.5"),
    Row("top_p", {"top_p": 0.25}, "0.25"),
    Row("stop", {"stop": [PROBE]}),
    Row("n", {"n": 2}),
    Row("seed", {"seed": 7}),
    Row("presence_penalty", {"presence_penalty": 0.5}),
    Row("frequency_penalty", {"frequency_penalty": 0.5}),
    Row("logprobs", {"logprobs": True, "top_logprobs": 2}, PROBE, "top_logprobs"),
    Row("logit_bias", {"logit_bias": {"1": 5}}),
    Row("reasoning_effort: low, medium, high, xhigh, max", {"reasoning_effort": "high"}, '"effort":"high"'),
    Row("reasoning_effort: minimal", {"reasoning_effort": "minimal"}, '"effort":"low"', '"effort":"minimal"'),
    Row("reasoning_effort: none", {"reasoning_effort": "none"}, '"disabled"', '"effort":"none"'),
    Row("user", {"user": PROBE}),
    Row("stream", {"stream": True}, '"stream":true'),
    Row("metadata", {"metadata": {"a": PROBE}}),
    Row("modalities: audio", {"modalities": ["text", "audio"]}),
    Row("web_search_options", {"web_search_options": {"search_context_size": "low"}}),
    Row("prediction", {"prediction": {"type": "content", "content": PROBE}}),
    Row("service_tier", {"service_tier": "flex"}),
    Row("store", {"store": True}),
    Row("any other field", {"vendor_field": PROBE}),
)  # fmt: skip

MESSAGES_REQUEST = (
    Row("system", {"system": PROBE}),
    Row("messages: text", user({"type": "text", "text": PROBE})),
    Row("messages: system, later", {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": PROBE}]}),
    Row("messages: image by URL", user({"type": "image", "source": {"type": "url", "url": PROBE}})),
    Row("messages: image in base64", user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PROBE}})),
    Row("messages: image by file id", user({"type": "image", "source": {"type": "file", "file_id": PROBE}})),
    Row("messages: document", user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": PROBE}})),
    Row("messages: search result", user({"type": "search_result", "source": "s", "title": PROBE, "content": []})),
    Row("messages: cache_control", user({"type": "text", "text": PROBE, "cache_control": {"type": "ephemeral"}})),
    Row("messages: citations", user({"type": "text", "text": PROBE, "citations": [{"type": "page_location"}]})),
    Row("messages: parallel tool use", {"messages": [{"role": "assistant", "content": [USE, {**USE, "id": "t2"}]}, {"role": "user", "content": "x"}]}, "t2"),
    Row("messages: text after tool use", {"messages": [{"role": "assistant", "content": [USE, TEXT]}, {"role": "user", "content": "x"}]}),
    Row("messages: tool result", user({"type": "tool_result", "tool_use_id": "t", "content": PROBE})),
    Row("messages: tool result, is_error", user({"type": "tool_result", "tool_use_id": "t", "content": PROBE, "is_error": True})),
    Row("messages: tool result with image", user({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "url", "url": PROBE}}]})),
    Row("messages: thinking", {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": PROBE, "signature": "s"}, TEXT]}, {"role": "user", "content": "x"}]}),
    Row("messages: redacted thinking", {"messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": PROBE}, TEXT]}, {"role": "user", "content": "x"}]}),
    Row("messages: server tool blocks", {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]}]}),
    Row("messages: prefill of the answer", {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": PROBE}]}),
    Row("tools: client tool", {"tools": [{"name": PROBE, "input_schema": {"type": "object"}}]}),
    Row("tools: strict", {"tools": [{"name": "f", "input_schema": {}, "strict": True}]}, '"strict":true'),
    Row("tools: cache_control", {"tools": [{"name": PROBE, "input_schema": {}, "cache_control": {"type": "ephemeral"}}]}),
    Row("tools: server tool", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    Row("tools: other fields", {"tools": [{"name": PROBE, "input_schema": {}, "defer_loading": True}]}),
    Row("tool_choice", {"tool_choice": {"type": "any"}}, '"required"'),
    Row("tool_choice: one tool", {"tool_choice": {"type": "tool", "name": PROBE}}),
    Row("tool_choice: disable_parallel_tool_use", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, '"parallel_tool_calls":false'),
    Row("output_config: format", {"output_config": {"format": {"type": "json_schema", "schema": {"title": PROBE}}}}),
    Row("output_config: effort", {"output_config": {"effort": "high"}}, '"reasoning_effort":"high"', '"effort":"high"'),
    Row("thinking: enabled", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    Row("thinking: adaptive", {"thinking": {"type": "adaptive"}}),
    Row("thinking: disabled", {"thinking": {"type": "disabled"}}),
    Row("max_tokens", {"max_tokens": 1234}, "1234"),
    Row("temperature", {"temperature": 0.5}, "0.5"),
    Row("top_p", {"top_p": 0.25}, "0.25"),
    Row("top_k", {"top_k": 40}),
    Row("stop_sequences", {"stop_sequences": [PROBE]}),
    Row("metadata: user_id", {"metadata": {"user_id": PROBE}}),
    Row("stream", {"stream": True}, '"stream":true'),
    Row("cache_control", {"cache_control": {"type": "ephemeral"}}),
    Row("service_tier", {"service_tier": "auto"}),
    Row("inference_geo", {"inference_geo": "us"}),
    Row("container", {"container": PROBE}),
    Row("mcp_servers", {"mcp_servers": [{"url": PROBE}]}),
    Row("any other field", {"vendor_field": PROBE}),
)  # fmt: skip


def said(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": list(parts), **more}


CHAT_ANSWER = (
    Row("text", {"content": PROBE}),
    Row("parallel tool calls", {"content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]}, "c2"),
    Row("refusal", {"content": None, "refusal": PROBE}),
    Row("reasoning_content, reasoning", {"content": "x", "reasoning_content": PROBE}),
    Row("annotations", {"content": "x", "annotations": [{"type": "url_citation"}]}),
    Row("audio", {"content": "x", "audio": {"id": PROBE}}),
    Row("finish_reason: stop", {"content": "x"}, '"end_turn"', '"completed"'),
    Row("finish_reason: length", {"content": "x", "finish_reason": "length"}, '"max_tokens"', "max_output_tokens"),
    Row("finish_reason: tool_calls", {"tool_calls": [CALL], "finish_reason": "tool_calls"}, '"tool_use"', '"function_call"'),
    Row("finish_reason: content_filter", {"content": "x", "finish_reason": "content_filter"}, '"refusal"', '"content_filter"'),
    Row("logprobs", {"content": "x", "logprobs": {"content": [{"token": "x"}]}}, PROBE, '"token": "x"'),
    Row("usage: cached, reasoning", {"content": "x", "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}}, '"cache_read_input_tokens":5', '"cached_tokens":5'),
    Row("system_fingerprint, service_tier", {"content": "x", "system_fingerprint": PROBE}),
)  # fmt: skip

MESSAGES_ANSWER = (
    Row("text", said({"type": "text", "text": PROBE})),
    Row("several texts (joined)", said({"type": "text", "text": "pro"}, {"type": "text", "text": "be1"}), "content"),
    Row("citations", said({"type": "text", "text": PROBE, "citations": [{"type": "page_location"}]})),
    Row("parallel tool use", said(USE, {**USE, "id": "t2"}, stop_reason="tool_use"), "t2"),
    Row("text after tool use", said(USE, TEXT)),
    Row("thinking (as reasoning_content)", said({"type": "thinking", "thinking": PROBE, "signature": ""}, TEXT)),
    Row("thinking: signature", said({"type": "thinking", "thinking": PROBE, "signature": "s"}, TEXT)),
    Row("redacted thinking", said({"type": "redacted_thinking", "data": PROBE}, TEXT)),
    Row("server tool blocks", said({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, TEXT)),
    Row("stop_reason: end_turn", said(TEXT), '"stop"', '"completed"'),
    Row("stop_reason: max_tokens", said(TEXT, stop_reason="max_tokens"), '"length"', "max_output_tokens"),
    Row("stop_reason: tool_use", said(USE, stop_reason="tool_use"), '"tool_calls"', '"function_call"'),
    Row("stop_reason: stop_sequence", said(TEXT, stop_reason="stop_sequence", stop_sequence=PROBE), '"stop"'),
    Row("stop_reason: refusal", said(TEXT, stop_reason="refusal"), '"content_filter"'),
    Row("stop_reason: pause_turn", said(TEXT, stop_reason="pause_turn"), '"length"'),
    Row("usage: cache read and written", said(TEXT, usage={"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}), '"cached_tokens":5'),
    Row("usage: cache kept for an hour", said(TEXT, usage={"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 3}})),
    Row("usage: inference_geo and others", said(TEXT, usage={"input_tokens": 1, "output_tokens": 2, "inference_geo": "us"})),
    Row("container, stop_details", said(TEXT, container={"id": PROBE})),
)  # fmt: skip


class Table(NamedTuple):
    """One direction, requests or answers."""

    title: str
    source: Dialect
    target: Dialect
    rows: tuple[Row, ...]


FIELDS = {
    CHAT: (CHAT_REQUEST, CHAT_ANSWER),
    MESSAGES: (MESSAGES_REQUEST, MESSAGES_ANSWER),
    RESPONSES: (matrix_responses.REQUEST, matrix_responses.ANSWER),
    BEDROCK: (matrix_bedrock.REQUEST, matrix_bedrock.ANSWER),
    GEMINI: (matrix_gemini.REQUEST, matrix_gemini.ANSWER),
}
PAIRS = [(one, other) for one in FIELDS for other in FIELDS if (one.name, other.name) in TRANSLATED]
REQUESTS = tuple(Table(f"Requests: `{one.name}` to `{other.name}`", one, other, FIELDS[one][0]) for one, other in PAIRS)
ANSWERS = tuple(Table(f"Answers: `{one.name}` to `{other.name}`", one, other, FIELDS[one][1]) for one, other in PAIRS)


def seen(table: Table, row: Row) -> str:
    """What must be seen of a field that is kept."""
    if table.target is BEDROCK:
        return matrix_bedrock.SEEN.get(row.field, row.seen)
    if table.target is GEMINI:
        return matrix_gemini.SEEN.get(row.field, row.seen)
    return (table.target is RESPONSES and row.in_responses) or row.seen


def request_outcome(table: Table, row: Row) -> tuple[str, str]:
    """What became of the field, and the body that was sent (empty where refused)."""
    base: dict[str, Any] = {"model": "r", "messages": [{"role": "user", "content": "x"}]}
    if table.source is RESPONSES:
        base = {"model": "r", "input": "x"}
    if table.source is MESSAGES:
        base["max_tokens"] = 5
    if table.source is BEDROCK:
        base = matrix_bedrock.request_of({})
    if table.source is GEMINI:
        base = matrix_gemini.request_of({})
    request = table.source.decode_request(json.dumps({**base, **row.sent}).encode())
    try:
        body, dropped = table.target.encode_request(request, "target")
    except NotTranslatable:
        return "refused", ""
    return _outcome(dropped), body.decode()


def answer_outcome(table: Table, row: Row) -> tuple[str, str, str]:
    """What became of the field, the body the caller gets, and the same as a stream."""
    answer = table.source.decode_answer(_answer(table.source, row.sent))
    body, dropped = table.target.encode_answer(answer, created=1)
    encoder = table.target.stream_encoder(Peek("m", stream=True), created=1)
    streamed = encoder.feed(events_of(answer))
    return _outcome(tuple(sorted({*dropped, *encoder.dropped}))), body.decode(), streamed.decode(errors="replace")


def _answer(where: Dialect, sent: dict[str, Any]) -> bytes:
    if where is BEDROCK:
        return json.dumps(matrix_bedrock.answer_of(sent)).encode()
    if where is GEMINI:
        return json.dumps(matrix_gemini.answer_of(sent)).encode()
    if where is RESPONSES:
        base = {"id": "r", "object": "response", "created_at": 1, "model": "g", "status": "completed"}
        return json.dumps({**base, **sent}).encode()
    if where is MESSAGES:
        base = {"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn"}
        return json.dumps({**base, **sent}).encode()
    outer = {name: sent[name] for name in ("usage", "system_fingerprint") if name in sent}
    choice = {name: sent[name] for name in ("logprobs",) if name in sent}
    message = {name: value for name, value in sent.items() if name not in {*outer, *choice, "finish_reason"}}
    whole = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": sent.get("finish_reason", "stop"),
    }
    return json.dumps({"id": "c", "model": "g", "created": 1, "choices": [{**whole, **choice}], **outer}).encode()


def _outcome(dropped: tuple[str, ...]) -> str:
    return "kept" if not dropped else "dropped: " + ", ".join(f"`{name}`" for name in dropped)


HEAD = """# Dialects

This page is computed from the translation itself by `python -m tests.gateway.dialects.matrix`; a test compares them.

A call passes byte for byte, but for the model's name, where the target speaks the caller's dialect. Where it does
not, every field is *kept*, *dropped* (its name stands in the answer's `x-freehold-dropped` header; a `strict` route
refuses instead) or *refused* (the call fails with FH-REQ-004, because without the field it would mean something else).

| dialect | served at | translated to |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    text = HEAD
    for one in DIALECTS:
        targets = sorted({table.target.name for table in REQUESTS if table.source is one})
        served = one.paths if one.in_path is None else [f"{prefix}..." for prefix in one.in_path.prefixes]
        paths = ", ".join(f"`{path}`" for path in served)
        text += f"| `{one.name}` | {paths} | {', '.join(f'`{name}`' for name in targets) or '-'} |\n"
    for table in REQUESTS:
        text += _heading(table) + "".join(f"| {row.field} | {request_outcome(table, row)[0]} |\n" for row in table.rows)
    for table in ANSWERS:
        text += _heading(table) + "".join(f"| {row.field} | {answer_outcome(table, row)[0]} |\n" for row in table.rows)
    return text


def _heading(table: Table) -> str:
    return f"\n## {table.title}\n\n| field | what becomes of it |\n|---|---|\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
