"""Properties of the restart decisions, over any order of events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.restart import ALIVE, Exited, Probed, Rules, Start, State, Stop, Tick, delay, next_action

RULES = Rules(ready_within=5, first_delay=0.5, most_delay=8, calm_after=20, grace=3, misses=2)
EVENTS = st.one_of(
    st.just(Start()),
    st.just(Stop()),
    st.builds(Exited, st.sampled_from([0, 1, -9])),
    st.builds(Probed, st.booleans()),
    st.just(Tick()),
)
STEPS = st.lists(st.tuples(EVENTS, st.floats(0, 12)), max_size=60)


def played(steps):
    """Each step as (state before, event, now, state after, action); impossible exits are left out."""
    state, now = State(), 100.0
    for event, passed in steps:
        now += passed
        if isinstance(event, Exited) and state.phase not in ALIVE:
            continue
        after, action = next_action(state, event, now, RULES)
        yield state, event, now, after, action
        state = after


def driven(events, state=None, now=100.0):
    """The state after events at given seconds, and the actions on the way."""
    state, actions = state or State(), []
    for passed, event in events:
        now += passed
        state, action = next_action(state, event, now, RULES)
        actions.append(action)
    return state, actions


@settings(max_examples=200)
@given(STEPS)
def test_there_is_never_more_than_one_process(steps):
    alive = False
    for before, event, _, after, action in played(steps):
        if isinstance(event, Exited):
            alive = False
        if action == "spawn":
            assert not alive
            alive = True
        assert alive == (after.phase in ALIVE)
        if action in {"terminate", "kill", "probe"}:
            assert before.phase in ALIVE


@settings(max_examples=200)
@given(STEPS)
def test_nothing_is_started_once_it_shall_stop(steps):
    stopping = False
    for _, event, _, after, action in played(steps):
        stopping = (stopping or isinstance(event, Stop)) and not (isinstance(event, Start) and action == "spawn")
        assert not (stopping and action == "spawn")
        if stopping:
            assert after.phase in {"stopping", "stopped"}


@settings(max_examples=200)
@given(STEPS)
def test_a_restart_waits_for_its_delay_and_delays_stay_in_bounds(steps):
    died = None
    for before, event, now, after, action in played(steps):
        if before.phase in ALIVE and after.phase == "waiting":
            died = now
            assert RULES.first_delay <= after.due - now <= RULES.most_delay
        if action == "spawn" and isinstance(event, Tick):
            assert now - died >= RULES.first_delay


@settings(max_examples=200)
@given(STEPS)
def test_somebody_is_always_waited_for(steps):
    """No phase is a dead end: there is a next tick, or an exit must come, or it is over."""
    for _, _, _, after, action in played(steps):
        if after.due == float("inf"):
            over = after.phase in {"idle", "stopped"}
            asked = action in {"probe", "kill"} or after.phase in ALIVE
            assert over or asked
        if after.phase == "waiting":
            assert after.due < float("inf")


@given(st.integers(1, 2000))
def test_delays_double_up_to_the_most(streak):
    assert delay(streak, RULES) == min(RULES.most_delay, RULES.first_delay * 2 ** min(streak - 1, 40))


def test_a_start_that_works():
    state, actions = driven([(0, Start()), (0.1, Tick()), (0, Probed(False)), (0.1, Tick()), (0, Probed(True))])
    assert actions == ["spawn", "probe", None, "probe", None]
    assert state.phase == "ready"


def test_a_child_that_is_not_ready_in_time_is_killed_and_started_again():
    state, actions = driven([(0, Start()), (4, Tick()), (2, Probed(False)), (0, Exited(-9)), (9, Tick())])
    assert actions == ["spawn", "probe", "kill", None, "spawn"]
    assert (state.restarts, state.reason, state.last_exit) == (1, "not ready in time", -9)


def test_a_child_that_stops_answering_is_replaced():
    ready, _ = driven([(0, Start()), (1, Tick()), (0, Probed(True))])
    state, actions = driven([(3, Tick()), (0, Probed(False)), (3, Tick()), (0, Probed(False))], ready, 101)
    assert actions == ["probe", None, "probe", "kill"]
    assert state.phase == "replacing"


def test_calm_time_ends_the_row_of_failures():
    crashed = [
        (0, Start()),
        (1, Tick()),
        (0, Probed(True)),
        (1, Exited(1)),
        (9, Tick()),
        (1, Tick()),
        (0, Probed(True)),
    ]
    soon, _ = driven([*crashed, (1, Exited(1))])
    late, _ = driven([*crashed, (30, Exited(1))])
    assert (soon.streak, late.streak) == (2, 1)


def test_a_child_that_ignores_the_polite_signal_is_killed():
    state, actions = driven([(0, Start()), (1, Stop()), (1, Tick()), (2, Tick()), (0, Exited(-9))])
    assert actions == ["spawn", "terminate", None, "kill", None]
    assert (state.phase, state.last_exit) == ("stopped", -9)


def test_a_stop_while_waiting_is_at_once():
    state, actions = driven([(0, Start()), (0, Exited(1)), (0, Stop()), (60, Tick())])
    assert actions == ["spawn", None, None, None]
    assert state.phase == "stopped"
