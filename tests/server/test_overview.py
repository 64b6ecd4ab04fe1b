"""One look at the whole: what it sums is what the calls say, and who may not see a thing is not told of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from starlette.testclient import TestClient

from freehold.assurance import attention
from freehold.assurance.errata.types import Match
from freehold.assurance.lifecycle import Ending
from freehold.ledger.audit.store import append
from freehold.ledger.frames import Scan
from freehold.ledger.writer import load_once
from freehold.policy.authority import Standing
from freehold.server.app import create_app, guarded
from freehold.server.instance import Instance
from freehold.server.publish import Facts, Publisher
from freehold.settings.load import parse
from tests.ledger.sample import START, Home, closed, opened, refused

CONFIG = b"[serving]\nenabled = false\n[teams.red]\nbudget = 0.001\n"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    seen = Scan("strict", "0" * 64, 100, (("pii", "EMAIL", 2),))
    frames = [frame for number in range(1, 9) for frame in (opened(number, scan=seen), closed(number))]
    made.write("0a", *frames, refused(9), refused(10))
    made.end("0a")
    load_once(made.path, made.engine, made.keys, clock=lambda: START + 60)
    yield made
    made.close()


@pytest.fixture
def client(home):
    loaded = parse(CONFIG, None, {}, str(home.path))
    publisher = Publisher(home.engine, home.path, home.keys.identity, lambda: START, Facts(owned=tuple))
    instance = Instance(home.engine, home.keys.identity, loaded, publisher, append, lambda: START + 61)
    with TestClient(guarded(create_app(instance, "t"), ("testserver",)), headers={"authorization": "Bearer t"}) as made:
        yield made


def test_it_sums_the_calls_of_the_month(client):
    told = client.get("/api/overview").json()
    calls = client.get("/api/calls").json()["calls"]
    assert told["sums"]["calls"] == len(calls) == 10
    assert told["sums"]["errors"] == 2
    assert Decimal(told["sums"]["cost"]) == sum(Decimal(one["cost"]) for one in calls)
    assert told["sums"]["owned_calls"] == sum(one["owned"] for one in calls)
    assert sum(one["calls"] for one in told["days"]) == 10
    assert told["safety"]["looked_at"] == 8
    assert told["safety"]["findings"] == 16
    assert sum(told["safety"]["refused"].values()) == 2
    later = client.get("/api/overview", params={"since": START + 50}).json()
    assert (later["sums"]["calls"], later["sums"]["what_if"], later["days"]) == (0, None, [])


def test_who_may_not_see_money_is_told_of_no_budget(client):
    secret = client.post("/api/keys", json={"name": "dev", "role": "auditor"}).json()["secret"]
    auditor = client.get("/api/overview/needs", headers={"authorization": f"Bearer {secret}"}).json()["needs"]
    assert {one["kind"] for one in auditor} >= set()
    plain = client.post("/api/keys", json={"name": "app"}).json()["secret"]
    assert client.get("/api/overview/needs", headers={"authorization": f"Bearer {plain}"}).status_code == 403


def standing(spent, limit="10"):
    spent, limit = Decimal(spent), Decimal(limit)
    return Standing(
        budget="team/red",
        period="month",
        limit=limit,
        spent=spent,
        held=Decimal(0),
        available=limit - spent,
        resets_at=0,
    )


def test_a_budget_is_told_from_four_fifths_on_and_urgent_when_it_is_gone():
    assert attention.of_budgets([(standing("7.99"), "")]) == []
    (near,) = attention.of_budgets([(standing("8"), "2026-12-01")])
    assert (near.value, near.bound, near.urgent, near.due) == (8.0, 10.0, False, "2026-12-01")
    (gone,) = attention.of_budgets([(standing("10"), "")])
    assert gone.urgent


def test_an_advisory_is_told_once_with_its_worst_standing_and_not_when_it_is_dealt_with():
    matches = [
        Match(advisory="FH-1", what="b", standing="unknown"),
        Match(advisory="FH-1", what="a", standing="affected"),
        Match(advisory="FH-2", what="a", standing="patched"),
        Match(advisory="FH-3", what="a", standing="fixed"),
    ]
    (one,) = attention.of_advisories(matches)
    assert (one.subject, one.urgent) == ("FH-1", True)
    assert "a, b: affected" in one.told


def test_a_retirement_is_told_where_a_route_leads_there_and_time_runs_short():
    soon = Ending(target="t", model="m", party="p", state="announced", ends_on="2026-12-01", days_left=8, late=True)
    assert attention.of_endings([soon]) == []
    (one,) = attention.of_endings([msgspec.structs.replace(soon, routes=("r",))])
    assert (one.due, one.value, one.command) == ("2026-12-01", 8.0, "freehold lifecycle move t")
    assert attention.of_endings([msgspec.structs.replace(soon, routes=("r",), late=False)]) == []


def test_the_urgent_come_first_then_by_date():
    def need(name, due="", *, urgent=False):
        return attention.Need(
            kind="budget", subject=name, told="", due=due, urgent=urgent, page="/", command="freehold usage"
        )

    sorted_ = attention.sorted_needs(
        [need("c"), need("b", "2026-12-02"), need("a", "2026-12-01"), need("d", urgent=True)]
    )
    assert [one.subject for one in sorted_] == ["d", "a", "b", "c"]


def test_a_refused_change_of_the_file_is_told():
    (problem, restart) = attention.of_settings(2, ("gateway",))
    assert "2 problems" in problem.told
    assert "[gateway]" in restart.told
    assert attention.of_settings(0, ()) == []
