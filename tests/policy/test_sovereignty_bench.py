"""The bench of sovereignty: clean where the rules hold, and loud where one is taken away."""

from __future__ import annotations

import pytest

from bench import sovereign_world, sovereignty
from bench.sovereign_traces import run
from freehold.core import egress
from freehold.policy import decide, labelling


def test_traces_find_nothing_where_the_rules_hold() -> None:
    tally = run(3000, 7)
    assert (tally.violations, tally.needless) == (0, 0)
    assert tally.departures > 3000 and tally.refusals > 2000 and len(tally.events) == 16


@pytest.mark.parametrize("name", [name for name, _ in decide.RULES])
def test_traces_find_each_rule_that_is_taken_away(monkeypatch, name: str) -> None:
    left = tuple(one for one in decide.RULES if one[0] != name)
    if name == "unknown":  # what it refuses needs a target that is cleared for everything and has every paper
        left = tuple(one for one in left if one[0] != "vendor")
    monkeypatch.setattr(decide, "RULES", left)
    assert run(3000, 7).violations > 0


def test_traces_find_a_join_that_forgets(monkeypatch) -> None:
    monkeypatch.setattr(
        labelling, "joined", lambda said: next((one for one in reversed(said) if one), labelling.UNKNOWN)
    )
    assert run(2000, 7).violations > 0


def test_traces_find_a_permit_that_outlives_its_time(monkeypatch) -> None:
    monkeypatch.setattr(egress, "PERMIT_SECONDS", 1e9)
    assert run(2000, 7).violations > 0


def test_traces_find_a_mint_that_knows_no_days(monkeypatch) -> None:
    monkeypatch.setattr("freehold.policy.permits.day", lambda now: "2026-11-22")
    assert run(2000, 7).violations > 0


def test_scenarios_of_a_conversation_come_out_as_written() -> None:
    turns = [{"role": "user", "label": "restricted", "text": "a"}, {"role": "user", "label": "public", "text": "b"}]
    row = {
        "id": "1", "family": "carry_over_turns", "turns": turns, "event": None, "tenant_regions": ["EU", "US"],
        "regimes": ["CLASSIFIED"], "needs_content_detection": False,
        "expect": {"vendor-us": "deny", "vendor-eu-dpa": "deny", "selfhost-eu": "allow", "selfhost-us": "deny"},
    }  # fmt: skip
    (found,) = sovereignty.scenarios([row])
    assert found["correct"] and found["label"] == "restricted:CLASSIFIED"
    (other,) = sovereignty.scenarios([{**row, "expect": {"selfhost-eu": "deny"}}])
    assert not other["correct"] and other["violations"] == 1


def test_the_worlds_targets_are_all_meant() -> None:
    assert set(sovereign_world.table().stops) == set(sovereign_world.MEANT)
