"""Requests as callers write them, drawn: every field now and then, each value once, unknown fields included."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st


class Fresh:
    """Values that occur once, so that each can be looked for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, stem: str = "v") -> str:
        self.count += 1
        return f"{stem}{self.count}"


def some(draw: Any, **fields: Any) -> dict[str, Any]:
    """A part of these fields; what is a function is called for its value."""
    return {name: one() if callable(one) else one for name, one in fields.items() if draw(st.booleans())}


def openai_part(draw: Any, fresh: Fresh) -> dict[str, Any]:
    mark = some(draw, prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"}, vendor_part=fresh)
    return draw(
        st.sampled_from(
            [
                {"type": "text", "text": fresh(), **mark},
                {"type": "image_url", "image_url": {"url": f"https://x/{fresh()}", "detail": "low"}, **mark},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{fresh()}"}},
                {"type": "input_audio", "input_audio": {"data": fresh(), "format": "wav"}},
                {"type": "file", "file": {"file_id": fresh()}},
                {"type": "video_url", "video_url": {"url": fresh()}},
            ]
        )
    )


@st.composite
def openai_requests(draw: Any) -> dict[str, Any]:
    fresh = Fresh()
    messages: list[dict[str, Any]] = [{"role": draw(st.sampled_from(["system", "developer"])), "content": fresh()}]
    for _ in range(draw(st.integers(1, 3))):
        parts = [openai_part(draw, fresh) for _ in range(draw(st.integers(1, 3)))]
        messages.append({"role": "user", "content": draw(st.sampled_from([fresh(), parts])), **some(draw, name=fresh)})
        calls = [
            {
                "id": fresh("call"),
                "type": "function",
                "function": {"name": fresh("f"), "arguments": json.dumps({"a": fresh()}, indent=1)},
                **some(draw, extra_content=lambda: {"google": fresh()}),
            }
            for _ in range(draw(st.integers(0, 3)))
        ]
        said = some(draw, content=fresh, refusal=fresh, reasoning_content=fresh, reasoning_details=lambda: [fresh()])
        if said or calls:
            messages.append({"role": "assistant", **said, **({"tool_calls": calls} if calls else {})})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": fresh()} for call in calls]
    tools = [
        {
            "type": "function",
            "function": {"name": fresh("f"), "parameters": {"p": fresh()}, "description": fresh(), "strict": True},
        },
        {"type": "function", "function": {"name": fresh("f")}},
        {"type": "custom", "custom": {"name": fresh("c"), "format": {"type": "text"}}},
    ]
    limit = draw(
        st.sampled_from(
            [{}, {"max_tokens": 11}, {"max_completion_tokens": 12}, {"max_tokens": 13, "max_completion_tokens": 13}]
        )
    )
    choice = st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "f9"}}])
    odd = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"x": "y"}]}}
    stream = draw(
        st.sampled_from([{}, {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}])
    )
    return {
        "model": "route", "messages": messages, **limit, **stream,
        **some(
            draw, tools=draw(st.lists(st.sampled_from(tools), min_size=1, max_size=3)), parallel_tool_calls=False,
            tool_choice=draw(choice | st.just(odd)), temperature=0.5, top_p=0.25, n=2, seed=-77, stop=[fresh(), fresh()],
            presence_penalty=0.75, frequency_penalty=-0.5, logprobs=True, top_logprobs=3, logit_bias={"50256": -100},
            user=fresh, store=False, metadata={"workflow": fresh()}, service_tier=fresh, verbosity="low",
            reasoning_effort="minimal", prediction={"type": "content", "content": fresh()}, vendor_top={"deep": [fresh()]},
            response_format=draw(st.sampled_from([
                {"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "n", "schema": {"s": fresh()}, "strict": True}},
                {"type": "json_object", "schema": {"s": fresh()}}, {"type": "grammar", "grammar": fresh()},
            ])),
        ),
    }  # fmt: skip


def anthropic_block(draw: Any, fresh: Fresh) -> dict[str, Any]:
    mark = some(draw, cache_control=draw(st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])))
    return draw(
        st.sampled_from(
            [
                {"type": "text", "text": fresh(), **mark},
                {"type": "text", "text": fresh(), "citations": [{"type": "page_location", "x": fresh()}]},
                {"type": "image", "source": {"type": "url", "url": fresh()}, **mark},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": fresh()}},
                {"type": "image", "source": {"type": "file", "file_id": fresh()}, **mark},
                {"type": "document", "source": {"type": "text", "data": fresh()}, "title": fresh(), **mark},
                {"type": "search_result", "title": fresh(), "content": []},
            ]
        )
    )


