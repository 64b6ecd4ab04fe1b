"""Tokens, money and time by group, and how the budgets stand, over the management API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from freehold.identity import store as keys_store
from freehold.identity.service import KEY_ID
from freehold.ledger.records import Group, Sorting, UsageRow
from freehold.ledger.usage import store as usage_store
from freehold.policy.authority import Standing, standing
from freehold.server.actors import Allowed, Served
from freehold.server.api.calls import Which
from freehold.server.publish import key_budgets
from freehold.server.structs import answer, described
from freehold.settings import compile as compiled
from freehold.workflows.known import store as workflows
from freehold.workflows.types import Workflow

router = APIRouter(prefix="/api", tags=["usage"], dependencies=[Depends(Allowed("usage:read"))])

FORMS = (UsageRow, Standing)


@router.get("/usage", responses=described(list[UsageRow]))
def usage(instance: Served, which: Which, by: Annotated[tuple[Group, ...], Query()] = ()) -> Response:
    """Sums over calls, in groups; Freehold's own calls (`own`) beside callers', never among them."""
    with instance.reading() as connection:
        roots = workflows.roots(connection)
        sorting = Sorting(own_keys=(KEY_ID,), workflows={name: one.id for name, one in roots.items()})
        found = usage_store.sums(connection, by, which.filter(connection), sorting)
    return answer([msgspec.structs.replace(one, names=_names(by, one, roots)) for one in found])


def _names(by: tuple[Group, ...], row: UsageRow, roots: dict[str, Workflow]) -> tuple[str, ...]:
    return tuple(
        roots[one].name if name == "workflow" and one in roots else one for name, one in zip(by, row.group, strict=True)
    )


@router.get("/budgets", responses=described(list[Standing]))
def budgets(instance: Served) -> Response:
    """How every budget stands in its current period."""
    with instance.reading() as connection:
        keys = keys_store.everything(connection)
    policy = compiled.policy(instance.settings, [one for key in keys for one in key_budgets(key)])
    return answer([standing(instance.engine, one, instance.clock()) for one in policy.budgets])
