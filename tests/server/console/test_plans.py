"""Plan: made from the page, opened up, decided anew by levers, kept; nothing that is not stated is shown as a saving."""

from __future__ import annotations

import asyncio
import html
import re
import time

import msgspec
import pytest

import freehold.evals.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.db import writing
from freehold.jobs import store as jobs
from freehold.planner.kept import Kept, Origin
from freehold.planner.plan import make
from freehold.server.actors import Actor
from freehold.server.console import plans
from freehold.server.console.ask import Ask
from freehold.server.console.page import Event, Fields, View
from freehold.server.console.render import Renderer
from tests.planner.planned import inputs, work

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def kept(instance):
    return Kept(instance.home / "plans")


@pytest.fixture
def plan(kept):
    made = make(inputs(work("tickets"), work("mail", requests=2e5), draws=300))
    return kept.put(made, Origin(at=1_790_000_000.0, by="ann")).id


def waiting(instance):
    with instance.reading() as connection:
        return jobs.list_jobs(connection)


def text_of(page):
    """What people read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


def test_an_empty_install_leads_to_the_first_import_and_the_first_plan(signed_in):
    page = signed_in.get("/plans")
    assert page.status_code == 200
    said = text_of(page)
    assert "No plan yet" in said and "freehold import log.jsonl" in said
    assert 'action="/console/plans"' in page.text


def test_the_form_has_the_trainer_make_a_plan(signed_in, instance):
    fields = {"traffic": "recorded", "model": "Llama-3.1-8B", "months": "24", "day": "2026-11-01", "skills": "yes"}
    growth = {"growth_low": "-10", "growth_base": "20", "growth_high": "60"}
    told = signed_in.send("/plans", {**fields, **growth}, page="/plans")
    assert told.status_code == 200, told.text
    assert "is being made" in text_of(told) and "waits for the trainer" in text_of(told)
    (job,) = waiting(instance)
    order = job.payload["order"]
    assert (order["recorded"], order["months"], order["day"], order["skills"]) == (True, 24, "2026-11-01", True)
    assert order["assumptions"] == {"traffic_growth": [-0.1, 0.2, 0.6]}
    assert job.payload["by"] == "owner"


def test_an_order_that_is_refused_keeps_what_was_typed(signed_in, instance):
    told = signed_in.send("/plans", {"model": "no-such-model-9000", "months": "24"}, page="/plans")
    assert told.status_code == 400
    assert "FH-PLN-004" in told.text and 'value="no-such-model-9000"' in told.text
    assert waiting(instance) == []


def test_a_plan_is_listed_with_its_advice(signed_in, plan):
    said = text_of(signed_in.get("/plans"))
    assert plan[5:13] in said and "ann" in said and "tickets:" in said


def test_a_plan_shows_five_options_ranges_drivers_fleets_and_reports(signed_in, plan):
    page = signed_in.get(f"/plans/{plan}")
    assert page.status_code == 200
    said = text_of(page)
    for words in ("Do nothing", "Another closed model", "Hosted open model", "Self-hosted", "Hybrid"):
        assert said.count(words) >= 3, words
    for words in ("all together", "Net present value", "What it hangs on", "Fleet over time", "Because:"):
        assert words in said, words
    assert page.text.count('<svg class="chart"') >= 8
    for reader in ("cfo", "cto", "ciso"):
        assert f'href="/console/plans/{plan}/report/{reader}.html"' in page.text
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))


def test_where_nothing_pays_it_says_do_not_migrate(signed_in, kept):
    name = kept.put(make(inputs(work(requests=2e4), draws=300)), Origin(at=1.0)).id
    page = signed_in.get(f"/plans/{name}")
    assert "Do not migrate" in text_of(page)


def test_too_little_traffic_states_no_saving(signed_in, kept):
    one = work()
    little = msgspec.structs.replace(one, demand=msgspec.structs.replace(one.demand, span_seconds=60.0, requests=700.0))
    name = kept.put(make(inputs(little, draws=300)), Origin(at=1.0)).id
    page = signed_in.get(f"/plans/{name}")
    said = text_of(page)
    assert "not stated" in said and "Not stated: the figures rest on too little" in said
    assert "What it hangs on" not in said
    assert "not stated" in text_of(signed_in.get("/plans"))


def test_levers_in_the_address_decide_anew_and_keep_nothing(signed_in, instance, kept, plan):
    before = signed_in.get(f"/plans/{plan}")
    page = signed_in.get(f"/plans/{plan}?traffic_growth=150&gpu_hour=9")
    said = text_of(page)
    assert page.status_code == 200
    assert "With levers pulled" in said and "With levers pulled" not in text_of(before)
    assert f"freehold plan solve {plan} --set gpu_hour=9 --set traffic_growth=1.5" in said
    assert re.search(r'name="traffic_growth" type="range"[^>]* value="150"', page.text)
    assert (len(kept.list()), waiting(instance)) == (1, [])


def test_sliders_sent_untouched_are_the_plan_itself(signed_in, plan):
    page = signed_in.get(f"/plans/{plan}")
    fields = dict(re.findall(r'name="(\w+)" type="range"[^>]* value="([^"]+)"', page.text))
    assert len(fields) == 12
    again = signed_in.get(f"/plans/{plan}", params=fields)
    assert "With levers pulled" not in text_of(again)


def test_every_slider_says_its_bounds_and_its_figure(signed_in, plan):
    page = signed_in.get(f"/plans/{plan}")
    for found in re.findall(r'<input id="s-(\w+)"', page.text):
        assert f'<label for="s-{found}">' in page.text
        assert f'id="v-{found}"' in page.text and f'id="p-{found}"' in page.text


@pytest.mark.parametrize("query", ["margin=900", "margin=nan", "fte_cost=lots"])
def test_a_lever_that_cannot_be_is_told(signed_in, plan, query):
    page = signed_in.get(f"/plans/{plan}?{query}")
    assert page.status_code < 500
    assert "FH-" in page.text


def test_what_levers_say_is_kept_by_a_form(signed_in, instance, plan):
    path = f"/plans/{plan}?volume=5"
    page = signed_in.get(path)
    assert '<input type="hidden" name="volume" value="5">' in page.text
    told = signed_in.send(f"/plans/{plan}/keep", {"volume": "5"}, page=path)
    assert told.status_code == 200, told.text
    (job,) = waiting(instance)
    assert (job.payload["plan"], job.payload["levers"]) == (plan, {"volume": 5.0})


def test_forms_need_the_word_of_their_session(signed_in, instance, plan):
    for path in ("/plans", f"/plans/{plan}/keep"):
        assert signed_in.client.post("/console" + path, data={"volume": "5"}).status_code == 403
    assert waiting(instance) == []


def test_an_auditor_reads_and_pulls_but_makes_nothing(browser_of, plan):
    eyes = browser_of("auditor")
    assert 'action="/console/plans"' not in eyes.get("/plans").text
    page = eyes.get(f"/plans/{plan}?volume=5")
    assert "With levers pulled" in text_of(page) and f"/plans/{plan}/keep" not in page.text
    assert eyes.send("/plans", {}, page="/plans").status_code == 403


def test_a_plan_that_is_not_there_is_not_found(signed_in):
    assert signed_in.get("/plans/plan_0000000000000000").status_code == 404


def test_names_of_workflows_are_never_markup(signed_in, kept):
    name = kept.put(make(inputs(work(HOSTILE), work("mail"), draws=300)), Origin(at=1.0, by=HOSTILE)).id
    for path in ("/plans", f"/plans/{name}", f"/plans/{name}?volume=5&traffic_growth={HOSTILE}"):
        page = signed_in.get(path)
        assert "<script>alert" not in page.text and "<img src=x" not in page.text
    assert "&lt;script&gt;" in signed_in.get(f"/plans/{name}").text


def test_pages_have_twins_reports_and_the_frozen_file(signed_in, kept, plan):
    twin = signed_in.twin(f"/plans/{plan}")
    assert twin["asked"][f"/api/plans/{plan}"]["card"]["id"] == plan
    report = signed_in.get(f"/plans/{plan}/report/cfo.html")
    assert report.headers["content-type"].startswith("text/html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert signed_in.get(f"/plans/{plan}/file").content == kept.data(plan)


def test_nothing_of_a_page_needs_inline_script_or_style(signed_in, plan):
    for path in ("/plans", f"/plans/{plan}?volume=3"):
        page = signed_in.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", page)


def test_how_far_a_plan_has_come_is_told_as_it_goes(instance, client_of):
    """The live page's events, as the browser is sent them."""
    app = client_of().app
    actor = Actor("owner", "owner")
    with writing(instance.engine) as connection:
        jobs.add(connection, instance.new_id(), "plans.make", {}, 1.0)

    async def two() -> list[Event]:
        view = View(Ask(app, actor), actor, {}, Fields(()), Fields(()), 1.0)
        renderer = Renderer()
        events = plans.live(view, lambda template, **values: renderer.text(template, values))
        first = await anext(events)
        with writing(instance.engine) as connection:
            taken = jobs.claim(connection, ("plans.make",), b"t" * 16, 2.0, 60)
            jobs.finish(connection, taken.id, b"t" * 16, 2.0, {"state": "done", "plan": "plan_0123456789abcdef"})
        second = await anext(events)
        await events.aclose()
        return [first, second]

    first, second = asyncio.run(two())
    assert "waits for the trainer" in first.html
    assert 'href="/console/plans/plan_0123456789abcdef"' in second.html