def anthropic_messages(draw: Any, fresh: Fresh) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        blocks = [anthropic_block(draw, fresh) for _ in range(draw(st.integers(1, 3)))]
        messages.append({"role": "user", "content": draw(st.sampled_from([fresh(), blocks]))})
        calls = [
            {
                "type": "tool_use",
                "id": fresh("toolu"),
                "name": fresh("f"),
                "input": {"a": fresh()},
                **some(draw, toolset_name=fresh),
            }
            for _ in range(draw(st.integers(0, 2)))
        ]
        thought = [
            {"type": "thinking", "thinking": fresh(), "signature": fresh()},
            {"type": "redacted_thinking", "data": fresh()},
        ]
        server = [{"type": "server_tool_use", "id": fresh(), "name": "web_search", "input": {"q": fresh()}}]
        messages.append(
            {"role": "assistant", "content": [*thought, {"type": "text", "text": fresh()}, *server, *calls]}
        )
        results = [
            {
                "type": "tool_result", "tool_use_id": call["id"], **some(draw, is_error=True),
                "content": draw(st.sampled_from([fresh(), [{"type": "text", "text": fresh()}, {"type": "image", "source": {"type": "url", "url": fresh()}}]])),
            }
            for call in calls
        ]  # fmt: skip
        if results:
            messages.append({"role": "user", "content": results})
        messages += [{"role": "system", "content": fresh()}] if draw(st.booleans()) else []
    return messages


