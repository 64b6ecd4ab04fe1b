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
    assert paybacks((1.0, 2.0, 3.0)) == "2 months (1 to 3)"
    assert paybacks((4.0, 4.0, 4.0)) == "4 months"


def test_a_payback_says_its_unit_once_and_one_month_as_one() -> None:
    assert paybacks((1.0, 1.0, 2.0)) == "1 month (1 to 2)"
    assert paybacks((8.0, 12.0, None)) == "12 months (8 to never)"
    assert paybacks((1.0, None, None)) == "never in the median; 1 month at best"
    assert paybacks((None, None, None)) == "never"
