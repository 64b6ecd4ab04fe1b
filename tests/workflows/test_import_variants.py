"""The same tools export in several shapes: other versions, other clients, other options."""

from __future__ import annotations

import json

import pytest

from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.exchange import answer_of
from freehold.workflows.formats.registry import recognised

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
SAID = {"role": "assistant", "content": "Paris"}
DONE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1757000000,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}
BODY = {"model": "gpt-4o", "messages": ASKED}
CALL = {"id": "t1", "type": "function", "function": {"name": "find", "arguments": '{"q":"x"}'}}
AT = 1757000000.0
ISO = "2025-09-04T15:33:20Z"


def attributes(**told):
    return [
        {
            "key": name.replace("__", "."),
            "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)},
        }
        for name, value in told.items()
    ]


def span(pairs, **more):
    return {
        "traceId": "t",
        "spanId": "s1",
        "name": "chat",
        "startTimeUnixNano": str(int(AT * 1e9)),
        "endTimeUnixNano": str(int(AT * 1e9) + 500_000_000),
        "attributes": pairs,
        **more,
    }


def lc(kind, **fields):
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": fields}


GEN = {"gen_ai__request__model": "gpt-4o", "gen_ai__system": "openai"}

VARIANTS = {
    "langfuse blob export": {"id": "o1", "trace_id": "t1", "type": "GENERATION", "start_time": "2025-09-04 15:33:20.000000", "end_time": "2025-09-04 15:33:20.500000", "provided_model_name": "gpt-4o", "model_parameters": '{"temperature": "0.5"}', "input": json.dumps(ASKED), "output": json.dumps(SAID), "usage_details": {"input": 9, "output": 1, "total": 10}, "environment": "default"},
    "langfuse with messages inside and text out": {"id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": ISO, "model": "gpt-4o", "input": {"messages": ASKED}, "output": "Paris", "usage": {"input": 9, "output": 1, "unit": "TOKENS"}},
    "langfuse v2 usage names": {"id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": ISO, "endTime": None, "model": "gpt-4o", "modelParameters": None, "input": ASKED, "output": SAID, "promptTokens": 9, "completionTokens": 1, "metadata": None},
    "langsmith with LangChain's messages": {"id": "r1", "run_type": "llm", "start_time": "2025-09-04T15:33:20.000000", "end_time": "2025-09-04T15:33:20.500000", "inputs": {"messages": [[lc("SystemMessage", content="Be brief.", type="system"), lc("HumanMessage", content="Capital of France?", type="human")]]}, "outputs": {"generations": [[{"text": "Paris", "generation_info": {"finish_reason": "stop"}, "message": lc("AIMessage", content="Paris", type="ai", response_metadata={"model_name": "gpt-4o", "token_usage": {"prompt_tokens": 9, "completion_tokens": 1}})}]], "llm_output": None}, "extra": {"invocation_params": {"model": "gpt-4o", "_type": "openai-chat", "stop": None}}, "error": None, "status": "success"},
    "langsmith with plain message dicts": {"id": "r1", "run_type": "llm", "start_time": ISO, "inputs": {"messages": [{"type": "system", "content": "Be brief."}, {"type": "human", "content": "Capital of France?"}]}, "outputs": {"generations": [{"text": "Paris", "message": {"type": "ai", "data": {"content": "Paris", "usage_metadata": {"input_tokens": 9, "output_tokens": 1}}}}]}, "extra": {"metadata": {"ls_model_name": "gpt-4o", "ls_provider": "openai"}}},
    "langsmith with one message out": {"id": "r1", "run_type": "llm", "start_time": ISO, "inputs": BODY, "outputs": {"role": "assistant", "content": "Paris", "usage_metadata": {"input_tokens": 9, "output_tokens": 1}}, "extra": {}},
    "litellm from an object store": {"id": "l1", "trace_id": "t1", "call_type": "acompletion", "response_cost": 0.1, "startTime": AT, "endTime": AT + 0.5, "completionStartTime": AT + 0.1, "model": "openai/gpt-4o", "messages": ASKED, "response": DONE, "model_parameters": {"temperature": 0.5, "stream": False}, "metadata": {"user_api_key_alias": "shop"}, "status": "success", "custom_llm_provider": "openai"},
    "litellm rows with JSON in texts": {"request_id": "l1", "call_type": "completion", "spend": 0.1, "startTime": "2025-09-04 15:33:20+00:00", "endTime": "2025-09-04 15:33:20.5+00:00", "model": "gpt-4o", "messages": json.dumps(ASKED), "response": json.dumps(DONE), "proxy_server_request": "{}", "request_tags": "[]", "metadata": "{}", "prompt_tokens": 9, "completion_tokens": 1},
    "helicone with texts for bodies": {"request_id": "h1", "request_created_at": "2025-09-04 15:33:20.000", "request_body": json.dumps(BODY), "response_body": json.dumps(DONE), "response_status": 200, "delay_ms": 500, "provider": "OPENAI", "properties": {"app": "shop"}},
    "phoenix in nested attributes": {"name": "llm", "context": {"span_id": "p1"}, "span_kind": "LLM", "start_time": ISO, "attributes": {"llm": {"model_name": "gpt-4o", "input_messages": [{"message": {"role": "system", "content": "Be brief."}}, {"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": "Capital of France?"}}]}}], "output_messages": [{"message": {"role": "assistant", "content": "Paris"}}], "token_count": {"prompt": 9, "completion": 1}}, "openinference": {"span": {"kind": "LLM"}}}},
    "phoenix as columns of a table": {"name": "llm", "span_kind": "LLM", "start_time": ISO, "context.span_id": "p1", "attributes.llm.model_name": "gpt-4o", "attributes.llm.input_messages": [{"message.role": "system", "message.content": "Be brief."}, {"message.role": "user", "message.content": "Capital of France?"}], "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": "Paris"}], "attributes.llm.token_count.prompt": 9, "attributes.llm.token_count.completion": 1},
    "otlp with numbered prompts": span(attributes(**GEN, gen_ai__prompt__0__role="system", gen_ai__prompt__0__content="Be brief.", gen_ai__prompt__1__role="user", gen_ai__prompt__1__content="Capital of France?", gen_ai__completion__0__role="assistant", gen_ai__completion__0__content="Paris", gen_ai__completion__0__finish_reason="stop", gen_ai__usage__prompt_tokens=9, gen_ai__usage__completion_tokens=1)),
    "otlp with events for messages": span(attributes(**GEN, gen_ai__usage__input_tokens=9, gen_ai__usage__output_tokens=1), events=[{"name": "gen_ai.system.message", "attributes": attributes(content="Be brief.")}, {"name": "gen_ai.user.message", "attributes": attributes(content="Capital of France?")}, {"name": "gen_ai.choice", "attributes": attributes(message=json.dumps({"content": "Paris"}), finish_reason="stop", index=0)}]),
    "otlp with one event for all": span(attributes(**GEN, gen_ai__usage__input_tokens=9, gen_ai__usage__output_tokens=1), events=[{"name": "gen_ai.client.inference.operation.details", "attributes": attributes(gen_ai__input__messages=json.dumps([{"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}, {"role": "user", "parts": [{"type": "text", "content": "Capital of France?"}]}]), gen_ai__output__messages=json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Paris"}], "finish_reason": "stop"}]))}]),
    "otlp with content events": span(attributes(**GEN, gen_ai__usage__input_tokens=9, gen_ai__usage__output_tokens=1), events=[{"name": "gen_ai.content.prompt", "attributes": attributes(gen_ai__prompt=json.dumps(ASKED))}, {"name": "gen_ai.content.completion", "attributes": attributes(gen_ai__completion=json.dumps([SAID]))}]),
    "otlp in OpenInference's words": span(attributes(openinference__span__kind="LLM", llm__model_name="gpt-4o", llm__input_messages__0__message__role="system", llm__input_messages__0__message__content="Be brief.", llm__input_messages__1__message__role="user", llm__input_messages__1__message__content="Capital of France?", llm__output_messages__0__message__role="assistant", llm__output_messages__0__message__content="Paris", llm__token_count__prompt=9, llm__token_count__completion=1)),
    "openpipe with whole completions, in milliseconds": {"input": BODY, "output": {**DONE, "created": 1757000000000}, "tags": {"prompt_id": "capital"}},
    "openpipe's older payloads": {"reqPayload": BODY, "respPayload": DONE, "requestedAt": ISO, "statusCode": 200, "tags": {}},
    "flywheel out of a document store": {"_id": "e1", "_source": {"timestamp": 1757000000, "workload_id": "capital", "client_id": "shop", "request": BODY, "response": DONE}},
    "plain with headers around the bodies": {"timestamp": ISO, "request": {"headers": {"authorization": "Bearer x"}, "body": BODY}, "response": {"status": 200, "body": DONE}},
    "plain with JSON in texts": {"ts": 1757000000000, "request": json.dumps(BODY), "response": json.dumps(DONE)},
    "har of a stream": {"startedDateTime": ISO, "time": 500, "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": [], "postData": {"text": json.dumps({**BODY, "stream": True})}}, "response": {"status": 200, "content": {"mimeType": "text/event-stream", "text": "".join(f"data: {json.dumps(one)}\n\n" for one in [{"id": "c1", "created": 1757000000, "model": "gpt-4o", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Pa"}}]}, {"id": "c1", "created": 1757000000, "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "ris"}, "finish_reason": "stop"}]}, {"id": "c1", "created": 1757000000, "model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}}]) + "data: [DONE]\n\n"}}},
    "har of Anthropic's": {"startedDateTime": ISO, "time": 500, "request": {"method": "POST", "url": "https://api.anthropic.com/v1/messages", "headers": [], "postData": {"text": json.dumps({"model": "gpt-4o", "max_tokens": 5, "system": "Be brief.", "messages": ASKED[1:]})}}, "response": {"status": 200, "content": {"text": json.dumps({"type": "message", "id": "m1", "role": "assistant", "model": "gpt-4o", "content": [{"type": "text", "text": "Paris"}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 1}})}}},
    "har of the Responses API": {"startedDateTime": ISO, "time": 500, "request": {"method": "POST", "url": "https://api.openai.com/v1/responses", "headers": [], "postData": {"text": json.dumps({"model": "gpt-4o", "instructions": "Be brief.", "input": "Capital of France?"})}}, "response": {"status": 200, "content": {"text": json.dumps({"id": "resp_1", "object": "response", "created_at": 1757000000, "model": "gpt-4o", "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Paris", "annotations": []}]}], "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}})}}},
}  # fmt: skip


def only(one):
    form = recognised(one)
    assert form is not None
    (draft,) = form.read(one, {})
    return draft


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_read(name):
    draft = only(VARIANTS[name])
    assert draft.source in name.replace("flywheel", "nvidia_flywheel").split()[0].removesuffix("'s")
    assert draft.request["messages"] == ASKED
    assert answer_of(json.dumps(draft.response).encode()).text == "Paris"
    assert draft.at == AT
    assert draft.model.removeprefix("openai/") == "gpt-4o"
    assert draft.status == 200
    usage = draft.usage or draft.response.get("usage")
    assert usage, "the tokens are told somewhere"


TOOLS = {
    "langsmith": {"id": "r1", "run_type": "llm", "start_time": ISO, "inputs": {"messages": [[lc("HumanMessage", content="look", type="human"), lc("AIMessage", content="", type="ai", tool_calls=[{"name": "find", "args": {"q": "x"}, "id": "t1", "type": "tool_call"}]), lc("ToolMessage", content="found", type="tool", tool_call_id="t1")]]}, "outputs": {"generations": [[{"text": "", "message": lc("AIMessage", content="", type="ai", tool_calls=[{"name": "find", "args": {"q": "x"}, "id": "t1"}])}]]}, "extra": {"invocation_params": {"model": "gpt-4o", "tools": [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]}}},
    "otlp": span(attributes(**GEN, gen_ai__input__messages=json.dumps([{"role": "user", "parts": [{"type": "text", "content": "look"}]}, {"role": "assistant", "parts": [{"type": "tool_call", "id": "t1", "name": "find", "arguments": {"q": "x"}}]}, {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "found"}]}]), gen_ai__output__messages=json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "id": "t1", "name": "find", "arguments": {"q": "x"}}], "finish_reason": "tool_call"}]), gen_ai__tool__definitions=json.dumps([{"type": "function", "name": "find", "parameters": {"type": "object"}}]))),
    "anthropic": {"request": {"model": "claude-x", "max_tokens": 9, "tools": [{"name": "find", "input_schema": {"type": "object"}}], "messages": [{"role": "user", "content": "look"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "x"}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]}]}, "response": {"type": "message", "id": "m", "role": "assistant", "model": "claude-x", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "x"}}], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}}, "ts": ISO},
    "responses": {"request": {"model": "gpt-4o", "input": [{"role": "user", "content": [{"type": "input_text", "text": "look"}]}, {"type": "function_call", "call_id": "t1", "name": "find", "arguments": '{"q":"x"}'}, {"type": "function_call_output", "call_id": "t1", "output": "found"}], "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}]}, "response": {"object": "response", "output": [{"type": "function_call", "call_id": "t1", "name": "find", "arguments": '{"q":"x"}'}]}, "ts": ISO},
    "phoenix": {"name": "x", "context": {"span_id": "p"}, "start_time": ISO, "attributes": {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "look", "llm.input_messages.1.message.role": "assistant", "llm.input_messages.1.message.tool_calls.0.tool_call.id": "t1", "llm.input_messages.1.message.tool_calls.0.tool_call.function.name": "find", "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments": '{"q":"x"}', "llm.input_messages.2.message.role": "tool", "llm.input_messages.2.message.tool_call_id": "t1", "llm.input_messages.2.message.content": "found", "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.tool_calls.0.tool_call.id": "t1", "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find", "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"q":"x"}', "llm.tools.0.tool.json_schema": '{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}'}},
}  # fmt: skip


@pytest.mark.parametrize("name", TOOLS)
def test_tools_come_through(name):
    draft = only(TOOLS[name])
    asked, called, answered = draft.request["messages"]
    assert asked == {"role": "user", "content": "look"}
    assert called["tool_calls"] == [CALL]
    assert (answered["role"], answered["tool_call_id"], answered["content"]) == ("tool", "t1", "found")
    assert draft.request["tools"] == [
        {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    ]
    answer = draft.response["choices"][0]
    assert (answer["message"]["tool_calls"], answer["finish_reason"]) == ([CALL], "tool_calls")


def test_images_of_anthropic_become_data_urls():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    one = {
        "custom_id": "a",
        "params": {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": [image]}]},
    }
    (half,) = recognised(one).read(one, {})
    (part,) = half.body["messages"][0]["content"]
    assert part["image_url"]["url"] == "data:image/png;base64,aGk="


@pytest.mark.parametrize(
    "one",
    [
        {"id": "o", "traceId": "t", "type": "SPAN", "startTime": ISO, "input": "x"},
        {"id": "r", "run_type": "chain", "inputs": {}},
        {"call_type": "aembedding", "startTime": ISO, "request_id": "x"},
        {"startedDateTime": ISO, "request": {"method": "GET", "url": "https://x.test/logo.png"}, "response": {}},
        span(attributes(http__method="GET")),
        {"custom_id": "a", "url": "/v1/embeddings", "body": {"input": "x"}},
        {"ts": ISO, "request": {"model": "m", "input": "x"}, "response": {"data": []}},
        {"ts": ISO, "request": {"model": "m", "prompt": "x"}, "response": {}},
        {
            "ts": ISO,
            "request": {"model": "m", "input": [{"role": "user", "content": "x"}], "previous_response_id": "r"},
            "response": {},
        },
    ],
)
def test_what_is_no_chat_is_told_apart(one):
    with pytest.raises(NotACall):
        list(recognised(one).read(one, {}))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        ({"request_id": "h", "request_created_at": ISO}, "bodies were not exported"),
        (
            {"request_id": "l", "call_type": "acompletion", "startTime": ISO, "messages": {}, "response": {}},
            "not logged",
        ),
        (span(attributes(**GEN)), "not captured"),
        ({"messages": ASKED}, "last message is not the assistant's"),
        ({"custom_id": "", "body": BODY}, "no custom_id"),
        ({"ts": ISO, "request": {"model": "m", "messages": []}, "response": DONE}, "no messages"),
        ({"ts": ISO, "request": {"model": "m", "messages": [{"content": "x"}]}, "response": DONE}, "no role"),
        ({"ts": ISO, "request": BODY, "response": {"strange": 1}}, "no known form"),
    ],
)
def test_what_cannot_be_read_says_why(one, why):
    with pytest.raises(Unreadable, match=why):
        list(recognised(one).read(one, {}))


@pytest.mark.parametrize(
    ("one", "status"),
    [
        ({"ts": ISO, "request": BODY, "response": {"error": {"message": "overloaded"}}}, 500),
        ({"request_id": "h", "request_created_at": ISO, "request_body": BODY, "response_body": {}, "response_status": 429}, 429),
        ({"id": "r", "run_type": "llm", "start_time": ISO, "inputs": BODY, "outputs": None, "error": "boom"}, 500),
        ({"request_id": "l", "call_type": "acompletion", "startTime": ISO, "messages": ASKED, "response": {}, "status": "failure"}, 500),
    ],
)  # fmt: skip
def test_a_failed_call_is_kept_without_an_answer(one, status):
    draft = only(one)
    assert (draft.status, draft.response) == (status, None)


def test_what_only_says_how_it_was_sent_is_left_out():
    more = {"stream": True, "stream_options": {}, "user": "u", "store": True, "metadata": {"workflow": "w", "app": "a"}}
    draft = only({"ts": ISO, "request": {**BODY, **more}, "response": DONE})
    assert draft.request == BODY
    assert (draft.workflow, draft.app) == ("w", "a")


def test_preferred_answers_of_preference_pairs_are_taken():
    one = {
        "input": {"messages": ASKED},
        "preferred_output": [SAID],
        "non_preferred_output": [{"role": "assistant", "content": "Lyon"}],
    }
    assert answer_of(json.dumps(only(one).response).encode()).text == "Paris"
