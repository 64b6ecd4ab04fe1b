"""What plans are made from, over the management API: traffic without content, facts and papers."""

from __future__ import annotations

import time
from datetime import date

import msgspec
import pytest

import freehold.evals.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.gateway.settings import PriceSettings
from freehold.planner.contract import OwnPrice
from freehold.planner.observed import Observed
from freehold.planner.preparing import contract_of, joined, with_prices
from freehold.planner.prices import quote
from freehold.planner.settings import PlanSettings
from freehold.planner.traffic import Columns, arrivals
from freehold.planner.work import Facts
from freehold.policy.vendors import packaged
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
