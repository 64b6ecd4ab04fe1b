"""The parts of Gemini's contents, out of their JSON: for requests and for answers.

Google's readers take the names of members in either spelling, and one object for a list of one: so does this.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Raw

from freehold.gateway.dialects.gemini_wire import NAME
from freehold.gateway.json_fields import JSON_TEXT, Fields, own
from freehold.gateway.json_texts import is_sealed
from freehold.gateway.messages import Extra, Image, Opaque, Part, Text, Thinking, ToolCall, ToolResult

SIGNATURE = "thoughtSignature"
TOOL = "own.name"
"""Of a tool's result: the name of the tool, which elsewhere stands in the call alone."""
KEY = "own.key"
"""Of a tool's result: the member of its response that holds the text; empty where the text is the whole response."""
MADE = "own.made"
"""Marks an id that the vendor did not give: elsewhere calls and results are matched by it."""
THOUGHT = "own.thought"
"""Marks thinking as this dialect's, so that nobody takes its signature for their own."""
EMPTY = "own.empty"
"""Marks a text that is there for what stands beside it."""
TRUE = Raw(b"true")

_CAMEL = (
    "cachedContent", "candidateCount", "displayName", "fileData", "fileUri", "frequencyPenalty", "functionCall",
    "functionCallingConfig", "functionDeclarations", "functionResponse", "generationConfig", "includeThoughts",
    "allowedFunctionNames", "inlineData", "maxOutputTokens", "mediaResolution", "mimeType", "parametersJsonSchema",
    "presencePenalty", "responseJsonSchema", "responseLogprobs", "responseMimeType", "responseModalities",
    "responseSchema", "safetySettings", "serviceTier", "speechConfig", "stopSequences", "systemInstruction",
    "thinkingBudget", "thinkingConfig", "thinkingLevel", "thoughtSignature", "toolConfig", "topK", "topP",
    "executableCode", "codeExecutionResult", "googleSearch", "codeExecution", "urlContext", "videoMetadata",
)  # fmt: skip


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


SPELLINGS = {_snake(name): name for name in _CAMEL if _snake(name) != name}
"""The names with underscores, as older examples of the vendor's have them, to the official ones."""

_OPAQUE = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_KEYS = ("output", "result", "error", "content")
"""What a lone member of a response is called that holds its text; `error` says that it is one."""

_text = msgspec.json.Decoder(dict[str, str])


def many(one: Fields, name: str) -> list[tuple[Raw, Fields]]:
    """A list of objects, or one of them."""
    raw = one.raw(name)
    if raw is None:
        return []
    if bytes(raw).lstrip().startswith(b"{"):
        return [(raw, one.within(name, raw).spelled(SPELLINGS))]
    one.put_back(name, raw)
    return [(found, fields.spelled(SPELLINGS)) for found, fields in one.objects(name)]


def inner(one: Fields, name: str) -> Fields | None:
    """An object."""
    found = one.inner(name)
    return None if found is None else found.spelled(SPELLINGS)


class Calls:
    """Gives calls without an id one, and results the id of the call they answer, by name and order."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0
        self._open: list[tuple[str, str]] = []

    def named(self, name: str, arguments: str) -> str:
        """An id for a call that came without: the same each time the same conversation is read."""
        self._count += 1
        said = f"{self._seed}\0{self._count}\0{name}\0{arguments}".encode("utf-8", "surrogatepass")
        return f"call_{hashlib.blake2b(said, digest_size=9).hexdigest()}"

    def called(self, call: str, name: str) -> None:
        """A call was met."""
        self._open.append((name, call))

    def answered(self, call: str, name: str) -> str:
        """The id of the call that a result answers; its name where there is none."""
        found = next((one for one in self._open if one[1] == call or (not call and one[0] == name)), None)
        if found is not None:
            self._open.remove(found)
        return call or (found[1] if found is not None else name)


def part_of(raw: Raw, one: Fields, calls: Calls) -> Part:
    """One part."""
    signature = _sealed(one)
    function = inner(one, "functionCall")
    if function is not None:
        return _call(one, function, signature, calls)
    for kind in _OPAQUE:
        if one.raw(kind) is not None:
            return Opaque(NAME, kind, raw)
    signed: Extra = ((NAME, SIGNATURE, Raw(msgspec.json.encode(signature))),) if signature else ()
    result = inner(one, "functionResponse")
    if result is not None:
        return _result(one, result, signed, calls)
    for name in ("inlineData", "fileData"):
        data = inner(one, name)
        if data is not None:
            return _image(raw, one, data, signed) or Opaque(NAME, name, raw)
    thought = one.flag("thought") is True
    text = one.text("text")
    if thought:
        return Thinking(text, signature, extra=((NAME, THOUGHT, TRUE), *one.rest(NAME)))
    rest = (*signed, *one.rest(NAME))
    return Text(text, extra=rest or (() if text else ((NAME, EMPTY, TRUE),)))


def _sealed(one: Fields) -> str:
    """The signature; one that is no base64 is not the vendor's, and stays a field like any."""
    raw = one.raw(SIGNATURE)
    if raw is None or is_sealed(SIGNATURE, bytes(raw)):
        return "" if raw is None else msgspec.json.decode(raw, type=str)
    one.put_back(SIGNATURE, raw)
    return ""


