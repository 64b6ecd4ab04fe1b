"""Several workflows on shared GPUs: adapters on one base, several models on one machine, beside one fleet each.

Pure. Every way serves all of every workflow's calls; what it costs is GPU-hours. A way that cannot be is told with
its reason and never left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from freehold.planner.errors import PlanError
from freehold.planner.fleet import DEFAULT, Kind, smallest
from freehold.planner.traffic import Arrivals, Trace
from freehold.planner.types import Fleet, Replicas, Slo, Speed

Way = Literal["apart", "adapters", "together"]
ADAPTER_SECONDS = 0.002
"""A step takes this longer where it gathers the adapters of its sequences: Punica (Chen et al., MLSys 2024)."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One workflow, with the replica that would serve it by itself."""

    name: str
    trace: Trace
    speed: Speed
    base: str
    """Name of the base model: adapters of the same base can share replicas."""
    adapter_tokens: int = 0
    """KV tokens for which its adapter leaves no room; 0 for the base as it is."""
    weight_tokens: int = 0
    """KV tokens for which its model's weights leave no room on the machine of another."""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve all workflows."""

    way: Way
    fleets: dict[str, Fleet]
    """By the names of the workflows that share it, joined by ` + `."""
    gpu_hours: float
    """Over the trace."""
    meets: bool
    why: str = ""


class Sharing:
    """A replica of one base that serves several adapters at once; a `Speed`."""

    def __init__(self, speed: Speed, adapters: int, tokens: int) -> None:
        """`tokens`: of the KV cache, for which all adapters together leave no room."""
        self.gpus, self.max_batch = speed.gpus, speed.max_batch
        self.kv_tokens = max(speed.kv_tokens - tokens, 0)
        self._speed, self._more = speed, ADAPTER_SECONDS if adapters else 0.0

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """A step of the base, and the gathering of adapters."""
        return self._speed.step_seconds(prefill_tokens, decoding, context_tokens) + self._more


class Slice:
    """One of several models on a machine, with a share of its time and memory; a `Speed`."""

    def __init__(self, speed: Speed, share: float, room: int) -> None:
        """`room`: KV tokens of its own."""
        self.gpus, self.max_batch, self.kv_tokens = speed.gpus, speed.max_batch, room
        self._speed, self._share = speed, share

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """As by itself, over its share of the time."""
        return self._speed.step_seconds(prefill_tokens, decoding, context_tokens) / self._share


def packed(
    way: Way,
    tenants: Sequence[Tenant],
    alone: Mapping[str, Fleet],
    slo: Slo,
    how: tuple[Kind, Replicas] = ("static", DEFAULT),
) -> Packed:
    """One way: compare `gpu_hours` of those that meet the SLO. `alone` is the fleet of each tenant by itself.

    Raises PlanError where there is no tenant, or two have one name.
    """
    if not tenants or len({one.name for one in tenants}) < len(tenants):
        raise PlanError("packing needs workflows with names of their own", param="workflows")
    if way == "adapters":
        return _adapters(tenants, alone, slo, how)
    if way == "together":
        return _together(tenants, alone, slo, how)
    return _packed("apart", {one.name: alone[one.name] for one in tenants})


def merged(traces: Sequence[Trace], names: Sequence[str]) -> Arrivals:
    """The arrivals of several workflows in one trace. Raises PlanError where one of them is known by its rates only."""
    known = [one for one in traces if isinstance(one, Arrivals)]
    if len(known) < len(traces):
        raise PlanError("rates cannot be laid over each other: packing needs arrivals", param="trace")
    order = np.argsort(np.concatenate([one.t for one in known]), kind="stable")
    workflow = np.concatenate([np.full(one.requests, index) for index, one in enumerate(known)])
    t, asked, answered, cached = (
        np.concatenate([getattr(one, name) for one in known])[order] for name in ("t", "input", "output", "cached")
    )
    return Arrivals(
        t=t,
        input=asked,
        output=answered,
        cached=cached,
        workflow=workflow[order].astype(np.int64),
        workflows=tuple(names),
        span_seconds=max(one.span_seconds for one in known),
        source=" + ".join(dict.fromkeys(one.source for one in known)),
    )


def _adapters(tenants: Sequence[Tenant], alone: Mapping[str, Fleet], slo: Slo, how: tuple[Kind, Replicas]) -> Packed:
    """Workflows of one base share its replicas; a base with one workflow keeps its own fleet."""
    kind, rule = how
    fleets: dict[str, Fleet] = {}
    for base in sorted({one.base for one in tenants}):
        group = [one for one in tenants if one.base == base]
        names = [one.name for one in group]
        if len(group) == 1:
            fleets[names[0]] = alone[names[0]]
            continue
        if not all(isinstance(one.trace, Arrivals) for one in group):
            return Packed(way="adapters", fleets={}, gpu_hours=0.0, meets=False, why=_RATES)
        tokens = sum(one.adapter_tokens for one in group)
        speed = Sharing(group[0].speed, sum(one.adapter_tokens > 0 for one in group), tokens)
        trace = merged([one.trace for one in group], names)
        fleets[" + ".join(names)] = smallest(trace, speed, slo, kind, rule=rule)
    return _packed("adapters", fleets)


def _together(tenants: Sequence[Tenant], alone: Mapping[str, Fleet], slo: Slo, how: tuple[Kind, Replicas]) -> Packed:
    """Small workflows share machines, first fit by falling need; the others keep fleets of their own.

    On a shared machine each model has a share of the time in proportion to what it is busy with by itself, and what
    the others' weights leave of memory in the same proportion.
    """
    kind, rule = how
    need = {one.name: _need(alone[one.name]) for one in tenants}
    machines: list[list[Tenant]] = []
    fleets: dict[str, Fleet] = {}
    for one in sorted(tenants, key=lambda each: (-need[each.name], each.name)):
        if need[one.name] >= 1.0 or not alone[one.name].meets:
            fleets[one.name] = alone[one.name]
            continue
        placed = False
        for index, machine in enumerate(machines):
            found = _share([*machine, one], need, slo, (kind, rule))
            if found is not None:
                fleets.pop(" + ".join(each.name for each in machine))
                machines[index] = [*machine, one]
                fleets[" + ".join(each.name for each in machines[index])] = found
                placed = True
                break
        if not placed:
            machines.append([one])
            fleets[one.name] = alone[one.name]
    return _packed("together", fleets)


def _share(tenants: Sequence[Tenant], need: Mapping[str, float], slo: Slo, how: tuple[Kind, Replicas]) -> Fleet | None:
    """The fleet of one kind of machine that serves them all; None where one of them misses the SLO there."""
    _, rule = how
    if len({one.speed.gpus for one in tenants}) > 1:
        return None
    total = sum(max(need[one.name], 0.01) for one in tenants)
    found = []
    for one in tenants:
        share = max(need[one.name], 0.01) / total
        others = sum(each.weight_tokens for each in tenants if each is not one)
        room = int((one.speed.kv_tokens - others) * share)
        if room <= 0:
            return None
        bare = msgspec.structs.replace(rule, least=1, most=1 + rule.spare)
        fleet = smallest(one.trace, Slice(one.speed, share, room), slo, "static", rule=bare)
        if not fleet.meets:
            return None
        found.append(fleet)
    return max(found, key=lambda fleet: (fleet.served.replica_hours, fleet.served.utilisation))


def _need(fleet: Fleet) -> float:
    """Replicas that it is busy with, as if all time could be used."""
    load = max((use * size for _, size, use, _ in fleet.served.timeline), default=0.0)
    return max(load, 0.0)


def _packed(way: Way, fleets: dict[str, Fleet]) -> Packed:
    hours = sum(one.served.replica_hours * one.gpus_per_replica for one in fleets.values())
    failing = [f"{name}: {one.why}" for name, one in sorted(fleets.items()) if not one.meets]
    return Packed(way=way, fleets=fleets, gpu_hours=hours, meets=not failing, why="; ".join(failing))


_RATES = "workflows that are known by their rates cannot share replicas: give arrivals"
