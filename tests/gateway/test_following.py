"""Answers held to the schema that was asked for: told, or ended with an error, whole or streamed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.ledger.frames import Close
from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask, frames, streamed, text_of, two_targets
from tests.gateway.machine import Machine

GOOD, BAD = '{"name": "Ann"}', '{"name": 3}'
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def wanting(schema: object = SCHEMA) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return two_targets(tmp_path)


def test_an_answer_that_follows_goes_on(machine) -> None:
    g.arm(machine, schema="block")
    connection = ask(machine, "rented", messages="who?", response_format=wanting())
    answer(machine, p.response(p.chat_answer(GOOD)))
    assert text_of(answered(connection)) == GOOD
    assert frames(machine, Close)[0].outcome == "ok"


def test_one_that_does_not_is_written_down_and_goes_on_where_it_is_flagged(machine) -> None:
    g.arm(machine, schema="flag")
    connection = ask(machine, "rented", messages="who?", response_format=wanting())
    answer(machine, p.response(p.chat_answer(BAD)))
    assert text_of(answered(connection)) == BAD
    assert g.scan_of(frames(machine, Close)[0]) == {"mismatch": 1}


def test_one_that_does_not_is_refused_where_it_is_blocked(machine) -> None:
    g.arm(machine, schema="block")
    connection = ask(machine, "rented", messages="who?", response_format=wanting())
    answer(machine, p.response(p.chat_answer(BAD)))
    found = answered(connection)
    assert found.status != 200
    assert "$.name: type" in json.loads(found.body)["error"]["message"]
    assert "3" not in json.loads(found.body)["error"]["message"].replace("403", "")


def test_a_stream_that_does_not_never_looks_complete(machine) -> None:
    g.arm(machine, schema="block")
    connection = ask(machine, "rented", messages="who?", stream=True, response_format=wanting())
    data = p.chunked(*p.chat_stream('{"name": 3, "note": "', "x" * 80, "y" * 80, '"}'))
    half = data.index(b"yyy") + 40
    answer(machine, data[:half], data[half:])
    assert b'{\\"name' in connection.transport.sent
    assert b"[DONE]" not in connection.transport.sent
    assert frames(machine, Close)[0].outcome == "broken"


def test_a_stream_that_follows_is_whole(machine) -> None:
    g.arm(machine, schema="block")
    connection = ask(machine, "rented", messages="who?", stream=True, response_format=wanting())
    answer(machine, p.chunked(*p.chat_stream('{"name"', ': "An', 'n"}')))
    found = answered(connection)
    assert streamed(found) == '{"name": "Ann"}'
    assert found.body.endswith(b"data: [DONE]\n\n")


def test_where_no_schema_was_asked_for_nothing_is_held_to_one(machine) -> None:
    g.arm(machine, schema="block")
    connection = ask(machine, "rented", messages="who?")
    answer(machine, p.response(p.chat_answer("no JSON")))
    assert text_of(answered(connection)) == "no JSON"


def test_a_schema_that_cannot_be_read_here_blocks_nothing_and_is_told(machine) -> None:
    g.arm(machine, schema="block")
    elsewhere = wanting({"$ref": "https://elsewhere.example/schema"})
    connection = ask(machine, "rented", messages="who?", response_format=elsewhere)
    answer(machine, p.response(p.chat_answer(BAD)))
    assert text_of(answered(connection)) == BAD
    assert g.scan_of(frames(machine, Close)[0]) == {"unchecked": 1}
