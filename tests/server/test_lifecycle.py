"""What retires, with what it serves here and what was measured, over the management API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from freehold.assurance.lifecycle import Retirement
from freehold.core.db import writing
from freehold.evals import store as evals
from freehold.evals.proof.interval import Interval
from freehold.evals.scorecards import Scorecard
from freehold.evals.types import Plan, Run
from freehold.grading.types import Spec
from freehold.ledger.meter import Usage
from freehold.ledger.records import UsageRow
from freehold.server.api import lifecycle as api
from freehold.workflows.known import store as workflows
from freehold.workflows.types import Workflow

WORKFLOW = "wf_00000000000000000000000000"


@pytest.fixture
def retiring(monkeypatch):
    """The rented model ends long ago, by a row of its vendor's."""
    row = Retirement(
        party="here", model="rented", deprecated_on="", ends_on="2026-01-01", not_before="", replacement="newer",
        source="https://vendor.test/ends", as_of="2026-10-01",
    )  # fmt: skip
    monkeypatch.setattr(api, "retirements", lambda: (row,))
    monkeypatch.setattr("freehold.assurance.lifecycle.party", lambda target: "here")


def test_targets_are_told_with_their_routes_and_the_rows_source(client, retiring) -> None:
    found = {one["target"]: one for one in client.get("/api/lifecycle").json()}
    assert found["rented"]["state"] == "ended" and found["rented"]["late"]
    assert found["rented"]["routes"] == ["assistant"]
    assert (found["rented"]["replacement"], found["rented"]["source"]) == ("newer", "https://vendor.test/ends")
    assert found["mine"]["state"] == "own" and not found["mine"]["late"]


def test_without_a_row_nothing_is_said_to_be_safe(client) -> None:
    found = {one["target"]: one["state"] for one in client.get("/api/lifecycle").json()}
    assert found == {"rented": "unknown", "mine": "own"}


def test_a_lead_that_is_no_number_of_days_is_refused(client) -> None:
    assert client.get("/api/lifecycle", params={"lead_days": -1}).status_code == 400


def card(target: str, low: float) -> Scorecard:
    plain: dict[str, Any] = dict.fromkeys(Scorecard.__struct_fields__, 0)
    plain |= {"workflow": WORKFLOW, "target": target, "grader": "label", "reference": "incumbent", "dataset": ""}
    plain |= {"difference": Interval(mean=0.0, low=low, high=0.1, level=0.95, pairs=80), "pairs": 80, "quality": 0.9}
    plain |= {"noise": None, "slices": (), "failures": (), "missing": (), "cost_call": None, "cost_passed": None}
    plain |= dict.fromkeys(("latency_p50", "latency_p95", "incumbent_p50", "incumbent_p95"))
    return Scorecard(**plain)


def test_the_best_measured_candidate_stands_beside_what_it_would_replace(
    client, instance, retiring, monkeypatch
) -> None:
    row = UsageRow(
        group=(WORKFLOW,), calls=9, errors=0, usage=Usage(), cost=Decimal(1), what_if=None, what_if_cost=Decimal(0),
        what_if_calls=0, p50=1.0, p95=2.0,
    )  # fmt: skip
    monkeypatch.setattr(api.usage_store, "sums", lambda _c, by, wanted, _s: [row] if wanted.target == "rented" else [])
    with writing(instance.engine) as connection:
        workflows.keep(connection, [Workflow(id=WORKFLOW, name="mail", made_at=1.0)])
        for number, (target, low) in enumerate([("mine", -0.02), ("other", -0.2), ("rented", 0.0)], 1):
            plan = Plan(workflow=WORKFLOW, target=target, grader=Spec("label"))
            run = Run(id=f"ev_{number:026d}", at=float(number), plan=plan, state="done")
            evals.add_run(connection, run)
            evals.keep_run(connection, run, msgspec.json.encode(card(target, low)).decode())
    found = {one["target"]: one for one in client.get("/api/lifecycle").json()}["rented"]
    assert found["workflows"] == ["mail"]
    (best,) = found["evaluated"]
    assert (best["workflow"], best["target"], best["owned"], best["low"]) == ("mail", "mine", True, -0.02)
