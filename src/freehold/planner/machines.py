"""The machines of a plan: how fast they are taken to be, what they rent for, and the fleets on them, also shared ones.

Pure. A model that does not fit still gets its fleets, which say so: no option is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.planner import estimate
from freehold.planner.assumptions import OWN, Assumption
from freehold.planner.constants import fitted
from freehold.planner.gpus import gpu as gpu_of
from freehold.planner.packing import Packed, Sharing, Tenant
from freehold.planner.probing import Probe
from freehold.planner.ranges import Known, spread
from freehold.planner.rents import GpuHour, Rent, gpu_hour, plain, rents
from freehold.planner.settings import PlanSettings
from freehold.planner.shapes import shape as shape_of
from freehold.planner.simulating import Site
from freehold.planner.traffic import Trace
from freehold.planner.types import Gpu, Range, Shape, Slo, Speed
from freehold.planner.work import MONTH_SECONDS, Owned, Packing

LARGEST = 16
"""Accelerators of one replica that are tried at most."""
ADAPTER_SHARE = 0.01
"""Of the base model's weights, that a low-rank adapter takes: rank 16 on all linear layers, Hu et al. 2021."""


class Rate(msgspec.Struct, frozen=True):
    """How fast machines are taken to be: fitted to published points, or after a probe, or as the caller assumes."""

    assumed: Assumption
    probe: Probe | None

    @property
    def known(self) -> Known:
        """Constants, and how far off they may be."""
        return fitted().known if self.probe is None else self.probe.known

    def spread(self, replica: estimate.Replica) -> Range:
        """Ratio of the real speed to the estimate."""
        own = self.assumed
        if own.source == OWN:
            return Range(own.low, own.base, own.high, own.source, own.as_of)
        if self.probe is not None:
            half = self.known.half(replica.serving, self.probe.probes)
            return spread(1.0, half, f"a probe of {self.probe.model} on {self.probe.gpu}", self.probe.at[:10])
        return spread(1.0, self.known.half(replica.serving), fitted().source, fitted().as_of)


def slo_of(settings: PlanSettings) -> Slo:
    """What callers are owed."""
    return Slo(ttft_seconds=settings.ttft_seconds, tpot_seconds=settings.tpot_seconds, share=settings.slo_share)


def owning(settings: PlanSettings, model: str, rate: Rate) -> tuple[Owned, Speed]:
    """The open model on its machines, and one replica of it. Raises UnknownShape and UnknownGpu."""
    shape, gpu, replica = _machine(settings, model, rate)
    made = Owned(
        model=shape.name,
        gpu=gpu.name,
        gpus=replica.gpus,
        precision=settings.precision,
        hour=_hour(settings, gpu.name),
        speed=rate.spread(replica),
        fits=replica.kv_tokens > 0,
        source=f"{shape.source}; {gpu.source} {gpu.as_of}",
        context=shape.context,
    )
    return made, replica


def _machine(settings: PlanSettings, model: str, rate: Rate) -> tuple[Shape, Gpu, estimate.Replica]:
    shape, gpu = shape_of(model), gpu_of(settings.gpu)
    gpus = settings.gpus or estimate.smallest(shape, gpu, settings.precision, most=LARGEST) or LARGEST
    return shape, gpu, estimate.replica(shape, gpu, gpus, settings.precision, constants=rate.known.constants)


def sharing_machines(
    settings: PlanSettings, traces: Sequence[tuple[str, Trace]], whole: Trace, rate: Rate
) -> tuple[list[Tenant], Site]:
    """The workflows as they would share machines: as adapters of one base model, all their traffic on its replicas."""
    shape, _, replica = _machine(settings, settings.model, rate)
    token = max(shape.kv_bytes_per_token, 1.0)
    weights = int(replica.room.weights * replica.gpus / token)
    adapter = int(ADAPTER_SHARE * replica.room.weights * replica.gpus / token)
    tenants = [
        Tenant(name=name, trace=trace, speed=replica, base=shape.name, adapter_tokens=adapter, weight_tokens=weights)
        for name, trace in traces
    ]
    return tenants, Site("all together", whole, Sharing(replica, len(traces), adapter * len(traces)))


def packing_of(one: Packed, span: float) -> Packing:
    """One way to share machines, by the month; `span` in seconds, of the traffic it was simulated for."""
    return Packing(
        way=one.way,
        groups=tuple((name, int(fleet.served.peak_replicas)) for name, fleet in sorted(one.fleets.items())),
        gpu_hours=float(one.gpu_hours) * MONTH_SECONDS / span,
        meets=bool(one.meets),
        why=one.why,
    )


def _hour(settings: PlanSettings, gpu: str) -> GpuHour:
    offers = tuple(
        Rent(
            provider=one.provider,
            region="",
            sku="",
            gpu=one.gpu,
            gpus=1,
            memory_gb=0.0,
            usd_per_gpu_hour=one.usd_per_gpu_hour,
            kind="on_demand",
            source=one.source,
            as_of=one.as_of.isoformat(),
        )
        for one in settings.rents
        if plain(one.gpu) == plain(gpu)
    )
    return gpu_hour(gpu, offers or rents(), settings.provider)
