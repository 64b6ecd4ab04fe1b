"""The data plane for tests: machines without a socket, and a gateway served before the fake vendors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.core.label import parse_label
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance
from tests.gateway.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two priced targets: `assistant` falls back from a to b, `solo` has a alone."""
    return Machine(
        tmp_path,
        p.routes((p.target("a", 9001), p.target("b", 9002)), p.route("assistant", "a", "b"), p.route("solo", "a")),
        p.keys(),
    )


@pytest.fixture
def funded(tmp_path: Path) -> Callable[..., Machine]:
    """A machine whose key draws on the budget `team/x` of 100 dollars."""

    def make(*targets, **route) -> Machine:
        targets = targets or (p.target("a", 9001),)
        table = p.routes(targets, p.route("assistant", *(one.name for one in targets), **route))
        policy = Policy(budgets=(Budget(id="team/x", limit=Decimal(100)),))
        return Machine(tmp_path, table, p.keys(p.principal(budgets=("team/x",))), policy)

    return make


@pytest.fixture
def served(tmp_path: Path, fake_openai, fake_anthropic) -> Iterator[Instance]:
    """A gateway before both fake vendors: `gpt` and `claude` alone, `both` from one to the other, `tools` open models."""
    vendor, other = fake_openai, fake_anthropic
    targets = (
        p.target("gpt", vendor.port, model="gpt-fake", **p.LIMITS),
        p.target("gpt-2", vendor.port, model="gpt-fake", **p.LIMITS),
        p.claude("claude", other.port, model="claude-fake", **p.LIMITS),
    )
    all_routes = (
        p.route("gpt", "gpt", attempts=1),
        p.route("claude", "claude", attempts=1),
        p.route("gpt-then-claude", "gpt", "claude", attempts=2),
        p.route("claude-then-gpt", "claude", "gpt", attempts=2),
        p.route("gpt-twice", "gpt", "gpt-2", attempts=2),
    )
    keys = p.keys(
        p.principal(),
        p.principal("fh-revoked-key", name="revoked", revoked_at=1.0),
        p.principal("fh-expired-key", name="expired", expires_at=1.0),
        p.principal("fh-narrow-key", name="narrow", routes=("claude",)),
        p.principal("fh-restricted-key", name="restricted", label=parse_label("restricted:HIPAA")),
        p.principal("fh-slow-key", name="slow", requests_per_minute=1),
        p.principal("fh-poor-key", name="poor", budgets=("team/poor",)),
    )
    policy = Policy(budgets=(Budget(id="team/poor", limit=Decimal(5), period="day"),))
    home = Home(tmp_path, p.routes(targets, *all_routes, aliases=(("gpt-4o", "gpt"),)), keys, policy)
    assert vendor.key == other.key
    with Instance(home, secret=vendor.key, max_body_bytes=1 << 20) as instance:
        yield instance
