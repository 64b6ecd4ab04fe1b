"""What the property tests draw of Gemini: requests as its callers write them, and answers it can tell exactly."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import Raw

from freehold.gateway.messages import Answer, Choice, Opaque, Text, Thinking, ToolCall
from freehold.ledger.meter import Usage
from tests.gateway.dialects.drawn_requests import Fresh, some
from tests.gateway.dialects.strategies import names, tool_calls, words

NAME = "gemini"
THOUGHT = (NAME, "own.thought", Raw(b"true"))


def part(draw: Any, fresh: Fresh) -> dict[str, Any]:
    mark = some(draw, partMetadata={"m": fresh()}, thoughtSignature=fresh)
    return draw(
        st.sampled_from(
            [
                {"text": fresh()},
                {"text": fresh(), **mark},
                {"inlineData": {"mimeType": "image/png", "data": fresh()}, **mark},
                {"inlineData": {"mimeType": "audio/wav", "data": fresh()}, **mark},
                {"fileData": {"mimeType": "image/png", "fileUri": f"https://x/{fresh()}.png"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": fresh()}, "videoMetadata": {"fps": 1}},
                {"executableCode": {"language": "PYTHON", "code": fresh()}},
            ]
        )
    )


def turns(draw: Any, fresh: Fresh) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        found.append({"role": "user", "parts": [part(draw, fresh) for _ in range(draw(st.integers(1, 3)))]})
        ids = draw(st.booleans())
        calls = [
            {"name": fresh("f"), "args": {"a": fresh()}, **({"id": fresh("call")} if ids else {})}
            for _ in range(draw(st.integers(0, 3)))
        ]
        said = draw(
            st.sampled_from(
                [
                    [{"text": fresh()}],
                    [{"text": fresh(), "thought": True}, {"text": fresh(), "thoughtSignature": fresh()}],
                    [{"text": fresh(), "thought": True, "thoughtSignature": fresh()}],
                    [{"text": "", "thoughtSignature": fresh()}],
                ]
            )
        )
        called = [{"functionCall": one, **some(draw, thoughtSignature=fresh)} for one in calls]
        found.append({"role": "model", "parts": [*said, *called]})
        results = [
            {
                "functionResponse": {
                    "name": one["name"],
                    **({"id": one["id"]} if ids else {}),
                    "response": draw(
                        st.sampled_from([{"output": fresh()}, {"error": fresh()}, {"a": fresh(), "b": 1}, {}])
                    ),
                    **some(draw, scheduling="SILENT"),
                }
            }
            for one in calls
        ]
        found += [{"role": "user", "parts": results}] if results else []
    return found


@st.composite
def gemini_requests(draw: Any) -> dict[str, Any]:
    fresh = Fresh()
    schema = {"type": "OBJECT", "properties": {"p": {"type": "STRING", "description": fresh(), "nullable": True}}}
    functions = [
        {"name": fresh("f"), "description": fresh(), "parametersJsonSchema": {"p": fresh()}},
        {"name": fresh("f"), "parameters": schema, "behavior": "BLOCKING"},
        {"name": fresh("f")},
    ]
    tools = [{"functionDeclarations": draw(st.lists(st.sampled_from(functions), min_size=1, max_size=3))}]
    tools += draw(st.sampled_from([[], [{"googleSearch": {"x": fresh()}}, {"codeExecution": {}}]]))
    modes = [
        {"mode": "AUTO"}, {"mode": "NONE"}, {"mode": "ANY"}, {"mode": "ANY", "allowedFunctionNames": ["f9"]},
        {"mode": "ANY", "allowedFunctionNames": ["f8", "f9"]}, {"mode": "VALIDATED"},
    ]  # fmt: skip
    forms = [
        {"responseMimeType": "application/json"},
        {"responseMimeType": "application/json", "responseJsonSchema": {"s": fresh()}},
        {"responseMimeType": "application/json", "responseSchema": schema},
        {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": [fresh()]}},
    ]
    thinking = [
        {"thinkingBudget": 1024}, {"thinkingBudget": 0}, {"thinkingBudget": -1, "includeThoughts": True},
        {"thinkingLevel": "HIGH"}, {"includeThoughts": True},
    ]  # fmt: skip
    config = {
        **draw(st.sampled_from(forms)),
        **some(
            draw, temperature=0.5, topP=0.25, topK=40, candidateCount=2, maxOutputTokens=17, seed=-77,
            stopSequences=[fresh()], presencePenalty=0.75, frequencyPenalty=-0.5, responseLogprobs=True, logprobs=3,
            thinkingConfig=draw(st.sampled_from(thinking)), mediaResolution="MEDIA_RESOLUTION_LOW",
            responseModalities=draw(st.sampled_from([["TEXT"], ["TEXT", "IMAGE"]])), speechConfig={"v": fresh()},
        ),
    }  # fmt: skip
    return {
        "contents": turns(draw, fresh),
        **some(
            draw, systemInstruction={"parts": [{"text": fresh()}, {"text": fresh()}]}, generationConfig=config,
            tools=tools, toolConfig={"functionCallingConfig": draw(st.sampled_from(modes))},
            safetySettings=[{"category": fresh(), "threshold": "OFF"}], cachedContent=fresh, labels={"l": fresh()},
            serviceTier="flex", vendorTop={"deep": [fresh()]},
        ),
    }  # fmt: skip


@st.composite
def gemini_usages(draw: Any) -> Usage:
    """Counts without what the vendor does not tell."""
    given, output = draw(st.integers(0, 99)), draw(st.integers(0, 99))
    return Usage(input=given, output=output, cached=draw(st.integers(0, given)), reasoning=draw(st.integers(0, output)))


@st.composite
def gemini_choices(draw: Any, index: int) -> Choice:
    parts: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(["say", "think", "sign", "seal", "run"]), max_size=4)):
        before = type(parts[-1]) if parts else None
        if kind == "say" and (before is not Text or parts[-1].extra):
            parts.append(Text(draw(words)))
        elif kind == "think" and before is not Thinking:
            parts.append(Thinking(draw(words), extra=(THOUGHT,)))
        elif kind == "sign" and before is not Thinking:
            parts.append(Thinking(draw(words), draw(names), extra=(THOUGHT,)))
        elif kind == "seal":
            parts.append(Text(draw(words), extra=((NAME, "thoughtSignature", Raw(json.dumps(draw(names)).encode())),)))
        elif kind == "run":
            raw = json.dumps({"executableCode": {"code": draw(words)}}).encode()
            parts.append(Opaque(NAME, "executableCode", Raw(raw)))
    for one in draw(tool_calls()):
        spelled = one.arguments.replace("\n", "")  # a line of a stream cannot hold its end
        parts.append(msgspec.structs.replace(one, arguments=spelled, signature=draw(st.sampled_from(["", "c2ln"]))))
    calls = any(isinstance(one, ToolCall) for one in parts)
    stop = draw(st.sampled_from(["length", "content_filter", "tool_calls" if calls else "end"]))
    return Choice(index=index, parts=tuple(parts), stop=stop)


@st.composite
def gemini_answers(draw: Any, most: int = 2) -> Answer:
    """An answer that Gemini can tell without loss."""
    return Answer(
        id=draw(names),
        model=draw(names),
        choices=tuple(draw(gemini_choices(index)) for index in range(draw(st.integers(1, most)))),
        usage=draw(gemini_usages()),
    )
