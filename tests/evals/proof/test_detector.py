"""The detectors: quiet while all is well, quick when it is not, and the same after a restart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.evals.proof.detector import Seen, Watch, delay, watch
from freehold.evals.proof.errors import BadProofRule, BadProofValue
from freehold.evals.proof.simulate import Trinomial, alarms
from freehold.evals.proof.validity import FAULTS, Baseline, Health, calls_to_find, note, usual_rate

WATCH = Watch()


@settings(max_examples=40)
@given(st.lists(st.floats(-1, 1), max_size=60), st.integers(0, 60))
def test_a_watch_that_was_killed_goes_on_where_it_was(values, cut):
    stored = msgspec.json.encode(watch(WATCH, Seen(), values[:cut]))
    assert watch(WATCH, msgspec.json.decode(stored, type=Seen), values[cut:]) == watch(WATCH, Seen(), values)


def test_the_vectorised_watch_alarms_when_the_exact_one_does():
    values = Trinomial(mean=-0.1, discordance=0.15).drawn_by(np.random.default_rng(3))(1500, np.arange(5))
    blocks = iter(np.split(values, range(64, 1500, 64), axis=1))
    found = alarms(lambda count, runs: next(blocks)[runs], WATCH.harm, WATCH.threshold, (5, 1500))
    assert found.tolist() == [watch(WATCH, Seen(), row.tolist()).alarm_at for row in values]
    assert (found > 0).all()


def test_a_healthy_candidate_is_left_alone():
    draw = Trinomial(mean=0.0, discordance=0.1).drawn_by(np.random.default_rng(4))
    assert (alarms(draw, WATCH.harm, WATCH.threshold, (200, 5000)) > 0).mean() <= 0.01


def test_alarms_at_the_bound_itself_are_as_rare_as_promised():
    # n / threshold = 0.2 bounds the share; four standard errors of slack.
    draw = Trinomial(mean=-0.03, discordance=0.1).drawn_by(np.random.default_rng(4))
    assert (alarms(draw, 0.03, 5_000, (400, 1000)) > 0).mean() <= 0.2 + 4 * 0.02


def test_a_drop_is_found_and_the_delay_told_is_the_one_that_is_seen():
    random = np.random.default_rng(5)
    change = Trinomial(mean=-0.1, discordance=0.12)
    told = delay(WATCH, change, 0.02, random)
    assert told.pairs <= 300
    assert told.median == round(told.pairs / 0.02)
    assert told.late > told.median
    seen = [watch(WATCH, Seen(), change.drawn_by(random)(3000, np.arange(1))[0].tolist()).alarm_at for _ in range(40)]
    assert told.pairs == pytest.approx(np.median(seen), rel=0.35)
    assert delay(WATCH, Trinomial(mean=-0.3, discordance=0.32), 1.0, random).pairs < told.pairs


def test_a_drop_inside_the_bound_is_never_told_of():
    told = delay(WATCH, Trinomial(mean=-0.02, discordance=0.1), 0.02, np.random.default_rng(5))
    assert (told.median, told.late, told.pairs) == (None, None, None)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_dead_model_is_found_in_five_calls_whatever_it_does(fault):
    lived = note(Baseline(), Health(), [None] * 3000)
    assert not lived.alarm_at
    assert note(Baseline(), lived, [fault] * 5).alarm_at - lived.calls <= 5
    assert note(Baseline(), Health(), [fault] * 5).alarm_at in range(1, 6)


def test_faults_at_their_usual_rate_raise_no_alarm_and_above_it_they_do():
    random, usual = np.random.default_rng(6), Baseline(rates=(0.01, 0.01, 0.2, 0.01, 0.01))
    seen = note(usual, Health(), ["refusal" if roll < 0.2 else None for roll in random.random(3000)])
    assert not seen.alarm_at
    assert seen.counts[FAULTS.index("refusal")] > 400
    assert note(usual, seen, ["refusal" if roll < 0.6 else None for roll in random.random(200)]).alarm_at
    # What is usual of one kind hides no other.
    assert note(usual, seen, ["schema"] * 5).alarm_at


@settings(max_examples=30)
@given(st.lists(st.sampled_from([None, *FAULTS]), max_size=50), st.integers(0, 50))
def test_the_stream_of_faults_resumes_exactly(faults, cut):
    stored = msgspec.json.encode(note(Baseline(), Health(), faults[:cut]))
    resumed = note(Baseline(), msgspec.json.decode(stored, type=Health), faults[cut:])
    assert resumed == note(Baseline(), Health(), faults)


def test_calls_to_find_grow_with_what_is_usual():
    found = [calls_to_find(Baseline(rates=(rate,) * 5)) for rate in (0.01, 0.05, 0.2, 0.5)]
    assert found == sorted(found)
    assert found[0] <= 5


def test_usual_rates_are_upper_limits_and_never_nothing():
    assert usual_rate(0, 0) == usual_rate(0, 1000) == 0.01
    assert 0.1 < usual_rate(100, 1000) < 0.125
    assert usual_rate(5, 50) > usual_rate(50, 500)
    assert usual_rate(50, 50) < 1


def test_what_makes_no_sense_is_refused():
    for bad in ({"harm": 0.0}, {"harm": 1.0}, {"threshold": 1.0}):
        with pytest.raises(BadProofRule):
            Watch(**bad)
    with pytest.raises(BadProofRule):
        Baseline(rates=(0.1,))
    with pytest.raises(BadProofRule):
        Baseline(rates=(0.0,) * 5)
    with pytest.raises(BadProofRule):
        Trinomial(mean=-0.2, discordance=0.1)
    with pytest.raises(BadProofValue):
        note(Baseline(), Health(), ["mood"])
    with pytest.raises(BadProofValue):
        watch(WATCH, Seen(), [float("nan")])
