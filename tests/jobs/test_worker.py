"""Jobs run at least once and end exactly once, whatever happens to their workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from freehold.core import db
from freehold.core.errors import Unavailable
from freehold.core.ids import IdMaker
from freehold.jobs import store
from freehold.jobs.types import Beat, Job, Kind, Payload, Schedule
from freehold.jobs.worker import Worker
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

DEADLINE = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = db.connect(db.url_of(tmp_path / "freehold.db"))
    db.upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def add(engine: Engine, clock: Clock, kind: str, run_after: float = 0.0, **payload: object) -> str:
    with db.writing(engine) as connection:
        return store.add(connection, IdMaker(clock)(), kind, payload, clock(), run_after)


def find(engine: Engine, job: str) -> Job:
    with db.reading(engine) as connection:
        return store.find(connection, job)


def test_work_that_is_due_all_the_time_leaves_nothing_behind(engine: Engine, clock: Clock) -> None:
    worker = Worker(engine, (Kind("tick", lambda payload, beat: {}, kept=False),), (Schedule("t", "tick", 1.0),), clock)
    for _ in range(3):
        assert worker.once()
        clock.now += 1.0
    with db.reading(engine) as connection:
        assert store.list_jobs(connection) == []


def test_a_job_is_run_once_with_its_payload(engine: Engine, clock: Clock) -> None:
    seen = []
    kind = Kind("count", lambda payload, beat: (seen.append(payload), {"n": 1})[1])
    worker = Worker(engine, (kind,), (), clock)
    job = add(engine, clock, "count", x=7)
    assert [worker.once(), worker.once()] == [True, False]
    assert seen == [{"x": 7}]
    found = find(engine, job)
    assert (found.state, found.result, found.tries, found.ended_at) == ("done", {"n": 1}, 1, clock.now)


def test_oldest_due_first_and_not_before_its_time(engine: Engine, clock: Clock) -> None:
    seen = []
    worker = Worker(engine, (Kind("k", lambda payload, beat: seen.append(payload["n"]) or {}),), (), clock)
    add(engine, clock, "k", clock.now + 50, n="later")
    clock.now += 1
    add(engine, clock, "k", n="second")
    add(engine, clock, "k", clock.now + 0.5, n="third")
    clock.now += 1
    while worker.once():
        pass
    assert seen == ["second", "third"]
    clock.now += 60
    assert worker.once()
    assert seen[-1] == "later"


def test_a_failure_is_tried_again_later_and_then_given_up(engine: Engine, clock: Clock) -> None:
    def fail(payload: object, beat: object) -> dict[str, object]:
        raise Unavailable("the store is away")

    worker = Worker(engine, (Kind("k", fail, tries=3),), (), clock)
    job = add(engine, clock, "k")
    waits = []
    for _ in range(3):
        assert worker.once()
        assert not worker.once()
        found = find(engine, job)
        waits.append(found.run_after - clock.now)
        clock.now = max(clock.now, found.run_after)
    assert waits[:2] == [2.0, 4.0]
    assert (found.state, found.tries, found.error) == ("failed", 3, "FH-AVA-001 the store is away")
    clock.now += 10_000
    assert not worker.once()


def test_a_defect_in_one_job_tells_where_and_not_what(engine: Engine, clock: Clock) -> None:
    def broken(payload: object, beat: object) -> dict[str, object]:
        raise KeyError("sk-secret-in-the-message")

    worker = Worker(engine, (Kind("k", broken, tries=1),), (), clock)
    job = add(engine, clock, "k")
    assert worker.once()
    found = find(engine, job)
    assert found.error.startswith("KeyError in broken, test_worker.py:")
    assert "secret" not in found.error


def test_an_abandoned_job_is_taken_over_and_the_late_worker_changes_nothing(engine: Engine, clock: Clock) -> None:
    order: list[str] = []

    def slow(payload: object, beat: Callable[[dict[str, object]], None]) -> dict[str, object]:
        order.append("slow begins")
        clock.now += 61  # no beat for longer than the lease
        assert other.once()
        order.append("slow ends")
        return {"by": "slow"}

    quick = Kind("k", lambda payload, beat: order.append("quick") or {"by": "quick"})
    other = Worker(engine, (quick,), (), clock)
    job = add(engine, clock, "k")
    assert Worker(engine, (Kind("k", slow),), (), clock).once()
    assert order == ["slow begins", "quick", "slow ends"]
    assert (find(engine, job).result, find(engine, job).tries) == ({"by": "quick"}, 2)


def test_a_beat_keeps_the_lease_and_notes_progress(engine: Engine, clock: Clock) -> None:
    job = add(engine, clock, "k")
    other = Worker(engine, (Kind("k", lambda payload, beat: {"by": "other"}),), (), clock)
    seen = []

    def steady(payload: object, beat: Callable[[dict[str, object]], None]) -> dict[str, object]:
        for step in range(5):
            clock.now += 50
            beat({"step": step})
            seen.append((other.once(), find(engine, job).result["step"]))
        return {"by": "steady"}

    assert Worker(engine, (Kind("k", steady),), (), clock).once()
    assert seen == [(False, step) for step in range(5)]
    assert find(engine, job).result == {"by": "steady"}


def test_a_beat_after_the_lease_is_lost_stops_the_work(engine: Engine, clock: Clock) -> None:
    add(engine, clock, "k")
    other = Worker(engine, (Kind("k", lambda payload, beat: {"by": "other"}),), (), clock)
    went_on = []

    def slow(payload: object, beat: Callable[[dict[str, object]], None]) -> dict[str, object]:
        clock.now += 61
        other.once()
        beat({})
        went_on.append(True)
        return {}

    assert Worker(engine, (Kind("k", slow),), (), clock).once()
    assert went_on == []


def test_a_job_that_kills_its_workers_is_given_up(engine: Engine, clock: Clock) -> None:
    job = add(engine, clock, "k")
    for _ in range(2):  # claimed, and never heard of again
        with db.writing(engine) as connection:
            assert store.claim(connection, ["k"], b"t" * 16, clock.now, 60.0)
        clock.now += 61
    ran = []
    worker = Worker(engine, (Kind("k", lambda payload, beat: ran.append(1) or {}, tries=2),), (), clock)
    assert worker.once()
    assert ran == []
    assert find(engine, job).state == "failed"


def test_kinds_a_worker_does_not_know_are_left_to_others(engine: Engine, clock: Clock) -> None:
    job = add(engine, clock, "exotic")
    assert not Worker(engine, (Kind("k", lambda payload, beat: {}),), (), clock).once()
    assert find(engine, job).state == "ready"


def test_schedules_queue_a_job_when_due_and_do_not_make_up_for_lost_time(engine: Engine, clock: Clock) -> None:
    seen = []
    kinds = (Kind("k", lambda payload, beat: seen.append(clock.now) or {}),)
    schedules = (Schedule("each minute", "k", 60.0),)
    begun = clock.now
    worker = Worker(engine, kinds, schedules, clock)
    for _ in range(12):
        while worker.once():
            pass
        clock.now += 10
    clock.now += 1000
    while worker.once():
        pass
    assert seen == [begun, begun + 60, begun + 1120]
    Worker(engine, kinds, schedules, clock)  # a restart does not make it due again
    clock.now += 1
    assert not worker.once()


def test_done_jobs_are_forgotten_after_a_week_and_failed_ones_kept(engine: Engine, clock: Clock) -> None:
    done = add(engine, clock, "k")
    failed = add(engine, clock, "bad")

    def fail(payload: object, beat: object) -> dict[str, object]:
        raise Unavailable("never")

    kinds = (Kind("bad", fail, tries=1), Kind("k", lambda payload, beat: {}))
    worker = Worker(engine, kinds, (Schedule("s", "k", 1e9),), clock)
    while worker.once():
        pass
    clock.now += 8 * 86400
    with db.writing(engine) as connection:
        store.forget_done(connection, clock.now)
    assert find(engine, done) is None
    assert find(engine, failed).state == "failed"


WORKER = """
import sys
from pathlib import Path
from freehold.core.db import connect
from freehold.jobs.types import Kind
from freehold.jobs.worker import run

