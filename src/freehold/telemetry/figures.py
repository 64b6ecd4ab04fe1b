"""What a scrape is told, as families with where each figure comes from. Pure.

Labels hold names from the configuration and words of ours: no key, person, workflow or label of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from freehold import __version__
from freehold.telemetry.exposition import Family, Sample, histogram, samples
from freehold.telemetry.tally import BOUNDS, Key, Totals

if TYPE_CHECKING:
    from freehold.core.process import Status
    from freehold.ledger.objects.carrier import Shipped
    from freehold.policy.authority import Standing

_LEDGER = "From the ledger's hourly sums."
_LOOKS = "From the ledger; counted since this process began, and over the newest 100000 leaves before that."
_BUDGET = "From the budget authority's tables, for the current period."
_SUPERVISOR = "From the supervisor's status file."


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How the instance stands now, beside what its calls add up to."""

    lag_bytes: int
    waiting_changes: int
    checkpoint_age: float | None
    """Seconds; None where there is no checkpoint yet."""
    jobs: tuple[tuple[str, str, int], ...]
    moves: tuple[tuple[str, int], ...]
    processes: Sequence[Status]
    engines: frozenset[str]
    """Names of the processes that are engines."""
    budgets: Sequence[Standing]
    problems: int
    shipped: Shipped | None = None
    """How bodies reach the object store; None without one."""
    versions: tuple[tuple[str, int], ...]
    valkey: bool | None = None
    """Does it answer? None where gateways share nothing."""


def families(totals: Totals, state: State) -> tuple[Family, ...]:
    """Everything, in a fixed order."""
    return (
        *_calls(totals),
        *_seconds(totals),
        *_guard(totals),
        *_budgets(state.budgets),
        *_shipping(state.shipped),
        *_standing(state),
    )


def _calls(totals: Totals) -> tuple[Family, ...]:
    where = ("route", "target", "owned")
    return (
        Family(
            "freehold_calls_total",
            "counter",
            f"Calls that ended, refused ones too; own: Freehold's evaluations, shadows and judges. {_LEDGER}",
            samples(totals.calls, (*where, "outcome", "own")),
        ),
        Family(
            "freehold_tokens_total",
            "counter",
            f"Tokens; cached are part of input, reasoning part of output. {_LEDGER}",
            samples(totals.tokens, (*where, "own", "kind")),
        ),
        Family(
            "freehold_cost_dollars_total",
            "counter",
            f"US dollars that calls cost, at the prices of their day. {_LEDGER}",
            samples(totals.dollars, (*where, "own")),
        ),
        Family(
            "freehold_errors_total",
            "counter",
            f"Calls that ended with an error or a refusal, by its code. {_LOOKS}",
            samples(totals.errors, ("code", "outcome")),
        ),
        Family(
            "freehold_attempts_total",
            "counter",
            f"Requests to targets; a call that was tried elsewhere has several. {_LOOKS}",
            samples(totals.attempts, ("target", "owned", "outcome")),
        ),
    )


def _seconds(totals: Totals) -> tuple[Family, ...]:
    def told(values: dict[Key, tuple[dict[int, int], float]]) -> tuple[Sample, ...]:
        return tuple(
            each
            for key in sorted(values)
            for each in histogram(values[key][0], BOUNDS, values[key][1], (("route", key[0]), ("owned", key[1])))
        )

    return (
        Family(
            "freehold_call_seconds",
            "histogram",
            f"Time until the last byte of calls that were sent somewhere, right within 3 %. {_LEDGER}",
            told(totals.latency),
        ),
        Family(
            "freehold_first_token_seconds",
            "histogram",
            f"Time until the answer began. {_LOOKS}",
            told(totals.first_token),
        ),
    )


def _guard(totals: Totals) -> tuple[Family, ...]:
    return (
        Family(
            "freehold_guard_findings_total",
            "counter",
            f"What detectors found. {_LOOKS}",
            samples(totals.findings, ("detector", "kind", "side")),
        ),
        Family(
            "freehold_guard_failures_total",
            "counter",
            f"Texts that a detector failed on, or had no time for. {_LOOKS}",
            samples(totals.failed, ("detector", "side")),
        ),
    )


