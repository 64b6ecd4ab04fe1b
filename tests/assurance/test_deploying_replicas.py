"""Replicas as `freehold deploy render --replicas` writes them: they join, callers reach them, and they get no more."""

from __future__ import annotations

import kubernetes_validate
import pytest

from freehold.assurance.deploying.render import rendered
from freehold.core.errors import BadRequest
from freehold.settings.load import load
from tests.assurance.deploying_sample import DOCKED, VERSION, documents, of, pod, sample


@pytest.fixture
def several(tmp_path):
    return rendered(sample(tmp_path, DOCKED, replicas=3), "kubernetes")


def test_replicas_join_the_primary_under_names_of_their_own(several):
    for one in documents(several):
        kubernetes_validate.validate(one, VERSION, strict=True)
    found = of(several, "StatefulSet", "freehold-replica")["spec"]
    assert (found["replicas"], found["podManagementPolicy"]) == (3, "Parallel")
    (container,) = found["template"]["spec"]["containers"]
    assert container["args"] == ["up", "--join", "/etc/freehold-join/$(POD_NAME)"]
    assert container["env"][0]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    joins = next(one for one in found["template"]["spec"]["volumes"] if one["name"] == "join")
    assert joins["secret"]["secretName"] == "freehold-replicas"
    assert {one["name"] for one in found["template"]["spec"]["volumes"]} >= {"configuration", "scratch"}
    for number in range(3):
        assert f"freehold replicas add freehold-replica-{number} " in several["NOTES.md"]
    assert of(several, "PodDisruptionBudget", "freehold-replica")["spec"]["maxUnavailable"] == 1


def test_callers_are_led_to_all_and_only_replicas_to_the_dock(several):
    shared = of(several, "Service")["spec"]["selector"]
    for name in ("freehold", "freehold-replica"):
        labels = of(several, "StatefulSet", name)["spec"]["template"]["metadata"]["labels"]
        assert shared.items() <= labels.items()
    dock = of(several, "Service", "freehold-dock")["spec"]
    assert dock["publishNotReadyAddresses"] and dock["selector"]["app.kubernetes.io/component"] == "instance"
    calls, docked = of(several, "NetworkPolicy")["spec"]["ingress"]
    assert calls["ports"][0]["port"] == 8700 and "from" not in calls
    (peer,) = docked["from"]
    assert docked["ports"][0]["port"] == 8702 and peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == (
        "replica"
    )
    told = {one["name"]: one.get("value") for one in pod(several)["containers"][0]["env"]}
    assert told["FREEHOLD__DOCK__ADDRESS"] == "freehold-dock.models.svc.cluster.local:8702"
    assert float(told["FREEHOLD__GATEWAY__DRAIN_NOTICE_SECONDS"]) > 0


def test_a_replica_has_no_secret_and_no_way_that_is_the_primarys_alone(several):
    (container,) = of(several, "StatefulSet", "freehold-replica")["spec"]["template"]["spec"]["containers"]
    named = {one["name"] for one in container["env"]}
    assert "VALKEY_PASSWORD" in named and "OPENAI_API_KEY" in named and "DB_PASSWORD" not in named
    out = of(several, "NetworkPolicy", "freehold-replica")["spec"]["egress"]
    ways = {
        (peer["ipBlock"]["cidr"], one["ports"][0]["port"]) for one in out for peer in one["to"] if "ipBlock" in peer
    }
    assert ways == {("10.1.2.3/32", 8443), ("192.0.2.9/32", 6379)}
    assert {one["ports"][0]["port"] for one in out} >= {53, 8702}


def test_a_replica_takes_its_configuration_as_it_is_given_there(several, tmp_path):
    told = of(several, "ConfigMap", "freehold-configuration")["data"]
    (tmp_path / "there.toml").write_text(told["freehold.toml"])
    assert load(str(tmp_path / "there.toml")).settings.dock.enabled


def test_replicas_without_a_dock_are_refused(tmp_path):
    with pytest.raises(BadRequest, match="nowhere to join") as told:
        sample(tmp_path, replicas=2)
    assert "[dock]" in told.value.hint


def test_without_replicas_nothing_speaks_of_them(tmp_path):
    plain = rendered(sample(tmp_path, DOCKED), "kubernetes")
    assert "replicas.yaml" not in plain and "freehold-replica" not in "".join(plain.values())
