"""Batches on their way to their vendor while something is killed, or an answer is lost."""

from __future__ import annotations

import pytest

from tests.batches.passed_house import Killed, chat, sums
from tests.fakes.wire import Fault


@pytest.mark.parametrize("after", range(0, 16, 2))
def test_whoever_is_killed_no_line_is_submitted_or_paid_twice(house, vendor, after):
    vendor.shows_left = 3
    batch = house.start(*(chat(number) for number in range(4)))
    left = iter(range(after))

    def beat():
        if next(left, None) is None:
            raise Killed

    for _ in range(4):
        try:
            house.run(beat)
        except Killed:
            left = iter(range(after))
    house.run()
    _, good, bad = house.answered(batch)
    assert [one["custom_id"] for one in good] == [f"c{number}" for number in range(4)]
    assert not bad
    assert sorted(vendor.submitted) == sorted(set(vendor.submitted))
    assert len(vendor.submitted) == 4
    calls = house.calls()
    assert len(calls) == 4
    house.load()
    assert house.money() == (sums(calls), 0)


class Tripwire:
    """Something whose so-manieth use kills, before it is done or once it is."""

    def __init__(self, inner, trip):
        self._inner = inner
        self._trip = trip

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not callable(found) or name == "close":
            return found

        def used(*words, **more):
            self._trip(is_before=True)
            done = found(*words, **more)
            self._trip(is_before=False)
            return done

        return used


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(18))
def test_killed_at_any_step_on_the_way_it_is_gone_on_with(house, vendor, at, before):
    uses = iter(range(10**6))

    def trip(*, is_before):
        if is_before is before and next(uses) == at:
            raise Killed

    made = house.runner

    def runner():
        one = made()
        passages, returning = one.passages, one.passages._returning
        returning.door = passages._door = Tripwire(returning.door, trip)
        returning._lines = Tripwire(returning._lines, trip)
        passages._till = Tripwire(passages._till, trip)
        return one

    house.runner = runner
    batch = house.start(*(chat(number) for number in range(3)))
    for _ in range(3):
        try:
            house.run()
            break
        except Killed:
            house.load()
    _, good, bad = house.answered(batch)
    assert [one["custom_id"] for one in good] == ["c0", "c1", "c2"]
    assert not bad
    assert len(vendor.submitted) == 3
    calls = house.calls()
    assert [one["outcome"] for one in calls] == ["ok"] * 3
    house.load()
    assert house.money() == (sums(calls), 0)


@pytest.mark.parametrize("lost", ["file", "batch"])
def test_what_the_vendor_took_without_saying_so_is_found_again(house, vendor, lost):
    vendor.fail(*([Fault("reset")] if lost == "file" else [None, Fault("reset")]))
    batch = house.start(chat(1), chat(2))
    house.run()
    assert len(house.answered(batch)[1]) == 2
    assert len(vendor.submitted) == 2
    assert len([one for one in vendor.requests if (one.method, one.path) == ("POST", "/v1/files")]) == 1
    assert len(house.calls()) == 2


def test_a_batch_that_was_never_made_is_sent_again_once_its_file_is_gone(house, vendor):
    vendor.fail(None, Fault("status", status=503))
    batch = house.start(chat(1))
    house.run()
    assert len(house.answered(batch)[1]) == 1
    assert len(vendor.submitted) == 1
    files = [one.method for one in vendor.requests if one.path.split("?")[0].startswith("/v1/files")]
    assert files[:3] == ["POST", "DELETE", "POST"]
