"""The script that lends, on a real server: whoever asks, dies, is late or is not heard, the sum is one bucket's.

The reference is one exact bucket: its level never below nothing says that in every window of T seconds no more than
limit * (1 + T / 60) was spent, all processes together. What a call gives back counts from when the server hears of it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from freehold.core.errors import LimitsUnavailable
from freehold.gateway.shared.lending import word_of
from freehold.gateway.shared.scripts import CLOCK, LEND
from freehold.policy.lent import ASK, IDLE_SECONDS, LENT_SECONDS, Lender, LentBucket

assert LEND.startswith(CLOCK)
TIMED = "local now = tonumber(ARGV[11])\n" + LEND[len(CLOCK) :]
"""The same by a clock that the test sets, in microseconds."""
SECOND = 1_000_000
BEGAN = 1_700_000_000 * SECOND
names = count()


class Process:
    """One gateway's side of one limit. What it said may still be on its way."""

    def __init__(self, machine: Machine, number: int) -> None:
        self.machine = machine
        self.holder = f"process-{number}"
        self.lender = Lender(lambda: machine.now / SECOND, lambda about: about, 3, refuses=True)
        self.lender.away = False
        self.bucket = LentBucket(machine.name, machine.limit, self.lender, 0.0)
        self.numbers = count(1)

    def word(self, *wanted: int):
        return word_of(self.bucket, wanted, self.holder, next(self.numbers))

    def exchange(self, *wanted: int) -> None:
        word, need = self.word(*wanted)
        self.hear(self.machine.run(word), need)

    def hear(self, answer: list[int], need: int) -> None:
        kept, granted, wait, level = answer
        self.bucket.asking = False
        if kept >= 0:
            self.bucket.heard(kept, granted, wait / 1000, level, need)


