"""A classifier served beside everything else: deployed by a command, called through the gateway, ended without a lost call."""

from __future__ import annotations

import pytest

from freehold.core.crypto import Identity
from freehold.identity.service import service_key
from freehold.registry.artefacts import Store
from freehold.serving.wanted import wait_ready
from tests.e2e.instance import until
from tests.serving.tiny import admit_classifier

CONFIG = """\
[serving.trained_price]
input = 10
output = 20
as_of = 2026-11-22
[routes.main]
targets = ["gpt"]
"""
NAME = "owned-tickets"
ASK = "I was charged twice on my bill"


@pytest.fixture
def ask(instance):
    key = service_key(instance.home)

    def made(path="/v1/chat/completions", **more):
        body = {"model": f"target:{NAME}", "messages": [{"role": "user", "content": ASK}], "max_tokens": 16, **more}
        return instance.ask(path, body, {"x-freehold-label": "restricted:GDPR"}, key)

    return made


def test_a_classifier_is_deployed_called_and_undeployed_while_the_instance_runs(instance, ask, tmp_path):
    store = Store(instance.home / "store", Identity.load(instance.home / "identity.key"))
    admit_classifier(store, tmp_path)
    assert ask().status == 404
    assert instance.freehold("models", "deploy", "tickets-1", "--target", NAME)["phase"] == "starting"
    wait_ready(instance.home, NAME, 30)

    got = ask()
    assert got.status == 200, got.body
    (choice,) = got.json["choices"]
    assert choice["message"]["content"] == "billing"
    assert choice["freehold"]["confidence"] > 0.9
    assert got.headers["x-freehold-target"] == NAME
    settled = instance.call(got.headers["x-request-id"])
    used = got.json["usage"]
    assert (used["prompt_tokens"], used["completion_tokens"]) == (8, 2)
    assert float(settled["call"]["cost"]) == pytest.approx((8 * 10 + 2 * 20) / 1e6)

    streamed = ask(stream=True)
    assert b'"content":"billing"' in streamed.body
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    told = ask("/v1/messages").json
    assert (told["content"][0]["text"], told["stop_reason"]) == ("billing", "end_turn")

    (model,) = instance.freehold("models", "list")
    assert [(one["name"], one["phase"]) for one in model["deployments"]] == [(NAME, "ready")]
    assert any(name.startswith(f"engine-{NAME}-") for name in instance.processes())

    instance.freehold("models", "undeploy", NAME)
    statuses = set()
    until(lambda: statuses.add(ask().status) or 404 in statuses, "its target is gone from the routes")
    assert statuses == {200, 404}
    until(lambda: not any(NAME in one for one in instance.processes()), "its engine has ended")
    assert instance.freehold("models", "remove", "tickets-1")["name"] == "tickets-1"
    assert instance.chat("main").status == 200
