"""Routes and targets in force, and why a call would go where, over the management API."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Depends, Response

from freehold.core.errors import RouteNotInScope
from freehold.core.label import UNKNOWN, parse_label
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.explain import Considered, Explanation, explain
from freehold.gateway.routing.table import PIN, RouteTable, compile_routes
from freehold.gateway.routing.types import Arm, CacheRule, HedgeRule, Routes
from freehold.identity import store as keys_store
from freehold.ledger import store as ledger
from freehold.ledger.meter import Price
from freehold.policy.permits import Mint
from freehold.policy.targets import Target
from freehold.policy.types import ANY, Policy
from freehold.server import store as snapshots
from freehold.server.actors import Allowed, Served
from freehold.server.instance import Instance
from freehold.server.structs import answer, described
from freehold.settings import compile as compiled

router = APIRouter(prefix="/api", tags=["routes"], dependencies=[Depends(Allowed("routes:read"))])


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may name in `model`. `steps` are tried in order; within one, arms share by weight."""

    name: str
    aliases: tuple[str, ...]
    steps: tuple[tuple[Arm, ...], ...]
    choose: str
    sticky: bool
    attempts: int
    strict: bool
    baseline: str
    label: str
    capture: bool
    budgets: tuple[str, ...]
    priority: str
    cache: CacheRule | None
    hedge: HedgeRule | None


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider. Prices in US dollars per million tokens."""

    name: str
    provider: str
    model: str
    driver: str
    dialects: tuple[str, ...]
    address: str
    owned: bool
    region: str
    clearance: str
    price: Price
    context_tokens: int
    max_output_tokens: int


FORMS = (Explanation, RouteView, TargetView)


@router.get("/routes", responses=described(list[RouteView]))
def index(instance: Served) -> Response:
    """Every route."""
    routes = _routes(instance)
    return answer([_view(name, routes) for name in (one.name for one in routes.routes)])


@router.get("/targets", responses=described(list[TargetView]))
def targets(instance: Served) -> Response:
    """Every target."""
    return answer([_target(one) for one in _routes(instance).targets])


@router.get("/routes/{name:path}/explain", responses=described(Explanation))
def why(name: str, instance: Served, label: str = "", key: str = "", conversation: str = "") -> Response:
    """Why a call would go where; sends nothing. The label is joined with the key's, where a key is named."""
    given = parse_label(label) if label else None
    with instance.reading() as connection:
        caller = keys_store.by_name(connection, key) if key else None
    table = _table(instance)
    path = table.path(name)
    if caller is not None and not {"*", path.name} & set(caller.routes):
        raise RouteNotInScope(f"the key {caller.name!r} is not scoped to {path.name!r}")
    joined = given if caller is None else caller.label if given is None else caller.label.join(given)
    now = instance.clock()
    mint = Mint(instance.versions.get("policy", 0), compiled.policy(instance.settings, ()), now=now)
    mint = mint.scoped(caller.team if caller is not None else ANY, path.name)
    told = UNKNOWN if joined is None else joined
    return answer(explain(path, told, mint, table, now, conversation))


@router.get("/calls/{call}/why", responses=described(Explanation))
def why_then(call: str, instance: Served) -> Response:
    """Why an ended call could go where: by the routes and the policy of its own time. Which of its targets rested then,
    and the dice, are not written down: what was tried stands in the call's attempts.
    """
    with instance.reading() as connection:
        record = ledger.show_call(connection, call).call
        kept = snapshots.content(connection, "routes", record.routes_version)
        rules = snapshots.content(connection, "policy", record.policy_version)
        caller = next((one for one in keys_store.everything(connection) if one.id == record.key_id), None)
    if record.route.startswith(PIN):
        named = Considered(record.target, 1, allowed=True, share=1.0, order=1, reason="named by Freehold's own key")
        return answer(
            Explanation(
                record.route, record.label, record.routes_version, record.policy_version, record.target, (named,)
            )
        )
    drivers = {one.name: one for one in DRIVERS}
    routes = msgspec.msgpack.decode(kept, type=Routes)
    policy = msgspec.msgpack.decode(rules, type=Policy)
    table = compile_routes(record.routes_version, routes, drivers, lambda _: "", {}, record.at)
    path = table.path(record.route)
    mint = Mint(record.policy_version, policy, now=record.at)
    mint = mint.scoped(caller.team if caller is not None else record.team or ANY, path.name)
    return answer(explain(path, parse_label(record.label), mint, table, record.at))


@router.get("/routes/{name:path}", responses=described(RouteView))
def show(name: str, instance: Served) -> Response:
    """One route, by name or alias."""
    return answer(_view(_table(instance).path(name).name, _routes(instance)))


def _table(instance: Instance) -> RouteTable:
    """The routes compiled as the data plane does, but for the secrets."""
    drivers = {one.name: one for one in DRIVERS}
    version = instance.versions.get("routes", 0)
    return compile_routes(version, _routes(instance), drivers, lambda _: "", {}, instance.clock())


def _routes(instance: Instance) -> Routes:
    return instance.publisher.routes(instance.settings)


def _view(name: str, routes: Routes) -> RouteView:
    one = next(each for each in routes.routes if each.name == name)
    return RouteView(
        name=name,
        aliases=tuple(alias for alias, route in routes.aliases if route == name),
        steps=one.tiers,
        choose=one.choose,
        sticky=one.sticky,
        attempts=one.attempts,
        strict=one.strict,
        baseline=one.baseline,
        label=one.label,
        capture=one.capture,
        budgets=one.budgets,
        priority=one.priority,
        cache=one.cache,
        hedge=one.hedge,
    )


def _target(one: Target) -> TargetView:
    return TargetView(
        name=one.name,
        provider=one.provider,
        model=one.model,
        driver=one.driver,
        dialects=one.dialects,
        address=f"{one.origin}{one.path}",
        owned=one.owned,
        region=one.region,
        clearance="everything" if one.clearance == UNKNOWN else str(one.clearance),
        price=one.price,
        context_tokens=one.context_tokens,
        max_output_tokens=one.max_output_tokens,
    )
