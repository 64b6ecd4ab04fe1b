"""What the gateway tells of itself at /status: to anybody whether it is well, to a key how its own routes are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gateway import pieces as p
from tests.gateway.answers import read_answers
from tests.gateway.machine import Machine

ASK = "GET /status HTTP/1.1\r\nhost: localhost\r\n"
KEY = f"authorization: Bearer {p.KEY}\r\n"


def told(machine: Machine, *lines: str):
    connection = machine.caller()
    machine.ask(connection, ("".join((ASK, *lines)) + "\r\n").encode())
    (found,) = read_answers(connection.transport.sent, ["GET"], ended=connection.transport.closed)
    return found


def machine_with(home: Path, **more) -> Machine:
    table = p.routes(
        (p.target("a", 9001), p.target("b", 9002)), p.route("assistant", "a"), p.route("other", "b"), **more
    )
    return Machine(home, table, p.keys(p.principal(routes=("assistant",))))


def fail(machine: Machine, times: int) -> None:
    for _ in range(times):
        connection = machine.caller()
        machine.ask(connection, p.request(p.CHAT, p.chat_body("assistant")))
        while machine.connecting:
            machine.answer(machine.connect(), p.response(b'{"error":{"message":"no"}}', 500))
            machine.wait(1.0)


def test_without_a_key_no_name_is_told(tmp_path):
    machine = machine_with(tmp_path)
    for lines in ((), ("accept: text/html\r\n",)):
        answer = told(machine, *lines)
        assert answer.status == 200 and b"ready" in answer.body
        assert b"assistant" not in answer.body and b"9001" not in answer.body
    assert json.loads(told(machine).body)["routes"] is None


def test_a_wrong_key_is_refused(tmp_path):
    assert told(machine_with(tmp_path), "authorization: Bearer fh-nobody\r\n").status == 401


def test_a_key_is_told_its_own_routes_and_no_secret(tmp_path):
    machine = machine_with(tmp_path)
    answer = told(machine, KEY)
    (route,) = json.loads(answer.body)["routes"]
    assert route["name"] == "assistant" and route["served"]
    (target,) = route["targets"]
    assert (target["name"], target["state"], target["last_failure"]) == ("a", "answers", "")
    assert target["begins_p50_ms"] is None
    assert p.SECRET.encode() not in answer.body and b"9001" not in answer.body


def test_a_target_that_fails_is_told_with_its_code_and_rest(tmp_path):
    machine = machine_with(tmp_path)
    fail(machine, 5)
    (route,) = json.loads(told(machine, KEY).body)["routes"]
    (target,) = route["targets"]
    assert not route["served"]
    assert target["state"] == "failing" and 0 < target["rests_seconds"] <= 60
    assert target["last_failure"] == "FH-UP-001"
    assert b"failing, for" in told(machine, KEY, "accept: text/html\r\n").body


def test_how_soon_answers_began_is_told_and_forgotten(tmp_path):
    machine = machine_with(tmp_path)
    for seconds in (0.2, 0.4, 0.1):
        machine.ask(machine.caller(), p.request(p.CHAT, p.chat_body("assistant")))
        upstream = machine.connect() if machine.connecting else machine.busy()[0]
        machine.time += seconds
        machine.answer(upstream, p.response(p.chat_answer()))
    (target,) = json.loads(told(machine, KEY).body)["routes"][0]["targets"]
    assert target["begins_p50_ms"] == pytest.approx(200, abs=1)
    assert target["begins_p95_ms"] == pytest.approx(400, abs=1)
    machine.wait(301.0)
    assert json.loads(told(machine, KEY).body)["routes"][0]["targets"][0]["begins_p50_ms"] is None


def test_it_says_that_it_drains_and_the_page_runs_no_script(tmp_path):
    machine = machine_with(tmp_path)
    machine.plane.draining = True
    page = told(machine, KEY, "accept: text/html\r\n")
    assert b"draining" in page.body and b"<script" not in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"prefers-color-scheme:dark" in page.body


def test_names_are_text_on_the_page(tmp_path):
    table = p.routes((p.target("<b>", 9001),), p.route("<i>", "<b>"))
    machine = Machine(tmp_path, table, p.keys(p.principal()))
    page = told(machine, KEY, "accept: text/html\r\n").body
    assert b"<i>" not in page and b"&lt;i&gt;" in page
