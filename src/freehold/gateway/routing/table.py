"""The route table: a `routes` snapshot compiled for the hot path, swapped whole.

A target's health outlives the swap; everything else is new. Compiling refuses a snapshot that does not hold together.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from freehold.core.errors import BadConfig, FreeholdError, NoPermittedTarget, UnknownModel
from freehold.core.label import Label, parse_label
from freehold.core.permit import Origin
from freehold.gateway.patches import patches_of
from freehold.gateway.ports import Driver, Peek, Signer
from freehold.gateway.routing.breaker import Breaker
from freehold.gateway.routing.choose import order_by_cost, order_by_load, order_by_weight, place
from freehold.gateway.routing.figures import Figures, Recent, dearness, slowness
from freehold.gateway.routing.joints import Joint, Move, compile_joints, compile_moves
from freehold.gateway.routing.queue import Queue, bounded
from freehold.gateway.routing.retry import RetryBudget
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.ledger.meter import rate
from freehold.policy.permits import MOST_REMEMBERED, Mint
from freehold.policy.targets import Target
from freehold.policy.types import Decision

if TYPE_CHECKING:
    from freehold.gateway.armed import Watch
    from freehold.gateway.upstream import Upstream

Tiers = tuple[tuple[tuple["Stop | Joint", ...], tuple[float, ...]], ...]
"""For each tier its targets and their weights."""
LIVE = frozenset({"cheapest", "fastest"})
"""Ways to choose that go by live figures."""
PIN = "target:"
"""What a model's name begins with where Freehold's own rooms name a target instead of a route."""

IMAGE_TOKENS = 4000
"""Above what OpenAI (high detail, 2048 px) and Anthropic (1.15 megapixels) count for one image."""
TOOLS_TOKENS = 1000
"""Above the system prompt that Anthropic adds for tools (313 to 346 tokens, by its documentation)."""


class Health:
    """What this process has learned about a target."""

    __slots__ = ("breaker", "failure", "figures", "in_flight", "queue", "recent")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.failure = ""
        """Code of the last failure that counted."""
        self.recent = Recent()
        self.in_flight = 0
        self.figures: Figures | None = None
        """None where no route asks for them."""
        self.queue: Queue | None = None
        """None where it takes any number of calls at once."""


class Stop:
    """One target, ready to be called: its request heads, the bound of its price, its health."""

    def __init__(self, target: Target, driver: Driver, secret: str, health: Health, fault: str = "") -> None:
        """`fault` says why it cannot be called at all: its key is not set."""
        self.fault = fault
        self.target = target
        self.name = target.name
        self.driver = driver
        self.health = health
        self.origin = target.origin
        self.owned = target.owned
        self.rate = rate(target.price)
        self.bound_input: Decimal = max(self.rate.input, self.rate.cache_write, self.rate.cache_write_1h)
        self.bound_output: Decimal = self.rate.output
        self.free = not (self.bound_input or self.bound_output or self.rate.units)
        self.forwards = driver.forwards()
        self.adapts = driver.adapts
        self.patches = patches_of(target.quirks)
        self.named = f"x-freehold-target: {target.name}\r\n".encode()
        self.speaks: dict[str, str] = {}
        """Caller's dialect -> dialect to speak, filled in by `outgoing`."""
        self.idle: list[Upstream] | None = None
        """The pool's list for this origin, filled in by the first call."""
        self._secret = secret
        self.heads: dict[str, bytes] = {}
        """By the path after the target's own."""

    def in_batches(self) -> Stop:
        """The same target as it is called and paid in batches that are passed to its vendor."""
        target = replace(self.target, price=self.target.batch_price or self.target.price, most_in_flight=0)
        return Stop(target, self.driver, self._secret, Health(), self.fault)

    def plain_head(self, method: str, path: str, length: int, *lines: str) -> bytes:
        """The head of a request that is no call, such as one for a file; `lines` are its own."""
        head = "\r\n".join(self._lines(method, path, self.target.dialects[0], *lines))
        return f"{head}\r\ncontent-length: {length}\r\n\r\n".encode("latin-1")

    def decision(self, label: Label, mint: Mint) -> Decision:
        """May content with this label go there?"""
        return mint.decision(label, self.target)

    def head(self, dialect: str, path: str) -> bytes:
        """The request head up to and including `content-length: `, for a path after the target's own."""
        lines = self._lines("POST", path, dialect, "content-type: application/json")
        found = self.heads[path] = ("\r\n".join(lines) + "\r\ncontent-length: ").encode("latin-1")
        return found

    def _lines(self, method: str, path: str, dialect: str, *more: str) -> list[str]:
        target, origin = self.target, self.target.origin
        default = {"http": 80, "https": 443}[origin.scheme]
        host = origin.host if origin.port == default else f"{origin.host}:{origin.port}"
        lines = [f"{method} {target.path}{path}{target.query} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.driver.headers(target, self._secret, dialect)]
        return [*lines, *more, "accept-encoding: identity", "user-agent: freehold"]

    def signed(self, head: bytes, signer: Signer, path: str, permitted: bytes, now: float) -> bytes:
        """`head` with what signs the body."""
        lines = signer.sign(self.target, self._secret, self.target.path + path + self.target.query, permitted, now)
        signature = "".join(f"{name}: {value}\r\n" for name, value in lines).encode("latin-1")
        return head.removesuffix(b"content-length: ") + signature + b"content-length: "

    def without_secret(self, body: bytes) -> bytes:
        """An error's body without our key, should the target quote it."""
        secret = self._secret.encode()
        return body.replace(secret, b"[removed]") if secret else body

    def bound(self, body: bytes, peek: Peek, *, images: bool = True) -> Decimal:
        """The most a call should cost in dollars: no token is shorter than a byte, no answer longer than its limit.

        An image by URL is more tokens than its bytes, and tools bring a prompt of the vendor's own: both get an
        allowance. What goes beyond is charged all the same, and stops the calls after it. Looking for `images` costs
        a pass over the body, spared where no budget depends on it.
        """
        given = len(body) if peek.given is None else peek.given
        if images:
            given += body.count(b'"image') * IMAGE_TOKENS
        if peek.tools:
            given += TOOLS_TOKENS
        output = self.target.max_output_tokens if peek.max_output is None else peek.max_output
        bound = self.bound_input * given + self.bound_output * (output * peek.choices)
        return bound + self.rate.of_units(peek.units, peek.unit) if peek.units else bound


class Unarmed:
    """A guard that is not ready, and why: what stands in its place lets nothing through."""

    def __init__(self, fault: str) -> None:
        self.fault = fault


class Path:
    """A compiled route."""

    def __init__(self, route: Route, tiers: tuple[tuple[Stop | Joint, ...], ...], now: float) -> None:
        self.route = route
        self.name = route.name
        self.tiers = tiers
        self.weights = tuple(tuple(arm.weight for arm in tier) for tier in route.tiers)
        self.label: Label | None = parse_label(route.label) if route.label else None
        self.retries = RetryBudget(route.retry_ratio, now)
        self.hedges = None if route.hedge is None else RetryBudget(route.hedge.ratio, now)
        self.joint = any(isinstance(way, Joint) for tier in tiers for way in tier)
        self.queued = any(isinstance(way, Stop) and way.target.most_in_flight for tier in tiers for way in tier)
        self.watch: Watch | None = Unarmed("its guard is not ready yet") if route.guard else None
        """The route's guard; None for none."""
        self._mint: Mint | None = None
        self._permitted: dict[tuple[str, Label], Tiers] = {}
        """By team and label, under one policy."""

    def permitted(self, label: Label, mint: Mint) -> Tiers:
        """The tiers with only the targets that may take `label`. Remembered for as long as the policy stays."""
        if mint.base is not self._mint or len(self._permitted) >= MOST_REMEMBERED:
            self._mint = mint.base
            self._permitted = {}
        found = self._permitted.get((mint.team, label))
        if found is None:
            tiers = []
            for stops, weights in zip(self.tiers, self.weights, strict=True):
                kept = [(s, w) for s, w in zip(stops, weights, strict=True) if s.decision(label, mint).allowed]
                if kept:
                    tiers.append((tuple(s for s, _ in kept), tuple(w for _, w in kept)))
            found = self._permitted[mint.team, label] = tuple(tiers)
        return found

    def plan(
        self, label: Label, mint: Mint, conversation: str, now: float, roll: Callable[[], float]
    ) -> list[Stop | Joint]:
        """Targets in the order to try. Those at rest come last rather than never: something may still answer.

        Empty where policy lets the label go nowhere.
        """
        tiers = self.permitted(label, mint)
        if len(tiers) == 1 and len(tiers[0][0]) == 1:
            return [tiers[0][0][0]]
        route = self.route
        at = place(conversation) if conversation and route.sticky else roll()
        ready: list[Stop | Joint] = []
        resting: list[Stop | Joint] = []
        for stops, weights in tiers:
            if len(stops) == 1:
                order = [0]
            elif route.choose == "least_loaded":
                order = order_by_load(weights, [stop.health.in_flight for stop in stops], at)
            elif route.choose in LIVE:
                order = order_by_cost(weights, _costs(stops, route.choose, now), at)
            else:
                order = order_by_weight(weights, at)
            for index in order:
                (ready if stops[index].health.breaker.allows(now) else resting).append(stops[index])
        return ready + resting


def _costs(ways: Sequence[Stop | Joint], choose: str, now: float) -> list[tuple[float, float]]:
    """What each costs, in dollars and in time or in time alone. A composite is as slow and as dear as its resort."""
    found: list[tuple[float, float]] = []
    for way in ways:
        stop = way.escalate if isinstance(way, Joint) else way
        slow = slowness(stop.health.figures, stop.health.in_flight, now)
        found.append((slow if choose == "fastest" else dearness(stop.health.figures, stop.rate), slow))
    return found


class RouteTable:
    """All routes by name and alias, under one version."""

    def __init__(self, version: int, paths: Mapping[str, Path], stops: Mapping[str, Stop]) -> None:
        self.version = version
        self.paths = paths
        self.stops = stops
        self.joints: Mapping[str, Joint] = {}
        self.moves: Mapping[str, Move] = {}
        """By workflow; empty where nothing moves, so that a call pays nothing."""
        self.gone: frozenset[str] = frozenset()
        """Routes that there are not while this instance is air-gapped."""
        self.faults: tuple[str, ...] = ()
        """What of the snapshot is left out, and why."""
        self.origins: frozenset[Origin] = frozenset(stop.origin for stop in stops.values())
        self.guard = ""
        """Name of the guard of calls to a target without a route."""
        self._pins: dict[str, Path] = {}
        self._pin_watch: Watch | None = Unarmed("its guard is not ready yet")

    def path(self, name: str) -> Path:
        """The route by that name. Raises UnknownModel with the nearest names, NoPermittedTarget behind an air gap."""
        found = self.paths.get(name)
        if found is None:
            if name in self.gone:
                raise NoPermittedTarget(f"{name} leads to rented targets alone, and this instance is air-gapped")
            way = self.way(name)
            if way is not None:
                leading = [one for one, path in self.paths.items() if any(way in tier for tier in path.tiers)]
                hint = f"that is a target; name a route that leads to it: {', '.join(leading) or 'none does'}"
                raise UnknownModel(f"the model {name[:200]!r} is no route", hint=hint, param="model")
            near = difflib.get_close_matches(name[:200], list(self.paths), n=3, cutoff=0.5)
            known = f"did you mean {', '.join(repr(one) for one in near)}?" if near else None
            raise UnknownModel(f"the model {name[:200]!r} does not exist here", hint=known, param="model")
        return found

    def way(self, name: str) -> Stop | Joint | None:
        """The target or composite by that name."""
        return self.stops.get(name) or self.joints.get(name)

    def pin(self, name: str, now: float) -> Path:
        """The target or composite behind `target:` as a route of its own: nothing beside it, nothing after it.

        Raises UnknownModel.
        """
        found = self._pins.get(name)
        if found is None:
            wanted = name.removeprefix(PIN)
            way = self.way(wanted)
            if way is None:
                raise UnknownModel(f"there is no target {wanted[:200]!r}", param="model")
            route = Route(name=name, tiers=((Arm(wanted),),), attempts=1)
            found = self._pins[name] = Path(route, ((way,),), now)
            found.watch = self._pin_watch
        return found

    def watch_pins(self, watch: Watch | None) -> None:
        """The guard of calls to a target without a route, from now on."""
        self._pin_watch = watch
        for path in self._pins.values():
            path.watch = watch


def compile_routes(
    version: int,
    routes: Routes,
    drivers: Mapping[str, Driver],
    resolve: Callable[[str], str],
    health: dict[str, Health],
    now: float,
) -> RouteTable:
    """A table from a snapshot. `resolve` turns a credential reference into its secret. Raises BadConfig."""
    stops = {target.name: _stop(target, drivers, resolve, health) for target in routes.targets}
    joints, faults = compile_joints(routes.composites, stops)
    ways: dict[str, Stop | Joint] = {**stops, **joints}
    paths: dict[str, Path] = {}
    for route in routes.routes:
        missing = [arm.target for tier in route.tiers for arm in tier if arm.target not in ways]
        if missing or not route.tiers or not all(route.tiers):
            raise BadConfig(f"route {route.name!r} names no target, or one that does not exist: {missing}")
        tiers = tuple(tuple(ways[arm.target] for arm in tier) for tier in route.tiers)
        paths[route.name] = Path(route, tiers, now)
        if route.choose in LIVE or route.hedge is not None:
            _keep_figures(tiers)
    for alias, name in routes.aliases:
        if name not in paths:
            raise BadConfig(f"alias {alias!r} leads to the route {name!r}, which does not exist")
        paths.setdefault(alias, paths[name])
    table = RouteTable(version, paths, stops)
    table.joints = joints
    table.gone = frozenset(routes.gone)
    table.guard = routes.guard
    table.moves, left_out = compile_moves(routes.overlays, routes.watches, ways)
    table.faults = (*faults, *left_out)
    return table


def _keep_figures(tiers: tuple[tuple[Stop | Joint, ...], ...]) -> None:
    for way in (way for tier in tiers for way in tier):
        stop = way.escalate if isinstance(way, Joint) else way
        stop.health.figures = stop.health.figures or Figures()


def _stop(
    target: Target, drivers: Mapping[str, Driver], resolve: Callable[[str], str], health: dict[str, Health]
) -> Stop:
    driver = drivers.get(target.driver)
    if driver is None:
        raise BadConfig(f"target {target.name!r} needs the driver {target.driver!r}, which does not exist")
    secret = fault = ""
    try:
        secret = resolve(target.credential) if target.credential else ""
    except FreeholdError as error:  # one provider's missing key takes no other target along
        fault = f"{target.name} has no key of its provider: {error.message}"
    if not fault and driver.signer is not None:
        fault = driver.signer.fault(target, secret)
    mine = health.setdefault(target.name, Health())
    if target.most_in_flight or mine.queue is not None:
        bounded(mine, target.most_in_flight, target.most_waiting)
    return Stop(target, driver, secret, mine, fault)
