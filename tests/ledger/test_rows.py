from __future__ import annotations

from decimal import Decimal

import msgspec

from freehold.core.money import from_pico, to_pico
from freehold.gateway.routing.types import Routes
from freehold.ledger.intake import facts
from freehold.ledger.intake.join import Ended
from freehold.ledger.intake.rows import ended_rows, refused_rows
from freehold.ledger.meter import Usage, cost
from freehold.ledger.tables import attempts, calls
from tests.ledger.sample import RENTED, ROUTES, attempt, closed, opened, refused, tried

FACTS = facts.facts_of(msgspec.msgpack.decode(msgspec.msgpack.encode(ROUTES), type=facts._Content))


def rows(ended: Ended):
    return ended_rows(ended, "e", lambda version: FACTS)


def test_facts_read_the_snapshot_that_the_gateway_reads() -> None:
    assert isinstance(ROUTES, Routes)
    assert FACTS.target("big").price == RENTED
    assert FACTS.target("small").owned
    assert FACTS.baselines["assistant"].target == "big"


def test_rows_fill_every_column() -> None:
    made = rows(Ended([opened(1)], closed(1)))
    assert set(made.call) | {"leaf"} == set(calls.c.keys())
    assert set(made.attempts[0]) | {"leaf"} == set(attempts.c.keys())
    assert set(refused_rows(refused(1), "e").call) | {"leaf"} == set(calls.c.keys())


def test_what_if_is_the_baselines_price_for_the_same_tokens() -> None:
    made = rows(Ended([opened(1)], closed(1)))
    usage = Usage(input=1000, output=100, cached=200)
    assert from_pico(made.call["what_if"]) == cost(usage, RENTED) == Decimal("0.00325")
    assert made.call["what_if_target"] == "big"
    assert made.call["what_if_source"] == "list, 2026-11-01"
    assert rows(Ended([opened(1, route="other")], closed(1))).call["what_if"] is None


def test_a_baseline_without_a_price_says_nothing() -> None:
    unpriced = facts._Content((facts.TargetFacts("big"),), (facts.RouteFacts("assistant", "big"),))
    assert facts.facts_of(unpriced).baselines == {}


def test_what_was_answered_without_any_target_is_no_refusal() -> None:
    assert refused_rows(refused(1, status=200, error=""), "e").call["outcome"] == "ok"
    assert refused_rows(refused(1), "e").call["outcome"] == "refused"


def test_tokens_add_up_over_attempts_and_the_last_target_is_named() -> None:
    both = (
        tried(1, outcome="failed", usage=Usage(input=10), cost="0.0005", first_token=None),
        tried(2, "big", usage=Usage(input=20, output=5), cost="0.0015"),
    )
    close = closed(1, tried=both, cost=Decimal("0.002"))
    made = rows(Ended([opened(1), attempt(1)], close))
    assert (made.call["input"], made.call["output"], made.call["attempts"]) == (30, 5, 2)
    assert (made.call["target"], made.call["owned"], made.call["region"]) == ("big", False, "us-east")
    assert made.call["cost"] == to_pico(Decimal("0.002"))
    assert made.call["reserved"] == to_pico(Decimal("0.02"))
    # What the answer used, not the attempt that failed before it.
    assert from_pico(made.call["what_if"]) == cost(Usage(input=20, output=5), RENTED)


def test_a_target_that_is_gone_from_the_routes_keeps_its_name() -> None:
    made = rows(Ended([opened(1)], closed(1, tried=(tried(target="gone"),))))
    assert (made.call["target"], made.call["region"], made.call["owned"]) == ("gone", "unknown", False)


def test_names_from_callers_are_bounded_and_free_of_nul() -> None:
    made = refused_rows(refused(1, route="x\0" * 4000), "e")
    assert len(made.call["route"]) <= 256
    assert "\0" not in made.call["route"]


def test_a_close_whose_opening_is_lost_still_counts_its_money() -> None:
    made = rows(Ended(None, closed(1, cost=Decimal("0.3"))))
    assert (made.call["key_id"], from_pico(made.call["cost"]), made.budgets) == ("", Decimal("0.3"), ())