def _call(one: Fields, function: Fields, signature: str, calls: Calls) -> ToolCall:
    if function.raw("willContinue") is not None or function.raw("partialArgs") is not None:
        function.wrong("calls in parts are not read here", "partialArgs")
    name, call = function.text("name", None), function.text("id")
    value = function.raw("args") or Raw(b"{}")
    try:
        arguments = bytes(value).decode()
    except UnicodeDecodeError:  # raw members are passed on unread, so nobody has looked at their bytes yet
        function.wrong("is not UTF-8", "args")
    if not arguments.startswith("{"):
        function.wrong("expected an object", "args")
    extra: Extra = (*function.rest(NAME, "functionCall."), *one.rest(NAME))
    if not call:
        call, extra = calls.named(name, arguments), (*extra, (NAME, MADE, TRUE))
    calls.called(call, name)
    return ToolCall(call, name, arguments, extra=extra, signature=signature)


def _result(one: Fields, function: Fields, signed: Extra, calls: Calls) -> ToolResult:
    name, told = function.text("name", None), function.text("id")
    response = function.raw("response") or Raw(b"{}")
    if not bytes(response).startswith(b"{"):
        function.wrong("expected an object", "response")
    key, text = _said(function, response)
    parts: list[Text | Image | Opaque] = [Text(text, extra=() if key else ((NAME, JSON_TEXT, TRUE),))]
    for raw, inside in many(function, "parts"):
        data = inner(inside, "inlineData") or inner(inside, "fileData")
        parts.append((data and _image(raw, inside, data, ())) or Opaque(NAME, "functionResponsePart", raw))
    marks: Extra = (_mark(TOOL, name), _mark(KEY, key), *(() if told else ((NAME, MADE, TRUE),)))
    rest = (*function.rest(NAME, "functionResponse."), *one.rest(NAME))
    return ToolResult(calls.answered(told, name), tuple(parts), key == "error", extra=(*marks, *signed, *rest))


def _said(function: Fields, response: Raw) -> tuple[str, str]:
    """The member that holds the text, and the text; the whole response where it says more than one text."""
    try:
        members = _text.decode(response)
    except (msgspec.DecodeError, UnicodeDecodeError):
        members = {}
    if len(members) == 1 and (key := next(iter(members))) in _KEYS:
        return key, members[key]
    try:
        return "", bytes(response).decode()
    except UnicodeDecodeError:
        function.wrong("is not UTF-8", "response")


def _image(raw: Raw, one: Fields, data: Fields, signed: Extra) -> Image | None:
    """None for what is no image, or an image only the vendor can fetch."""
    media, url, held = data.text("mimeType"), data.text("fileUri"), data.text("data")
    public = url.startswith(("https://", "http://")) and "generativelanguage" not in url
    if not media.startswith("image/") or data.rest(NAME) or not (held or public):
        return None
    return Image(url, media, held, extra=(*signed, *one.rest(NAME)))


def _mark(name: str, value: str) -> tuple[str, str, Raw]:
    return NAME, name, Raw(msgspec.json.encode(value))


def mark_of(extra: Extra, name: str) -> str:
    """What such a mark says; empty where there is none."""
    raw = own(extra, NAME, name)
    return "" if raw is None else msgspec.json.decode(raw, type=str)


def content_parts(one: Fields, calls: Calls) -> list[Part]:
    """The parts of a content."""
    return [part_of(raw, part, calls) for raw, part in many(one, "parts")]
