"""What may go where, over the management API: the rules in force, single decisions, all of them, expectations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.label import parse_label
from freehold.core.permit import Origin
from freehold.policy import table
from freehold.policy.permits import Mint, day
from freehold.policy.review import Remark, review
from freehold.policy.targets import Target
from freehold.policy.types import ANY, Narrowing, Policy, Where
from freehold.policy.vendors import Fact
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.settings import compile as compiled

router = APIRouter(prefix="/api/policy", tags=["policy"], dependencies=[Depends(Allowed("config:read"))])


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """The policy in force. `remarks` are things to look at, none of which stops anything."""

    version: int
    air_gapped: bool
    closed: str
    rules: tuple[Narrowing, ...]
    contracts: tuple[Fact, ...]
    cedar: str
    remarks: tuple[Remark, ...]


class OriginView(msgspec.Struct, frozen=True):
    """One address that the data plane may connect to, and for which targets."""

    scheme: str
    host: str
    port: int
    targets: tuple[str, ...]


FORMS = (Fact, OriginView, PolicyView, Remark, table.Explained, table.Judged, table.Outcome)


class CaseBody(BaseModel):
    """One expectation. Without team or route it is asked for whoever speaks for any of them."""

    model_config = ConfigDict(extra="forbid")

    label: str
    target: str
    expect: table.Verdict
    team: str = ANY
    route: str = ANY
    on: date | None = Field(None, description="Another day than today.")


class CasesBody(BaseModel):
    """Expectations."""

    model_config = ConfigDict(extra="forbid")

    cases: tuple[CaseBody, ...] = Field(max_length=10_000)


@router.get("", responses=described(PolicyView))
def show(instance: Served) -> Response:
    """The policy in force."""
    policy, targets = _in_force(instance)
    today = datetime.fromtimestamp(instance.clock(), UTC).date()
    return answer(
        PolicyView(
            version=instance.versions.get("policy", 0),
            air_gapped=policy.air_gapped,
            closed=policy.closed,
            rules=policy.rules,
            contracts=tuple(one for one in policy.facts if one.certainty == "contract"),
            cedar=policy.cedar,
            remarks=review(policy, targets, today),
        )
    )


@router.get("/facts", responses=described(list[Fact]))
def facts(instance: Served, party: str = "") -> Response:
    """What is known of who serves rented models, contracts among it."""
    found = _in_force(instance)[0].facts
    return answer([one for one in found if not party or one.party == party])


@router.get("/table", responses=described(list[table.Judged]))
def every(instance: Served, team: str = ANY, route: str = ANY) -> Response:
    """Every decision: each label worth a row with each target."""
    policy, targets = _in_force(instance)
    mint = Mint(0, policy, now=instance.clock()).scoped(team, route)
    return answer(table.table(mint, targets, table.labels(policy, targets)))


@router.get("/explain", responses=described(table.Explained))
def why(instance: Served, target: str, label: str = "unknown", team: str = ANY, route: str = ANY) -> Response:
    """One decision, rule by rule, with the rows it rests on."""
    policy, targets = _in_force(instance)
    found = table.named({one.name: one for one in targets}, target)
    return answer(table.explain(policy, parse_label(label), found, Where(team, route, day(instance.clock()))))


@router.post("/test", responses=described(list[table.Outcome]))
def check(instance: Served, body: CasesBody) -> Response:
    """Expectations held against the policy in force. Changes nothing."""
    policy, targets = _in_force(instance)
    cases = [table.Case(**one.model_dump()) for one in body.cases]
    return answer(table.check(cases, policy, {one.name: one for one in targets}, instance.clock()))


@router.get("/origins", responses=described(list[OriginView]))
def origins(instance: Served) -> Response:
    """Every address the data plane may connect to: what a firewall has to let through."""
    found: dict[Origin, list[str]] = {}
    for one in _in_force(instance)[1]:
        found.setdefault(one.origin, []).append(one.name)
    ordered = sorted(found.items(), key=lambda pair: str(pair[0]))
    return answer([OriginView(one.scheme, one.host, one.port, tuple(names)) for one, names in ordered])


def _in_force(instance: Instance) -> tuple[Policy, Sequence[Target]]:
    """The policy as the data plane has it, without budgets, and the targets there are."""
    return compiled.policy(instance.settings, ()), instance.publisher.routes(instance.settings).targets
