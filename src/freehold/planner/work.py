"""What a plan is about: one workflow with its traffic, prices, model and evidence, as frozen values.

Invariant: everything the money is computed from stands here, so a plan can be recomputed from its own file.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.planner.prices import Quote
from freehold.planner.rents import GpuHour
from freehold.planner.types import OptionKind, Range, Slo

MONTH_SECONDS = 730.5 * 3600.0
MONTH_HOURS = 730.5
FleetKind = Literal["static", "autoscaled", "hybrid"]
FLEETS: tuple[FleetKind, ...] = ("static", "autoscaled", "hybrid")


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """A month of traffic at the trace's own volume."""

    requests: float
    input: float
    """Tokens, cached ones included."""
    cached: float
    """Of `input`, read from the provider's cache."""
    output: float
    tiered: float = 0.0
    """Share of the input tokens in requests beyond the incumbent's first price tier."""
    span_seconds: float
    """Of the trace it was scaled from."""
    trace: str
    """Where the trace comes from."""
    digest: str
    """SHA-256 of the trace."""
    repeated: float = 0.0
    """Share of the trace's rows that are the same as another in all columns."""
    longest: float = 0.0
    """Tokens of a call, in and out, that one in a hundred is longer than."""
    silent_seconds: float = 0.0
    """The longest time without a call."""


class Stair(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest fleet for one volume. `volume` is a multiple of the trace's."""

    volume: float
    replicas: int
    """At its peak, spare ones included."""
    hours: float
    """Replica-hours a month."""
    overflow_input: float
    """Share of the input tokens that go to an API."""
    overflow_output: float
    meets: bool
    attained: float = 0.0
    utilisation: float = 0.0
    ttft: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tpot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    why: str = ""


class Staircase(msgspec.Struct, frozen=True, kw_only=True):
    """Fleets over volumes, by rising volume: cost in steps, not in a straight line."""

    kind: FleetKind
    gpus_per_replica: int
    stairs: tuple[Stair, ...]
    timeline: tuple[tuple[float, int, float, float], ...] = ()
    """Of the trace's own volume: seconds, replicas, load, share overflowed."""


class Packing(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve several workflows: apart, as adapters of one base, or several models on one machine."""

    way: str
    groups: tuple[tuple[str, int], ...]
    """(workflows that share a fleet, its replicas at the peak)."""
    gpu_hours: float
    """A month."""
    meets: bool
    why: str = ""


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """The open model to be owned, and the machine it runs on."""

    model: str
    gpu: str
    gpus: int
    """In one replica."""
    precision: str
    hour: GpuHour
    speed: Range
    """Ratio of the real speed to the estimate."""
    fits: bool = True
    source: str = ""
    context: int = 0
    """Longest that its maker says; 0 where nobody says."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of an option's quality on this workflow."""

    option: OptionKind
    passed: Range
    """Share of tasks that pass."""
    pairs: int
    difference_low: float
    """Lower end of the interval of quality against the incumbent's; -0.03 is three points."""
    source: str
    as_of: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides beside money; None where nobody measured or said it."""

    label: str | None = None
    """As on the workflow's calls: a level, and regimes."""
    rented_allowed: bool | None = None
    """Whether any rented target may take its label."""
    stable: bool | None = None
    """Whether it is a settled task: the same prompt templates week by week."""
    days: float | None = None
    """Of traffic that was seen."""
    ttft_needed: float | None = None
    """Seconds."""
    skills: bool | None = None
    """Whether there are people who can run models."""
    fine_tuning: bool | None = None
    """Whether an untuned open model is known not to do."""
    refusals: float | None = None
    """Share of calls that the incumbent refuses."""


class VendorTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is known of who serves a rented model, against what the label needs."""

    model: str
    """`provider/model`."""
    offering: str
    attribute: str
    value: str
    """Empty where nothing that counts is known."""
    need: str
    """What the label asks for; empty where it asks for nothing here."""
    covered: bool | None
    """None where nothing is asked for."""
    source: str


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a rented model may take the workflow's label, by the needs of level and regimes."""

    model: str
    offering: str
    lacks: tuple[str, ...]
    """In words, what is not known of it; empty where it may."""
    terms: tuple[VendorTerm, ...]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, or all together."""

    name: str
    demand: Demand
    now: Quote
    closed: tuple[Quote, ...]
    hosted: tuple[Quote, ...]
    owned: Owned
    staircases: tuple[Staircase, ...]
    slo: Slo
    evidence: tuple[Evidence, ...] = ()
    facts: Facts = Facts()
    vendors: tuple[Vendor, ...] = ()
    """Of every rented model here."""
    workflows: int = 1
    """How many of them it stands for."""
    level: float = 1.0
    """Multiple of the trace's volume at the beginning: 1, unless a plan was re-fitted to what happened."""
    share: float = 1.0
    """Of what is paid once for all workflows: people, evaluation."""