class Machine(RuleBasedStateMachine):
    """Three processes, one limit, a clock, and a network that loses and delays."""

    server = None

    def __init__(self) -> None:
        super().__init__()
        self.name = b"limit-%d" % next(names)
        self.now = BEGAN
        self.late: list = []
        self.numbers = count()

    @initialize(limit=st.sampled_from([1, 3, 10, 60, 600]))
    def begin(self, limit: int) -> None:
        self.set_up(limit)

    def set_up(self, limit: int) -> None:
        self.limit = limit
        self.level, self.at = Fraction(limit), self.now
        self.processes = [Process(self, next(self.numbers)) for _ in range(3)]

    def run(self, word) -> list[int]:
        """The server hears a word. What is given back beyond what is lent counts from now."""
        keys, arguments = word
        answer = self.server.eval(TIMED, len(keys), *keys, *arguments, self.now)
        if answer[0] >= 0:
            self.spend(min(arguments[5], 0))
        return answer

    def spend(self, units: int) -> None:
        self.level = (
            min(self.level + Fraction(self.now - self.at, 60 * SECOND) * self.limit, Fraction(self.limit)) - units
        )
        self.level = min(self.level, Fraction(self.limit))
        self.at = self.now

    @rule(seconds=st.one_of(st.floats(0, 2), st.floats(0, 70)))
    def wait(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    @rule(who=st.integers(0, 2), part=st.floats(0, 1), times=st.integers(1, 20))
    def call(self, who: int, part: float, times: int) -> None:
        """Calls as the gateway makes them: from what is held, else asked for, else refused."""
        process, units = self.processes[who], max(math.ceil(self.limit * part / 10), 1)
        for _ in range(times):
            wait = process.bucket.take(units, 0.0)
            if wait == ASK:
                process.exchange(units)
                wait = process.bucket.take(units, 0.0)
            if wait:
                assert wait > 0, "the server has said so much that it can be told"
                return
            self.spend(units)

    @rule(who=st.integers(0, 2), units=st.integers(1, 50))
    def give_back(self, who: int, units: int) -> None:
        """A call used less than was expected."""
        bucket = self.processes[who].bucket
        units = min(units, max(math.floor(self.limit - self.level), 0))
        before = bucket.held
        bucket.correct(-units)
        self.spend(before - bucket.held)

    @rule(who=st.integers(0, 2), part=st.floats(0, 0.5))
    def ahead(self, who: int, part: float) -> None:
        """More than a gateway would ever hold, so that what is wrong shows."""
        bucket = self.processes[who].bucket
        bucket.ahead, bucket.used_at = int(self.limit * part), self.now / SECOND
        self.processes[who].exchange()

    @rule(first=st.integers(0, 2))
    def drain(self, first: int) -> None:
        """All that there is, from all."""
        for one in range(3):
            for part in (0.5, 0.05, 0.0):
                self.call((first + one) % 3, part * 10, 1000)

    @rule(who=st.integers(0, 2), seconds=st.floats(0, 15), how=st.sampled_from(["spends", "dies", "late", "unheard"]))
    def holds_much(self, who: int, seconds: float, how: str) -> None:
        """A full bucket, of which one takes much and keeps it for a while; then everybody takes what there is."""
        self.wait(70.0)
        self.ahead(who, 0.5)
        if how in ("late", "unheard"):
            self.processes[who].bucket.used_at -= 2 * IDLE_SECONDS
            word, _ = self.processes[who].word()
            self.processes[who].bucket.unheard()
            if how == "unheard":
                self.run(word)
            self.ahead(who, 0.5)
            if how == "late":
                self.run(word)
        self.wait(min(seconds, 8.9) if how == "dies" else seconds)
        if how == "dies":  # having spent it all, just before it is over
            self.call(who, 5.0, 1)
            self.dies(who)
            self.wait(2.0)
        self.drain(who if how == "spends" else 0)

    def teardown(self) -> None:
        for word in self.late if hasattr(self, "level") else ():
            self.run(word)
        if hasattr(self, "level"):
            self.drain(0)
            assert self.level >= 0

    @rule(who=st.integers(0, 2), units=st.integers(1, 5))
    def unheard(self, who: int, units: int) -> None:
        """The server does what it was told, and its answer is lost."""
        word, _ = self.processes[who].word(units)
        self.run(word)
        self.processes[who].bucket.unheard()

    @rule(who=st.integers(0, 2), units=st.integers(0, 5), idle=st.booleans())
    def delayed(self, who: int, units: int, idle: bool) -> None:
        """What was given up comes to the server later, perhaps after newer words, perhaps never."""
        if idle:
            self.processes[who].bucket.used_at -= 2 * IDLE_SECONDS
        word, _ = self.processes[who].word(*[units] * (units > 0))
        self.processes[who].bucket.unheard()
        self.late.append(word)

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def arrives(self, data) -> None:
        self.run(self.late.pop(data.draw(st.integers(0, len(self.late) - 1))))

    @rule(who=st.integers(0, 2))
    def dies(self, who: int) -> None:
        self.processes[who] = Process(self, next(self.numbers))

    @invariant()
    def together_they_spend_what_one_bucket_has(self) -> None:
        if hasattr(self, "level"):
            assert self.level >= 0


def test_the_sum_over_processes_is_that_of_one_bucket(valkey) -> None:
    with valkey.client() as client:
        Machine.server = client
        run_state_machine_as_test(
            Machine,
            settings=settings(max_examples=150, stateful_step_count=40, deadline=None, phases=(Phase.generate,)),
        )


class World(Machine):
    """Without a search: a limit and its processes, for what must be so."""

    def __init__(self, server, limit: int) -> None:
        super().__init__()
        self.server = server
        self.set_up(limit)


@pytest.fixture
def world(valkey):
    made = []

    def make(limit: int) -> World:
        client = valkey.client()
        made.append(client)
        return World(client, limit)

    yield make
    for one in made:
        one.close()


def passed(process: Process, times: int, units: int = 1) -> int:
    """How many of so many calls pass."""
    done = 0
    for _ in range(times):
        wait = process.bucket.take(units, 0.0)
        if wait == ASK:
            process.exchange(units)
            wait = process.bucket.take(units, 0.0)
        done += not wait
    return done


def after(world: World, seconds: float) -> None:
    world.now += int(seconds * SECOND)


def test_a_small_limit_is_of_use_to_each_process(world) -> None:
    here = world(6)
    assert [passed(one, 2) for one in here.processes] == [2, 2, 2]
    assert [passed(one, 1) for one in here.processes] == [0, 0, 0]
    after(here, 10)
    assert sum(passed(one, 1) for one in here.processes) == 1


def test_nearly_all_of_a_large_limit_is_of_use_whoever_comes(world) -> None:
    here = world(600)
    first, second, third = here.processes
    assert passed(first, 300) == 300
    assert 560 <= 300 + passed(second, 1000) + passed(third, 1000) <= 600


def test_what_the_dead_held_comes_back_by_refill_alone(world) -> None:
    here = world(600)
    first, second, _ = here.processes
    assert passed(first, 1) == 1
    held = first.bucket.held
    assert passed(second, 1000) == 600 - 1 - held
    after(here, LENT_SECONDS)
    assert passed(second, 1000) == 100, "ten seconds' refill, no more"


def test_idle_units_go_back_at_once(world) -> None:
    here = world(600)
    first, second, _ = here.processes
    passed(first, 100)
    held = first.bucket.held
    assert held
    after(here, IDLE_SECONDS + 0.1)
    assert first.bucket.restless(here.now / SECOND)
    first.exchange()
    assert first.bucket.held == 0
    assert passed(second, 1000) == 600 - 100 + 21


def test_a_call_larger_than_the_limit_passes_where_all_of_it_is_there(world) -> None:
    here = world(100)
    first, second, _ = here.processes
    assert passed(first, 1, 250) == 1
    assert passed(second, 1) == 0
    after(here, 61)
    assert passed(second, 1) == 0, "it owes more than a minute"
    after(here, 61)
    assert passed(second, 1) == 1


def test_what_was_used_beyond_what_was_expected_is_owed(world) -> None:
    here = world(60)
    first, second, _ = here.processes
    assert passed(first, 1, 10) == 1
    first.bucket.correct(90)
    first.exchange()
    assert passed(second, 1) == 0
    after(here, 42)
    assert passed(second, 1) == 1


@pytest.mark.parametrize("idle", [False, True])
def test_what_the_server_forgot_is_neither_kept_nor_given_back_twice(world, idle) -> None:
    here = world(600)
    first, second, _ = here.processes
    passed(first, 100)
    assert first.bucket.held
    here.server.delete(here.name)
    assert passed(second, 590) == 590
    if idle:
        first.bucket.used_at -= 2 * IDLE_SECONDS
    first.exchange()
    assert passed(first, 50) + passed(second, 50) == 10, "a server that forgot lends the limit once more, not more"


def test_units_run_out_here_before_they_do_there(world) -> None:
    here = world(600)
    first = here.processes[0]
    passed(first, 1)
    assert first.bucket.held
    after(here, LENT_SECONDS * 0.95)
    first.lender.away = True
    with pytest.raises(LimitsUnavailable):
        first.bucket.take(1, 0.0)


def test_the_servers_own_clock_refills(valkey) -> None:
    with valkey.client() as client:

        def ask(need: int) -> list[int]:
            numbers.append(0)
            return client.eval(LEND, 1, b"limit-of-real", 6000, "me", len(numbers), 0, 0, 0, need, 0, 0, 10_000)

        numbers: list[int] = []
        assert ask(6000)[1] == 6000
        kept, granted, wait, _ = ask(100)
        assert (kept, granted) == (0, 0) and 0 < wait <= 1001
        granted = 0
        for _ in range(100_000):
            granted = ask(1)[1]
            if granted:
                break
        assert granted == 1
