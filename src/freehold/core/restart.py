"""When a child process is started, probed, restarted and killed: decisions only, no process in sight.

`next_action(state, event, now, rules)` is pure. Invariants: never two spawns without an exit between them, never a
spawn after `Stop`, and after `Stop` a kill at the latest when the grace is over.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Phase = Literal["idle", "starting", "ready", "replacing", "waiting", "stopping", "stopped"]
Action = Literal["spawn", "probe", "terminate", "kill"]
ALIVE: frozenset[Phase] = frozenset({"starting", "ready", "replacing", "stopping"})
"""Phases in which there is a process."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the supervisor is; all in seconds but `misses`."""

    ready_within: float = 60.0
    """A child that is not ready by then is killed and counts as failed."""
    probe_starting: float = 0.05
    probe_ready: float = 2.0
    misses: int = 5
    """Failed probes in a row after which a ready child is replaced."""
    first_delay: float = 0.2
    most_delay: float = 30.0
    """The delay doubles with each failure in a row, up to this."""
    calm_after: float = 30.0
    """Ready for this long ends the row of failures."""
    grace: float = 10.0
    """Between the polite signal and the kill."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one child. `due` is when a `Tick` is next wanted (infinity: never)."""

    phase: Phase = "idle"
    restarts: int = 0
    streak: int = 0
    """Failures in a row."""
    last_exit: int | None = None
    """Exit status; minus the signal's number where one ended it."""
    reason: str = ""
    """Why it was last restarted."""
    since: float = 0.0
    """When the phase began."""
    due: float = float("inf")
    misses: int = 0


class Start(msgspec.Struct, frozen=True):
    """Somebody wants the child to run."""


class Probed(msgspec.Struct, frozen=True):
    """A probe answered."""

    ok: bool


class Exited(msgspec.Struct, frozen=True):
    """The process is gone (or could not be started)."""

    status: int
    reason: str = ""


class Tick(msgspec.Struct, frozen=True):
    """Time went by."""


class Stop(msgspec.Struct, frozen=True):
    """Somebody wants the child to end for good."""


Event = Start | Probed | Exited | Tick | Stop


def delay(streak: int, rules: Rules) -> float:
    """Seconds to wait before the next start after `streak` failures in a row (at least 1)."""
    return float(min(rules.most_delay, rules.first_delay * 2.0 ** min(streak - 1, 32)))


def next_action(state: State, event: Event, now: float, rules: Rules) -> tuple[State, Action | None]:
    """The state after `event` at `now` (seconds on any clock that only grows), and what to do."""
    match event:
        case Start():
            return _start(state, now, rules) if state.phase in {"idle", "stopped"} else (state, None)
        case Stop():
            return _stop(state, now, rules)
        case Exited():
            return _exited(state, event, now, rules) if state.phase in ALIVE else (state, None)
        case Probed():
            return _probed(state, event.ok, now, rules)
        case Tick():
            return _tick(state, now, rules) if now >= state.due else (state, None)


def _start(state: State, now: float, rules: Rules) -> tuple[State, Action | None]:
    due = now + rules.probe_starting
    return msgspec.structs.replace(state, phase="starting", since=now, due=due, misses=0), "spawn"


def _stop(state: State, now: float, rules: Rules) -> tuple[State, Action | None]:
    if state.phase in {"starting", "ready", "replacing"}:
        return msgspec.structs.replace(state, phase="stopping", since=now, due=now + rules.grace), "terminate"
    if state.phase == "stopping":
        return state, None
    return msgspec.structs.replace(state, phase="stopped", since=now, due=float("inf")), None


def _exited(state: State, event: Exited, now: float, rules: Rules) -> tuple[State, Action | None]:
    if state.phase == "stopping":
        done = msgspec.structs.replace(state, phase="stopped", since=now, due=float("inf"), last_exit=event.status)
        return done, None
    calm = state.phase == "ready" and now - state.since >= rules.calm_after
    streak = 1 if calm else state.streak + 1
    reason = state.reason if state.phase == "replacing" else event.reason or _why(event.status)
    waiting = msgspec.structs.replace(
        state,
        phase="waiting",
        streak=streak,
        last_exit=event.status,
        reason=reason,
        since=now,
        due=now + delay(streak, rules),
        misses=0,
    )
    return waiting, None


def _probed(state: State, ok: bool, now: float, rules: Rules) -> tuple[State, Action | None]:
    if state.phase == "starting":
        if ok:
            due = now + rules.probe_ready
            return msgspec.structs.replace(state, phase="ready", since=now, due=due, misses=0), None
        if now - state.since >= rules.ready_within:
            return _replace(state, "not ready in time", now)
        return msgspec.structs.replace(state, due=now + rules.probe_starting), None
    if state.phase != "ready":
        return state, None
    misses = 0 if ok else state.misses + 1
    if misses >= rules.misses:
        return _replace(state, "stopped answering", now)
    streak = 0 if now - state.since >= rules.calm_after else state.streak
    return msgspec.structs.replace(state, misses=misses, streak=streak, due=now + rules.probe_ready), None


def _replace(state: State, reason: str, now: float) -> tuple[State, Action | None]:
    return msgspec.structs.replace(state, phase="replacing", reason=reason, since=now, due=float("inf")), "kill"


def _tick(state: State, now: float, rules: Rules) -> tuple[State, Action | None]:
    if state.phase in {"starting", "ready"}:
        return msgspec.structs.replace(state, due=float("inf")), "probe"
    if state.phase == "waiting":
        started, action = _start(state, now, rules)
        return msgspec.structs.replace(started, restarts=state.restarts + 1), action
    if state.phase == "stopping":
        return msgspec.structs.replace(state, due=float("inf")), "kill"
    return state, None


def _why(status: int) -> str:
    return f"ended by signal {-status}" if status < 0 else f"exited with {status}"
