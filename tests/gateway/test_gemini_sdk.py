"""Google's official SDK against a gateway on real sockets: its own vendor, vendors of other dialects, and a guard; and
other SDKs' callers of Gemini.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from freehold.policy.types import Policy
from tests.e2e.sdks import CITY, PERSON, PLAIN
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_gemini import SIGNATURE, FakeGemini
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.guarded_house import WATCH
from tests.gateway.instance import Home, Instance, until

ROUTES = ("gemini", "gpt", "claude", "guarded")
TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=one, description="Says it.", parameters_json_schema=CITY)
        for one in ("weather", "time")
    ]
)
WHOLE = "/v1beta/models/{}:generateContent"
GEMINI = ("gemini", "gemini_count_tokens", "gemini_embeddings")


class Vendors:
    def __init__(self, gemini: FakeGemini, openai: FakeOpenAi, anthropic: FakeAnthropic) -> None:
        self.gemini, self.openai, self.anthropic = gemini, openai, anthropic

    def of(self, route: str) -> Any:
        return {"gpt": self.openai, "claude": self.anthropic}.get(route, self.gemini)


@pytest.fixture(scope="module")
def all_vendors() -> Iterator[Vendors]:
    with FakeGemini() as one, FakeOpenAi() as two, FakeAnthropic() as three:
        yield Vendors(one, two, three)


@pytest.fixture
def vendors(all_vendors) -> Vendors:
    for one in (all_vendors.gemini, all_vendors.openai, all_vendors.anthropic):
        one.calm()
    return all_vendors


@pytest.fixture(scope="module")
def instance(tmp_path_factory, all_vendors) -> Iterator[Instance]:
    port = all_vendors.gemini.port
    more = {"driver": "gemini", "path": "/v1beta", "dialects": GEMINI, **p.LIMITS}
    targets = (
        p.target("gemini", port, model="gemini-3-fake", **more),
        p.target("older", port, model="gemini-2.5-fake", **more),
        p.target("gpt", all_vendors.openai.port, model="gpt-fake", **p.LIMITS),
        p.claude("claude", all_vendors.anthropic.port, model="claude-fake", **p.LIMITS),
    )
    routes = (
        *(p.route(one, one, attempts=1) for one in ("gemini", "older", "gpt", "claude")),
        p.route("both", "gemini", "gpt"),
        p.route("guarded", "gemini", guard="watch", capture=True, attempts=1),
    )
    home = Home(tmp_path_factory.mktemp("gemini"), p.routes(targets, *routes), p.keys(), Policy(guards=(WATCH,)))
    with Instance(home, secret=all_vendors.gemini.key) as made:
        yield made


@pytest.fixture(scope="module")
def client(instance) -> Iterator[genai.Client]:
    place = types.HttpOptions(base_url=f"http://127.0.0.1:{instance.port}", client_args={"verify": PLAIN})
    made = genai.Client(api_key=p.KEY, http_options=place, vertexai=False)
    yield made
    made.close()


@pytest.fixture
def models(client, vendors) -> Any:
    return client.models


def sent(vendors: Vendors, route: str) -> Any:
    return vendors.of(route).last.json


def ask(instance: Instance, path: str, body: Any, *lines: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return instance.ask(p.request(path, data, *lines, key=None))


@pytest.mark.parametrize("route", ROUTES)
def test_text(models, route):
    got = models.generate_content(model=route, contents="Write one sentence about the sea.")
    assert got.text and got.response_id and got.model_version
    assert got.candidates[0].finish_reason == types.FinishReason.STOP
    counts = got.usage_metadata
    assert counts.total_token_count == counts.prompt_token_count + counts.candidates_token_count > 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_says_what_the_whole_answer_says(models, route):
    whole = models.generate_content(model=route, contents="Count to five.")
    chunks = list(models.generate_content_stream(model=route, contents="Count to five."))
    assert len(chunks) > 2
    assert "".join(one.text or "" for one in chunks) == whole.text
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count == whole.usage_metadata.total_token_count


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_parallel_tools_and_their_results_go_round(models, vendors, route, stream):
    config = types.GenerateContentConfig(
        tools=[TOOL],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        max_output_tokens=64,
    )
    said: list[types.Part] = []
    if stream:
        for one in models.generate_content_stream(model=route, contents="Weather and time in Paris?", config=config):
            said += one.candidates[0].content.parts or []
    else:
        got = models.generate_content(model=route, contents="Weather and time in Paris?", config=config)
        said = got.candidates[0].content.parts
    said = [one for one in said if one.function_call]
    assert [one.function_call.name for one in said] == ["weather", "time"]
    assert all(isinstance(one.function_call.args["city"], str) for one in said)
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=one.function_call.id, name=one.function_call.name, response={"output": f"result {at}"}
            )
        )
        for at, one in enumerate(said)
    ]
    turns = [
        types.Content(role="user", parts=[types.Part(text="Weather and time?")]),
        types.Content(role="model", parts=said),
        types.Content(role="user", parts=results),
    ]
    final = models.generate_content(model=route, contents=turns, config=config)
    assert final.text
    told = json.dumps(sent(vendors, route))
    assert "result 0" in told and "result 1" in told
    if route in {"gemini", "guarded"}:
        assert told.count(SIGNATURE) == 1


@pytest.mark.parametrize("route", ROUTES)
def test_structured_output_fits_its_schema(models, route):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=PERSON)
    found = json.loads(models.generate_content(model=route, contents="Ann, 30, as JSON.", config=config).text)
    assert set(found) == {"name", "age"} and isinstance(found["age"], int)


def test_the_vendors_own_schemas_reach_others_as_json_schema(models, vendors):
    schema = types.Schema(
        type="OBJECT", properties={"name": types.Schema(type="STRING", nullable=True)}, required=["name"]
    )
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
    models.generate_content(model="claude", contents="Ann, as JSON.", config=config)
    assert sent(vendors, "claude")["output_config"]["format"]["schema"] == {
        "type": "object", "properties": {"name": {"type": ["string", "null"]}}, "required": ["name"],
    }  # fmt: skip


def test_a_call_goes_out_byte_for_byte_where_the_vendor_speaks_it(instance, vendors):
    body = b'{"contents":  [{"role":"user","parts":[{"text":"x\\u00e9"}]}],\n "safetySettings":[], "generationConfig": {"topK": 40.0}}\n'
    for path in (WHOLE.format("gemini"), "/v1beta/models/gemini:streamGenerateContent?alt=sse"):
        answer = ask(instance, path, body, f"x-goog-api-key: {p.KEY}")
        assert answer.status == 200
        assert vendors.gemini.last.body == body
        assert vendors.gemini.last.path == path.replace("models/gemini", "models/gemini-3-fake")
        assert "x-goog-api-key" in vendors.gemini.last.headers and p.KEY not in str(vendors.gemini.last.headers)


def test_the_key_in_the_query_admits_and_goes_nowhere(instance, vendors):
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    answer = ask(instance, f"{WHOLE.format('gemini')}?key={p.KEY}", body)
    assert answer.status == 200
    assert p.KEY not in vendors.gemini.last.path + str(vendors.gemini.last.headers)
    assert ask(instance, f"{WHOLE.format('gemini')}?key=wrong", body).status == 401
    assert ask(instance, WHOLE.format("gemini"), body).status == 401
    assert ask(instance, f"/v1beta/nowhere?key={p.KEY}", body).status == 404
    with instance.client() as other:
        other.send(f"GET /v1beta/models?key={p.KEY} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        assert other.read("GET").status == 200
    assert p.KEY not in instance.log.getvalue() + str(instance.home.frames())


def test_a_stream_without_events_is_one_array(instance, vendors):
    body = {"contents": [{"parts": [{"text": "Count to five."}]}]}
    for route in ("gemini", "gpt"):
        answer = ask(instance, f"/v1beta/models/{route}:streamGenerateContent", body, f"x-goog-api-key: {p.KEY}")
        assert answer.headers["content-type"] == "application/json"
        found = json.loads(answer.body)
        whole = json.loads(ask(instance, WHOLE.format(route), body, f"x-goog-api-key: {p.KEY}").body)
        texts = [part["text"] for one in found for part in one["candidates"][0]["content"].get("parts", ())]
        assert "".join(texts) == whole["candidates"][0]["content"]["parts"][0]["text"]
        assert found[-1]["candidates"][0]["finishReason"] == "STOP"
        assert found[-1]["usageMetadata"] == whole["usageMetadata"]


@pytest.mark.parametrize("route", ["gemini", "gpt"])
@pytest.mark.parametrize("kind", ["cut", "cut_politely", "error_inside", "no_end"])
def test_a_broken_stream_never_looks_whole(models, vendors, route, kind):
    vendors.of(route).fail(Fault(kind, after=3))
    with pytest.raises(Exception) as caught:  # noqa: PT012 - the SDK has no error of its own for a cut
        for one in models.generate_content_stream(model=route, contents="Count to five."):
            assert one.candidates is None or one.candidates[0].finish_reason is None
    assert not isinstance(caught.value, AssertionError)


def test_counting_and_embedding(models, vendors, instance):
    assert models.count_tokens(model="gemini", contents="one two three").total_tokens > 3
    assert vendors.gemini.last.path == "/v1beta/models/gemini-3-fake:countTokens"
    assert models.count_tokens(model="gpt", contents="one two three").total_tokens > 3  # by rule of thumb
    assert not vendors.openai.requests
    got = models.embed_content(model="gemini", contents=[types.UserContent("one"), types.UserContent("two words")])
    assert [len(one.values) for one in got.embeddings] == [2, 2]
    assert vendors.gemini.last.path == "/v1beta/models/gemini-3-fake:batchEmbedContents"
    assert {one["model"] for one in vendors.gemini.last.json["requests"]} == {"models/gemini-3-fake"}
    with pytest.raises(errors.ClientError) as caught:
        models.embed_content(model="gpt", contents="one")
    assert "FH-REQ-004" in str(caught.value)


def test_models_are_the_routes(models):
    found = {one.name: one for one in models.list(config={"query_base": True})}
    assert set(found) == {f"models/{one}" for one in (*ROUTES, "both", "older")}
    assert "embedContent" in found["models/gemini"].supported_actions
    assert "embedContent" not in found["models/gpt"].supported_actions
    assert models.get(model="gpt").name == "models/gpt"


@pytest.mark.parametrize(
    ("model", "fault", "status", "word"),
    [
        ("nothing", None, 404, "NOT_FOUND"),
        ("gemini", Fault("status", status=429), 429, "RESOURCE_EXHAUSTED"),
        ("gemini", Fault("status", status=503), 429, "RESOURCE_EXHAUSTED"),
        ("gemini", Fault("error_inside"), 502, "UNAVAILABLE"),
        ("gemini", Fault("bad_json"), 502, "UNAVAILABLE"),
    ],
)
def test_errors_are_googles(models, vendors, model, fault, status, word):
    vendors.gemini.fail(fault)
    with pytest.raises(errors.APIError) as caught:
        models.generate_content(model=model, contents="x")
    assert (caught.value.code, caught.value.status) == (status, word)
    info = caught.value.details["error"]["details"][0]
    assert info["domain"] == "freehold" and info["reason"] in caught.value.message and info["reason"].startswith("FH-")
    if fault is not None and fault.status == 429:
        assert caught.value.details["error"]["details"][1]["retryDelay"] == "7s"


def test_a_key_of_ours_that_google_refuses_is_not_the_callers_fault(models, vendors, monkeypatch):
    monkeypatch.setattr(vendors.gemini, "key", "another")
    with pytest.raises(errors.ServerError) as caught:
        models.generate_content(model="gemini", contents="x")
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")
    assert "API key not valid" not in str(caught.value)
    assert models.generate_content(model="both", contents="x").text
    assert vendors.openai.requests


def test_what_google_refuses_of_the_caller_goes_on_as_it_came(models, vendors):
    with pytest.raises(errors.ClientError) as caught:
        models.generate_content(model="gemini", contents="x", config={"http_options": {"extra_body": {"odd": 1}}})
    assert 'Unknown name "odd"' in caught.value.message


def test_calls_are_settled_by_what_was_used(models, vendors, instance):
    vendors.gemini.say(Reply(text="hello there", thinking="so", input=100, cached=40, reasoning=8, output=20))
    before = len(instance.home.ends())
    models.generate_content(model="gemini", contents="x")
    list(models.generate_content_stream(model="gemini", contents="x"))
    found = until(lambda: (ends := instance.home.ends()[before:]) and len(ends) == 2 and ends)
    used = [one.tried[-1].usage for one in found]
    assert [(one.input, one.cached, one.output, one.reasoning) for one in used] == [(100, 40, 20, 8)] * 2


def openai_client(instance: Instance) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(verify=PLAIN)
    return openai.OpenAI(
        api_key=p.KEY, base_url=f"http://127.0.0.1:{instance.port}/v1", max_retries=0, http_client=http
    )


@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_calls_gemini_and_sends_signatures_back(instance, vendors, stream):
    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    fields: dict[str, Any] = {"model": "gemini", "tools": [tool], "max_tokens": 64}
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
    with openai_client(instance) as client:
        if stream:
            with client.chat.completions.stream(messages=asked, **fields) as events:
                for _ in events:
                    pass
                message = events.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(messages=asked, **fields).choices[0].message
        (call,) = message.tool_calls
        assert call.model_extra["extra_content"] == {"google": {"thought_signature": SIGNATURE}}
        said = message.model_dump(exclude_none=True)
        turns = [*asked, said, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        final = client.chat.completions.create(messages=turns, **fields)
    assert final.choices[0].message.content
    last = vendors.gemini.last.json
    assert last["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert last["contents"][1]["parts"][-1]["thoughtSignature"] == SIGNATURE


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_sdk_calls_gemini(instance, vendors, stream):
    http = anthropic.DefaultHttpxClient(verify=PLAIN)
    tool = {"name": "weather", "input_schema": CITY}
    fields: dict[str, Any] = {"model": "gemini", "tools": [tool], "max_tokens": 2048}
    asked = [{"role": "user", "content": "Weather?"}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    place = f"http://127.0.0.1:{instance.port}"
    with anthropic.Anthropic(api_key=p.KEY, base_url=place, max_retries=0, http_client=http) as client:
        if stream:
            with client.messages.stream(messages=asked, thinking=thinking, **fields) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(messages=asked, thinking=thinking, **fields)
        assert [one.type for one in message.content] == ["thinking", "tool_use"]
        call = message.content[-1]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]
        said = [one.model_dump(exclude_none=True) for one in message.content]
        turns = [*asked, {"role": "assistant", "content": said}, {"role": "user", "content": results}]
        final = client.messages.create(messages=turns, **fields)
    assert final.content[-1].text
    assert vendors.gemini.last.json["contents"][1]["parts"][-1]["thoughtSignature"].startswith("skip_")


def test_openais_responses_call_gemini(instance, vendors):
    with openai_client(instance) as client:
        got = client.responses.create(model="gemini", input="hello", reasoning={"effort": "low"})
        assert got.output_text and got.usage.output_tokens_details.reasoning_tokens == 7
        assert vendors.gemini.last.json["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "LOW"
        client.responses.create(model="older", input="hello", reasoning={"effort": "low"})
        assert vendors.gemini.last.json["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 1024
