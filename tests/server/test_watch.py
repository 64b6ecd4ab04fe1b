"""Hot reload: a good file is put in force and published, a bad one is told and changes nothing."""

from __future__ import annotations

import io
import os

import pytest

from freehold.core.log import Log
from freehold.server.watch import Watch
from freehold.settings.last_good import in_force
from tests.server.conftest import CONFIG


@pytest.fixture
def file(instance):
    return instance.loaded.file


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def watch(instance, file, out):
    made = Watch(instance, str(file), Log("admin", out))
    made.check()
    return made


def write(file, text):
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1_000_000, before + 1_000_000))


def test_a_good_change_is_published(instance, watch, file):
    before = dict(instance.versions)
    write(file, CONFIG + "[policy]\nair_gapped = true\n")
    watch.check()
    assert instance.settings.policy.air_gapped
    assert instance.versions["policy"] == before["policy"] + 1
    assert instance.versions["routes"] == before["routes"] + 1, "the rented target is told of no more"


def test_a_bad_change_is_told_and_changes_nothing(instance, watch, file, out, client):
    before = dict(instance.versions)
    write(file, CONFIG.replace("[routes.assistant]", "[routs.assistant]"))
    watch.check()
    assert instance.versions == before
    assert "assistant" in instance.settings.routes
    assert "FH-CFG-012" in out.getvalue()
    (told,) = client.get("/api/config").json()["problems"]
    assert (told["code"], told["where"]) == ("FH-CFG-012", "freehold.toml:9")
    assert client.get("/api/status").json()["problems"] == 1


def test_mending_the_file_ends_the_problem(instance, watch, file):
    write(file, "[gateway\n")
    watch.check()
    write(file, CONFIG)
    watch.check()
    assert instance.problems is None


def test_a_file_that_vanishes_leaves_what_was_in_force(instance, watch, file):
    from freehold.core.errors import BadConfig

    file.unlink()
    with pytest.raises(BadConfig):
        watch.check()
    assert "assistant" in instance.settings.routes


def test_what_is_read_at_the_start_only_is_named(instance, watch, file, client):
    write(file, CONFIG.replace("[serving]", "[gateway]\nport = 9999\n[serving]"))
    watch.check()
    assert client.get("/api/status").json()["restart_needed"] == ["gateway"]


def test_what_is_in_force_is_kept_for_processes_that_restart(instance, watch, file):
    good = CONFIG + "[[budgets]]\nowner = 'route/assistant'\nlimit = '0.5'\nperiod = 'day'\n"
    write(file, good)
    watch.check()
    write(file, "[gateway\n")
    assert in_force(str(file), instance.home).settings == instance.settings


def test_reload_by_command_refuses_a_bad_file(client, instance, file):
    file.write_text("[gateway]\nprot = 1\n")
    told = client.post("/api/config/reload")
    assert told.status_code == 422
    assert told.json()["error"]["problems"][0]["where"] == "freehold.toml:2"
    assert "assistant" in instance.settings.routes


def test_reload_by_command_is_audited_with_its_actor(client, instance, file):
    from freehold.core.db import reading
    from freehold.ledger.audit import store as audit

    file.write_text(CONFIG + "[policy]\nair_gapped = true\n")
    assert client.post("/api/config/reload").json()["versions"]["policy"] == 2
    with reading(instance.engine) as connection:
        assert [one[2:4] for one in audit.queued(connection, 5)] == [("config.reload", "owner")]


def test_routes_are_published_anew_when_other_engines_serve(tmp_path, instance, file, out):
    from freehold.core.snapshot import read_snapshot
    from freehold.gateway.routing.types import Routes
    from freehold.server.publish import Facts, Publisher
    from freehold.serving.deployments import Deployment, deployed, targets, write_down

    run = instance.home / "run"
    facts = Facts(owned=lambda: targets(deployed(run)))
    instance.publisher = Publisher(instance.engine, instance.home, instance.identity, instance.clock, facts)
    watch = Watch(instance, str(file), Log("admin", out))
    watch.check_served()
    before = instance.versions["routes"]
    made = {"model": "m", "port": 9, "secret_path": "", "threads": 1, "context": 1, "slots": 1}
    write_down(run, (Deployment(name="owned-tickets", kind="classifier", **made),))
    watch.check_served()
    watch.check_served()
    assert instance.versions["routes"] == before + 1
    _, routes = read_snapshot(instance.home / "snapshots", "routes", Routes, instance.identity)
    assert "owned-tickets" in {one.name for one in routes.targets}
    write_down(run, ())
    watch.check_served()
    _, routes = read_snapshot(instance.home / "snapshots", "routes", Routes, instance.identity)
    assert "owned-tickets" not in {one.name for one in routes.targets}
