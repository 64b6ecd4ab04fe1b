"""The policy as calls meet it: teams and routes of their own, days that go by, snapshots that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold.core.label import parse_label
from freehold.policy.permits import DAY_SECONDS, day
from freehold.policy.types import Narrowing, Policy
from tests.gateway import pieces as p
from tests.gateway.machine import START, Machine
from tests.policy.worlds import CONTRACTS

TABLE = p.routes(
    (p.target("rented", 9001, offering="o", region="US"), p.free("own", 9002, clearance="unknown", region="EU")),
    p.route("assistant", "rented", "own"),
    p.route("other", "rented", "own"),
)


def asked_of(machine: Machine, key: str = p.KEY, model: str = "assistant", *lines: str) -> list[str]:
    """The target a call goes to first, and those it is tried at when each is down."""
    tried, connection = [], machine.caller()
    machine.ask(connection, p.request(p.CHAT, p.chat_body(model), *lines, key=key))
    while machine.connecting:
        tried.append(machine.connecting[0][0].name)
        machine.refuse_connection()
        machine.wait(1.0)
    machine.wait(30.0)
    return tried


def keys(**labels: str):
    return p.keys(
        *(p.principal(f"key-{team}", name=team, team=team, label=parse_label(label)) for team, label in labels.items())
    )


def test_a_teams_rule_holds_for_the_team_on_every_attempt(tmp_path: Path) -> None:
    policy = Policy(rules=(Narrowing(name="[teams.hr] regions", teams=("hr",), regions=("EU",)),))
    machine = Machine(tmp_path, TABLE, keys(hr="internal", it="internal"), policy)
    assert set(asked_of(machine, "key-hr")) == {"own"}
    assert asked_of(machine, "key-it")[0] == "rented"
    assert set(asked_of(machine, "key-hr")) == {"own"}, "what was decided for another team is not remembered for this"


def test_a_routes_rule_holds_on_the_route(tmp_path: Path) -> None:
    policy = Policy(rules=(Narrowing(name="[routes.other] regions", routes=("other",), regions=("EU",)),))
    machine = Machine(tmp_path, TABLE, keys(it="internal"), policy)
    assert asked_of(machine, "key-it")[0] == "rented"
    assert set(asked_of(machine, "key-it", "other")) == {"own"}


def test_a_service_key_is_under_every_rule(tmp_path: Path) -> None:
    policy = Policy(rules=(Narrowing(name="[teams.hr] regions", teams=("hr",), regions=("EU",)),))
    service = p.principal("key-s", name="s", role="service", team="service")
    machine = Machine(tmp_path, TABLE, p.keys(service), policy)
    assert set(asked_of(machine, "key-s", "assistant", "x-freehold-label: public")) == {"own"}


def test_the_day_after_a_contract_ends_nothing_goes_by_it(tmp_path: Path) -> None:
    ending = tuple(replace(one, as_of=day(START), until=day(START)) for one in CONTRACTS)
    machine = Machine(tmp_path, TABLE, keys(it="confidential"), Policy(facts=ending))
    assert asked_of(machine, "key-it")[0] == "rented"
    machine.time += DAY_SECONDS
    machine.snapshots.check()
    assert set(asked_of(machine, "key-it")) == {"own"}
    machine.time += 3650 * DAY_SECONDS
    assert "rented" not in asked_of(machine, "key-it"), "and not before the snapshots are looked at either"


@pytest.mark.parametrize("rules", ["permit(principal, action", "forbid(principal, action, resource) when { 1 };"])
def test_a_policy_whose_rules_are_broken_keeps_calls_at_home(tmp_path: Path, rules: str) -> None:
    machine = Machine(tmp_path, TABLE, keys(it="internal"), Policy(cedar=rules))
    assert set(asked_of(machine, "key-it")) == {"own"}


def test_a_tenants_rule_holds_for_its_team(tmp_path: Path) -> None:
    rules = 'permit(principal, action, resource); forbid(principal == Team::"hr", action, resource) unless {resource.owned};'
    machine = Machine(tmp_path, TABLE, keys(hr="internal", it="internal"), Policy(cedar=rules))
    assert set(asked_of(machine, "key-hr")) == {"own"} and asked_of(machine, "key-it")[0] == "rented"


def test_a_snapshot_that_breaks_leaves_what_was_in_force(tmp_path: Path) -> None:
    machine = Machine(tmp_path, TABLE, keys(it="internal"), Policy())
    (machine.folder / "policy.snapshot").write_bytes(b"broken")
    machine.snapshots.check()
    assert asked_of(machine, "key-it")[0] == "rented" and "snapshot refused" in machine.log.getvalue()


def test_a_policy_that_was_never_readable_leaves_owned_targets_alone(tmp_path: Path) -> None:
    class Broken(Machine):
        def publish(self, **contents: object) -> None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if "policy" in contents:
                contents.pop("policy")
                (self.folder / "policy.snapshot").write_bytes(b"broken")
            super().publish(**contents)

    machine = Broken(tmp_path, TABLE, keys(it="public"), Policy())
    assert set(asked_of(machine, "key-it")) == {"own"}
    Machine.publish(machine, policy=Policy())
    assert asked_of(machine, "key-it")[0] == "rented", "once it can be read it is in force"
