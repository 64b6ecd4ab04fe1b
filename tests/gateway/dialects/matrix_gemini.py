"""The rows of the support matrix for Gemini, and what must be seen there of other dialects' fields."""

from __future__ import annotations

from typing import Any

from tests.gateway.dialects.matrix_responses import PROBE, Row

TEXT = {"text": "x"}
CALL = {"functionCall": {"id": "c1", "name": "f", "args": {"a": PROBE}}}
SCHEMA = {"type": "OBJECT", "properties": {PROBE: {"type": "STRING", "nullable": True}}}
JSON = "application/json"


def user(*parts: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


def after(*parts: Any) -> dict[str, Any]:
    turns = [{"role": "user", "parts": [TEXT]}, {"role": "model", "parts": list(parts)}]
    return {"contents": [*turns, {"role": "user", "parts": [TEXT]}]}


def config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


def functions(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": "f", **fields}]}]}


def mode(name: str, *allowed: str) -> dict[str, Any]:
    more = {"allowedFunctionNames": list(allowed)} if allowed else {}
    return {"toolConfig": {"functionCallingConfig": {"mode": name, **more}}}


REQUEST = (
    Row("systemInstruction", {"systemInstruction": {"parts": [{"text": PROBE}]}}),
    Row("contents: text", user({"text": PROBE})),
    Row("contents: image as bytes", user({"inlineData": {"mimeType": "image/png", "data": PROBE}})),
    Row("contents: image by URL", user({"fileData": {"mimeType": "image/png", "fileUri": f"https://x/{PROBE}"}})),
    Row("contents: audio, video, documents", user({"inlineData": {"mimeType": "audio/wav", "data": PROBE}})),
    Row("contents: files of the vendor's", user({"fileData": {"mimeType": "image/png", "fileUri": f"gs://{PROBE}"}})),
    Row("contents: parallel calls", after(CALL, {"functionCall": {"id": "c2", "name": "f", "args": {}}}), "c2"),
    Row("contents: a call without an id", after({"functionCall": {"name": "f", "args": {"a": PROBE}}})),
    Row("contents: function response", {"contents": [{"role": "model", "parts": [CALL]}, {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"output": PROBE}}}]}]}),
    Row("contents: thought", after({"text": PROBE, "thought": True}, TEXT)),
    Row("contents: signature of a text", after({"text": PROBE, "thoughtSignature": "c2ln"})),
    Row("contents: signature of a call", after({**CALL, "thoughtSignature": "c2ln"})),
    Row("contents: executable code", after({"executableCode": {"language": "PYTHON", "code": PROBE}})),
    Row("contents: mediaResolution and others", user({"text": PROBE, "partMetadata": {"a": 1}})),
    Row("tools: parametersJsonSchema", functions(parametersJsonSchema={"title": PROBE})),
    Row("tools: parameters (as JSON Schema)", functions(parameters=SCHEMA)),
    Row("tools: behavior, response", functions(behavior="BLOCKING")),
    Row("tools: googleSearch and other hosted ones", {"tools": [{"googleSearch": {}}]}),
    Row("toolConfig: AUTO", mode("AUTO"), "auto"),
    Row("toolConfig: ANY with one function", {**functions(), **mode("ANY", PROBE)}),
    Row("toolConfig: ANY with several, VALIDATED", mode("ANY", "a", "b")),
    Row("generationConfig: JSON without a schema", config(responseMimeType=JSON), "json"),
    Row("generationConfig: responseJsonSchema", config(responseMimeType=JSON, responseJsonSchema={"title": PROBE})),
    Row("generationConfig: responseSchema (as JSON Schema)", config(responseMimeType=JSON, responseSchema=SCHEMA)),
    Row("generationConfig: maxOutputTokens", config(maxOutputTokens=1234), "1234"),
    Row("generationConfig: temperature up to 1", config(temperature=0.5), "0.5"),
    Row("generationConfig: topP", config(topP=0.25), "0.25"),
    Row("generationConfig: topK", config(topK=40), "40"),
    Row("generationConfig: stopSequences", config(stopSequences=[PROBE])),
    Row("generationConfig: candidateCount", config(candidateCount=2), '"n":2'),
    Row("generationConfig: seed", config(seed=7), "7"),
    Row("generationConfig: penalties", config(presencePenalty=0.5), "0.5"),
    Row("generationConfig: logprobs", config(responseLogprobs=True, logprobs=2), "logprobs"),
    Row("generationConfig: thinkingBudget", config(thinkingConfig={"thinkingBudget": 2048}), "2048"),
    Row("generationConfig: thinkingLevel", config(thinkingConfig={"thinkingLevel": "LOW"}), "low"),
    Row("generationConfig: responseModalities", config(responseModalities=["TEXT", "IMAGE"])),
    Row("generationConfig: speechConfig and others", config(speechConfig={"a": PROBE})),
    Row("safetySettings", {"safetySettings": [{"category": "c", "threshold": "OFF"}]}),
    Row("cachedContent", {"cachedContent": PROBE}),
    Row("labels", {"labels": {"a": PROBE}}),
    Row("streaming (by the path)", {"stream": True}, '"stream":true'),
    Row("any other field", {"vendorField": PROBE}),
)  # fmt: skip


