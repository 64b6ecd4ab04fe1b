"""What plans are made from, over the management API: traffic without content, facts and papers."""

from __future__ import annotations

import time
from datetime import date

import msgspec
import pytest

import freehold.evals.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.gateway.settings import PriceSettings
from freehold.jobs import store as jobs
from freehold.jobs.tables import jobs as tables
from freehold.ledger.audit.store import queued
from freehold.planner.contract import OwnPrice
from freehold.planner.jobs import MAKE, Parts, kinds
from freehold.planner.kept import Kept
from freehold.planner.observed import Observed
from freehold.planner.plan import read, written
from freehold.planner.preparing import contract_of, joined, with_prices
from freehold.planner.prices import quote
from freehold.planner.settings import PlanSettings
from freehold.planner.traffic import Columns, arrivals
from freehold.planner.work import Facts
from freehold.policy.vendors import packaged
from freehold.server.planning import known as known_here
from freehold.workflows import store as records
from freehold.workflows.known import store as known
from freehold.workflows.shelf import Shelf
from freehold.workflows.types import Maturity, Workflow
from tests.workflows.traffic import traffic

WORKFLOW = "wf_0123456789ab"


@pytest.fixture
def recorded(instance):
    found, _ = traffic(40)
    Shelf(instance.engine, instance.bodies).put(found, time.time(), 1e9)
    with writing(instance.engine) as connection:
        records.assign(connection, [(one.id, WORKFLOW) for one in found])
        mature = Maturity(verdict="mature", score=1.0, terms=(), reasons=())
        known.keep(connection, [Workflow(id=WORKFLOW, name="mail", made_at=1.0, maturity=mature)])
    return found


def test_recorded_traffic_comes_as_columns_without_content(client, recorded):
    told = client.get("/api/plans/traffic", params={"recorded": True})
    assert told.status_code == 200
    body = told.json()
    assert body["workflows"] == ["mail"]
    assert len(body["t"]) == len(body["input"]) == len(body["output"]) <= len(recorded)
    assert set(body) == {
        "t", "input", "output", "cached", "workflow", "workflows", "span_seconds", "begins_at", "source"
    }  # fmt: skip


def test_no_traffic_is_a_clear_error(client):
    told = client.get("/api/plans/traffic")
    assert told.status_code == 400
    assert told.json()["error"]["code"] == "FH-PLN-002"


def test_facts_are_what_was_measured_and_none_where_nothing_was(client, recorded):
    body = client.get("/api/plans/sources").json()
    (one,) = msgspec.convert(body["workflows"], tuple[Observed, ...])
    assert (one.name, one.calls, one.facts.stable) == ("mail", len(recorded), True)
    assert one.facts.skills is None
    assert one.evidence == ()
    assert body["prices"] == []
    assert len(body["papers"]) >= len(packaged())


def test_traffic_and_facts_are_joined_by_name():
    rows = Columns(t=[0.0, 1.0], input=[5, 5], output=[1, 1], workflow=["mail", "else"])
    trace = arrivals(rows, "x")
    one = Observed(id="wf_1", name="mail", calls=1, now="openai/gpt-4o", facts=Facts(), evidence=(), scores=())
    found = {each.name: each for each in joined(trace, [one], ())}
    assert found["mail"].now == "openai/gpt-4o"
    assert found["else"].now == ""


def test_what_the_file_says_of_prices_comes_along(instance, client):
    target = instance.settings.targets["rented"].model_copy(
        update={"model": "gpt-4o", "price": PriceSettings(input=1, output=4, source="MSA", as_of=date(2026, 1, 1))}
    )
    changed = instance.settings.model_copy(update={"targets": {**instance.settings.targets, "rented": target}})
    instance.loaded = msgspec.structs.replace(instance.loaded, settings=changed)
    (found,) = client.get("/api/plans/sources").json()["prices"]
    assert (found["model"], found["input"], found["source"]) == ("openai/gpt-4o", 1.0, "target rented: MSA")
    settings = with_prices(PlanSettings(), msgspec.convert([found], list[OwnPrice]))
    assert quote("openai/gpt-4o", date(2026, 11, 1), contract_of(settings)).output.p50 == 4.0


def test_a_key_without_the_right_is_refused(client_of):
    assert client_of(None).get("/api/plans/sources").status_code == 401


def make_now(instance, **more):
    """Does what the trainer does with the job that waits."""
    (job,) = [one for one in waiting(instance) if one.kind == MAKE]
    parts = Parts(
        engine=instance.engine,
        kept=Kept(instance.home / "plans"),
        settings=PlanSettings(draws=300, now="openai/gpt-4o", **more),
        known=lambda connection: known_here(connection, instance.settings, instance.publisher),
        clock=time.time,
    )
    (kind,) = kinds(lambda: parts)
    result = kind.run(job.payload, lambda _progress: None)
    with writing(instance.engine) as connection:
        connection.execute(tables.delete())
    return result


def waiting(instance):
    with instance.reading() as connection:
        return jobs.list_jobs(connection)


@pytest.fixture
def plan(client, instance, recorded):
    told = client.post("/api/plans", json={"recorded": True, "day": "2026-11-01", "assumptions": {}})
    assert told.status_code == 202, told.text
    result = make_now(instance)
    assert result["state"] == "done", result
    return result["plan"]


