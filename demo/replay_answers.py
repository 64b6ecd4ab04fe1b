"""What the replay vendor answers: synthetic texts, the same for the same request, in OpenAI's wire format. Pure.

No model is behind them: sentences come from `SENTENCES`, written for this purpose, and tokens are counted in words.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

SENTENCES = (
    "Your order left the warehouse this morning and should arrive within two days.",
    "The invoice lists three items, and the second one carries a discount of ten percent.",
    "Please restart the device, wait for the green light, and try the connection again.",
    "The contract can be ended with thirty days of notice at the end of any month.",
    "We have noted the change of address and will use it from the next delivery on.",
    "The report covers the second quarter; revenue grew and costs stayed level.",
)
CREATED = 1_780_000_000
NOTICE = "replay vendor: synthetic answers, no model behind them"


def number(text: str, below: int, salt: str = "") -> int:
    """A number below a bound that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{text}".encode()).digest()[:8], "big") % below


REPEAT = "Repeat: "
"""A prompt that begins with it is answered with the rest of it."""


def answer_to(prompt: str) -> str:
    """Two recorded sentences, chosen by the prompt; or what it asks to be repeated."""
    if prompt.startswith(REPEAT):
        return prompt.removeprefix(REPEAT)
    first = number(prompt, len(SENTENCES))
    return f"{SENTENCES[first]} {SENTENCES[(first + 1) % len(SENTENCES)]}"


def instance(schema: Any, prompt: str, root: Any = None) -> Any:
    """A value that fits a JSON schema, as far as demos write them."""
    root = schema if root is None else root
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        found = root
        for step in schema["$ref"].lstrip("#/").split("/"):
            found = found[step]
        return instance(found, prompt, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][number(prompt, len(schema["enum"]), "enum")]
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return instance(schema[key][0], prompt, root)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: instance(one, f"{prompt}/{name}", root) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {"type": "string"}), prompt, root)] * max(1, schema.get("minItems", 1))
    if kind in {"integer", "number"}:
        low = schema.get("minimum", 1)
        return low + number(prompt, max(1, int(schema.get("maximum", low + 99) - low)), "number")
    if kind == "string":
        return answer_to(prompt).split()[-2][: schema.get("maxLength", 40)]
    return kind == "boolean" or None


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on the text alone."""
    raw = [number(text, 2001, str(place)) / 1000 - 1 for place in range(dimensions)]
    length = sum(one * one for one in raw) ** 0.5 or 1.0
    return [one / length for one in raw]


def text_of(content: Any) -> str:
    """The text of a message's content, string or parts."""
    if isinstance(content, list):
        return " ".join(one.get("text", "") for one in content if isinstance(one, dict))
    return content or ""


def count(text: str) -> int:
    """Tokens, as this replay counts them: words."""
    return len(text.split())


def chat(request: dict[str, Any]) -> dict[str, Any]:
    """A chat completion."""
    messages = request["messages"]
    prompt = next((text_of(one.get("content")) for one in reversed(messages) if one["role"] == "user"), "")
    told = sum(count(text_of(one.get("content"))) + 4 for one in messages)
    told += count(json.dumps(request.get("tools") or ""))
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    reason = "stop"
    tools = [one["function"] for one in request.get("tools") or () if one.get("type") == "function"]
    if tools and request.get("tool_choice") != "none" and messages[-1]["role"] == "user":
        wanted = request.get("tool_choice")
        named = wanted["function"]["name"] if isinstance(wanted, dict) else tools[number(prompt, len(tools))]["name"]
        schema = next(one.get("parameters", {}) for one in tools if one["name"] == named)
        arguments = json.dumps(instance(schema, prompt))
        call = {"id": "call_replay_1", "type": "function", "function": {"name": named, "arguments": arguments}}
        message["tool_calls"], reason, written = [call], "tool_calls", count(arguments) + 2
    else:
        form = request.get("response_format") or {}
        schema = form.get("json_schema", {}).get("schema", {"type": "object"})
        message["content"] = json.dumps(instance(schema, prompt)) if form.get("type", "text") != "text" else ""
        message["content"] = message["content"] or answer_to(prompt)
        limit = request.get("max_completion_tokens") or request.get("max_tokens")
        words = message["content"].split(" ")
        if limit and len(words) > limit:
            message["content"], reason = " ".join(words[:limit]), "length"
        written = count(message["content"])
    usage = {"prompt_tokens": told, "completion_tokens": written, "total_tokens": told + written}
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    name = "chatcmpl-replay-" + hashlib.sha256(json.dumps(request).encode()).hexdigest()[:16]
    made = {"id": name, "object": "chat.completion", "created": CREATED, "model": request["model"]}
    return {**made, "choices": [choice], "usage": usage}


def chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same answer as a stream: a word a chunk, arguments in pieces of eight characters."""
    whole = chat(request)
    choice = whole["choices"][0]
    base = {"id": whole["id"], "object": "chat.completion.chunk", "created": CREATED, "model": whole["model"]}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}]}

    yield chunk({"role": "assistant", "content": ""})
    content = choice["message"]["content"]
    for place, word in enumerate(content.split(" ") if content else ()):
        yield chunk({"content": f" {word}" if place else word})
    for place, call in enumerate(choice["message"].get("tool_calls", ())):
        opened = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield chunk({"tool_calls": [{"index": place, **opened}]})
        text = call["function"]["arguments"]
        for start in range(0, len(text), 8):
            yield chunk({"tool_calls": [{"index": place, "function": {"arguments": text[start : start + 8]}}]})
    yield chunk({}, choice["finish_reason"])
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**base, "choices": [], "usage": whole["usage"]}


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Vectors for one text or many, as floats or base64."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    rows = []
    for place, text in enumerate(texts):
        found: Any = vector(str(text), request.get("dimensions") or 64)
        if request.get("encoding_format") == "base64":
            found = base64.b64encode(struct.pack(f"<{len(found)}f", *found)).decode()
        rows.append({"object": "embedding", "index": place, "embedding": found})
    told = sum(count(str(text)) for text in texts)
    usage = {"prompt_tokens": told, "total_tokens": told}
    return {"object": "list", "model": request["model"], "data": rows, "usage": usage}
