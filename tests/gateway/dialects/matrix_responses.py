"""The rows of the support matrix for responses: what is sent, and what must be seen on the other side."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

PROBE = "probe1"


class Row(NamedTuple):
    """One field: what is sent, and what of it must be seen on the other side if it is kept."""

    field: str
    sent: dict[str, Any]
    seen: str = PROBE
    in_responses: str = ""
    """What is seen there, where it is something else."""


def user(*content: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(content)}]}


def after(*items: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "x"}, *items, {"role": "user", "content": "y"}]}


CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": json.dumps({"a": PROBE})}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": PROBE}
TEXT = {"type": "output_text", "text": "x", "annotations": []}
FORM = {"type": "json_schema", "name": "n", "schema": {"title": PROBE}}

REQUEST = (
    Row("instructions", {"instructions": PROBE}),
    Row("input: string", {"input": PROBE}),
    Row("input: system, developer", {"input": [{"role": "developer", "content": PROBE}, {"role": "user", "content": "x"}]}),
    Row("input: user text", user({"type": "input_text", "text": PROBE})),
    Row("input: image by URL", user({"type": "input_image", "image_url": f"https://x/{PROBE}"})),
    Row("input: image as data URL", user({"type": "input_image", "image_url": f"data:image/png;base64,{PROBE}"})),
    Row("input: image by file id", user({"type": "input_image", "file_id": PROBE})),
    Row("input: file", user({"type": "input_file", "file_id": PROBE})),
    Row("input: assistant text", after({"type": "message", "id": "msg_1", "role": "assistant", "content": [{**TEXT, "text": PROBE}]})),
    Row("input: ids and states of items", after({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": PROBE})),
    Row("input: annotations", after({"role": "assistant", "content": [{**TEXT, "annotations": [{"type": "url_citation", "url": PROBE}]}]})),
    Row("input: phase and others", after({"role": "assistant", "content": PROBE, "phase": "commentary"})),
    Row("input: parallel calls and their results", after(CALL, {**CALL, "call_id": "c2"}, OUTPUT, {**OUTPUT, "call_id": "c2"}), "c2"),
    Row("input: result with image", after(CALL, {**OUTPUT, "output": [{"type": "input_image", "image_url": f"https://x/{PROBE}"}]})),
    Row("input: reasoning", after({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": PROBE}, {"role": "assistant", "content": "x"})),
    Row("input: items of hosted tools", after({"type": "web_search_call", "id": PROBE})),
    Row("tools: function", {"tools": [{"type": "function", "name": PROBE, "parameters": {"type": "object"}}]}),
    Row("tools: strict", {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}]}, '"strict":true'),
    Row("tools: hosted, custom", {"tools": [{"type": "web_search"}]}),
    Row("tool_choice", {"tool_choice": "auto"}, '"tool_choice"'),
    Row("tool_choice: one function", {"tool_choice": {"type": "function", "name": PROBE}}),
    Row("tool_choice: a hosted tool", {"tool_choice": {"type": "web_search"}}),
    Row("parallel_tool_calls", {"parallel_tool_calls": False}, "parallel_tool"),
    Row("text: json_schema", {"text": {"format": FORM}}),
    Row("text: json_object", {"text": {"format": {"type": "json_object"}}}, "json_object"),
    Row("text: verbosity", {"text": {"verbosity": "low"}}),
    Row("reasoning: effort", {"reasoning": {"effort": "high"}}, 'effort":"high"'),
    Row("reasoning: summary", {"reasoning": {"effort": "high", "summary": "auto"}}),
    Row("max_output_tokens", {"max_output_tokens": 1234}, "1234"),
    Row("temperature", {"temperature": 0.5}, "0.5"),
    Row("top_p", {"top_p": 0.25}, "0.25"),
    Row("include: logprobs", {"include": ["message.output_text.logprobs"], "top_logprobs": 2}, "logprobs"),
    Row("include: others", {"include": ["reasoning.encrypted_content"]}),
    Row("user", {"user": PROBE}),
    Row("stream", {"stream": True}, '"stream":true'),
    Row("metadata", {"metadata": {"a": PROBE}}),
    Row("service_tier", {"service_tier": "flex"}),
    Row("truncation", {"truncation": "auto"}),
    Row("store: false", {"store": False}, "model"),
    Row("previous_response_id", {"previous_response_id": PROBE}),
    Row("conversation", {"conversation": PROBE}),
    Row("prompt", {"prompt": {"id": PROBE}}),
    Row("any other field", {"vendor_field": PROBE}),
)  # fmt: skip


def said(*items: Any, **more: Any) -> dict[str, Any]:
    return {"output": list(items), **more}


def message(*parts: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(parts)}


CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
FILTERED = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
COUNTS = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 2}

ANSWER = (
    Row("text", said(message({**TEXT, "text": PROBE}))),
    Row("refusal", said(message({"type": "refusal", "refusal": PROBE}))),
    Row("annotations", said(message({**TEXT, "annotations": [{"type": "url_citation", "url": PROBE}]}))),
    Row("logprobs", said(message({**TEXT, "logprobs": [{"token": "x", "logprob": -1, "bytes": [], "top_logprobs": []}]})), "logprob"),
    Row("parallel calls", said(CALL, {**CALL, "call_id": "c2"}), "c2"),
    Row("reasoning: summary", said({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": PROBE}]})),
    Row("reasoning: encrypted_content", said({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": PROBE})),
    Row("items of hosted tools", said({"type": "web_search_call", "id": PROBE}, message(TEXT))),
    Row("incomplete: max_output_tokens", said(message(TEXT), **CUT), "x"),
    Row("incomplete: content_filter", said(message(TEXT), **FILTERED), "x"),
    Row("usage: cached", said(message(TEXT), usage=COUNTS), "5"),
    Row("what repeats the request", said(message(TEXT), temperature=0.5, tools=[]), "x"),
    Row("any other field", said(message(TEXT), vendor_field=PROBE)),
)  # fmt: skip
