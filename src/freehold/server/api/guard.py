"""What calls are scanned for, over the management API: profiles in force, what they found, and a text to try them on.

What is tried is kept nowhere: neither the text nor what was found in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from freehold.core.clock import iso
from freehold.core.errors import BadConfig, BadRequest
from freehold.guard.profile import Guard, compile_profile
from freehold.guard.settings import profiles
from freehold.guard.trial import Told, Trial, leads_to, tried
from freehold.guard.types import Direction, Profile
from freehold.ledger.findings import store
from freehold.ledger.findings.store import Example, Sums
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.settings.guards import in_use

router = APIRouter(prefix="/api/guard", tags=["guard"])

READ = [Depends(Allowed("config:read"))]
COUNT = [Depends(Allowed("usage:read"))]
LIST = [Depends(Allowed("calls:read"))]
Moment = Annotated[float, Query(ge=0, le=1e10, description="Unix seconds.")]
MOST_CHARACTERS = 200_000
MOST_SECONDS = 5.0
"""A try is broken off between detectors; those that were not asked count as failed, as in a call."""
_HOUR = 3600
_WEEK = 7 * 24
_MOST_POINTS = 200


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """What findings of some kinds lead to. The first rule that fits a finding decides."""

    detector: str
    kinds: tuple[str, ...]
    directions: tuple[str, ...]
    sources: tuple[str, ...]
    action: str
    label: str
    at_least: float


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """A profile. `routes` are those whose calls it scans; `digest` is what receipts name it by."""

    name: str
    routes: tuple[str, ...]
    in_use: bool
    digest: str
    rules: tuple[RuleView, ...]
    detectors: tuple[str, ...]
    custom: tuple[str, ...]
    on_failure: str
    schema: str
    reroute_refusals: bool
    system: bool
    """Is a system text put before every call's own?"""
    problem: str = ""
    """Why it cannot be made ready here."""


class GuardView(msgspec.Struct, frozen=True, kw_only=True):
    """The profiles there are. `default` holds where a route names none; empty for no scanning."""

    default: str
    unguarded: tuple[str, ...]
    """Routes whose calls nothing scans."""
    profiles: tuple[ProfileView, ...]


