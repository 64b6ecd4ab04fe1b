"""Models over the management API: lineage and deployments are told, wishes written down, what is served stays."""

from __future__ import annotations

import msgspec
import pytest

from freehold.registry.artefacts import Store
from freehold.serving.wanted import STANDING, Standing, listed
from tests.serving.tiny import admit_classifier


@pytest.fixture
def model(instance, tmp_path):
    return admit_classifier(Store(instance.home / "store", instance.identity), tmp_path)


def stand(instance, **given):
    one = Standing(**{"name": "owned-tickets", "model": "tickets-1", "phase": "ready", **given})
    (instance.home / "run").mkdir(exist_ok=True)
    (instance.home / "run" / STANDING).write_bytes(msgspec.json.encode((one,)))


def test_a_model_tells_where_it_comes_from_and_who_serves_it(client, instance, model):
    stand(instance, phase="failed", reason="bytes are not what is signed")
    (told,) = client.get("/api/models").json()
    assert (told["kind"], told["lineage"]["dataset_sha256"]) == ("classifier", "d" * 64)
    assert [(one["phase"], one["reason"]) for one in told["deployments"]] == [
        ("failed", "bytes are not what is signed")
    ]
    assert client.get("/api/models/tickets-1").json() == told
    assert client.get("/api/models/deployments").json() == told["deployments"]


def test_deploying_writes_a_wish_pinned_to_the_bytes_and_undeploying_takes_it_back(client, instance, model):
    assert client.post("/api/models/tickets-1/deploy", json={"target": "owned-tickets"}).json()["phase"] == "starting"
    wish, _ = listed(instance.home)["owned-tickets"]
    assert (wish.model, wish.sha256) == ("tickets-1", model.files[0].sha256)
    assert client.post("/api/models/deployments/owned-tickets/undeploy").status_code == 200
    assert listed(instance.home) == {}
    assert client.post("/api/models/deployments/owned-tickets/undeploy").status_code == 404


@pytest.mark.parametrize(("name", "target", "status"), [("nobody", "owned-x", 404), ("tickets-1", "rented", 400)])
def test_what_cannot_be_deployed_leaves_no_wish(client, instance, model, name, target, status):
    assert client.post(f"/api/models/{name}/deploy", json={"target": target}).status_code == status
    assert listed(instance.home) == {}


def test_what_is_wanted_is_not_removed_and_what_is_not_is(client, instance, model):
    client.post("/api/models/tickets-1/deploy", json={"target": "owned-tickets"})
    assert client.post("/api/models/tickets-1/remove").status_code == 409
    client.post("/api/models/deployments/owned-tickets/undeploy")
    stand(instance, phase="stopping")
    assert client.post("/api/models/tickets-1/remove").status_code == 409
    (instance.home / "run" / STANDING).unlink()
    assert client.post("/api/models/tickets-1/remove").status_code == 200
    assert client.get("/api/models").json() == []
