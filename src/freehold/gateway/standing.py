"""`GET /status`: how this process and its targets are, for machines as JSON and for people as a page without scripts.

Without a key it tells nothing of routes and targets: their names are not everybody's business. With one, those of the
routes that the key may name. Never an address, a credential or a body.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import msgspec

from freehold import __version__
from freehold.gateway.inbound import Inbound
from freehold.gateway.reply import head_of
from freehold.gateway.routing.joints import Joint
from freehold.gateway.routing.table import Path, Stop

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane


class TargetStanding(msgspec.Struct, frozen=True):
    """One target as this process sees it."""

    name: str
    owned: bool
    state: str
    """`answers`, or why it is not asked now: `failing`, `asked to wait`, `not set up`."""
    rests_seconds: float
    """Until it is asked again."""
    last_failure: str
    """Code of the last failure that counted, as in the reference of errors; empty for none since the start."""
    in_flight: int
    begins_p50_ms: float | None
    """How soon its recent answers began; None where too few are known."""
    begins_p95_ms: float | None


class RouteStanding(msgspec.Struct, frozen=True):
    """One route: `served` where a target of it may be asked now."""

    name: str
    served: bool
    targets: tuple[TargetStanding, ...]


class Standing(msgspec.Struct, frozen=True):
    """One process of the gateway."""

    status: str
    version: str
    uptime_seconds: int
    calls_under_way: int
    shared: str
    """Whether the server of `[valkey]` answers this process: `answers`, `away`; empty where nothing is shared."""
    routes: tuple[RouteStanding, ...] | None
    """None without a key."""


def state_of(plane: Plane) -> str:
    """`ready`, `draining` or `not ready`: snapshots loaded, journal writable, not ending."""
    if plane.draining:
        return "draining"
    return "ready" if plane.ready and not plane.journal.broken else "not ready"


def standing(plane: Plane, inbound: Inbound) -> Standing:
    """What is told to this caller. Raises the Unauthenticated errors where there is a key and it is none of ours."""
    given = any(name in inbound.headers for name in (b"authorization", b"x-api-key", b"x-goog-api-key"))
    now = plane.now()
    routes = None
    if given:
        caller = plane.gate.admit(inbound.headers, now)
        named = {path.name: path for path in plane.table.paths.values()}
        kept = [path for name, path in sorted(named.items()) if caller.routes is None or name in caller.routes]
        routes = tuple(_route(path, now) for path in kept)
    up = int(max(now - plane.began, 0.0))
    lending = plane.lending
    shared = "" if lending is None else "away" if lending.lender.away else "answers"
    return Standing(state_of(plane), __version__, up, len(plane.calls), shared, routes)


def _route(path: Path, now: float) -> RouteStanding:
    ways = [way.escalate if isinstance(way, Joint) else way for tier in path.tiers for way in tier]
    told = tuple(_target(stop, now) for stop in dict.fromkeys(ways))
    return RouteStanding(path.name, any(one.state == "answers" for one in told), told)


def _target(stop: Stop, now: float) -> TargetStanding:
    health = stop.health
    breaker = health.breaker
    state = "not set up" if stop.fault else "answers" if breaker.allows(now) else breaker.reason or "failing"
    rests = round(max(breaker.until - now, 0.0), 1)
    middle, late = health.recent.begins(now)
    return TargetStanding(stop.name, stop.owned, state, rests, health.failure, health.in_flight, middle, late)


def status(plane: Plane, inbound: Inbound, path: bytes) -> bytes:
    """The answer: a page where the caller would rather read one."""
    told = standing(plane, inbound)
    page = b"text/html" in inbound.headers.get(b"accept", b"")
    body = _page(told).encode() if page else msgspec.json.encode(told)
    kind = b"text/html; charset=utf-8" if page else b"application/json"
    lines = [(b"content-type", kind), (b"cache-control", b"no-store")]
    if page:
        lines.append((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"))
    return head_of(200, lines, len(body), keep=inbound.keep_alive) + body


_STYLE = """\
:root{color-scheme:light dark;--ink:#1c2024;--faint:#60646c;--line:#d9dbe0;--good:#18794e;--bad:#b42318;--back:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--faint:#b0b4ba;--line:#363a3f;--good:#5bd197;--bad:#ff9592;
--back:#111315}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:60rem;margin:2rem auto;
padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;
border-bottom:1px solid var(--line)}td.n{text-align:right}.good{color:var(--good)}.bad{color:var(--bad)}
p.faint{color:var(--faint)}"""
_HEADS = ("Route", "Target", "Kind", "State", "Last failure", "Under way", "Begins, p50 ms", "p95 ms")


def _page(told: Standing) -> str:
    good = "good" if told.status == "ready" else "bad"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Freehold: status</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>',
        f'<main><h1>Freehold is <span class="{good}">{told.status}</span></h1>',
        f'<p class="faint">Version {told.version}, up for {told.uptime_seconds:,} s, ',
        f"{told.calls_under_way} calls under way in this process.</p>",
    ]
    if told.routes is None:
        parts.append("<p>Routes and targets are told to callers with a key.</p>")
    else:
        heads = "".join(f'<th scope="col">{one}</th>' for one in _HEADS)
        rows = [_row(route.name, one) for route in told.routes for one in route.targets]
        parts.append(f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    return "".join([*parts, "</main></body></html>\n"])


def _row(route: str, one: TargetStanding) -> str:
    good = "good" if one.state == "answers" else "bad"
    state = one.state if not one.rests_seconds else f"{one.state}, for {one.rests_seconds:g} s"
    names = (
        f"<td>{html.escape(route)}</td><td>{html.escape(one.name)}</td><td>{'owned' if one.owned else 'rented'}</td>"
    )
    figures = "".join(
        f'<td class="n">{"" if value is None else f"{value:,.0f}"}</td>'
        for value in (one.in_flight, one.begins_p50_ms, one.begins_p95_ms)
    )
    return f'<tr>{names}<td class="{good}">{state}</td><td>{html.escape(one.last_failure)}</td>{figures}</tr>'
