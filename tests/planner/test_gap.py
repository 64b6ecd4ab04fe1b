"""The gap over time: from dated rows only, and never further than they go."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.planner.errors import PlanError
from freehold.planner.gap import CERTAINTIES, Dated, gaps, measured, public
from freehold.planner.observed import Observed, Scored, evidence
from freehold.planner.work import Facts

TODAY = date(2026, 11, 1)


def row(model, quality, day, *, opened=False, cost=None):
    return Dated(task="t", model=model, open=opened, day=day, quality=quality, cost=cost, source="s")


def test_a_gap_closes_on_the_day_an_open_model_is_good_enough():
    (one,) = gaps(
        [
            row("big", 0.9, "2025-01-01", cost=0.01),
            row("small", 0.7, "2025-02-01", opened=True, cost=0.001),
            row("better", 0.88, "2025-05-01", opened=True, cost=0.002),
        ],
        0.03,
        TODAY,
        {"t": 1000.0},
    )
    assert one.gap == pytest.approx(0.02)
    assert (one.closed_on, one.open_choice) == ("2025-05-01", "better")
    assert one.waiting == pytest.approx(8.0)
    assert one.waited == pytest.approx(8.0 * (TODAY - date(2025, 5, 1)).days / 30.4375)


def test_a_gap_that_opens_again_is_open():
    (one,) = gaps(
        [
            row("big", 0.9, "2025-01-01"),
            row("open", 0.9, "2025-02-01", opened=True),
            row("bigger", 0.99, "2025-03-01"),
        ],
        0.03,
        TODAY,
    )
    assert (one.closed_on, one.waiting) == ("", None)
    assert one.gap == pytest.approx(0.09)


def test_a_side_without_rows_is_said_and_not_guessed():
    (one,) = gaps([row("big", 0.9, "2025-01-01")], 0.03, TODAY)
    assert (one.gap, one.closed_on, one.steps[0].open) == (None, "", None)


def test_rows_of_later_days_do_not_count_yet():
    (one,) = gaps([row("big", 0.9, "2025-01-01"), row("open", 0.95, "2027-01-01", opened=True)], 0.03, TODAY)
    assert one.gap is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(1, 28)), min_size=1, max_size=12))
def test_the_best_never_gets_worse(found):
    (one,) = gaps(
        [row(f"m{at}", quality, f"2025-01-{day:02d}", opened=open_) for at, (open_, quality, day) in enumerate(found)],
        0.03,
        TODAY,
    )
    for side in ("rented", "open"):
        values = [value for step in one.steps if (value := getattr(step, side)) is not None]
        assert values == sorted(values)


def test_public_rows_carry_source_and_date():
    found = public()
    assert all(one.source and one.day for one in found)
    assert {one.open for one in found} == {True, False}
    assert all(any(f"({sure})" in one.source for sure in CERTAINTIES[1:]) for one in found), "how sure each day is"


def test_a_certainty_that_is_none_is_named(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("task,model,open,released,quality,source,as_of,certainty\nt,m,yes,2024-01-01,0.4,s,2024,maybe\n")
    with pytest.raises(PlanError, match="row 1: certainty"):
        public(file)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("t,m,yes,2024-01-01,1.4,s,2024", "row 1: quality"),
        ("t,m,perhaps,2024-01-01,0.4,s,2024", "row 1: open"),
        ("t,m,yes,yesterday,0.4,s,2024", "row 1"),
    ],
)
def test_a_bad_row_is_named(tmp_path, line, words):
    file = tmp_path / "scores.csv"
    file.write_text(f"task,model,open,released,quality,source,as_of\n{line}\n")
    with pytest.raises(PlanError, match=words):
        public(file)


def scored(target, *, owned, quality, low, pairs=400):
    return Scored(
        run=f"ev_{target}",
        target=target,
        owned=owned,
        open=owned,
        day="2026-10-01",
        quality=quality,
        incumbent_quality=0.95,
        low=low,
        high=0.02,
        passed=quality,
        pairs=pairs,
        cost_call=0.001,
    )


def test_scorecards_become_evidence_for_the_best_of_each_option():
    found = evidence(
        [
            scored("mine", owned=True, quality=0.94, low=-0.02),
            scored("worse", owned=True, quality=0.8, low=-0.2),
            scored("gpt", owned=False, quality=0.9, low=-0.08),
        ]
    )
    options = {one.option: one for one in found}
    assert set(options) == {"nothing", "closed", "self_hosted"}
    mine = options["self_hosted"]
    assert mine.source == "ev_mine, mine"
    assert mine.passed.p10 < 0.94 < mine.passed.p90
    assert evidence([]) == ()


def test_scorecards_are_rows_of_the_gap():
    one = Observed(
        id="wf_1",
        name="mail",
        calls=10,
        now="openai/gpt-4o",
        facts=Facts(),
        evidence=(),
        scores=(scored("mine", owned=True, quality=0.94, low=-0.02),),
    )
    (found,) = gaps(measured([one], {"mail": 0.01}), 0.03, TODAY, {"mail": 100.0})
    assert (found.closed_on, found.open_choice) == ("2026-10-01", "mine")
    assert found.waiting == pytest.approx(0.9)