def said(*parts: Any, **more: Any) -> dict[str, Any]:
    candidate = {
        name: more.pop(name) for name in ("finishReason", "citationMetadata", "logprobsResult") if name in more
    }
    content = {"parts": list(parts), "role": "model"}
    return {"candidates": [{"finishReason": "STOP", **candidate, "content": content, "index": 0}], **more}


COUNTS = {"promptTokenCount": 9, "cachedContentTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}

ANSWER = (
    Row("text", said({"text": PROBE})),
    Row("thought", said({"text": PROBE, "thought": True}, TEXT)),
    Row("parallel calls", said(CALL, {"functionCall": {"id": "c2", "name": "f", "args": {}}}), "c2"),
    Row("a call without an id (gets one)", said({"functionCall": {"name": "f", "args": {"a": 1}}}), "call_"),
    Row("signature of a call", said({**CALL, "thoughtSignature": "c2ln"}), "c2ln"),
    Row("signature of a text", said({"text": PROBE, "thoughtSignature": "c2ln"})),
    Row("images, executable code", said({"executableCode": {"code": PROBE}}, TEXT)),
    Row("finishReason: STOP", said(TEXT), "x"),
    Row("finishReason: MAX_TOKENS", said(TEXT, finishReason="MAX_TOKENS"), "x"),
    Row("finishReason: SAFETY", said(TEXT, finishReason="SAFETY"), "x"),
    Row("finishReason: RECITATION and others", said(TEXT, finishReason="RECITATION"), "x"),
    Row("promptFeedback: blockReason", {"promptFeedback": {"blockReason": "SAFETY"}}, "r"),
    Row("citationMetadata, groundingMetadata", said(TEXT, citationMetadata={"citations": [PROBE]})),
    Row("logprobsResult", said(TEXT, logprobsResult={"chosenCandidates": [PROBE]})),
    Row("usage: cached, thoughts", said(TEXT, usageMetadata=COUNTS), "5"),
    Row("usage: details", said(TEXT, usageMetadata={**COUNTS, "promptTokensDetails": [{"modality": "TEXT"}]})),
)  # fmt: skip

SEEN = {
    "no limit (4096 is sent)": "contents",
    "finish_reason: stop": '"STOP"',
    "finish_reason: length": '"MAX_TOKENS"',
    "finish_reason: tool_calls": '"functionCall"',
    "finish_reason: content_filter": '"SAFETY"',
    "stop_reason: end_turn": '"STOP"',
    "stop_reason: max_tokens": '"MAX_TOKENS"',
    "stop_reason: tool_use": '"functionCall"',
    "stop_reason: refusal": '"SAFETY"',
    "stop_reason: pause_turn": '"OTHER"',
    "usage: cached, reasoning": '"cachedContentTokenCount":5',
    "usage: cache read and written": '"cachedContentTokenCount":5',
    "usage: cache kept for an hour": "usageMetadata",
    "usage: cached": '"cachedContentTokenCount":5',
    "tool_choice": "functionCallingConfig",
    "text: json_object": '"application/json"',
    "response_format: json_object": '"application/json"',
    "temperature above 1": "1.5",
    "n": '"candidateCount":2',
    "logprobs": '"responseLogprobs":true',
    "include: logprobs": '"responseLogprobs":true',
    "reasoning_effort: low, medium, high, xhigh, max": '"thinkingLevel":"HIGH"',
    "reasoning_effort: minimal": '"thinkingLevel":"MINIMAL"',
    "reasoning_effort: none": '"thinkingBudget":0',
    "reasoning: effort": '"thinkingLevel":"HIGH"',
    "output_config: effort": '"thinkingLevel":"HIGH"',
    "thinking: disabled": '"thinkingBudget":0',
    "seed": '"seed":7',
    "presence_penalty": "0.5",
    "frequency_penalty": "0.5",
    "top_k": '"topK":40',
    "thinking: enabled": '"thinkingBudget":1024',
    "thinking: adaptive": '"includeThoughts":true',
    "stream": "contents",
    "store: false": "contents",
    "max_completion_tokens": '"maxOutputTokens":1234',
}
"""What of a field that is kept must be seen here, where it is something else than elsewhere."""


def request_of(sent: dict[str, Any]) -> dict[str, Any]:
    return {"model": "r", "stream": False, "contents": [{"role": "user", "parts": [TEXT]}], **sent}


def answer_of(sent: dict[str, Any]) -> dict[str, Any]:
    return {"responseId": "r", "modelVersion": "g", **sent}