class FoundView(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of a kind on a side, by one state of one profile."""

    guard: str
    digest: str
    side: str
    detector: str
    kind: str
    calls: int
    findings: int
    refused: int
    """Of those calls, how many the guard refused on that side, whatever in them it was."""
    in_force: bool
    """Are the rules of then those of now?"""
    actions: tuple[str, ...]
    """What these rules lead to, by who wrote the text; empty where they are no longer known."""


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """What one detector found in one step of the window. Detector "" tells how many calls were looked at."""

    at: float
    detector: str
    count: int


class FindingsView(msgspec.Struct, frozen=True, kw_only=True):
    """Findings of the calls that began in a window of whole hours (Unix seconds, `until` excluded).

    Counted when calls end, in `guard_hours`; Freehold's own questions to targets are left out.
    """

    since: float
    until: float
    step_seconds: int
    looked: tuple[Sums, ...]
    """Of the calls that were looked at."""
    found: tuple[FoundView, ...]
    failed: tuple[Sums, ...]
    """Of calls on which a detector failed."""
    over: tuple[PointView, ...]


class ExamplesView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest calls that hold a finding, among the `looked_through` newest calls of all."""

    looked_through: int
    since: str
    calls: tuple[Example, ...]


class TryBody(BaseModel):
    """A text to try a profile on."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field("watch", description="One of the file, or one that comes with Freehold.")
    text: str = Field(max_length=MOST_CHARACTERS)
    side: Literal["request", "answer"] = "request"
    source: Literal["system", "user", "assistant", "tool", "document"] | None = Field(
        None, description="Who wrote it; the user, or of an answer the assistant."
    )


FORMS = (Example, ExamplesView, FindingsView, FoundView, GuardView, PointView, ProfileView, RuleView, Sums, Told, Trial)


@router.get("", dependencies=READ, responses=described(GuardView))
def show(instance: Served) -> Response:
    """Every profile, with its rules, and the routes whose calls it scans."""
    settings = instance.settings
    routes = instance.publisher.routes(settings).routes
    named = {one.name: one.guard for one in routes}
    used = {one.name for one in in_use(settings)}
    return answer(
        GuardView(
            default=settings.policy.guard,
            unguarded=tuple(name for name, guard in named.items() if not guard),
            profiles=tuple(_profile(one, named, used=one.name in used) for one in profiles(settings.guard)),
        )
    )


@router.get("/findings", dependencies=COUNT, responses=described(FindingsView))
def findings(instance: Served, since: Moment | None = None, until: Moment | None = None, route: str = "") -> Response:
    """What was found, by detector, kind and side; the last seven days where no window is given."""
    end = math.ceil((instance.clock() if until is None else until) / _HOUR)
    first = end - _WEEK if since is None else math.floor(since / _HOUR)
    if first >= end:
        raise BadRequest("the window ends before it begins", param="since")
    step = 1 if end - first <= 72 else 24 * max(1, math.ceil((end - first) / 24 / _MOST_POINTS))
    with instance.reading() as connection:
        rows = store.sums(connection, first, end, route)
        points = store.over(connection, first, end, step, route)
    rules = _in_force(instance)
    return answer(
        FindingsView(
            since=float(first * _HOUR),
            until=float(end * _HOUR),
            step_seconds=step * _HOUR,
            looked=tuple(one for one in rows if not one.detector),
            found=tuple(_found(one, rules) for one in rows if one.kind),
            failed=tuple(one for one in rows if one.detector and not one.kind),
            over=tuple(PointView(at=float(at * _HOUR), detector=name, count=count) for at, name, count in points),
        )
    )


@router.get("/findings/calls", dependencies=LIST, responses=described(ExamplesView))
def examples(
    instance: Served,
    detector: str,
    kind: str,
    side: Literal["request", "answer"] = "request",
    since: Moment = 0.0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The newest calls in which a kind was found: looked for among the newest calls only."""
    with instance.reading() as connection:
        found, through = store.examples(connection, side, detector, kind, limit, since)
    return answer(ExamplesView(looked_through=through, since=iso(since), calls=tuple(found)))


@router.post("/try", dependencies=READ, responses=described(Trial))
def try_(body: TryBody, instance: Served) -> Response:
    """Show what a profile finds in a text, and what that leads to. Nothing of it is kept."""
    known = {one.name: one for one in profiles(instance.settings.guard)}
    if body.profile not in known:
        hint = f"name one of: {', '.join(known)}"
        raise BadRequest(f"there is no profile {body.profile!r}", hint=hint, param="profile")
    guard = compile_profile(known[body.profile])
    end = instance.clock() + MOST_SECONDS
    side: Direction = "out" if body.side == "answer" else "in"
    return answer(tried(guard, body.text, side, body.source, lambda: instance.clock() > end))


def _profile(one: Profile, named: Mapping[str, str], *, used: bool) -> ProfileView:
    digest, problem = "", ""
    try:
        digest = compile_profile(one).digest
    except BadConfig as error:
        problem = error.message
    return ProfileView(
        name=one.name,
        routes=tuple(route for route, guard in named.items() if guard == one.name),
        in_use=used,
        digest=digest,
        rules=tuple(
            RuleView(
                detector=rule.detector,
                kinds=rule.kinds,
                directions=rule.directions,
                sources=rule.sources,
                action=rule.action,
                label=str(rule.label) if rule.label else "",
                at_least=rule.at_least,
            )
            for rule in one.rules
        ),
        detectors=tuple(sorted({rule.detector for rule in one.rules})),
        custom=tuple(each.name for each in one.custom),
        on_failure=one.on_failure,
        schema=one.schema,
        reroute_refusals=one.reroute_refusals,
        system=bool(one.system),
        problem=problem,
    )


def _in_force(instance: Instance) -> dict[str, Guard]:
    """Compiled profiles in use by digest; what cannot be made ready scans nothing, and is left out."""
    found = {}
    for one in in_use(instance.settings):
        try:
            made = compile_profile(one)
        except BadConfig:
            continue
        found[made.digest] = made
    return found


def _found(row: Sums, rules: Mapping[str, Guard]) -> FoundView:
    made = rules.get(row.digest)
    side: Direction = "in" if row.side == "request" else "out"
    return FoundView(
        guard=row.guard,
        digest=row.digest,
        side=row.side,
        detector=row.detector,
        kind=row.kind,
        calls=row.calls,
        findings=row.findings,
        refused=row.refused,
        in_force=made is not None,
        actions=leads_to(made, row.detector, row.kind, side) if made else (),
    )
