"""The demo, and the console in a real browser at the instance it leaves: every page, and people's ways through it."""

from __future__ import annotations

import io
import json
import time
import urllib.request

import pytest
from rich.console import Console as Screen

from demo.logs import company
from demo.playing import played
from tests.e2e.browsing import NARROW, WIDE, browser, grave, paths, signed_in

pytestmark = pytest.mark.timeout(1500)
PATIENCE_SECONDS = 240.0


class Console:
    """The instance, its address, and a way in."""

    def __init__(self, running):
        self.running = running
        address = running.freehold("console")["address"]
        self.base = address.partition("/console")[0]

    def link(self):
        return self.running.freehold("console")["address"]

    def call(self, text, route="assistant"):
        """Send a call; its id."""
        body = {"model": route, "messages": [{"role": "user", "content": text}], "max_tokens": 8}
        request = urllib.request.Request(
            f"{self.running.base}/v1/chat/completions",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {self.running.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as told:
            return told.headers["x-request-id"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo as `make demo LORA=0` plays it: the instance it leaves running, whether all was good, what it told."""
    folder, screen = tmp_path_factory.mktemp("demo"), Screen(file=io.StringIO(), width=140)
    with played(screen, folder, company(folder), lora=False) as (running, good):
        yield running, good, " ".join(screen.file.getvalue().split())


@pytest.fixture(scope="module")
def chromium(demo):
    with browser() as made:
        yield made


@pytest.fixture(scope="module")
def console(chromium, demo):
    return Console(demo[0])


@pytest.fixture
def page(chromium, console):
    made, complaints = signed_in(chromium, console.link())
    yield made
    assert complaints == []
    made.context.close()


def test_the_demo_moves_a_workflow_by_proof_and_takes_a_bad_release_back(demo):
    _, good, told = demo
    assert good, told
    assert "verified offline" in told
    assert "back at the caller: what was sent" in told
    assert "refused: the request holds injection" in told
    assert "computed anew, offline" in told
    assert "stage: canary, not worse by 3 points or more, share 5%" in told
    assert "is owned: 98% of its calls go to owned-classifier-" in told
    assert "Taken back by itself" in told
    assert "synthetic, by demo.company.log" in told
    assert "checks hold" in told


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_every_page_is_whole_and_axe_finds_nothing_grave(chromium, console, viewport, scheme):
    page, complaints = signed_in(chromium, console.link(), viewport=viewport, color_scheme=scheme)
    every = paths(page, console.base)
    assert len(every) >= 24
    wrong = {}
    for path in every:
        told = page.goto(console.base + path)
        found = grave(page) if told.status == 200 else [f"status {told.status}"]
        if page.locator("h1").count() != 1:
            found.append("not one heading of the first level")
        if page.evaluate("document.documentElement.scrollWidth") > viewport["width"]:
            found.append("wider than the window")
        if found:
            wrong[path] = found
    assert wrong == {}
    assert complaints == []
    page.context.close()


def test_every_page_reads_and_sends_without_scripts(chromium, console):
    page, _ = signed_in(chromium, console.link())
    every = paths(page, console.base)
    page.context.close()
    plain, _ = signed_in(chromium, console.link(), java_script_enabled=False)
    for path in every:
        assert plain.goto(console.base + path).status == 200, path
        assert len(plain.locator("main").inner_text()) > 60, path
        assert plain.locator("form[hx-post]:not([action])").count() == 0, path
    plain.goto(console.base + "/console/policy")
    plain.get_by_label("Label", exact=True).first.fill("confidential:GDPR")
    plain.get_by_label("Target", exact=True).first.select_option("rented")
    plain.get_by_role("button", name="Ask", exact=True).first.click()
    assert "clearance" in plain.locator("main").inner_text()
    plain.context.close()


def test_keys_lead_everywhere(page, console):
    page.goto(console.base + "/console/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for letter, heading in (("w", "Workflows"), ("t", "Traffic"), ("a", "Audit")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.get_by_role("heading", level=1, name=heading).wait_for()
    page.goto(console.base + "/console/calls")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "call"


def test_a_call_appears_as_it_ends_is_found_and_its_receipt_verified(page, console):
    page.goto(console.base + "/console/calls")
    call = console.call("Say hello.")
    row = page.locator("tbody tr", has_text=call)
    row.wait_for(timeout=20_000)
    page.get_by_label("Call", exact=True).fill(call)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("heading", level=1, name=call).wait_for()
    deadline = time.monotonic() + 20
    while page.get_by_text("verified", exact=True).count() == 0 and time.monotonic() < deadline:
        page.reload()
    assert page.get_by_text("the checkpoint is signed by identity").count() == 1
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the receipt").click()
    told = console.running.freehold("receipts", "verify", str(saved.value.path()))
    assert told["good"]


def test_a_move_is_followed_from_discovery_to_owned_and_back(page, console):
    page.goto(console.base + "/console/workflows")
    page.locator("tr", has_text="See that it holds").first.get_by_role("link").first.click()
    assert page.get_by_role("heading", level=1).inner_text()
    page.goto(console.base + "/console/moves")
    page.locator("main tr", has_text="owned").first.get_by_role("link").first.click()
    assert page.locator("svg.chart").count() >= 1, "the evidence is drawn"
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the dossier").click()
    assert console.running.freehold("moves", "verify", str(saved.value.path())), "it exits with an error otherwise"
    page.get_by_role("textbox", name="Why (kept in the audit)").last.fill("the test takes it back")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_text("rolled back").first.wait_for()
    assert all(one["stage"] == "rolled_back" for one in console.running.freehold("moves", "list"))


def movable(console):
    """A workflow whose move was rolled back and of which another may begin."""
    told = []
    for one in console.running.freehold("moves", "list"):
        if one["stage"] == "rolled_back":
            try:
                console.running.freehold("moves", "start", one["name"], "--dry-run")
            except SystemExit as error:
                told.append(str(error))
            else:
                return one["name"]
    pytest.fail("\n".join(told) or "no move was rolled back")


def test_a_step_waits_for_a_person_and_is_approved(page, console):
    name = movable(console)
    page.goto(console.base + "/console/workflows/" + name)
    page.locator("section", has=page.get_by_role("heading", name="Start another move")).locator("summary").click()
    page.get_by_label("shadow", exact=True).check()
    with page.expect_response(lambda told: told.request.method == "POST") as answered:
        page.get_by_role("button", name="Start the move").click()
    assert answered.value.status < 400, answered.value.text()
    deadline = time.monotonic() + PATIENCE_SECONDS
    approve = page.get_by_role("button", name="Approve the step")
    while not approve.count() and time.monotonic() < deadline:
        page.wait_for_timeout(1000)
        page.goto(console.base + "/console/moves/" + name)
    assert approve.count() == 1, page.locator("main").inner_text()
    page.goto(console.base + "/console/")
    assert page.locator(".needs li", has_text="approval").count() == 1
    page.goto(console.base + "/console/moves/" + name)
    page.get_by_role("textbox", name="Why (kept in the audit)").first.fill("it looks right")
    approve.click()
    page.get_by_role("status").first.wait_for()
    approve.wait_for(state="detached")
    page.get_by_role("textbox", name="Why (kept in the audit)").last.fill("enough seen")
    page.get_by_role("button", name="Roll back").click()


def test_answers_are_annotated_by_keys_alone(page, console):
    before = len(console.running.freehold("annotations", "list"))
    page.goto(console.base + "/console/annotations")
    record = page.locator("#say").count()
    assert record == 1, "the demo leaves answers that differ"
    page.locator("h1").click()
    page.keyboard.press("1")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert len(console.running.freehold("annotations", "list")) == before + 1


def test_a_plan_is_made_and_its_levers_pulled(page, console):
    page.goto(console.base + "/console/plans")
    page.get_by_label("Traffic", exact=True).select_option("recorded")
    page.get_by_label("Open model to own").fill("Llama-3.1-8B")
    page.get_by_label("Accelerator", exact=True).fill("H100")
    page.get_by_role("button", name="Make the plan").click()
    deadline = time.monotonic() + PATIENCE_SECONDS
    made = page.get_by_role("button", name="Decide anew")
    while not made.count() and time.monotonic() < deadline:
        page.wait_for_timeout(1000)
        links = page.locator("main a[href^='/console/plans/plan']")
        if links.count():
            links.first.click()
        else:
            page.goto(console.base + "/console/plans")
    assert made.count() == 1
    for option in ("nothing", "hosted", "self", "hybrid"):
        assert option in page.locator("main").inner_text().lower()


def test_the_playground_streams_beside_each_other(page, console):
    page.goto(console.base + "/console/playground")
    page.get_by_label("In the name of").select_option("default")
    for name in ("assistant", "frontier"):
        page.locator(f"input[value='{name}'], option[value='{name}']").first.wait_for(state="attached")
    assert page.get_by_role("button", name="Ask").count() == 1


def test_no_prompt_marks_up_a_page(page, console):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    call = console.call(evil)
    seen = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    row = page.locator("tbody tr", has_text=call)
    deadline = time.monotonic() + PATIENCE_SECONDS
    page.goto(console.base + "/console/calls")
    while not row.count() and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        page.reload()
    row.get_by_role("link").first.click()
    page.get_by_role("heading", level=1, name=call).wait_for()
    assert seen == []
    assert page.locator("main img").count() == 0


def test_the_first_load_is_small(console, chromium):
    page, _ = signed_in(chromium, console.link())
    page.context.clear_cookies(name="none")
    sizes = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda one: sizes.append(one["encodedDataLength"]))
    page.goto(console.base + "/console/")
    page.wait_for_load_state("load")
    assert 10_000 < sum(sizes) < 150_000
    page.context.close()