def test_one_that_failed_says_why(signed_in, instance):
    now = time.time()
    with writing(instance.engine) as connection:
        jobs.add(connection, instance.new_id(), "plans.make", {}, now)
        taken = jobs.claim(connection, ("plans.make",), b"t" * 16, now, 60)
        why = {"state": "failed", "why": "FH-PLN-002 no call", "hint": "let calls in"}
        jobs.finish(connection, taken.id, b"t" * 16, now, why)
    said = text_of(signed_in.get("/plans"))
    assert "FH-PLN-002 no call" in said and "let calls in" in said


def test_of_many_workflows_one_is_opened_up_and_levers_stay_pulled(signed_in, kept):
    works = [work(f"flow {number}", requests=1e5 * (number + 1)) for number in range(5)]
    name = kept.put(make(inputs(*works, draws=300)), Origin(at=1.0)).id
    page = signed_in.get(f"/plans/{name}")
    assert page.text.count('aria-label="Five options for') == 1 and "Five options for all together" in page.text
    assert page.text.count("?workflow=flow%20") == 5
    one = signed_in.get(f"/plans/{name}?workflow=flow%203&volume=2")
    assert "Five options for flow 3" in one.text and "Five options for all together" not in one.text
    assert "?workflow=flow%204&amp;volume=2#part-1" in one.text
    assert '<input type="hidden" name="workflow" value="flow 3">' in one.text
