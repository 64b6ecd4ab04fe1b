"""The rows of the support matrix for Bedrock's Converse, and what must be seen there of other dialects' fields."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.dialects.matrix_responses import PROBE, Row

TEXT = {"text": "x"}
USE = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": PROBE}}}
USE_2 = {"toolUse": {"toolUseId": "t2", "name": "f", "input": {}}}
POINT = {"cachePoint": {"type": "default"}}
SPEC = {"name": "f", "inputSchema": {"json": {"type": "object"}}}
FORM = {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps({"title": PROBE})}}}
CITED = {"content": [{"text": PROBE}], "citations": [{"title": "t"}]}
SAID = {"reasoningContent": {"reasoningText": {"text": PROBE, "signature": "s"}}}


def user(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def after(*content: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": [TEXT]}, {"role": "assistant", "content": list(content)}]
    return {"messages": [*turns, {"role": "user", "content": [TEXT]}]}


def result(*content: Any, **more: Any) -> dict[str, Any]:
    return user({"toolResult": {"toolUseId": "t1", "content": list(content), **more}})


def tools(*found: Any, **more: Any) -> dict[str, Any]:
    return {"toolConfig": {"tools": list(found) or [{"toolSpec": SPEC}], **more}}


def fields(**more: Any) -> dict[str, Any]:
    return {"additionalModelRequestFields": more}


REQUEST = (
    Row("system: text", {"system": [{"text": PROBE}]}),
    Row("system: guardContent", {"system": [{"guardContent": {"text": {"text": PROBE}}}]}),
    Row("messages: text", user({"text": PROBE})),
    Row("messages: system, later", {"messages": [{"role": "user", "content": [TEXT]}, {"role": "system", "content": [{"text": PROBE}]}]}),
    Row("messages: image as bytes", user({"image": {"format": "png", "source": {"bytes": PROBE}}})),
    Row("messages: image in S3", user({"image": {"format": "png", "source": {"s3Location": {"uri": PROBE}}}})),
    Row("messages: document, video, audio", user({"document": {"format": "pdf", "name": PROBE, "source": {"bytes": "AAAA"}}})),
    Row("messages: search result", user({"searchResult": {"source": PROBE, "title": "t", "content": []}})),
    Row("messages: guardContent", user({"guardContent": {"text": {"text": PROBE}}})),
    Row("messages: cachePoint", user({"text": PROBE}, POINT), "cache_control"),
    Row("messages: cachePoint, ttl", user({"text": PROBE}, {"cachePoint": {"type": "default", "ttl": "1h"}}), '"1h"'),
    Row("messages: parallel calls", after(USE, USE_2), "t2"),
    Row("messages: server tool's call", after({"toolUse": {**USE["toolUse"], "type": "server_tool_use"}})),
    Row("messages: tool result", result({"text": PROBE})),
    Row("messages: tool result in JSON", result({"json": {"a": PROBE}})),
    Row("messages: tool result with image", result({"image": {"format": "png", "source": {"bytes": PROBE}}})),
    Row("messages: tool result, status error", result({"text": PROBE}, status="error")),
    Row("messages: reasoning", after(SAID, TEXT)),
    Row("messages: redacted reasoning", after({"reasoningContent": {"redactedContent": "djEyMw=="}}, TEXT), "djEyMw=="),
    Row("messages: citations", after({"citationsContent": CITED})),
    Row("toolConfig: toolSpec", tools({"toolSpec": {**SPEC, "name": PROBE}})),
    Row("toolConfig: strict", tools({"toolSpec": {**SPEC, "strict": True}}), '"strict":true'),
    Row("toolConfig: cachePoint", tools({"toolSpec": SPEC}, POINT), "cache_control"),
    Row("toolConfig: systemTool", tools({"toolSpec": SPEC}, {"systemTool": {"name": PROBE}})),
    Row("toolConfig: toolChoice any", tools(toolChoice={"any": {}}), '"tool_choice"'),
    Row("toolConfig: toolChoice, one tool", tools(toolChoice={"tool": {"name": "f"}}), '"tool_choice"'),
    Row("inferenceConfig: maxTokens", {"inferenceConfig": {"maxTokens": 1234}}, "1234"),
    Row("inferenceConfig: temperature", {"inferenceConfig": {"temperature": 0.5}}, "0.5"),
    Row("inferenceConfig: topP", {"inferenceConfig": {"topP": 0.25}}, "0.25"),
    Row("inferenceConfig: stopSequences", {"inferenceConfig": {"stopSequences": [PROBE]}}),
    Row("outputConfig: textFormat", {"outputConfig": {"textFormat": FORM}}),
    Row("outputConfig: effort", {"outputConfig": {"effort": "high"}}, '"high"'),
    Row("additionalModelRequestFields: top_k", fields(top_k=40), '"top_k":40'),
    Row("additionalModelRequestFields: thinking", fields(thinking={"type": "enabled", "budget_tokens": 1024}), "1024"),
    Row("additionalModelRequestFields: others", fields(vendor=PROBE)),
    Row("additionalModelResponseFieldPaths", {"additionalModelResponseFieldPaths": ["/a"]}),
    Row("guardrailConfig", {"guardrailConfig": {"guardrailIdentifier": PROBE}}),
    Row("promptVariables", {"promptVariables": {"a": {"text": PROBE}}}),
    Row("requestMetadata", {"requestMetadata": {"a": PROBE}}),
    Row("performanceConfig, serviceTier", {"serviceTier": {"type": "flex"}}),
    Row("stream (in its path)", {"stream": True}, "model"),
    Row("any other field", {"vendorField": PROBE}),
)  # fmt: skip


def said(*content: Any, **more: Any) -> dict[str, Any]:
    return {"output": {"message": {"role": "assistant", "content": list(content)}}, **more}


COUNTS = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 11, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 3}

ANSWER = (
    Row("text", said({"text": PROBE})),
    Row("parallel calls", said(USE, USE_2, stopReason="tool_use"), "t2"),
    Row("reasoning", said({"reasoningContent": {"reasoningText": {"text": PROBE}}}, TEXT)),
    Row("reasoning: signature", said(SAID, TEXT)),
    Row("redacted reasoning", said({"reasoningContent": {"redactedContent": "djEyMw=="}}, TEXT), "djEyMw=="),
    Row("citations", said({"citationsContent": CITED})),
    Row("images, video, documents", said({"video": {"format": "mp4", "source": {"bytes": PROBE}}}, TEXT)),
    Row("stopReason: max_tokens", said(TEXT, stopReason="max_tokens"), "x"),
    Row("stopReason: content_filtered", said(TEXT, stopReason="content_filtered"), "x"),
    Row("stopReason: guardrail_intervened", said(TEXT, stopReason="guardrail_intervened"), "x"),
    Row("usage: cache read and written", said(TEXT, usage=COUNTS), ":5"),
    Row("metrics", said(TEXT, metrics={"latencyMs": 9}), "x"),
    Row("trace, serviceTier", said(TEXT, serviceTier={"type": "flex"})),
    Row("additionalModelResponseFields", said(TEXT, additionalModelResponseFields={"a": PROBE})),
)  # fmt: skip

SEEN = {
    "no limit (4096 is sent)": "messages",
    "messages: prompt_cache_breakpoint": "cachePoint",
    "messages: cache_control": "cachePoint",
    "tools: cache_control": "cachePoint",
    "finish_reason: stop": "end_turn",
    "finish_reason: length": "max_tokens",
    "finish_reason: tool_calls": "tool_use",
    "finish_reason: content_filter": "content_filtered",
    "stop_reason: end_turn": "end_turn",
    "stop_reason: max_tokens": "max_tokens",
    "stop_reason: tool_use": "tool_use",
    "stop_reason: stop_sequence": "stop_sequence",
    "stop_reason: refusal": "content_filtered",
    "stop_reason: pause_turn": "max_tokens",
    "usage: cached, reasoning": '"cacheReadInputTokens":5',
    "usage: cache read and written": '"cacheReadInputTokens":5',
    "usage: cache kept for an hour": '"ttl":"1h"',
    "tool_choice": "toolChoice",
    "output_config: effort": '"effort":"high"',
    "reasoning_effort: minimal": '"effort":"minimal"',
    "store: false": "messages",
    "stream": "messages",
    "temperature above 1": "1.0",
}
"""What of a field that is kept must be seen here, where it is something else than elsewhere."""


def request_of(sent: dict[str, Any]) -> dict[str, Any]:
    return {"model": "r", "messages": [{"role": "user", "content": [TEXT]}], **sent}


def answer_of(sent: dict[str, Any]) -> dict[str, Any]:
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    return {"stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}, **sent}
