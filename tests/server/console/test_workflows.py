"""Workflows in the console: where each stands, whether it is settled, and the forms that change it."""

from __future__ import annotations

import re

import freehold.evals.tables
import freehold.moves.tables  # noqa: F401  all tables must be known before they are made
from freehold.jobs import store as jobs
from freehold.moves import store as moves
from freehold.server.console.stages import WAY, next_of_workflow
from freehold.server.console.workflows import SETTLED
from freehold.workflows.maturity import STABLE
from tests.evals.conftest import WORKFLOW
from tests.server.console.moving import begin, keep, maturity, name, text_of


def test_workflows_show_where_they_stand_and_the_one_next_step(signed_in, instance, flow):
    page = signed_in.get("/workflows")
    said = text_of(page)
    assert "yes-or-no" in said and "mature" in said
    for stage in WAY:
        assert stage in said
    assert f'href="/console/workflows/{WORKFLOW}#start"' in page.text and "Start a move" in said
    begin(instance)
    said = text_of(signed_in.get("/workflows"))
    assert "See the evidence" in said and "Start a move" not in said


def test_what_has_not_settled_is_not_led_into_a_move():
    shown = {"workflow": {"id": WORKFLOW, "maturity": {"verdict": "exploratory", "reasons": ["chat"]}}}
    step = next_of_workflow(shown, None, may=True)
    assert (step.word, step.why) == ("See why it is not settled", "chat")
    assert next_of_workflow({"workflow": {"id": "wf_1", "maturity": None}}, None, may=True).word == "Discover again"


def test_one_workflow_tells_every_term_with_its_rule(signed_in, flow):
    page = signed_in.get(f"/workflows/{WORKFLOW}")
    said = text_of(page)
    for term in maturity().terms:
        assert term.name in said and term.rule in said
    assert SETTLED == STABLE and "settled workflows" in said
    assert page.text.count('<svg class="chart"') == 2
    assert signed_in.get("/workflows/yes-or-no").status_code == 200
    assert signed_in.get("/workflows/wf_000000000000").status_code == 404


def test_samples_are_read_only_when_asked_for_and_by_who_may(signed_in, browser_of, flow):
    assert "Reading them is written into the audit" in text_of(signed_in.get(f"/workflows/{WORKFLOW}"))
    assert "/samples" not in "".join(signed_in.twin(f"/workflows/{WORKFLOW}")["asked"])
    page = signed_in.get(f"/workflows/{WORKFLOW}?samples=yes")
    assert name(0) in page.text and "Picked by chance" in text_of(page)
    weak = browser_of("operator").get(f"/workflows/{WORKFLOW}?samples=yes")
    assert name(0) not in weak.text and "bodies:read" in text_of(weak)


def test_discovery_is_queued_by_a_form_and_told(signed_in, instance, flow):
    told = signed_in.send("/workflows/discover", page="/workflows")
    assert told.status_code == 200 and "Discovery is queued" in text_of(told) and "ready" in text_of(told)
    with instance.reading() as connection:
        assert [one.kind for one in jobs.list_jobs(connection)] == ["workflows.discover"]


def test_a_workflow_is_renamed_merged_and_kept_from_it_while_it_moves(signed_in, instance, flow, move):
    keep(instance, "other", id="wf_bbbbbbbbbbbb")
    page = f"/workflows/{WORKFLOW}"
    told = signed_in.send(f"{page}/rename", {"to": "letters"}, page=page)
    assert "It is named letters now" in text_of(told)
    told = signed_in.send(f"{page}/merge", {"into": "wf_bbbbbbbbbbbb"}, page=page)
    assert told.status_code == 409 and "mv_1" in text_of(told)
    signed_in.send("/moves/mv_1/rollback", {"why": "done"}, page="/moves/mv_1")
    told = signed_in.send(f"{page}/merge", {"into": "wf_bbbbbbbbbbbb"}, page=page)
    assert "Merged into other" in text_of(told)


def test_a_move_is_looked_at_before_it_is_begun(signed_in, instance, flow):
    page = f"/workflows/{WORKFLOW}"
    fields = {"recipe": "none", "candidate": "mine", "incumbent": "rented", "margin": "2", "approve": "owned"}
    told = signed_in.send(f"{page}/move", {**fields, "look": "yes"}, page=page)
    said = text_of(told)
    assert told.status_code == 200, said
    assert "Nothing was begun" in said and "below 2 points" in said
    assert "A person approves owned" in said
    assert signed_in.client.get("/api/moves", headers={"authorization": "Bearer token-of-the-owner"}).json() == []
    sent = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', told.text[told.text.index("The rule") :])
    )
    assert {**fields, "form": sent["form"]} == sent
    told = signed_in.send(f"{page}/move", {key: value for key, value in sent.items() if key != "form"}, page=page)
    assert "The move has begun" in text_of(told)
    with instance.reading() as connection:
        (made,) = moves.everything(connection)
    assert (made.plan.candidate, made.rule.margin, made.rule.approvals) == ("mine", 0.02, ("owned",))
