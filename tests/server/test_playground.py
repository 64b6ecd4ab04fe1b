"""One prompt to several models at the gateway. A fake of OpenAI's API stands where the gateway would."""

from __future__ import annotations

import json
import queue
import threading
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import select

from freehold.core.db import writing
from freehold.core.ids import as_text
from freehold.identity.service import renew
from freehold.ledger.records import CallRecord
from freehold.ledger.tables import audit_queue
from freehold.server import playground
from freehold.server.playground import Question, Talk
from freehold.settings.location import Endpoints, write_endpoints
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault


@pytest.fixture
def gateway(instance, monkeypatch):
    monkeypatch.setattr(playground, "_SETTLED_SECONDS", 0.0)
    with FakeOpenAi() as fake:
        write_endpoints(instance.home, Endpoints(gateway=fake.base_url, admin=""))
        yield fake


def told(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(one) for one in response.text.splitlines()]


def of(events, model):
    return [one for one in events if one["model"] == model]


def test_each_model_is_asked_with_the_pasted_key_and_ends_once(gateway, client):
    gateway.say(Reply(text="one two three"))
    body = {"models": ["a", "b"], "prompt": "Say.", "system": "Be brief.", "secret": gateway.key, "label": "internal"}
    events = told(client.post("/api/playground", json=body))
    for model in ("a", "b"):
        mine = of(events, model)
        assert (mine[0]["event"], mine[-1]["event"]) == ("began", "end")
        assert "".join(one["text"] for one in mine if one["event"] == "text") == "one two three"
        assert mine[-1]["finish"] == "stop" and 0 <= mine[-1]["first_text_seconds"] <= mine[-1]["seconds"]
        assert mine[-1]["cost"] is None, "the ledger knows nothing of the fake's calls"
    asked = {one.json["model"]: one for one in gateway.requests}
    assert asked["a"].json["messages"] == [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say."},
    ]  # fmt: skip
    assert asked["b"].headers["x-freehold-label"] == "internal"


def test_a_pasted_key_is_told_and_noted_nowhere(gateway, client, instance, capfd):
    gateway.fail(Fault("status", status=500))
    events = client.post("/api/playground", json={"models": ["a"], "prompt": "x", "secret": gateway.key})
    assert of(told(events), "a")[-1]["event"] == "error"
    assert gateway.key not in events.text and gateway.key not in client.get("/api/audit").text
    bad = client.post("/api/playground", json={"models": [], "prompt": "x", "secret": gateway.key})
    assert bad.status_code == 400 and gateway.key not in bad.text
    captured = capfd.readouterr()
    assert gateway.key not in captured.out + captured.err
    assert gateway.key not in repr(Question(model="a", body=b"", headers={"authorization": gateway.key}))


def test_a_key_is_asked_in_the_name_of_and_that_is_noted(gateway, client, client_of, instance):
    with writing(instance.engine) as connection:
        renew(connection, instance.home, instance.clock(), instance.random)
    made = client.post("/api/keys", json={"name": "app", "label": "internal"}).json()
    body = {"models": ["assistant"], "prompt": "x", "key": "app"}
    gateway.key = (instance.home / "run" / "service.key").read_text().strip() + "~" + made["id"]
    assert told(client.post("/api/playground", json=body))[-1]["event"] == "end"
    assert ("playground.ask", "owner", {"models": ["assistant"], "key": "app"}) in _noted(instance)
    looks = client_of(client.post("/api/keys", json={"name": "d", "role": "auditor"}).json()["secret"])
    assert looks.post("/api/playground", json=body).status_code == 403
    strong = client.post("/api/keys", json={"name": "boss", "role": "owner"}).json()
    operates = client_of(client.post("/api/keys", json={"name": "o", "role": "operator"}).json()["secret"])
    refused = operates.post("/api/playground", json={**body, "key": strong["name"]})
    assert refused.status_code == 403 and "keys:admin" in refused.text
    assert client.post("/api/playground", json={**body, "key": "nobody"}).status_code == 404


def _noted(instance):
    with instance.reading() as connection:
        rows = connection.execute(select(audit_queue.c.kind, audit_queue.c.actor, audit_queue.c.content))
        return [(kind, actor, json.loads(content)) for kind, actor, content in rows]


