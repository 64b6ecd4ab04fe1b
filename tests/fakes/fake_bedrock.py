"""A fake of Amazon Bedrock's runtime: Converse and ConverseStream, as its service model has them.

Its frames are made here by hand, and its callers' signatures are recomputed with botocore, so that neither is compared
with our own code.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from demo.replay_answers import count, text_of
from tests.fakes.replies import Reply, derived, pieces
from tests.fakes.vendor import Vendor
from tests.fakes.wire import Recorded, Streamed, Whole

KIND = "application/vnd.amazon.eventstream"
ACCESS_KEY, SECRET_KEY, REGION = "AKIAFAKEFAKEFAKEFAKE", "fake/Secret+Key0123456789", "eu-central-1"
NAMES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
SIGNATURE = "RmFrZVNpZ25hdHVyZQ=="
PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream)\Z")


class FakeBedrock(Vendor):
    """The fake; it takes its key as a bearer token, or requests signed with the access key."""

    key = "ABSKfakefakefakefakefakefakefakefake"

    def refuses(self, request: Recorded) -> Whole | None:
        given = request.headers.get("authorization", "")
        if given == f"Bearer {self.key}" or (given.startswith("AWS4-") and given == signature(request, self.base_url)):
            return None
        return failed(403, "The security token included in the request is invalid.")

    def error(self, status: int) -> bytes:
        return _json({"message": f"The fake was told to answer {status}."})

    def answer(self, request: Recorded) -> Whole | Streamed:
        found = PATH.match(request.path)
        if request.method != "POST" or found is None:
            return failed(404, "The requested operation is not recognized by the service.")
        body = request.json
        unknown = set(body) - KNOWN
        if unknown:
            return failed(400, f"extraneous key [{min(unknown)}] is not permitted")
        wrong = fault_of(body)
        if wrong:
            return failed(400, wrong)
        reply = self.reply_for(_derived(body))
        headers = (("x-amzn-requestid", f"00000000-0000-4000-8000-{len(self.requests):012d}"),)
        if found[2] == "converse":
            return Whole(_json(message(body, reply)), headers=headers, error=_json({"message": "inside"}))
        events = [frame(kind, value) for kind, value in stream(body, reply)]
        inside = frame("throttlingException", {"message": "Too many tokens"}, "exception")
        return Streamed(tuple(events[:-1]), (events[-1],), inside, headers, KIND)


KNOWN = {
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig", "messages",
    "outputConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "system", "toolConfig",
}  # fmt: skip


def fault_of(body: dict[str, Any]) -> str:
    """What the vendor would refuse; empty where it would not."""
    before = ""
    for one in body["messages"]:
        if one["role"] == before:
            return "A conversation must alternate between user and assistant roles."
        before = one["role"]
        if any(block.get("text") == "" for block in one["content"]):
            return "The text field in the ContentBlock object is blank."
    if any("toolUse" in block for one in body["messages"] for block in one["content"]) and not body.get("toolConfig"):
        return "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    return ""


def failed(status: int, text: str) -> Whole:
    """The vendor's error: its name stands in a header."""
    name = NAMES.get(status, "InternalServerException")
    return Whole(_json({"message": text}), status, (("x-amzn-errortype", f"{name}:http://internal.amazon.com/"),))


def frame(kind: str, value: dict[str, Any], what: str = "event") -> bytes:
    """One message of an event stream, by the format's specification."""
    named = {f":{what}-type": kind, ":content-type": "application/json", ":message-type": what}
    lines = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(text)) + text.encode()
        for name, text in named.items()
    )
    payload = _json({**value, "p": "abcdefgh"} if what == "event" else value)
    prelude = struct.pack(">II", len(lines) + len(payload) + 16, len(lines))
    begun = prelude + struct.pack(">I", crc32(prelude)) + lines + payload
    return begun + struct.pack(">I", crc32(begun))