def touch(payload, beat):
    with open(payload["file"], "a") as file:
        file.write("x")
    while payload["hang"] and not Path(payload["file"] + ".go").exists():
        pass
    return {"pid": 1}

run(connect(sys.argv[1]), (Kind("touch", touch, lease_seconds=3600.0),), (), Path(sys.argv[2]))
"""


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_a_worker_that_ends_lets_go_of_its_job_at_the_next_beat(engine: Engine, clock: Clock) -> None:
    ending: list[bool] = []

    def long(_payload: Payload, beat: Beat) -> Payload:
        ending.append(True)
        beat({"done": 1})
        raise AssertionError("it went on")

    job = add(engine, clock, "long")
    assert Worker(engine, (Kind("long", long, tries=1),), (), clock, lambda: bool(ending)).once()
    assert (find(engine, job).state, find(engine, job).tries) == ("ready", 0)
    assert Worker(engine, (Kind("long", lambda _payload, _beat: {}, tries=1),), (), clock).once()
    assert find(engine, job).state == "done"


def test_who_queued_it_is_told_when_a_job_is_given_up(engine: Engine, clock: Clock) -> None:
    def full(_payload: Payload, _beat: Beat) -> Payload:
        raise Unavailable("the disk is full")

    told: list[tuple[Payload, str]] = []
    worker = Worker(engine, (Kind("write", full, tries=2, gave_up=lambda *what: told.append(what)),), (), clock)
    add(engine, clock, "write", what=1)
    worker.once()
    assert told == []
    clock.now += 60
    worker.once()
    assert told == [({"what": 1}, "FH-AVA-001 the disk is full")]


def test_a_killed_workers_job_is_done_by_the_next(engine: Engine, tmp_path: Path, database: str) -> None:
    if database != "sqlite":
        pytest.skip("its worker is told of a file")
    file = tmp_path / "touched"
    with db.writing(engine) as connection:
        job = store.add(connection, IdMaker()(), "touch", {"file": str(file), "hang": True}, time.time())
    command = [sys.executable, "-c", WORKER, str(engine.url), str(tmp_path / "worker.lock")]
    first = subprocess.Popen(command)
    until(file.exists)
    other = subprocess.Popen(command)  # it may not take what somebody alive is at
    with db.writing(engine) as connection:
        queued = {"file": str(tmp_path / "second"), "hang": False}
        small = store.add(connection, IdMaker()(), "touch", queued, time.time())
    until(lambda: find(engine, small).state == "done")
    assert file.read_text() == "x"
    other.kill()
    other.wait()
    first.kill()
    first.wait()
    assert find(engine, job).state == "running"
    second = subprocess.Popen(command)
    (tmp_path / "touched.go").touch()
    until(lambda: find(engine, job).state == "done")
    assert file.read_text() == "xx"
    second.send_signal(signal.SIGTERM)
    assert second.wait(DEADLINE) == 0


def test_signals_that_come_on_each_others_heels_end_it(engine: Engine, tmp_path: Path, database: str) -> None:
    if database != "sqlite":
        pytest.skip("its worker is told of a file")
    file = tmp_path / "touched"
    with db.writing(engine) as connection:
        store.add(connection, IdMaker()(), "touch", {"file": str(file), "hang": False}, time.time())
    child = subprocess.Popen([sys.executable, "-c", WORKER, str(engine.url), str(tmp_path / "worker.lock")])
    try:
        until(file.exists)  # it listens
        for number in range(400):
            child.send_signal((signal.SIGTERM, signal.SIGINT)[number % 2])
        child.wait(DEADLINE)
    finally:
        child.kill()
        child.wait()
    assert child.returncode in (0, -signal.SIGTERM, -signal.SIGINT), "none waits for another"
