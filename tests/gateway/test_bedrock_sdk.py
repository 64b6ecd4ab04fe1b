"""boto3 against a gateway on real sockets: its own vendor, vendors of other dialects, and other SDKs' vendors' callers."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from freehold.core.crypto import Sealer
from freehold.gateway.routing.types import Composite
from freehold.grading.types import Spec
from freehold.ledger.frames import Body, Close, Open
from freehold.policy.types import Policy
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_bedrock import ACCESS_KEY, REGION, SECRET_KEY, FakeBedrock, model_of
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.answers import Answer
from tests.gateway.guarded_house import WATCH, delivered
from tests.gateway.instance import Home, Instance, until

ROUTES = ("nova", "gpt", "claude", "guarded")
TOOLS = {
    "tools": [{"toolSpec": {"name": one, "inputSchema": {"json": {"type": "object"}}}} for one in ("time", "weather")]
}
USER = [{"role": "user", "content": [{"text": "hello there"}]}]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
CONVERSE = "/model/{}/converse"


class Vendors:
    def __init__(self, bedrock: FakeBedrock, openai: FakeOpenAi, anthropic: FakeAnthropic) -> None:
        self.bedrock, self.openai, self.anthropic = bedrock, openai, anthropic

    def of(self, route: str) -> Any:
        return {"gpt": self.openai, "claude": self.anthropic}.get(route, self.bedrock)


@pytest.fixture(scope="module")
def all_vendors() -> Iterator[Vendors]:
    with FakeBedrock() as one, FakeOpenAi() as two, FakeAnthropic() as three:
        two.key = three.key = one.key  # an instance in a thread has one secret
        yield Vendors(one, two, three)


@pytest.fixture
def vendors(all_vendors) -> Vendors:
    for one in (all_vendors.bedrock, all_vendors.openai, all_vendors.anthropic):
        one.calm()
    return all_vendors


def bedrock_target(name: str, port: int, **more: Any) -> Any:
    more = {"model": "eu.amazon.nova-fake-v1:0", "path": "", "dialects": ("bedrock_converse",), **p.LIMITS, **more}
    return p.target(name, port, driver="bedrock", **more)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, private_ca) -> dict[str, str]:
    """The listener's: boto3 sends a bearer token over TLS alone."""
    place = tmp_path_factory.mktemp("tls")
    made = private_ca.issue_cert("localhost", "127.0.0.1")
    chain, key, bundle = (str(place / name) for name in ("chain.pem", "key.pem", "ca.pem"))
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(chain)
    private_ca.cert_pem.write_to_path(bundle)
    return {"tls_certificate": chain, "tls_key": key, "bundle": bundle}


@pytest.fixture(scope="module")
def instance(tmp_path_factory, all_vendors, certificate) -> Iterator[Instance]:
    bedrock = all_vendors.bedrock.port
    targets = (
        bedrock_target("nova", bedrock),
        bedrock_target("twin", bedrock, model="twin"),
        p.target("gpt", all_vendors.openai.port, model="gpt-fake", **p.LIMITS),
        p.claude("claude", all_vendors.anthropic.port, model="claude-fake", **p.LIMITS),
    )
    routes = (
        *(p.route(one, one, attempts=1) for one in ("nova", "gpt", "claude")),
        p.route("both", "nova", "gpt"),
        p.route("guarded", "nova", guard="watch", capture=True, attempts=1),
        p.route("pair", "pair", attempts=1),
    )
    pair = Composite(name="pair", kind="agreement", members=("nova", "twin"), escalate="gpt", grader=Spec("label"))
    home = Home(
        tmp_path_factory.mktemp("bedrock"),
        p.routes(targets, *routes, composites=(pair,)),
        p.keys(),
        Policy(guards=(WATCH,)),
    )
    listener = {name: path for name, path in certificate.items() if name != "bundle"}
    with Instance(home, secret=all_vendors.bedrock.key, **listener) as made:
        yield made


