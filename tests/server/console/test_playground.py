"""The playground's page: without a script answers are drawn when they are done, with one they are streamed."""

from __future__ import annotations

import json

import pytest

from freehold.server import playground
from freehold.settings.location import Endpoints, write_endpoints
from tests.fakes.fake_openai import FakeOpenAi
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def gateway(instance, monkeypatch):
    monkeypatch.setattr(playground, "_SETTLED_SECONDS", 0.0)
    with FakeOpenAi() as fake:
        write_endpoints(instance.home, Endpoints(gateway=fake.base_url, admin=""))
        yield fake


def test_the_form_names_routes_and_targets(signed_in):
    page = signed_in.get("/playground").text
    assert '<option value="assistant" selected>' in page and 'value="target:mine"' in page
    assert page.count('name="models"') == 4 and 'type="password"' in page


def test_answers_are_drawn_side_by_side_and_the_key_is_not(signed_in, gateway):
    gateway.say(Reply(text=HOSTILE))
    fields = {"models": "assistant", "prompt": HOSTILE, "secret": gateway.key, "max_tokens": "64", "label": "internal"}
    page = signed_in.send("/playground", fields, page="/playground")
    assert page.status_code == 200 and "&lt;script&gt;alert(1)" in page.text.partition('id="answers"')[2]
    assert "<script>alert" not in page.text and "<img" not in page.text and gateway.key not in page.text
    assert "Whole answer" in page.text and "not settled yet" in page.text
    assert gateway.last.json["max_tokens"] == 64 and gateway.last.headers["x-freehold-label"] == "internal"


def test_trouble_of_a_model_is_told_in_its_column(signed_in, gateway):
    gateway.fail(Fault("status", status=403))
    page = signed_in.send("/playground", {"models": "a", "prompt": "x", "secret": gateway.key}, page="/playground").text
    assert 'class="trouble" role="alert"' in page.partition('id="answers"')[2]


def test_answers_are_streamed_to_scripts_of_the_page(signed_in, gateway):
    word = signed_in.get("/playground").text.partition('name="form" value="')[2].partition('"')[0]
    body = {"models": ["a"], "prompt": "x", "secret": gateway.key}
    told = signed_in.client.post("/console/playground/ask", json=body, headers={"x-freehold-form": word})
    assert told.status_code == 200 and "content-encoding" not in told.headers
    assert [json.loads(one)["event"] for one in told.text.splitlines()][-1] == "end"
    assert signed_in.client.post("/console/playground/ask", json=body).status_code == 403
    assert len(gateway.requests) == 1


def test_a_role_that_looks_asks_with_a_key_of_its_own_only(browser_of, gateway):
    finance = browser_of("finance")
    page = finance.get("/playground").text
    assert "In the name of" not in page and "target:mine" not in page
    answered = finance.send("/playground", {"models": "a", "prompt": "x", "secret": gateway.key}, page="/playground")
    assert answered.status_code == 200 and "Whole answer" in answered.text
    named = finance.send("/playground", {"models": "a", "prompt": "x", "key": "app"}, page="/playground")
    assert named.status_code == 403


def test_nothing_is_asked_without_the_word_of_the_session(signed_in, gateway):
    sent = signed_in.client.post("/console/playground", data={"models": "a", "prompt": "x", "secret": "k"})
    assert sent.status_code == 403 and gateway.requests == []
