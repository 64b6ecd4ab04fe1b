"""Machines for tests of the data plane without a socket."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
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
