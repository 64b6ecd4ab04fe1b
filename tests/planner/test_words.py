"""Figures as people read them."""

from __future__ import annotations

from freehold.planner.report.words import counted, months, paybacks


def test_one_month_is_said_as_one() -> None:
    assert counted(1, "month") == "1 month"
    assert counted(12, "month") == "12 months"
    assert months(1.2) == "1 month"
    assert months(2.0) == "2 months"
    assert months(None) == "not within the horizon"


def test_a_payback_of_one_month_in_every_draw_is_one_month() -> None:
    assert paybacks((1.0, 1.0, 1.0)) == "1 month"
    assert paybacks((1.0, 2.0, 3.0)) == "2 (1 to 3) months"
    assert paybacks((None, None, None)).startswith("never")
