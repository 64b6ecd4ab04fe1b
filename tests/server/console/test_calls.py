"""Traffic and one call: what is shown is what the ledger holds, whoever wrote it, for whoever may see it."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.testclient import TestClient

from freehold.ledger.audit.store import append
from freehold.ledger.writer import load_once
from freehold.server.actors import Actor
from freehold.server.app import create_app, guarded
from freehold.server.console import calls
from freehold.server.console.ask import Ask
from freehold.server.console.handing import encoded
from freehold.server.console.page import Event, Fields, View
from freehold.server.console.render import Renderer
from freehold.server.instance import Instance
from freehold.server.publish import Facts, Publisher
from freehold.settings.load import parse
from tests.ledger.sample import START, Home, body, call_id, closed, opened, refused
from tests.server.console.conftest import Browser

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
SAID = {"model": "assistant", "messages": [{"role": "user", "content": f"my mail is ann@example.org {EVIL}"}]}
TOKEN = "token-of-the-owner"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.begin("0a")
    frames = [frame for number in range(1, 4) for frame in (opened(number), closed(number))]
    frames.insert(1, body(1, "request", json.dumps(SAID).encode(), made.keys.sealer))
    hostile = opened(5, workflow=EVIL, route=EVIL, team=EVIL, label="internal")
    made.write("0a", *frames, refused(4), hostile, closed(5))
    made.end("0a")
    load_once(made.path, made.engine, made.keys, clock=lambda: START + 60)
    yield made
    made.close()


@pytest.fixture
def app(home):
    loaded = parse(b"[serving]\nenabled = false\n", None, {}, str(home.path))
    publisher = Publisher(home.engine, home.path, home.keys.identity, lambda: START, Facts(owned=tuple))
    instance = Instance(home.engine, home.keys.identity, loaded, publisher, append, lambda: START + 61)
    instance.versions = publisher.publish(loaded.settings)
    return create_app(instance, TOKEN)


@pytest.fixture
def browser_with(app):
    opened_clients = []

    def make(role="owner"):
        client = TestClient(guarded(app, ("testserver", "127.0.0.1")), raise_server_exceptions=False)
        opened_clients.append(client)
        if role == "owner":
            return Browser(client).enter(TOKEN)
        headers = {"authorization": f"Bearer {TOKEN}"}
        made = client.post("/api/keys", json={"name": role, "role": role}, headers=headers).json()
        return Browser(client).enter(made["secret"])

    yield make
    for one in opened_clients:
        one.close()


def id_of(number):
    return f"call_{call_id(number).hex()}"


def test_calls_are_listed_newest_first_and_found_by_what_they_are(browser_with):
    browser = browser_with()
    shown = re.findall(r'class="unseen">(call_\w+)', browser.get("/calls").text)
    assert shown == [id_of(number) for number in (5, 4, 3, 2, 1)]
    found = re.findall(r'class="unseen">(call_\w+)', browser.get("/calls?outcome=refused").text)
    assert found == [id_of(4)]
    assert "No call matches" in browser.get("/calls?team=nobody").text
    assert f"<h1>Call <code>{id_of(2)}" in browser.get(f"/calls?call={id_of(2)}").text


def test_the_twin_is_what_the_api_says(browser_with):
    browser = browser_with()
    asked = browser.twin("/calls")["asked"]
    told = browser.client.get("/api/calls?limit=50", headers={"authorization": f"Bearer {TOKEN}"}).json()
    assert asked["/api/calls?limit=50"] == told


def test_one_call_is_opened_up(browser_with):
    page = browser_with().get(f"/calls/{id_of(1)}").text
    assert "verified" in page
    assert "my mail is" in page
    assert "Nothing of it was kept" in browser_with().get(f"/calls/{id_of(2)}").text


def test_words_are_kept_from_who_may_not_read_them(browser_with):
    page = browser_with("auditor").get(f"/calls/{id_of(1)}").text
    assert "my mail is" not in page
    assert "ann@example.org" not in page
    assert "redacted" in page
    twin = browser_with("operator").twin(f"/calls/{id_of(1)}")
    assert "ann@example.org" not in json.dumps(twin)


def test_reading_words_is_written_into_the_audit(browser_with, home):
    owner = browser_with()
    owner.get(f"/calls/{id_of(1)}")
    noted = home.engine.connect().exec_driver_sql("select kind, content from audit_queue").fetchall()
    assert ("body.read", id_of(1)) in [(kind, json.loads(content).get("call")) for kind, content in noted]


def test_what_callers_wrote_marks_up_nothing(browser_with):
    browser = browser_with()
    for path in ("/calls", f"/calls/{id_of(1)}", f"/calls/{id_of(5)}", "/", f"/calls?team={EVIL}"):
        page = browser.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path


def test_bodies_are_erased_with_a_reason_by_who_may(browser_with):
    browser = browser_with()
    told = browser.send(f"/calls/{id_of(1)}/erase", {"why": "asked for"}, page=f"/calls/{id_of(1)}")
    assert "1 bodies erased" in told.text
    assert "my mail is" not in told.text
    assert "Erase the words" not in browser_with("auditor").get(f"/calls/{id_of(1)}").text


def test_an_unknown_call_is_told_as_such(browser_with):
    told = browser_with().get("/calls/call_00000000000000000000000000000000")
    assert told.status_code == 404
    assert "freehold calls tail" in told.text


def test_the_export_and_the_receipt_are_handed_on_as_files(browser_with):
    browser = browser_with()
    told = browser.get("/calls/export?outcome=refused")
    assert [json.loads(line)["call"]["id"] for line in told.text.splitlines()] == [id_of(4)]
    assert "attachment" in told.headers["content-disposition"]
    assert "sandbox" in told.headers["content-security-policy"]
    assert browser.get(f"/calls/{id_of(1)}/receipt").json()["checkpoint"]


def test_calls_appear_as_they_end(app, home):
    """The live page's events, as the browser is sent them; what ends before it asks for them is not lost."""

    async def first() -> Event:
        actor = Actor("owner", "owner")
        drawn = await calls.index(View(Ask(app, actor), actor, {}, Fields(()), Fields(()), START))
        query = Fields(parse_qsl(urlsplit(drawn.data["live"]).query))
        await asyncio.to_thread(more)
        view = View(Ask(app, actor), actor, {}, query, Fields(()), START)
        renderer = Renderer()
        events = calls.live(view, lambda template, **values: renderer.text(template, values))
        found = await anext(events)
        await events.aclose()
        return found

    def more() -> None:
        home.begin("0b")
        home.write("0b", opened(9, workflow=EVIL), closed(9))
        home.end("0b")
        load_once(home.path, home.engine, home.keys, clock=lambda: START + 61)

    event = asyncio.run(first())
    assert event.name == "call"
    assert id_of(9) in event.html
    assert "<script>" not in event.html


def test_no_text_can_begin_an_event_of_its_own():
    sent = encoded(Event("call", "<td>a\n\nevent: evil\ndata: b\rid: 3</td>")).decode()
    lines = [line for line in re.split("\r\n|\n|\r", sent) if line]
    assert [line.partition(":")[0] for line in lines] == ["event"] + ["data"] * (len(lines) - 1)
