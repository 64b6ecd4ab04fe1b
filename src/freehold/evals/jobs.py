"""Evaluation as background work: one kind of job, safe to run again from its start after any interruption."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from freehold.core.errors import FreeholdError, LeaseLost, Unavailable
from freehold.evals.errors import EvaluationBudget
from freehold.evals.judges import Judge
from freehold.evals.judging import judge_run
from freehold.evals.runs import Parts, evaluate
from freehold.jobs.types import Beat, Kind, Payload

RUN = "evals.run"
JUDGE = "evals.judge"
LEASE_SECONDS = 300.0
LONG_SECONDS = 3600.0
TRIES = 20
"""A gateway that is away for a while must not end a run: its answers are kept, and it goes on later."""
_BEAT_SECONDS = 5.0


def kinds(parts: Callable[[], Parts]) -> tuple[Kind, ...]:
    """The kinds of job of this room. `parts` is asked for when a job begins, since it needs a running gateway."""

    def run(payload: Payload, beat: Beat) -> Payload:
        """`{"run": ID}`."""
        told = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told >= _BEAT_SECONDS:
                told = time.monotonic()
                beat({"run": payload["run"], "done": done, "of": total})

        try:
            card = evaluate(parts(), payload["run"], progress)
        except EvaluationBudget as error:  # an end of its own, not a failure to be tried again
            return {"run": payload["run"], "state": "stopped", "why": error.message}
        except (LeaseLost, Unavailable):
            raise
        except FreeholdError as error:  # trying again would end the same
            return {"run": payload["run"], "state": "failed", "why": f"{error.code} {error.message}"}
        return {"run": payload["run"], "state": "done", "pairs": card.pairs, "quality": card.quality}

    def judging(payload: Payload, beat: Beat) -> Payload:
        """`{"run": ID, "judge": TARGET, "rubric": TEXT, "limit": N}`."""
        who = Judge(target=payload["judge"], **({"rubric": payload["rubric"]} if payload.get("rubric") else {}))
        try:
            found = judge_run(parts(), payload["run"], who, payload.get("limit", 500))
        except (LeaseLost, Unavailable):
            raise
        except FreeholdError as error:  # a refusal is an answer
            return {"refused": f"{error.code} {error.message}"}
        return {"judged": found.powered.judged + found.powered.labels, **msgspec.to_builtins(found)}

    return (
        Kind(JUDGE, judging, lease_seconds=LONG_SECONDS),
        Kind(RUN, run, lease_seconds=LEASE_SECONDS, tries=TRIES),
    )