def ask(instance: Instance, data: bytes) -> Answer:
    """One request, over TLS that trusts anybody."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with instance.client() as client:
        client._socket = trusting.wrap_socket(client._socket)
        client.send(data)
        return client.read("POST")


def client_of(instance: Instance, bundle: str) -> Any:
    settings = Config(retries={"total_max_attempts": 1})
    place = f"https://localhost:{instance.port}"
    return boto3.client("bedrock-runtime", "us-east-1", endpoint_url=place, config=settings, verify=bundle)


@pytest.fixture(scope="module")
def client(instance, certificate) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_BEARER_TOKEN_BEDROCK", p.KEY)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        made = client_of(instance, certificate["bundle"])
        yield made
        made.close()


def whole(client: Any, route: str, **fields: Any) -> dict[str, Any]:
    return client.converse(modelId=route, **{"messages": USER, **fields})


def streamed(client: Any, route: str, **fields: Any) -> list[dict[str, Any]]:
    with closing(client.converse_stream(modelId=route, **{"messages": USER, **fields})["stream"]) as stream:
        return list(stream)


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(one["contentBlockDelta"]["delta"].get("text", "") for one in events if "contentBlockDelta" in one)


def told(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [one[kind] for one in events if kind in one]
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_a_text_whole_and_streamed(client, vendors, route):
    vendors.of(route).say(Reply(text="Good day to you.", input=12, output=5))
    answer, events = whole(client, route), streamed(client, route)
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "Good day to you."}]}
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {"inputTokens": 12, "outputTokens": 5, "totalTokens": 17}
    assert answer["ResponseMetadata"]["RequestId"].startswith("call_")
    assert text_of(events) == "Good day to you."
    assert told(events, "messageStop")["stopReason"] == "end_turn"
    assert told(events, "metadata")["usage"] == answer["usage"]
    assert answer["metrics"]["latencyMs"] >= 0 and told(events, "metadata")["metrics"]["latencyMs"] >= 0


@pytest.mark.parametrize("route", ROUTES)
def test_parallel_calls_and_their_results(client, vendors, route):
    vendors.of(route).say(Reply(calls=(("time", {"city": "Bern"}), ("weather", {"city": "Ulm", "days": 2}))))
    answer, events = whole(client, route, toolConfig=TOOLS), streamed(client, route, toolConfig=TOOLS)
    uses = [one["toolUse"] for one in answer["output"]["message"]["content"]]
    assert [(one["name"], one["input"]) for one in uses] == [
        ("time", {"city": "Bern"}),
        ("weather", {"city": "Ulm", "days": 2}),
    ]
    assert answer["stopReason"] == told(events, "messageStop")["stopReason"] == "tool_use"
    inputs: dict[int, str] = {}
    for one in events:
        if "contentBlockDelta" in one:
            at, delta = one["contentBlockDelta"]["contentBlockIndex"], one["contentBlockDelta"]["delta"]
            inputs[at] = inputs.get(at, "") + delta["toolUse"]["input"]
    assert [json.loads(one) for one in inputs.values()] == [one["input"] for one in uses]
    vendors.of(route).say(Reply(text="Done."))
    results = [{"toolResult": {"toolUseId": one["toolUseId"], "content": [{"json": {"ok": 1}}]}} for one in uses]
    turns = [*USER, answer["output"]["message"], {"role": "user", "content": [*results, {"text": "So?"}]}]
    assert whole(client, route, messages=turns, toolConfig=TOOLS)["output"]["message"]["content"] == [{"text": "Done."}]


@pytest.mark.parametrize("route", ["nova", "claude", "guarded"])
def test_signed_thinking_goes_there_and_back(client, vendors, route):
    vendors.of(route).say(Reply(text="Four.", thinking="Two and two."))
    answer, events = whole(client, route), streamed(client, route)
    (thought, said) = answer["output"]["message"]["content"]
    told_text = thought["reasoningContent"]["reasoningText"]
    assert (told_text["text"], bool(told_text["signature"]), said) == ("Two and two.", True, {"text": "Four."})
    deltas = [
        one["contentBlockDelta"]["delta"].get("reasoningContent", {}) for one in events if "contentBlockDelta" in one
    ]
    assert "".join(one.get("text", "") for one in deltas) == "Two and two."
    assert "".join(one.get("signature", "") for one in deltas) == told_text["signature"]
    whole(client, route, messages=[*USER, answer["output"]["message"], *USER])
    assert told_text["signature"] in json.dumps(vendors.of(route).last.json)


@pytest.mark.parametrize("route", ROUTES)
def test_images_go_as_bytes(client, vendors, route):
    content = [{"text": "What is it?"}, {"image": {"format": "png", "source": {"bytes": PNG}}}]
    whole(client, route, messages=[{"role": "user", "content": content}])
    assert base64.b64encode(PNG).decode() in json.dumps(vendors.of(route).last.json)


def test_its_own_vendor_gets_the_callers_bytes_and_the_targets_model(instance, vendors):
    body = b'{ "messages": [{"role":"user","content":[{"text":"x"}]}] ,"inferenceConfig":{"maxTokens":1.0e1} }\n'
    answer = ask(instance, p.request(CONVERSE.format("nova"), body.replace(b"1.0e1", b"10")))
    assert answer.status == 200
    assert vendors.bedrock.last.body == body.replace(b"1.0e1", b"10")
    assert (vendors.bedrock.last.path, model_of(vendors.bedrock.last)) == (
        "/model/eu.amazon.nova-fake-v1%3A0/converse", "eu.amazon.nova-fake-v1:0",
    )  # fmt: skip


def test_cache_use_is_counted_alike_in_every_dialect(instance, client, vendors):
    reply = Reply(text="x", input=100, cached=60, cache_write=30, output=7)
    vendors.bedrock.say(reply)
    usage = whole(client, "nova")["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (10, 60, 30)
    chat = ask(instance, p.request(p.CHAT, p.chat_body("nova")))
    assert json.loads(chat.body)["usage"]["prompt_tokens"] == 100
    streamed(client, "nova")
    closes = until(lambda: (found := instance.home.ends()[-3:]) and len(found) == 3 and found)
    assert {(one.tried[-1].usage.input, one.tried[-1].usage.cached, one.tried[-1].usage.output) for one in closes} == {
        (100, 60, 7)
    }
    assert len({one.cost for one in closes}) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [(p.chat_body("nova", stream=True), p.CHAT), (p.messages_body("nova", stream=True), p.MESSAGES)],
)
def test_callers_of_other_dialects_reach_the_vendor(instance, vendors, body, path):
    vendors.bedrock.say(Reply(text="Guten Tag.", thinking="Hm."))
    answer = ask(instance, p.request(path, body))
    assert answer.status == 200 and b"Guten T" in answer.body and b"Hm." in answer.body
    assert b"msg_bdrk_" in answer.body and b"nova-fake" in answer.body
    assert vendors.bedrock.last.path.endswith("/converse-stream")


def test_structured_output_is_carried(instance, vendors):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = ask(instance, p.request(p.CHAT, p.chat_body("nova", response_format=form)))
    assert "a" in json.loads(json.loads(answer.body)["choices"][0]["message"]["content"])


@pytest.mark.parametrize("ask", [whole, streamed])
def test_two_that_agree_answer_as_one(client, vendors, ask):
    vendors.bedrock.say(Reply(text="yes"))
    vendors.bedrock.say(Reply(text="yes"))
    found = ask(client, "pair")
    said = text_of(found) if ask is streamed else found["output"]["message"]["content"][0]["text"]
    assert (said, len(vendors.bedrock.requests)) == ("yes", 2)
    assert all(one.path.endswith("/converse") and set(one.json) == {"messages"} for one in vendors.bedrock.requests)


def test_a_cut_stream_is_billed_by_what_came(instance, client, vendors):
    vendors.bedrock.say(Reply(text="a long text of which only a part will come through to its reader"))
    vendors.bedrock.fail(Fault("cut", after=6))
    before = len(instance.home.ends())
    with pytest.raises(Exception):  # noqa: B017 - what boto3 makes of a broken connection varies
        streamed(client, "nova")
    (close,) = until(lambda: instance.home.ends()[before:])
    assert (close.outcome, close.tried[-1].usage.estimated) == ("broken", True)
    assert 4 <= close.tried[-1].usage.output <= 6 and close.cost > 0


def error_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_errors_are_the_exceptions_of_the_sdk(client, vendors):
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        whole(client, "no-such-route")
    assert error_of(caught) == ("ResourceNotFoundException", 404) and "FH-NOT-002" in str(caught.value)
    vendors.bedrock.fail(Fault("status", status=429))
    with pytest.raises(client.exceptions.ThrottlingException):
        whole(client, "nova")
    vendors.bedrock.fail(Fault("status", status=424, headers=(("x-amzn-errortype", "ModelErrorException"),)))
    with pytest.raises(client.exceptions.ModelErrorException):
        streamed(client, "nova")


def test_the_vendors_own_refusal_arrives_as_it_came(client, vendors):
    with pytest.raises(client.exceptions.ValidationException) as caught:
        whole(client, "nova", messages=[*USER, *USER])
    assert "alternate" in str(caught.value)


def test_a_key_that_does_not_exist_and_a_signature(instance, vendors, certificate, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "fh-wrong")
    with pytest.raises(ClientError) as caught, closing(client_of(instance, certificate["bundle"])) as client:
        whole(client, "nova")
    assert error_of(caught) == ("UnrecognizedClientException", 401)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    said = "AWS_BEARER_TOKEN_BEDROCK"
    with (
        pytest.raises(ClientError, match=said) as caught,
        closing(client_of(instance, certificate["bundle"])) as client,
    ):
        whole(client, "nova")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401 and not vendors.bedrock.requests


@pytest.mark.parametrize("route", ["nova", "guarded"])
def test_an_error_inside_a_stream_is_an_exception(client, vendors, route):
    vendors.bedrock.fail(Fault("error_inside", after=3))
    with pytest.raises(ClientError):  # an EventStreamError is one too; behind a guard nothing had gone out yet
        streamed(client, route)


def test_a_stream_that_begins_with_an_error_leads_to_the_next_target(client, vendors):
    vendors.bedrock.fail(Fault("error_inside", after=0))
    vendors.openai.say(Reply(text="I am the other one."))
    assert text_of(streamed(client, "both")) == "I am the other one."
    assert len(vendors.bedrock.requests) == 1


@pytest.mark.parametrize("kind", ["cut", "cut_politely", "no_end", "bad_json"])
@pytest.mark.parametrize("route", ["nova", "guarded"])
def test_a_cut_stream_never_looks_whole(client, vendors, route, kind):
    vendors.bedrock.fail(Fault(kind, after=3))
    with pytest.raises(Exception) as caught:
        streamed(client, route)
    assert "assert" not in str(caught.value)


REPLIES = [
    Reply(text="Call Anna Schmidt at +41 44 668 18 00.", thinking="She asked me to, at anna@example.com."),
    Reply(text="First this.", calls=(("time", {"city": "Bern", "deep": ["a", {"b": "c"}]}), ("weather", {}))),
    Reply(redacted="cmVkYWN0ZWQ=", text="x"),
]


@pytest.mark.parametrize("reply", REPLIES, ids=["texts", "calls", "redacted"])
@pytest.mark.parametrize("ask", [whole, streamed])
def test_every_character_that_is_delivered_was_scanned(instance, client, vendors, ask, reply):
    vendors.bedrock.say(reply)
    before = len(instance.home.frames())
    ask(client, "guarded", toolConfig=TOOLS)
    frames = until(lambda: (new := instance.home.frames()[before:]) and isinstance(new[-1], Close) and new)
    opened, close = (next(one for one in frames if isinstance(one, kind)) for kind in (Open, Close))
    sealed = next(one.sealed for one in frames if isinstance(one, Body) and one.side == "response")
    body = Sealer.load(instance.home.path / "data.key").open(sealed, opened.call + b"response")
    assert opened.dialect == "bedrock_converse" and opened.stream is (ask is streamed)
    assert close.scan is not None and close.scan.characters == delivered(opened, body, same=True)


@pytest.mark.parametrize("kind", ["slow", "one_write"])
def test_any_pace_tells_the_same(client, vendors, kind):
    vendors.bedrock.say(Reply(text="One two three four five."))
    vendors.bedrock.fail(Fault(kind))
    assert text_of(streamed(client, "nova")) == "One two three four five."


def test_requests_are_signed_where_the_credential_is_an_access_key(tmp_path, vendors):
    signed = bedrock_target("signed", vendors.bedrock.port, quirks=(f"signing_region:{REGION}",))
    home = Home(tmp_path, p.routes((signed,), p.route("signed", "signed", attempts=1)), p.keys())
    with Instance(home, secret=f"{ACCESS_KEY}:{SECRET_KEY}") as made:
        for model in ("signed", "signed"):
            answer = made.ask(
                p.request(CONVERSE.format(model), b'{"messages":[{"role":"user","content":[{"text":"x"}]}]}')
            )
            assert answer.status == 200, answer.body
    assert vendors.bedrock.last.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=" + ACCESS_KEY)
    assert SECRET_KEY not in str(vendors.bedrock.last.headers)
