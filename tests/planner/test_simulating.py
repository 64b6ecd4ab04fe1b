"""A plan's fleets are the same whoever simulates them."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from freehold.core.errors import LeaseLost
from freehold.jobs.local_pool import LocalPool
from freehold.planner.errors import PlanError
from freehold.planner.preparing import Traffic, prepare, split
from freehold.planner.settings import PlanSettings
from freehold.planner.traffic import Columns, arrivals

SETTINGS = PlanSettings(now="openai/gpt-4o", draws=100)
DAY = date(2026, 11, 1)


def traffic(count=240):
    """Three workflows that share machines where that is cheaper."""
    rows = Columns(
        t=[9.0 * one for one in range(count)],
        input=[200 + 37 * (one % 11) for one in range(count)],
        output=[20 + 5 * (one % 7) for one in range(count)],
        workflow=[("mail", "chat", "code")[one % 3] for one in range(count)],
    )
    whole = arrivals(rows, "made")
    return Traffic(split(whole), whole)


def nobody(_done, _words):
    pass


def test_a_plan_is_the_same_on_one_process_and_on_two():
    pool = LocalPool(2, patience=0.0)
    try:
        apart = prepare(SETTINGS, traffic(), DAY, nobody, None, pool)
    finally:
        pool.close()
    here = prepare(SETTINGS, traffic(), DAY)
    assert msgspec.json.encode(apart) == msgspec.json.encode(here)
    assert [one.name for one in here.works] == ["chat", "code", "mail"]
    assert all(len(one.staircases) == 3 for one in here.works) and len(here.shared) == 3
    assert [one.way for one in here.packings] == ["apart", "adapters", "together"]


def test_one_workflow_shares_with_nobody():
    whole = traffic().whole.of("mail")
    found = prepare(
        SETTINGS,
        Traffic(split(msgspec.structs.replace(whole, workflows=("mail",), workflow=whole.workflow * 0)), whole),
        DAY,
    )
    assert (found.shared, found.packings) == ((), ())


def test_what_makes_no_plan_is_told_before_anything_is_simulated():
    told = []
    with pytest.raises(PlanError, match="nobody said what serves"):
        prepare(PlanSettings(), traffic(), DAY, lambda done, words: told.append(done))
    assert told == []


def test_a_lease_that_is_lost_ends_the_work():
    pool = LocalPool(2, patience=0.0)

    def lost(done, _words):
        if done > 0.1:
            raise LeaseLost("another has it")

    try:
        with pytest.raises(LeaseLost):
            prepare(SETTINGS, traffic(), DAY, lost, None, pool)
        assert pool.workers == ()
    finally:
        pool.close()
