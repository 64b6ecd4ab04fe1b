"""What each official SDK must get through the gateway, whatever dialect the target is spoken to in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Call = Callable[[str], None]
"""One case against one route; raises where it fails."""
Make = Callable[[str, str, str], dict[str, Call]]
"""Address, key and the expected answer to the cases of one SDK. Raises ImportError where it is not installed."""
NO_WAY = "no translation leads there"
"""What is said of pairs of dialects that are refused on purpose."""
WEATHER = {
    "type": "object",
    "properties": {"location": {"type": "string"}},
    "required": ["location"],
}
ASKED = "how is the weather in Oslo"
TOOL = ("get_weather", {"location": "Oslo"})


def verdicts(
    base: str, key: str, wires: tuple[str, ...], reply: str, suites: Sequence[tuple[str, Make]]
) -> Iterator[tuple[str, str, str]]:
    """Suite, case and what went wrong."""
    for suite, make in suites:
        try:
            cases = make(base, key, reply)
        except ImportError as error:
            yield suite, "all", f"skipped: {error}"
            continue
        for wire in wires:
            for name, call in cases.items():
                try:
                    call(wire)
                    wrong = ""
                except Exception as error:  # noqa: BLE001 - whatever an SDK raises is the verdict
                    wrong = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                if NO_WAY in wrong:
                    wrong = f"skipped: {NO_WAY}"
                yield suite, f"{wire}: {name}", wrong


def same(found: Any, wanted: Any) -> None:
    """Raises AssertionError where they differ."""
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def _openai_chat(base: str, key: str, reply: str) -> dict[str, Call]:
    import openai

    client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
    hello: list[Any] = [{"role": "user", "content": "hello"}]
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]

    def plain(wire: str) -> None:
        answer = client.chat.completions.create(model=wire, messages=hello)
        same(answer.choices[0].message.content, reply)
        same(answer.choices[0].finish_reason, "stop")
        same(answer.usage is not None, True)

    def stream(wire: str) -> None:
        parts = list(
            client.chat.completions.create(
                model=wire, messages=hello, stream=True, stream_options={"include_usage": True}
            )
        )
        same("".join(one.choices[0].delta.content or "" for one in parts if one.choices), reply)
        same(parts[-1].usage is not None, True)

    def tool(wire: str) -> None:
        asked: list[Any] = [{"role": "user", "content": ASKED}]
        answer = client.chat.completions.create(model=wire, messages=asked, tools=tools)
        made = answer.choices[0].message.tool_calls
        same(answer.choices[0].finish_reason, "tool_calls")
        call: Any = made[0] if made else None
        same((call.function.name, json.loads(call.function.arguments)), TOOL)
        turns = [*asked, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "mild"}]
        again = client.chat.completions.create(model=wire, messages=turns, tools=tools)
        same(bool(again.choices[0].message.content), True)

    return {"plain": plain, "stream": stream, "tool, and its result": tool}


def _openai_responses(base: str, key: str, reply: str) -> dict[str, Call]:
    import openai

    client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
    tools: Any = [{"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": False}]

    def plain(wire: str) -> None:
        answer = client.responses.create(model=wire, input="hello", store=False)
        same((answer.output_text, answer.status), (reply, "completed"))

    def stream(wire: str) -> None:
        events = list(client.responses.create(model=wire, input="hello", store=False, stream=True))
        same("".join(one.delta for one in events if one.type == "response.output_text.delta"), reply)
        same(events[-1].type, "response.completed")

    def tool(wire: str) -> None:
        answer = client.responses.create(model=wire, input=ASKED, tools=tools, store=False)
        call: Any = next(one for one in answer.output if one.type == "function_call")
        same((call.name, json.loads(call.arguments)), TOOL)
        turns: Any = [
            {"role": "user", "content": ASKED},
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
            {"type": "function_call_output", "call_id": call.call_id, "output": "mild"},
        ]
        same(bool(client.responses.create(model=wire, input=turns, tools=tools, store=False).output_text), True)

    return {"plain": plain, "stream": stream, "tool, and its result": tool}


def _anthropic(base: str, key: str, reply: str) -> dict[str, Call]:
    import anthropic

    client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
    tools: Any = [{"name": "get_weather", "input_schema": WEATHER}]

    def plain(wire: str) -> None:
        answer = client.messages.create(model=wire, max_tokens=64, messages=[{"role": "user", "content": "hello"}])
        block: Any = answer.content[0]
        same((block.text, answer.stop_reason), (reply, "end_turn"))

    def stream(wire: str) -> None:
        told: list[Any] = [{"role": "user", "content": "hello"}]
        with client.messages.stream(model=wire, max_tokens=64, messages=told) as events:
            same("".join(events.text_stream), reply)

    def tool(wire: str) -> None:
        told: list[Any] = [{"role": "user", "content": ASKED}]
        answer = client.messages.create(model=wire, max_tokens=64, messages=told, tools=tools)
        same(answer.stop_reason, "tool_use")
        use: Any = next(one for one in answer.content if one.type == "tool_use")
        same((use.name, use.input), TOOL)
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "mild"}
        turns = [*told, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        again = client.messages.create(model=wire, max_tokens=64, messages=turns, tools=tools)
        block: Any = again.content[0]
        same(bool(block.text), True)

    return {"plain": plain, "stream": stream, "tool, and its result": tool}


def _google(base: str, key: str, reply: str) -> dict[str, Call]:
    from google import genai
    from google.genai import types

    client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base))
    declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=WEATHER)
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
    config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)

    def plain(wire: str) -> None:
        answer = client.models.generate_content(model=wire, contents="hello")
        same(answer.text, reply)
        same(answer.usage_metadata is not None, True)

    def stream(wire: str) -> None:
        parts = client.models.generate_content_stream(model=wire, contents="hello")
        same("".join(one.text or "" for one in parts), reply)

    def tool(wire: str) -> None:
        answer = client.models.generate_content(model=wire, contents=ASKED, config=config)
        calls = answer.function_calls or []
        same((calls[0].name, calls[0].args) if calls else None, TOOL)

    return {"plain": plain, "stream": stream, "tool": tool}


def _boto(base: str, key: str, reply: str) -> dict[str, Call]:
    import os

    import boto3

    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
    client: Any = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=base)
    hello = [{"role": "user", "content": [{"text": "hello"}]}]
    tools = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": WEATHER}}}]}

    def plain(wire: str) -> None:
        answer = client.converse(modelId=wire, messages=hello)
        same((answer["output"]["message"]["content"][0]["text"], answer["stopReason"]), (reply, "end_turn"))

    def stream(wire: str) -> None:
        events = list(client.converse_stream(modelId=wire, messages=hello)["stream"])
        deltas = [one["contentBlockDelta"]["delta"].get("text", "") for one in events if "contentBlockDelta" in one]
        same("".join(deltas), reply)
        same(any("metadata" in one for one in events), True)

    def tool(wire: str) -> None:
        asked = [{"role": "user", "content": [{"text": ASKED}]}]
        answer = client.converse(modelId=wire, messages=asked, toolConfig=tools)
        uses = [one["toolUse"] for one in answer["output"]["message"]["content"] if "toolUse" in one]
        same((uses[0]["name"], uses[0]["input"]) if uses else None, TOOL)

    return {"plain": plain, "stream": stream, "tool": tool}


OVER_HTTP: tuple[tuple[str, Make], ...] = (
    ("openai-chat", _openai_chat),
    ("openai-responses", _openai_responses),
    ("anthropic", _anthropic),
    ("google-genai", _google),
)
OVER_TLS: tuple[tuple[str, Make], ...] = (("boto3", _boto),)
"""boto3 sends its bearer key over nothing else."""