def message(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A whole answer."""
    return {
        "metrics": {"latencyMs": 321},
        "output": {"message": {"role": "assistant", "content": blocks(reply)}},
        "stopReason": reason(reply),
        "usage": usage(body, reply),
    }


def blocks(reply: Reply) -> list[dict[str, Any]]:
    """The content of an answer."""
    found: list[dict[str, Any]] = []
    if reply.thinking:
        told = {"text": reply.thinking, "signature": SIGNATURE}
        found.append({"reasoningContent": {"reasoningText": told}})
    if reply.redacted:
        found.append({"reasoningContent": {"redactedContent": reply.redacted}})
    if reply.text:
        found.append({"text": reply.text})
    for place, (name, arguments) in enumerate(reply.calls):
        found.append({"toolUse": {"toolUseId": f"tooluse_fake{place}", "name": name, "input": arguments}})
    return found


def stream(body: dict[str, Any], reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    """The events of the same answer."""
    found: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for place, block in enumerate(blocks(reply)):
        deltas: list[dict[str, Any]] = []
        if "text" in block:
            deltas = [{"text": one} for one in pieces(block["text"])]
        elif "toolUse" in block:
            call = block["toolUse"]
            start = {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}
            found.append(("contentBlockStart", {"start": start, "contentBlockIndex": place}))
            deltas = [{"toolUse": {"input": one}} for one in ["", *pieces(json.dumps(call["input"]))]]
        elif "redactedContent" in block["reasoningContent"]:
            deltas = [{"reasoningContent": block["reasoningContent"]}]
        else:
            told = block["reasoningContent"]["reasoningText"]
            deltas = [{"reasoningContent": {"text": one}} for one in pieces(told["text"])]
            deltas.append({"reasoningContent": {"signature": told["signature"]}})
        found += [("contentBlockDelta", {"delta": one, "contentBlockIndex": place}) for one in deltas]
        found.append(("contentBlockStop", {"contentBlockIndex": place}))
    found.append(("messageStop", {"stopReason": reason(reply)}))
    return [*found, ("metadata", {"usage": usage(body, reply), "metrics": {"latencyMs": 321}})]


def usage(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """Usage; `inputTokens` leaves out what was read from or written to the cache."""
    asked = " ".join(text_of(one.get("content")) for one in body["messages"]) + text_of(body.get("system"))
    whole = count(asked) + 3 if reply.input is None else reply.input
    found = {
        "inputTokens": max(0, whole - reply.cached - reply.cache_write),
        "outputTokens": reply.written(),
        "totalTokens": whole + reply.written(),
    }
    if reply.cached or reply.cache_write:
        found |= {"cacheReadInputTokens": reply.cached, "cacheWriteInputTokens": reply.cache_write}
    return found


def signature(request: Recorded, base_url: str) -> str:
    """The authorisation that botocore gives such a request at the time it states."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    given = {name: request.headers[name] for name in names}
    again = AWSRequest("POST", base_url + request.path, given, request.body)
    again.context["timestamp"] = request.headers["x-amz-date"]
    signing = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", REGION)
    told = signing.string_to_sign(again, signing.canonical_request(again))
    signing._inject_signature_to_request(again, signing.signature(told, again))
    found: str = again.headers["Authorization"]
    return found


def model_of(request: Recorded) -> str:
    """The model a request was for."""
    found = PATH.match(request.path)
    return unquote(found[1]) if found is not None else ""


def reason(reply: Reply) -> str:
    return reply.stop or ("tool_use" if reply.calls else "end_turn")


def _derived(body: dict[str, Any]) -> Reply:
    last = body["messages"][-1]
    config = body.get("toolConfig") or {}
    specs = [one["toolSpec"] for one in config.get("tools") or () if "toolSpec" in one]
    tools = [(one["name"], one["inputSchema"]["json"]) for one in specs]
    choice = config.get("toolChoice") or {}
    if any("toolResult" in one for one in last["content"]):
        tools = []
    elif "tool" in choice:
        tools = [one for one in tools if one[0] == choice["tool"]["name"]]
    form = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure")
    schema = None if form is None else json.loads(form["jsonSchema"]["schema"])
    found = derived(text_of(last["content"]), tools, schema, 2)
    if ((body.get("additionalModelRequestFields") or {}).get("thinking") or {}).get("type") == "enabled":
        return Reply(text=found.text, calls=found.calls, thinking="First I look at what is asked.")
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
