"""A fake of Google's Gemini API: generateContent, streams, countTokens and embeddings, as the official SDK's types say.

Calls are signed as since Gemini 3; a later turn that brings a call back without a signature is refused, as there.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import unquote

from demo.replay_answers import count
from tests.fakes.replies import Reply, derived, pieces
from tests.fakes.vendor import Vendor
from tests.fakes.wire import Recorded, Streamed, Whole

SIGNATURE = "RmFrZVRob3VnaHRTaWduYXR1cmU="
ACCEPTED = {SIGNATURE, "skip_thought_signature_validator"}
WORDS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_PATH = re.compile(r"/v1(?:beta)?/models/([^:?]+):([A-Za-z]+)(\?alt=sse)?")


class FakeGemini(Vendor):
    """The fake; its base path is `/v1beta`."""

    def refuses(self, request: Recorded) -> Whole | None:
        if request.headers.get("x-goog-api-key") == self.key:
            return None
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        }
        return Whole(error_body(400, "API key not valid. Please pass a valid API key.", info), 400)

    def error(self, status: int) -> bytes:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
        return error_body(status, f"The fake was told to answer {status}.", *([retry] if status == 429 else []))

    def answer(self, request: Recorded) -> Whole | Streamed:
        found = _PATH.fullmatch(request.path)
        if request.method != "POST" or found is None:
            return Whole(error_body(404, "Not Found"), 404)
        model, verb, sse = unquote(found[1]), found[2], found[3]
        body = request.json
        if verb == "countTokens":
            return Whole(_json({"totalTokens": told(body.get("generateContentRequest", body))}))
        if verb.endswith(("embedContent", "EmbedContents")):
            return Whole(_json(embedded(body)))
        fault = wrong(body)
        if fault:
            return Whole(error_body(400, fault), 400)
        reply = self.reply_for(_derived(body))
        inside = error_body(503, "The model is overloaded.")
        if verb == "generateContent":
            return Whole(_json(response(model, body, reply)), error=inside)
        if verb != "streamGenerateContent" or not sse:
            return Whole(error_body(404, "Not Found"), 404)
        events = [b"data: " + _json(one) + b"\r\n\r\n" for one in stream(model, body, reply)]
        return Streamed(tuple(events[:-1]), (events[-1],), b"data: " + inside + b"\r\n\r\n")


def error_body(status: int, text: str, *details: dict[str, Any]) -> bytes:
    """Google's error."""
    more = {"details": list(details)} if details else {}
    return _json({"error": {"code": status, "message": text, "status": WORDS.get(status, "INTERNAL"), **more}})


def wrong(body: dict[str, Any]) -> str:
    """What the API would refuse in this body."""
    unknown = set(body) - {
        "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "labels",
    }  # fmt: skip
    if unknown:
        return f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
    if not body.get("contents"):
        return "* GenerateContentRequest.contents: contents is not specified"
    for content in body["contents"]:
        calls = [one for one in content["parts"] if "functionCall" in one]
        if calls and calls[0].get("thoughtSignature") not in ACCEPTED:
            return f"Function call is missing a thought_signature: {calls[0]['functionCall']['name']}"
        if not content["parts"] or content.get("role", "user") not in {"user", "model"}:
            return "Please use a valid role: user, model."
    return ""


def parts(reply: Reply) -> list[dict[str, Any]]:
    """The content of an answer."""
    found: list[dict[str, Any]] = []
    if reply.thinking:
        found.append({"text": reply.thinking, "thought": True})
    if reply.text:
        found.append({"text": reply.text})
    for place, (name, arguments) in enumerate(reply.calls):
        signed = {} if place else {"thoughtSignature": SIGNATURE}
        found.append({"functionCall": {"name": name, "args": arguments}, **signed})
    return found


def response(model: str, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A whole answer."""
    candidate = {"content": {"parts": parts(reply), "role": "model"}, "finishReason": reply.stop or "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage(body, reply), **_head(model, body)}


def stream(model: str, body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    """The chunks of the same answer: each a whole response, the reason on the last."""
    said: list[dict[str, Any]] = []
    for part in parts(reply):
        text = part.get("text")
        said += [part] if text is None else [{**part, "text": one} for one in pieces(text)]
    given = usage(body, reply)["promptTokenCount"]
    counts = {"promptTokenCount": given, "totalTokenCount": given}
    found = [
        {"candidates": [{"content": {"parts": [one], "role": "model"}, "index": 0}], "usageMetadata": counts, **_head(model, body)}
        for one in said
    ]  # fmt: skip
    over = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": reply.stop or "STOP", "index": 0}
    return [*found, {"candidates": [over], "usageMetadata": usage(body, reply), **_head(model, body)}]


def told(body: dict[str, Any]) -> int:
    """Input tokens, in words."""
    return count(json.dumps(body.get("systemInstruction") or "")) + sum(
        count(_text(one)) + 3 for one in body["contents"]
    )


def usage(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Counts: thoughts stand beside what was said."""
    given = told(body) if reply.input is None else reply.input
    found = {"promptTokenCount": given, "candidatesTokenCount": reply.written() - reply.reasoning}
    found["totalTokenCount"] = given + reply.written()
    found |= {"thoughtsTokenCount": reply.reasoning} if reply.reasoning else {}
    return found | ({"cachedContentTokenCount": reply.cached} if reply.cached else {})


def embedded(body: dict[str, Any]) -> dict[str, Any]:
    """A vector for each text."""
    each = [{"values": [0.5, float(count(_text(one["content"])))]} for one in body.get("requests", [body])]
    return {"embeddings": each} if "requests" in body else {"embedding": each[0]}


def _head(model: str, body: dict[str, Any]) -> dict[str, Any]:
    name = hashlib.sha256(_json(body)).hexdigest()[:16]
    return {"modelVersion": f"{model}-001", "responseId": name}


def _derived(body: dict[str, Any]) -> Reply:
    last = body["contents"][-1]
    tools = [one for group in body.get("tools") or () for one in group.get("functionDeclarations", ())]
    names = ("parametersJsonSchema", "parameters_json_schema", "parameters")  # either spelling is read
    named = [(one["name"], _lowered(next((one[name] for name in names if name in one), {}))) for one in tools]
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if config.get("mode") == "NONE" or any("functionResponse" in one for one in last["parts"]):
        named = []
    elif config.get("allowedFunctionNames"):
        named = [one for one in named if one[0] in config["allowedFunctionNames"]]
    form = body.get("generationConfig") or {}
    found = derived(_text(last), named, form.get("responseJsonSchema") or _lowered(form.get("responseSchema")), 2)
    if (form.get("thinkingConfig") or {}).get("includeThoughts"):
        return Reply(text=found.text, calls=found.calls, thinking="First I look at what is asked.", reasoning=7)
    return found


def _lowered(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: one.lower() if name == "type" else _lowered(one) for name, one in schema.items()}
    return schema


def _text(content: dict[str, Any]) -> str:
    return " ".join(one.get("text", "") for one in content["parts"])


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
