"""What the property tests of Bedrock's Converse draw: requests as callers write them, and answers it can tell exactly."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from freehold.gateway.dialects.bedrock_parts import marked
from freehold.gateway.messages import Answer, Choice, Opaque, Redacted, Text, Thinking, ToolCall
from tests.gateway.dialects.drawn_requests import Fresh, some
from tests.gateway.dialects.strategies import names, tool_calls, usages, words

POINT = {"cachePoint": {"type": "default"}}
LONG = {"cachePoint": {"type": "default", "ttl": "1h"}}
SAID = {"cachePoint": {"type": "default", "ttl": "5m"}}
points = st.sampled_from([[], [], [POINT], [LONG], [SAID]])
blobs = st.binary(min_size=1, max_size=12).map(lambda one: base64.b64encode(one).decode())


def block(draw: Any, fresh: Fresh) -> dict[str, Any]:
    return draw(
        st.sampled_from(
            [
                {"text": fresh()},
                {"text": fresh()},
                {"image": {"format": "png", "source": {"bytes": fresh()}}},
                {"image": {"format": "png", "source": {"s3Location": {"uri": f"s3://{fresh()}"}}}},
                {"document": {"format": "pdf", "name": fresh(), "source": {"bytes": fresh()}}},
                {"video": {"format": "mp4", "source": {"bytes": fresh()}}},
                {"guardContent": {"text": {"text": fresh(), "qualifiers": ["query"]}}},
                {"searchResult": {"source": fresh(), "title": fresh(), "content": [{"text": fresh()}]}},
            ]
        )
    )


def messages(draw: Any, fresh: Fresh) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        content: list[Any] = []
        for _ in range(draw(st.integers(1, 3))):
            content += [block(draw, fresh), *draw(points)]
        found.append({"role": "user", "content": content})
        calls = [
            {"toolUse": {"toolUseId": fresh("call"), "name": fresh("f"), "input": {"a": fresh()}}}
            for _ in range(draw(st.integers(0, 2)))
        ]
        thought = [
            {"reasoningContent": {"reasoningText": {"text": fresh(), "signature": fresh()}}},
            {"reasoningContent": {"redactedContent": "djEyMw=="}},
        ]
        cited = {"citationsContent": {"content": [{"text": fresh()}], "citations": [{"title": fresh()}]}}
        said = draw(st.sampled_from([{"text": fresh()}, cited]))
        server = {"toolUse": {"toolUseId": fresh(), "name": "web", "input": {}, "type": "server_tool_use"}}
        found.append({"role": "assistant", "content": [*thought, said, *draw(st.sampled_from([[], [server]])), *calls]})
        results = [
            {
                "toolResult": {
                    "toolUseId": one["toolUse"]["toolUseId"],
                    "content": draw(
                        st.sampled_from([[{"text": fresh()}], [{"json": {"b": fresh()}}, {"text": fresh()}]])
                    ),
                    **some(draw, status=draw(st.sampled_from(["success", "error"]))),
                }
            }
            for one in calls
        ]
        found += [{"role": "user", "content": [*results, *draw(points)]}] if results else []
        found += [{"role": "system", "content": [{"text": fresh()}]}] if draw(st.booleans()) else []
    return found


def tool_config(draw: Any, fresh: Fresh) -> dict[str, Any]:
    spec = {"name": fresh("f"), "description": fresh(), "inputSchema": {"json": {"p": fresh()}}, "strict": True}
    tools = [
        {"toolSpec": spec},
        *draw(points),
        {"systemTool": {"name": fresh("f")}},
        {"toolSpec": {**spec, "name": fresh("f")}},
    ]
    choices = [{"auto": {}}, {"any": {}}, {"tool": {"name": fresh("f")}}]
    return {"tools": tools, **some(draw, toolChoice=draw(st.sampled_from(choices)), vendorConfig=fresh)}


@st.composite
def bedrock_requests(draw: Any) -> dict[str, Any]:
    """With the members that only its path says."""
    fresh = Fresh()
    schema = {"schema": json.dumps({"s": fresh()}), **some(draw, name=fresh, description=fresh)}
    form = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    more = [
        {"top_k": 40, "thinking": {"type": "enabled", "budget_tokens": 2048}},
        {"thinking": {"type": "adaptive", "display": fresh()}, "anthropic_beta": [fresh()]},
        {"thinking": {"type": "disabled"}, "top_k": 0.5},
        {"inferenceConfig": {"topK": 20}},
    ]
    found = {
        "messages": messages(draw, fresh),
        **some(
            draw, system=[{"text": fresh()}, *draw(points)], toolConfig=tool_config(draw, fresh),
            inferenceConfig=draw(st.sampled_from([{"maxTokens": 17}, {"temperature": 0.5, "topP": 0.25, "stopSequences": [fresh()], "vendorLimit": 3}])),
            additionalModelRequestFields=draw(st.sampled_from(more)), additionalModelResponseFieldPaths=[f"/{fresh()}"],
            outputConfig=draw(st.sampled_from([{"effort": "high"}, {"textFormat": form}, {"textFormat": form, "effort": "low", "vendor": fresh()}])),
            guardrailConfig={"guardrailIdentifier": fresh(), "guardrailVersion": "1"}, requestMetadata={"workflow": fresh()},
            performanceConfig={"latency": "optimized"}, serviceTier={"type": "flex"}, promptVariables={"a": {"text": fresh()}}, vendor_top={"deep": fresh()},
        ),
        "model": "route", "stream": draw(st.booleans()),
    }  # fmt: skip
    return json.loads(json.dumps(found))  # who bends it must not bend what others draw


@st.composite
def bedrock_answers(draw: Any, opaque: bool = True) -> Answer:
    """An answer that Converse can tell without loss, whole and streamed."""
    one = st.one_of(
        st.builds(lambda text: Text(text, extra=marked()), words),
        st.builds(lambda text, said: Text(text, citations=(_citation(said),), extra=marked()), words, words),
        st.builds(Thinking, words, names),
        st.builds(Redacted, blobs),
    )
    parts = draw(st.permutations([*draw(st.lists(one, max_size=4)), *draw(tool_calls())]))
    calls = any(isinstance(part, ToolCall) for part in parts)
    stop = draw(st.sampled_from(["length", "content_filter", "stop_sequence", "tool_calls" if calls else "end"]))
    usage = draw(usages(long=True).map(_told))
    return Answer(id="", model="", choices=(Choice(parts=tuple(parts), stop=stop),), usage=usage, extra=_metrics())


def _told(usage: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(usage, reasoning=0)


def _metrics() -> Any:
    return (("bedrock_converse", "own.metrics", Raw(b'{"latencyMs":7}')),)


def _citation(said: str) -> Raw:
    return Raw(json.dumps({"title": said, "location": {"web": {"url": "https://x"}}}).encode())


VIDEO = Opaque("bedrock_converse", "video", Raw(b'{"video":{"format":"mp4","source":{"bytes":"AAAA"}}}'))