@st.composite
def anthropic_requests(draw: Any) -> dict[str, Any]:
    fresh = Fresh()
    messages = anthropic_messages(draw, fresh)
    tools = [
        {
            "name": fresh("f"),
            "description": fresh(),
            "input_schema": {"p": fresh()},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {
            "name": fresh("f"),
            "input_schema": {},
            "strict": True,
            "defer_loading": True,
            "input_examples": [{"e": fresh()}],
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5, "allowed_domains": [fresh()]},
    ]
    thinking = [
        {"type": "enabled", "budget_tokens": 2048},
        {"type": "disabled"},
        {"type": "adaptive", "display": "omitted"},
    ]
    return {
        "model": "route", "messages": messages, "max_tokens": 17,
        **some(
            draw, tools=draw(st.lists(st.sampled_from(tools), min_size=1, max_size=3)), stream=True, temperature=0.5, top_p=0.25, top_k=40,
            system=draw(st.sampled_from([fresh(), [{"type": "text", "text": fresh(), "cache_control": {"type": "ephemeral"}}]])),
            tool_choice=draw(st.sampled_from([
                {"type": "auto", "disable_parallel_tool_use": True}, {"type": "any"}, {"type": "tool", "name": fresh()}, {"type": "none"},
            ])),
            thinking=draw(st.sampled_from(thinking)), stop_sequences=[fresh()], metadata={"user_id": fresh(), "more": fresh()},
            output_config=draw(st.sampled_from([
                {"effort": "high"}, {"format": {"type": "json_schema", "schema": {"s": fresh()}}},
                {"effort": "max", "format": {"type": "json_schema", "schema": {}}, "vendor": fresh()},
            ])),
            service_tier="auto", container=fresh, mcp_servers=[{"url": fresh()}], inference_geo="us", cache_control={"type": "ephemeral"},
            vendor_top={"deep": fresh()}, context_management={"edits": [fresh()]},
        ),
    }  # fmt: skip


def responses_part(draw: Any, fresh: Fresh) -> dict[str, Any]:
    mark = some(draw, prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"}, vendor_part=fresh)
    return draw(
        st.sampled_from(
            [
                {"type": "input_text", "text": fresh(), **mark},
                {"type": "input_image", "image_url": f"https://x/{fresh()}", "detail": "low", **mark},
                {"type": "input_image", "image_url": f"data:image/png;base64,{fresh()}"},
                {"type": "input_image", "file_id": fresh(), "detail": "auto"},
                {"type": "input_file", "filename": fresh(), "file_data": fresh()},
                {"type": "input_video", "video_url": fresh()},
            ]
        )
    )


def responses_items(draw: Any, fresh: Fresh) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [{"role": draw(st.sampled_from(["system", "developer"])), "content": fresh()}]
    for _ in range(draw(st.integers(1, 3))):
        parts = [responses_part(draw, fresh) for _ in range(draw(st.integers(1, 3)))]
        said = {"role": "user", "content": draw(st.sampled_from([fresh(), parts]))}
        items.append({**said, **some(draw, type="message", id=lambda: fresh("i"), status="completed")})
        thought = {"type": "reasoning", "id": fresh("i"), "summary": [{"type": "summary_text", "text": fresh()}]}
        items += draw(
            st.lists(
                st.sampled_from(
                    [
                        {**thought, **some(draw, encrypted_content=fresh, status="completed", vendor_item=fresh)},
                        {"type": "reasoning", "id": fresh("i"), "summary": [], "encrypted_content": fresh()},
                        {"type": "web_search_call", "id": fresh(), "action": {"query": fresh()}},
                        {"type": "custom_tool_call_output", "call_id": fresh(), "output": fresh()},
                    ]
                ),
                unique_by=str,
                max_size=2,
            )
        )
        output = {"type": "output_text", "text": fresh(), "annotations": [{"type": "url_citation", "url": fresh()}]}
        spoken = [output, {"type": "refusal", "refusal": fresh()}]
        message = {"type": "message", "role": "assistant", "content": draw(st.sampled_from([fresh(), spoken]))}
        items.append({**message, **some(draw, id=lambda: fresh("i"), status="completed", phase=fresh)})
        calls = [
            {
                "type": "function_call", "call_id": fresh("call"), "name": fresh("f"),
                "arguments": json.dumps({"a": fresh()}), **some(draw, id=lambda: fresh("i"), namespace=fresh),
            }
            for _ in range(draw(st.integers(0, 2)))
        ]  # fmt: skip
        items += calls
        items += [
            {
                "type": "function_call_output",
                "call_id": one["call_id"],
                "output": draw(st.sampled_from([fresh(), parts])),
            }
            for one in calls
        ]
    return items


@st.composite
def responses_requests(draw: Any) -> dict[str, Any]:
    fresh = Fresh()
    tools = [
        {"type": "function", "name": fresh("f"), "parameters": {"p": fresh()}, "description": fresh(), "strict": True},
        {"type": "function", "name": fresh("f"), "defer_loading": True},
        {"type": "web_search", "filters": {"allowed_domains": [fresh()]}},
    ]
    forms = [
        {"format": {"type": "json_object"}},
        {"format": {"type": "json_schema", "name": "n", "schema": {"s": fresh()}, "strict": True}, "verbosity": "low"},
        {"verbosity": "high"},
    ]
    choice = st.sampled_from(["auto", "none", "required", {"type": "function", "name": "f9"}, {"type": "web_search"}])
    return {
        "model": "route", "input": responses_items(draw, fresh),
        **some(
            draw, instructions=fresh, tools=draw(st.lists(st.sampled_from(tools), min_size=1, max_size=3)), stream=True,
            tool_choice=draw(choice), parallel_tool_calls=False, temperature=0.5, top_p=0.25, max_output_tokens=17,
            text=draw(st.sampled_from(forms)), reasoning=draw(st.sampled_from([{"effort": "high", "summary": "auto"}, {"effort": "none"}])),
            include=draw(st.sampled_from([["message.output_text.logprobs"], ["reasoning.encrypted_content", "message.output_text.logprobs"]])),
            top_logprobs=3, user=fresh, store=False, metadata={"workflow": fresh()}, service_tier=fresh, truncation="auto",
            prompt_cache_key=fresh, safety_identifier=fresh, max_tool_calls=3, stream_options={"include_obfuscation": False},
            vendor_top={"deep": [fresh()]},
        ),
    }  # fmt: skip