def test_a_target_is_asked_as_freehold_with_a_label(gateway, client, client_of, instance):
    with writing(instance.engine) as connection:
        renew(connection, instance.home, instance.clock(), instance.random)
    gateway.key = (instance.home / "run" / "service.key").read_text().strip()
    body = {"models": ["target:mine"], "prompt": "x"}
    assert client.post("/api/playground", json=body).status_code == 400
    assert told(client.post("/api/playground", json={**body, "label": "public"}))[-1]["event"] == "end"
    assert gateway.last.headers["x-freehold-label"] == "public" and gateway.last.json["model"] == "target:mine"
    looks = client_of(client.post("/api/keys", json={"name": "d", "role": "auditor"}).json()["secret"])
    assert looks.post("/api/playground", json={**body, "label": "public"}).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": ["a"]},
        {"models": ["a", "a"], "secret": "k"},
        {"models": ["a"], "secret": "k", "key": "app"},
        {"models": ["target:mine"], "secret": "k", "label": "public"},
        {"models": ["a", "b", "c", "d", "e"], "secret": "k"},
        {"models": ["a"], "secret": "k", "label": "nonsense"},
        {"models": ["a"], "secret": "k\r\nx-freehold-label: public"},
        {"models": ["a"], "secret": "schlüssel"},
    ],
)
def test_what_cannot_be_asked_is_refused(gateway, client, wrong):
    assert client.post("/api/playground", json={"prompt": "x", **wrong}).status_code == 400
    assert gateway.requests == []


def test_an_instance_without_a_gateway_says_so(client):
    refused = client.post("/api/playground", json={"models": ["a"], "prompt": "x", "secret": "k"})
    assert refused.status_code == 503 and "freehold up" in refused.json()["error"]["hint"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=403),
        Fault("cut"),
        Fault("cut_politely"),
        Fault("error_inside"),
        Fault("no_end"),
        Fault("bad_chunk"),
    ],
)
def test_trouble_of_one_model_is_told_and_the_other_answers(gateway, client, fault):
    gateway.fail(fault)
    body = {"models": ["a", "b"], "prompt": "x", "secret": gateway.key}
    ends = [one for one in told(client.post("/api/playground", json=body)) if one["event"] in ("end", "error")]
    assert sorted(one["event"] for one in ends) == ["end", "error"]
    failed = next(one for one in ends if one["event"] == "error")
    assert failed["message"] and failed["message"] != "None"


def test_a_gateway_that_is_gone_is_told(instance, client):
    write_endpoints(instance.home, Endpoints(gateway="http://127.0.0.1:9", admin=""))
    (event,) = told(client.post("/api/playground", json={"models": ["a"], "prompt": "x", "secret": "k"}))
    assert (event["event"], event["message"]) == ("error", "the gateway does not answer")


def talk(gateway, settled):
    """One question under way, and where its events are heard."""
    body = b'{"model": "a", "messages": [{"role": "user", "content": "x"}], "stream": true}'
    question = Question(model="a", body=body, headers={"authorization": f"Bearer {gateway.key}"})
    heard = queue.SimpleQueue()
    begun = Talk(Endpoints(gateway=gateway.base_url, admin=""), settled, heard.put)
    begun.begin((question,))
    return begun, heard


def test_who_stops_listening_hangs_up(gateway):
    gateway.fail(Fault("stall_mid"))
    begun, heard = talk(gateway, lambda _: None)
    assert type(heard.get(timeout=10)).__name__ == "Began"
    begun.hang_up()
    under_way = [one for one in threading.enumerate() if one.name == "playground"]
    for one in under_way:
        one.join(10)
    assert not any(one.is_alive() for one in under_way)


def test_the_ledger_says_what_it_cost(gateway):
    row = json.loads(CALL)
    row["cost"] = row["reserved"] = Decimal("0.000012")
    record = msgspec.convert(row, CallRecord)
    seen = []

    def settled(call):
        seen.append(call)
        return record

    _, heard = talk(gateway, settled)
    end = list(iter(lambda: heard.get(timeout=10), None))[-1]
    assert (end.cost, end.target, end.owned, end.input_tokens, end.output_tokens) == ("0.000012", "small", True, 7, 3)
    assert end.found == {"pii/EMAIL": 3} and len(seen) == 1


CALL = json.dumps({
    "id": as_text("call", bytes(16)), "leaf": 0, "at": 0.0, "latency": 0.1, "first_token": None, "key_id": "k",
    "team": "", "route": "a", "dialect": "openai_chat", "stream": True, "label": "internal", "workflow": "",
    "target": "small", "owned": True, "region": "", "outcome": "ok", "status": 200, "error": "", "policy_version": 1,
    "routes_version": 1, "usage": {"input": 7, "output": 3}, "price_source": "", "price_as_of": "", "what_if": None,
    "what_if_target": "", "what_if_source": "", "attempts": 1, "request_sha256": "", "response_sha256": "",
    "delivered": 1, "dropped": [], "scanned": 5, "budgets": [],
    "scan": {"request": {"found": {"pii/EMAIL": 2}}, "answer": {"found": {"pii/EMAIL": 1}}},
})  # fmt: skip
