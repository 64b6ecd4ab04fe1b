"""Evaluations in the console: scorecards with intervals, and answers side by side."""

from __future__ import annotations

import re

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.evals import store as evals
from freehold.grading import registry
from freehold.grading.types import Spec
from freehold.server.console.evals import GRADERS
from tests.evals.conftest import WORKFLOW
from tests.server.console.moving import text_of


def test_a_scorecard_is_shown_with_its_interval_and_its_differences(signed_in, run):
    said = text_of(signed_in.get(f"/evals/{run}"))
    assert "On 40 calls" in said and "-20.0 points" in said and "different scores: 8" in said
    page = signed_in.get(f"/evals/{run}/answers")
    assert page.text.count("<del>no</del>") == 5 and page.text.count("<ins>yes</ins>") == 5
    rest = signed_in.get(
        re.search(r'href="(\?which=differ[^"]+)"', page.text)[1]
        .replace("&amp;", "&")
        .join(("/evals/" + run + "/answers", ""))
    )
    assert rest.text.count("<del>no</del>") == 3
    assert "yes-or-no" in text_of(signed_in.get("/evals"))
    assert signed_in.get("/evals/ev_1").status_code == 404


def test_scores_without_words_for_who_may_not_read(browser_of, run):
    weak = browser_of("operator")
    page = weak.get(f"/evals/{run}/answers")
    assert "<del>" not in page.text and "Your role sees scores" in text_of(page) and "2 characters" in text_of(page)
    said = text_of(weak.get("/annotations"))
    assert "Not for your role" in said and "Keep it" not in said


def test_an_evaluation_is_queued_by_a_form(signed_in, instance, flow):
    told = signed_in.send("/evals", {"workflow": WORKFLOW, "target": "mine", "limit": "30"}, page="/evals")
    assert "It is queued" in text_of(told)
    with instance.reading() as connection:
        assert evals.list_runs(connection)[0].plan.limit == 30
    assert signed_in.send("/evals", {"workflow": WORKFLOW, "target": "nobody"}, page="/evals").status_code == 404


def test_every_grader_that_is_offered_needs_no_more_than_the_form_asks():
    known = {one.name for one in registry.GRADERS}
    for name, _ in GRADERS[1:]:
        assert name in known
        registry.check(Spec(name))
