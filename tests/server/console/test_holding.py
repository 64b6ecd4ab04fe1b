"""What an attacker of the console tried: each of these was open once."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from freehold.identity.console.sessions import IDLE_SECONDS
from freehold.identity.roles import permissions
from freehold.server.console import app as console
from freehold.server.console import handing, marking
from freehold.server.console.page import Event
from freehold.server.console.visits import Visits
from tests.server.conftest import TOKEN


def test_no_part_of_an_address_begins_a_header():
    made = handing.Handed(None, {}, b"", "receipt-x\r\nset-cookie: a=b.json")
    assert not any(one in value for _, value in made._told_with(()) for one in b"\r\n")


def request_of(browser, agent="testclient"):
    cookies = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    headers = [(b"cookie", cookies.encode()), (b"user-agent", agent.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})


def heard(response):
    async def all_of():
        return [one async for one in response.body_iterator]

    return asyncio.run(all_of())


def test_a_stream_ends_when_its_role_is_another(signed_in, instance, monkeypatch):
    """Its questions are asked as who began it: it must not outlast that."""
    made = console.Console(None, instance, TOKEN)
    request = request_of(signed_in)
    visit = Visits(instance, TOKEN).of(request)
    made._still(request, visit)
    weaker = type(visit.actor)("owner", "finance", standing=visit.actor.standing)
    assert permissions("finance") != permissions("owner")
    monkeypatch.setattr("freehold.server.console.visits.actor_by", lambda *_: weaker)
    monkeypatch.setattr(handing, "LOOK_AGAIN_SECONDS", -1.0)

    async def events():
        yield Event("call", "secret")

    async def here():
        return False

    request.is_disconnected = here
    told = heard(handing.lines(events(), request, lambda: made._still(request, visit)))
    assert b"secret" not in b"".join(told)


def test_a_page_left_open_does_not_keep_its_session(signed_in, instance, monkeypatch):
    begun = instance.clock()
    now = [begun]
    instance.clock = lambda: now[0]
    visits, request = Visits(instance, TOKEN), request_of(signed_in)
    for share in (0.4, 0.8):
        now[0] = begun + share * IDLE_SECONDS
        visits.of(request, used=False)
    now[0] = begun + IDLE_SECONDS + 1
    assert signed_in.get("/calls", follow_redirects=False).status_code == 303


def test_signing_in_at_no_issuer_is_no_defect(client_of):
    told = client_of(None).get("/console/sign-in/issuer", follow_redirects=False)
    assert told.status_code in (400, 404, 409)
    assert 'name="key"' in told.text


def test_texts_that_repeat_are_not_compared_without_bound(monkeypatch):
    class Never:
        def __init__(self, *_given, **_named):
            raise AssertionError("compared")

    monkeypatch.setattr(marking, "SequenceMatcher", Never)
    before, after = "a b " * 490 + "x", "a b c " * 330
    assert marking.differences(before, after) == (before, after)
