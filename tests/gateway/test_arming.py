"""Guards come with the policy and stand on the routes that name them; one that cannot be had closes its routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.table import Unarmed, compile_routes
from freehold.gateway.routing.types import Routes
from freehold.guard.types import Profile, Rule
from freehold.policy.types import Policy
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answer, answered, ask, sent
from tests.gateway.machine import Machine

MAIL = "jane.doe@example.org"
STRICT = Profile(name="strict", rules=(Rule(detector="pii", kinds=("EMAIL",), action="redact"),))
BAD = Profile(name="bad", rules=(Rule(detector="no such thing"),))


def machine_routes(**more) -> Routes:
    routes = (
        p.route("guarded", "vendor", guard="strict"),
        p.route("bad", "vendor", guard="bad"),
        p.route("open", "vendor"),
    )
    return p.routes((p.target("vendor", 9001),), *routes, **more)


def machine_of(home: Path, *profiles: Profile, **more) -> Machine:
    return Machine(home, machine_routes(**more), p.keys(p.principal()), Policy(guards=profiles))


def left(machine: Machine, model: str, *lines: str, **more) -> str:
    """What of the address leaves."""
    ask(machine, model, *lines, messages=f"I am {MAIL}", **more)
    return sent(answer(machine, p.response(p.chat_answer())))["messages"][0]["content"].removeprefix("I am ")


def test_each_route_has_the_guard_it_names(tmp_path) -> None:
    machine = machine_of(tmp_path, STRICT, BAD)
    assert left(machine, "guarded") == "[EMAIL]" and left(machine, "open") == MAIL


@pytest.mark.parametrize("profiles", [(), (STRICT, BAD)])
def test_a_guard_that_cannot_be_had_closes_its_route_alone(tmp_path, profiles) -> None:
    machine = machine_of(tmp_path, *profiles)
    found = answered(ask(machine, "bad", messages="hello"))
    assert found.status == 503 and found.headers["x-freehold-error"] == "FH-AVA-030"
    assert left(machine, "open") == MAIL and "route bad" in machine.log.getvalue()


def test_a_new_policy_and_new_routes_change_guards_for_the_calls_after_them(tmp_path) -> None:
    machine = machine_of(tmp_path, STRICT)
    waiting = ask(machine, "guarded", messages=f"I am {MAIL}")
    upstream = machine.connect()
    machine.publish(policy=Policy(guards=(Profile(name="strict"),)))
    assert left(machine, "guarded") == MAIL
    machine.answer(upstream, p.response(p.chat_answer(MAIL)))
    assert MAIL.encode() not in answered(waiting).body  # what began under a guard ends under it
    machine.publish(policy=Policy(guards=(STRICT,)))
    assert left(machine, "guarded") == "[EMAIL]" and left(machine, "open") == MAIL
    machine.publish(routes=p.routes((p.target("vendor", 9001),), p.route("open", "vendor", guard="strict")))
    assert left(machine, "open") == "[EMAIL]"


def test_what_freeholds_own_rooms_send_has_the_guard_of_the_routes(tmp_path) -> None:
    machine = machine_of(tmp_path, STRICT, guard="strict")
    machine.publish(keys=p.keys(p.principal("fh-rooms", name="rooms", role="service")))
    assert left(machine, "target:vendor", "x-freehold-label: internal", key="fh-rooms") == "[EMAIL]"


def test_stand_ins_follow_the_tenants_key(tmp_path) -> None:
    stands = Profile(name="strict", rules=(Rule(detector="pii", kinds=("EMAIL",), action="pseudonymise"),))
    machine = machine_of(tmp_path, stands)
    one, two = left(machine, "guarded"), left(machine, "guarded")
    assert one == two != MAIL
    (key,) = (tmp_path / "vault").glob("*.key")
    key.unlink()
    assert left(machine, "guarded") not in {one, MAIL}
    (key,) = (tmp_path / "vault").glob("*.key")
    key.write_bytes(b"torn")
    found = answered(ask(machine, "guarded", messages=f"I am {MAIL}"))
    assert found.status == 503


def test_a_detector_that_breaks_while_it_is_made_closes_its_routes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("freehold.gateway.armed.compile_profile", lambda profile: 1 // 0)
    machine = machine_of(tmp_path, STRICT)
    assert answered(ask(machine, "guarded", messages="hello")).status == 503
    assert left(machine, "open") == MAIL


def test_a_table_without_its_guards_lets_nothing_through() -> None:
    table = compile_routes(9, machine_routes(), {one.name: one for one in DRIVERS}, lambda _: "", {}, 0.0)
    assert isinstance(table.paths["guarded"].watch, Unarmed) and isinstance(
        table.pin("target:vendor", 0.0).watch, Unarmed
    )
    assert table.paths["open"].watch is None
