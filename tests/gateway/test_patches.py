"""Virtual patches at the gateway: what would reach an engine's flaw does not leave, and nothing else is touched."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.errors import KeptFromFlaw
from freehold.gateway.patches import PATCH, RULES, check_patched, patches_of
from tests.gateway import pieces as p
from tests.gateway.machine import Machine

RULE = patches_of((f"{PATCH}n_discard",))


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","n_discard":-1}',
        b'{"n_discard":-9223372036854775808}',
        b'{"n_discard":1,"n_discard":-1}',
        b'{"n\\u005fdiscard":-2}',
        b'{"n_discard":"-1"}',
        b'{"n_discard":1.5}',
        b'{"n_discard":[-1]}',
    ],
)
def test_a_discard_below_zero_does_not_leave(body: bytes) -> None:
    with pytest.raises(KeptFromFlaw):
        check_patched(RULE, "mine", "openai_chat", body)


@given(st.integers(0, 1 << 40), st.text(max_size=40))
def test_what_is_harmless_goes(number: int, text: str) -> None:
    body = json.dumps({"n_discard": number, "messages": [{"role": "user", "content": text}]}).encode()
    check_patched(RULE, "mine", "openai_chat", body)
    said = json.dumps({"messages": [{"role": "user", "content": f'"n_discard": -1 {text}'}]}).encode()
    check_patched(RULE, "mine", "openai_chat", said)


def test_rankings_do_not_reach_an_engine_that_renders_templates_for_them() -> None:
    rule = patches_of((f"{PATCH}ranking",))
    check_patched(rule, "s", "openai_chat", b"{}")
    with pytest.raises(KeptFromFlaw):
        check_patched(rule, "s", "rerank", b"{}")


def test_a_name_nobody_knows_is_a_mistake_of_whoever_made_the_routes() -> None:
    with pytest.raises(KeyError):
        patches_of((f"{PATCH}nothing",))
    assert [one.name for one in RULES] == sorted(one.name for one in RULES)


def test_the_call_machine_refuses_in_the_callers_dialect_and_sends_nothing(tmp_path) -> None:
    machine = Machine(
        tmp_path, p.routes((p.target("a", 9001, quirks=(f"{PATCH}n_discard",)),), p.route("solo", "a")), p.keys()
    )
    connection = machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body("solo", n_discard=-5)))
    sent = connection.transport.sent
    assert b"403" in sent.split(b"\r\n", 1)[0] and b"n_discard" in sent and b"FH-POL-034" in sent
    assert not machine.upstreams and not machine.connecting