def test_a_plan_is_made_by_the_trainer_and_kept_as_it_was_frozen(client, instance, plan):
    (card,) = client.get("/api/plans").json()
    assert (card["id"], card["made_on"], card["by"], card["of"]) == (plan, "2026-11-01", "owner", "")
    assert [one["name"] for one in card["workflows"]] == ["mail"]
    frozen = client.get(f"/api/plans/{plan}/file").content
    made, digest = read(frozen)
    assert (digest, written(made)) == (card["sha256"], frozen)
    shown = client.get(f"/api/plans/{plan}").json()
    assert shown["card"] == card
    assert len(shown["plan"]["workflows"][0]["options"]) == 5
    with instance.reading() as connection:
        assert any(one[2] == "plan.make" for one in queued(connection, 100))


def test_the_same_order_over_the_same_calls_is_the_same_file(client, instance, plan):
    client.post("/api/plans", json={"recorded": True, "day": "2026-11-01"})
    assert make_now(instance)["plan"] == plan
    assert len(client.get("/api/plans").json()) == 1


@pytest.mark.parametrize("reader", ["cfo", "ciso", "cto"])
def test_a_plan_is_reported_to_each_reader(client, plan, reader):
    page = client.get(f"/api/plans/{plan}/report/{reader}.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text and "mail" in page.text
    assert client.get(f"/api/plans/{plan}/report/{reader}.md").text.startswith("# ")
    assert client.get(f"/api/plans/{plan}/report/{reader}.pdf").status_code in (400, 422)


def test_levers_are_pulled_at_once_and_nothing_is_kept(client, instance, plan):
    shown = client.get(f"/api/plans/{plan}").json()
    same = client.post(f"/api/plans/{plan}/solve", json={}).json()
    assert (same["changed"], same["plan"]) == (False, shown["plan"])
    told = client.post(f"/api/plans/{plan}/solve", json={"levers": {"volume": 10, "months": 12}}).json()
    assert (told["changed"], told["draws"]) == (True, 300)
    assert {one["name"]: one["value"] for one in told["levers"]}["months"] == 12
    dearer = [each["workflows"][0]["options"][0]["best"]["monthly"]["p50"] for each in (same["plan"], told["plan"])]
    assert dearer[1] > 5 * dearer[0]
    assert [one["id"] for one in client.get("/api/plans").json()] == [plan]
    assert waiting(instance) == []


def test_what_was_said_otherwise_is_kept_beside_the_plan_it_comes_from(client, instance, plan):
    said = {"levers": {"traffic_growth": 1.0}, "assumptions": {"platform_fte": [0.1, 0.2, 0.3]}}
    assert client.post(f"/api/plans/{plan}/keep", json=said).status_code == 202
    result = make_now(instance)
    cards = {one["id"]: one for one in client.get("/api/plans").json()}
    assert set(cards) == {plan, result["plan"]}
    assert cards[result["plan"]]["of"] == plan
    assert cards[result["plan"]]["levers"] == {"platform_fte": 0.2, "traffic_growth": 1.0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "/etc/passwd"}, "FH-PLN-001"),
        ({"model": "no-such-model-9000"}, "FH-PLN-004"),
        ({"gpu": "H999"}, "FH-PLN-003"),
        ({"since": 5.0, "until": 4.0}, "FH-PLN-001"),
        ({"assumptions": {"nothing_like_it": [1, 2, 3]}}, "FH-PLN-006"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_at_once(client, instance, body, code):
    told = client.post("/api/plans", json=body)
    assert told.json()["error"]["code"] == code
    assert waiting(instance) == []


def test_a_plan_without_traffic_ends_with_why(client, instance):
    client.post("/api/plans", json={})
    result = make_now(instance)
    assert (result["state"], result["why"].split()[0]) == ("failed", "FH-PLN-002")


def test_a_bad_lever_is_named(client, plan):
    for verb in ("solve", "keep"):
        told = client.post(f"/api/plans/{plan}/{verb}", json={"levers": {"margin": 7}})
        assert (told.status_code, told.json()["error"]["code"]) == (400, "FH-PLN-006")


@pytest.mark.parametrize("name", ["plan_0000000000000000", "..", "plan_", "app"])
def test_there_is_no_plan_of_another_name(client, name):
    assert client.get(f"/api/plans/{name}").status_code == 404


def test_a_changed_plan_is_not_shown(client, instance, plan):
    path = instance.home / "plans" / f"{plan}.json"
    path.write_bytes(path.read_bytes().replace(b'"months":36', b'"months":37'))
    assert client.get(f"/api/plans/{plan}").json()["error"]["code"] == "FH-PLN-007"


def test_finance_plans_and_an_auditor_looks(client, client_of, plan):
    books, eyes = (
        client_of(client.post("/api/keys", json={"name": role, "role": role}).json()["secret"])
        for role in ("finance", "auditor")
    )
    assert books.post(f"/api/plans/{plan}/keep", json={}).status_code == 202
    assert eyes.post(f"/api/plans/{plan}/solve", json={}).status_code == 200
    assert eyes.post(f"/api/plans/{plan}/keep", json={}).status_code == 403


def test_a_card_that_is_gone_is_made_anew(client, instance, plan):
    before = client.get("/api/plans").json()[0]
    (instance.home / "plans" / f"{plan}.card").unlink()
    (after,) = client.get("/api/plans").json()
    assert {**after, "kept_at": 0, "by": ""} == {**before, "kept_at": 0, "by": ""}