def _budgets(found: Sequence[Standing]) -> tuple[Family, ...]:
    def told(which: str) -> tuple[Sample, ...]:
        values: dict[Key, Decimal] = {(one.budget, one.period): getattr(one, which) for one in found}
        return samples(values, ("budget", "period"))

    return (
        Family("freehold_budget_limit_dollars", "gauge", f"Limit, without keys' own. {_BUDGET}", told("limit")),
        Family("freehold_budget_spent_dollars", "gauge", f"Spent by calls that ended. {_BUDGET}", told("spent")),
        Family("freehold_budget_remaining_dollars", "gauge", f"Left to be lent. {_BUDGET}", told("available")),
    )


def _shipping(found: Shipped | None) -> tuple[Family, ...]:
    if found is None:
        return ()
    return (
        _one("freehold_bodies_store_up", "1 where the object store took what was last sent.", int(not found.error)),
        _one("freehold_bodies_waiting", "Bodies that the object store does not have yet.", found.waiting),
        _one("freehold_bodies_waiting_bytes", "The same, in bytes of the home's disk.", found.bytes),
        _one("freehold_bodies_spool_full", "1 where no more bodies are kept until it answers.", int(found.full)),
    )


def _standing(state: State) -> tuple[Family, ...]:
    ready = [one for one in state.processes if one.phase == "ready"]
    engines = sum(one.name in state.engines for one in ready)
    up: dict[Key, int] = {(one.name,): int(one.phase == "ready") for one in state.processes}
    restarts: dict[Key, int] = {(one.name,): one.restarts for one in state.processes}
    return (
        _one("freehold_journal_lag_bytes", "Journal that is not in the database yet.", state.lag_bytes),
        _one("freehold_audit_waiting", "Changes that wait for the audit tree.", state.waiting_changes),
        Family(
            "freehold_checkpoint_age_seconds",
            "gauge",
            "Age of the newest signed checkpoint of the audit log; one is made when the log grew.",
            () if state.checkpoint_age is None else (Sample(state.checkpoint_age),),
        ),
        _gauge("freehold_jobs", "Background jobs that are kept, from their table.", state.jobs, ("kind", "state")),
        _gauge("freehold_moves", "Moves by the stage they are at, from their table.", state.moves, ("stage",)),
        Family("freehold_process_ready", "gauge", f"1 where ready. {_SUPERVISOR}", samples(up, ("process",))),
        Family(
            "freehold_process_restarts", "gauge", f"Times started again. {_SUPERVISOR}", samples(restarts, ("process",))
        ),
        _one("freehold_processes_ready", f"Processes that are ready. {_SUPERVISOR}", len(ready)),
        _one("freehold_engines_ready", f"Engines among the ready processes. {_SUPERVISOR}", engines),
        _one("freehold_engines", "Engines that are wanted, from the deployments.", len(state.engines)),
        _one("freehold_config_problems", "Of a newer freehold.toml that was refused.", state.problems),
        Family(
            "freehold_sharing_up",
            "gauge",
            "1 where the server of [valkey] answered this scrape; no sample where there is none.",
            () if state.valkey is None else (Sample(int(state.valkey)),),
        ),
        _gauge("freehold_snapshot_version", "Of what the data plane is told.", state.versions, ("snapshot",)),
        Family("freehold_info", "gauge", "The version that runs.", (Sample(1, (("version", __version__),)),)),
    )


def _one(name: str, told: str, value: int) -> Family:
    return Family(name, "gauge", told, (Sample(value),))


def _gauge(name: str, told: str, rows: Sequence[tuple[object, ...]], labels: tuple[str, ...]) -> Family:
    values: dict[Key, int] = {tuple(str(each) for each in row[:-1]): int(str(row[-1])) for row in rows}
    return Family(name, "gauge", told, samples(values, labels))
