"""The fakes are what the official SDKs take them for, and their faults are the ones they name."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time

import anthropic
import openai
import pytest
from anthropic.types import Message as AnthropicMessage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

ASK = [{"role": "user", "content": "How is the weather?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("look", "tell")]


@pytest.fixture
def client(fake_openai):
    with openai.OpenAI(base_url=f"{fake_openai.base_url}/v1", api_key=fake_openai.key, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(fake_anthropic):
    with anthropic.Anthropic(base_url=fake_anthropic.base_url, api_key=fake_anthropic.key, max_retries=0) as made:
        yield made


@contextlib.contextmanager
def posted(vendor, body, path="/v1/chat/completions"):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", vendor.port, timeout=5)) as connection:
        headers = {"authorization": f"Bearer {vendor.key}", "x-api-key": vendor.key, "anthropic-version": "2023-06-01"}
        connection.request("POST", path, json.dumps(body), headers)
        with connection.getresponse() as answer:
            yield answer


def post(vendor, body, path="/v1/chat/completions"):
    with posted(vendor, body, path) as answer:
        return answer.status, answer.headers, answer.read()


def test_openai_whole_and_streamed_answers_agree_and_fit_the_sdk_types(fake_openai, client):
    fake_openai.say(Reply(text="Sunny all day.", cached=3, reasoning=5))
    whole = client.chat.completions.create(model="m", messages=ASK, logprobs=True, n=2)
    ChatCompletion.model_validate(whole.to_dict(), strict=True)
    assert [one.message.content for one in whole.choices] == ["Sunny all day."] * 2
    assert whole.usage.prompt_tokens_details.cached_tokens == 3
    chunks = list(
        client.chat.completions.create(model="m", messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    for one in chunks:
        ChatCompletionChunk.model_validate(one.to_dict(), strict=True)
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "Sunny all day."
    assert chunks[-1].usage.completion_tokens_details.reasoning_tokens == 5


def test_openai_tools_come_in_parallel_and_by_index(client):
    with client.chat.completions.stream(model="m", messages=ASK, tools=TOOLS) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [one.function.name for one in calls] == ["look", "tell"]
    assert all(json.loads(one.function.arguments)["city"] for one in calls)


def test_openai_embeddings_are_the_same_as_floats_and_as_base64(client):
    floats = client.embeddings.create(model="m", input=["a", "b"], encoding_format="float").data
    packed = client.embeddings.create(model="m", input=["a", "b"]).data  # the SDK asks for base64 by itself
    for one, other in zip(floats, packed, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


def test_anthropic_whole_and_streamed_answers_agree_and_fit_the_sdk_types(fake_anthropic, claude):
    reply = Reply(text="Sunny.", thinking="Look up.", calls=(("look", {"city": "Rome"}),), input=40, cached=10)
    fake_anthropic.say(reply)
    whole = claude.messages.create(model="c", max_tokens=50, messages=ASK)
    AnthropicMessage.model_validate(whole.to_dict(), strict=True)
    with claude.messages.stream(model="c", max_tokens=50, messages=ASK) as stream:
        streamed = stream.get_final_message()
    assert [one.type for one in whole.content] == ["thinking", "text", "tool_use"]
    assert [one.to_dict() for one in streamed.content] == [one.to_dict() for one in whole.content]
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert (whole.usage.input_tokens, whole.usage.cache_read_input_tokens) == (30, 10)
    assert whole.stop_reason == "tool_use"


def test_anthropic_counts_tokens(claude):
    assert claude.messages.count_tokens(model="c", messages=ASK).input_tokens > 0


def test_a_wrong_key_is_refused_and_every_request_is_kept(fake_openai):
    other = openai.OpenAI(base_url=f"{fake_openai.base_url}/v1", api_key="wrong", max_retries=0)
    with other, pytest.raises(openai.AuthenticationError):
        other.models.list()
    assert fake_openai.last.path == "/v1/models"
    assert fake_openai.last.headers["authorization"] == "Bearer wrong"


def test_statuses_raise_what_the_sdks_expect(fake_openai, client, fake_anthropic, claude):
    fake_openai.fail(Fault("status", status=429, headers=(("retry-after", "2"),)))
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="m", messages=ASK)
    assert limited.value.response.headers["retry-after"] == "2"
    fake_anthropic.fail(Fault("status", status=529))
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        claude.messages.create(model="c", max_tokens=5, messages=ASK)
    assert overloaded.value.status_code == 529
    assert overloaded.value.body["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("short_body", http.client.IncompleteRead),
        ("cut", http.client.IncompleteRead),
        ("reset", ConnectionError),
        ("bad_json", ValueError),
        ("long_body", ValueError),
    ],
)
def test_faults_of_whole_answers(fake_openai, kind, raised):
    fake_openai.fail(Fault(kind))
    with pytest.raises(raised):
        json.loads(post(fake_openai, {"model": "m", "messages": ASK})[2])


@pytest.mark.parametrize("kind", ["cut", "reset_mid", "bad_chunk"])
def test_faults_that_break_a_stream(fake_openai, kind):
    fake_openai.fail(Fault(kind))
    with pytest.raises((http.client.HTTPException, ConnectionError, ValueError)):
        post(fake_openai, {"model": "m", "messages": ASK, "stream": True})


@pytest.mark.parametrize("kind", ["no_end", "cut_politely", "error_inside"])
def test_faults_of_a_stream_that_is_whole_to_http(fake_openai, kind):
    _, _, body = post(fake_openai, {"model": f"fault-{kind}", "messages": ASK, "stream": True})
    assert b"[DONE]" not in body
    assert (b'"finish_reason":"stop"' in body) == (kind == "no_end")
    assert (b'"error"' in body) == (kind == "error_inside")


@pytest.mark.parametrize("kind", ["slow", "one_write", "no_length"])
def test_ways_of_sending_that_are_no_fault(fake_anthropic, kind):
    body = {"model": "c", "max_tokens": 9, "messages": ASK, "stream": True}
    plain = post(fake_anthropic, body, "/v1/messages")[2]
    fake_anthropic.fail(Fault(kind))
    same = post(fake_anthropic, body, "/v1/messages")[2]
    assert same == plain


def test_a_stall_lasts_until_released(fake_openai):
    fake_openai.fail(Fault("stall_mid"))
    with posted(fake_openai, {"model": "m", "messages": ASK, "stream": True}) as answer:
        first = answer.readline()
        fake_openai.release()
        assert (first + answer.read()).endswith(b"[DONE]\n\n")


def test_a_client_that_hangs_up_is_noticed(fake_openai):
    fake_openai.fail(Fault("stall_first"))
    connection = http.client.HTTPConnection("127.0.0.1", fake_openai.port, timeout=5)
    body = json.dumps({"model": "m", "messages": ASK})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {fake_openai.key}"})
    connection.close()
    deadline = time.monotonic() + 5
    while not fake_openai.requests and time.monotonic() < deadline:
        time.sleep(0.001)
    assert fake_openai.last.hung_up.wait(5)


def test_huge_redirect_and_wrong_type(fake_openai):
    fake_openai.fail(Fault("huge", size=300_000), Fault("redirect"), Fault("wrong_type"))
    assert len(post(fake_openai, {"model": "m", "messages": ASK})[2]) == 300_000
    assert post(fake_openai, {"model": "m", "messages": ASK})[0] == 302
    assert post(fake_openai, {"model": "m", "messages": ASK})[1]["content-type"] == "text/html"


def test_tls_with_a_private_certificate(vendor_tls, private_ca):
    with FakeAnthropic(tls=vendor_tls) as vendor:
        trusting = ssl.create_default_context()
        private_ca.configure_trust(trusting)
        headers = {"x-api-key": vendor.key, "anthropic-version": "2023-06-01"}
        with contextlib.closing(http.client.HTTPSConnection("localhost", vendor.port, context=trusting)) as connection:
            connection.request("GET", "/v1/models", headers=headers)
            with connection.getresponse() as answer:
                assert answer.status == 200
        distrusting = contextlib.closing(http.client.HTTPSConnection("localhost", vendor.port))
        with distrusting as connection, pytest.raises(ssl.SSLCertVerificationError):
            connection.request("GET", "/v1/models", headers=headers)


def test_one_fake_can_be_had_without_a_fixture():
    with FakeOpenAi() as one, FakeOpenAi() as other:
        assert one.port != other.port
