"""Routes as data: what the `routes` snapshot holds. Compiled by `table.py`."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from freehold.grading.types import Spec
from freehold.policy.targets import Target


class Arm(msgspec.Struct, frozen=True):
    """One target in a tier, with its share of the tier's traffic."""

    target: str
    weight: float = 1.0


class CacheRule(msgspec.Struct, frozen=True):
    """Whole answers of a route are kept in memory, and served again for exactly the same request."""

    seconds: float
    """How long an answer is served."""
    share: str = "team"
    """Who is served an answer: the `key` that asked for it, its `team`, or `everyone`."""
    tools: bool = False
    """Answers to requests that offer tools too."""


class HedgeRule(msgspec.Struct, frozen=True):
    """A slow first token is asked of the next target too; who begins first answers."""

    after_seconds: float | None = None
    """How long the first is waited for; None for the time in which 95 of 100 of its recent answers began."""
    most_dollars: Decimal | None = None
    """No second target whose bound of the price is above this; None for none."""
    ratio: float = 0.1
    """At most this share of recent calls may be hedged (plus a floor of 10 a minute)."""
    whole: bool = False
    """Answers that are not streamed too."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What a client names in `model`: tiers tried in order; within a tier, arms by weight."""

    name: str
    tiers: tuple[tuple[Arm, ...], ...]
    choose: str = "weighted"
    """Within a tier: `weighted` (by share, sticky where a conversation is known), `least_loaded`, `fastest` or
    `cheapest`, the last two by live figures.
    """
    sticky: bool = True
    """Keep a conversation on the arm it began on, while that arm is healthy."""
    attempts: int = 3
    """Most attempts for one call, first included."""
    retry_ratio: float = 0.1
    """Retry budget: at most this share of recent calls may be retries (plus a floor of 10 a minute)."""
    first_token_seconds: float | None = None
    """Overrides the target's own."""
    strict: bool = False
    """Refuse rather than drop a field in translation."""
    baseline: str = ""
    """Target whose price says what the call would have cost rented; empty where none was named."""
    budgets: tuple[str, ...] = ()
    label: str = ""
    """Least label of everything sent on this route; empty for none."""
    capture: bool = False
    """Keep bodies (sealed, with retention)."""
    guard: str = ""
    """Name of the profile that its calls are scanned by; empty for none."""
    priority: str = "interactive"
    """The highest class of its calls where a target is full: `interactive`, `normal` or `batch`."""
    cache: CacheRule | None = None
    hedge: HedgeRule | None = None


class Composite(msgspec.Struct, frozen=True, kw_only=True):
    """A policy over targets that is used like a target. `members` answer first; `escalate` where they do not suffice.

    - `agreement`: the first member's answer is served where the second's agrees by the grader.
    - `confidence`: the only member's answer is served where its stated confidence is at least `threshold`.
    - `difficulty`: the only member is asked where the prompt's difficulty is below `threshold`.
    """

    name: str
    kind: str
    members: tuple[str, ...]
    escalate: str
    """Target asked otherwise."""
    grader: Spec | None = None
    threshold: float = 1.0
    weights: bytes = b""
    """Of `difficulty`: the scorer's parameters (msgpack)."""
    member_seconds: float = 30.0
    """Longest wait for the whole answer of one member; then `escalate` is asked."""


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """What a move does to one workflow's calls, whichever route they name.

    The share goes to `target` first and to the route's own plan where that fails; the rest is the route's own plan.
    """

    workflow: str
    """Id of the workflow."""
    target: str
    """Name of a target or a composite."""
    share: float
    """Of conversations (else of calls), 0 to 1; sticky: who is in at 5 % is in at 25 %."""
    salt: str = ""
    """Of the drawing, so that two moves do not pick the same conversations."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies of one workflow's calls are kept (sealed, with retention), whatever their route says of capture."""

    workflow: str
    """Id of the workflow."""
    share: float = 1.0
    """Of conversations (else of calls), 0 to 1; sticky as an overlay's."""
    salt: str = ""


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the `routes` snapshot."""

    targets: tuple[Target, ...] = ()
    routes: tuple[Route, ...] = ()
    composites: tuple[Composite, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    watches: tuple[Watch, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    """Other names for a route: `gpt-4o` may lead to `assistant`."""
    gone: tuple[str, ...] = ()
    """Names, aliases too, of routes that led to rented targets alone, in an air-gapped instance."""
    guard: str = ""
    """Profile for what Freehold's own rooms send to a target without a route; empty for none."""
