"""Every pool gives what `map` gives, in order, whatever is killed; and says which chunk it gave up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, LeaseLost
from freehold.jobs.errors import ChunkBroke
from freehold.jobs.local_pool import LocalPool
from freehold.jobs.pool import InProcess
from tests.house.sources import ROOT
from tests.jobs.chunk_work import (
    Deadly,
    dies_at_first,
    dies_while_answering,
    leaves,
    length_of_what_follows,
    refuses_seven,
    reversed_bytes,
    squared,
    unspeakable,
    where,
    who_else_runs,
)

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def pool():
    made = LocalPool(2, patience=0.0)
    yield made
    made.close()


def cut(items, sizes):
    """Items in chunks of these sizes, again and again."""
    found, at, turn = [], 0, 0
    while at < len(items):
        size = sizes[turn % len(sizes)]
        found.append(items[at : at + size])
        at, turn = at + size, turn + 1
    return found


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=50), max_size=40), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_results_are_the_same_and_in_order_whatever_the_chunks_and_the_pool(pool, items, sizes):
    wanted = [one[::-1] for one in items]
    for one in (InProcess(), pool):
        assert [item for found in one.map(reversed_bytes, cut(items, sizes)) for item in found] == wanted


def test_what_takes_no_time_starts_no_process():
    pool = LocalPool(2, patience=3600.0)
    assert set(pool.map(where, range(20))) == {os.getpid()}
    assert pool.workers == ()


def test_one_process_is_this_one():
    assert set(LocalPool(1, patience=0.0).map(where, range(5))) == {os.getpid()}


def test_without_any_patience_nothing_is_done_here_not_even_by_one_process():
    pool = LocalPool(1, patience=None)
    try:
        found = set(pool.map(where, range(3)))
    finally:
        pool.close()
    assert len(found) == 1 and os.getpid() not in found


def test_several_processes_are_others(pool):
    assert os.getpid() not in set(pool.map(where, range(20)))


def test_a_worker_that_is_killed_loses_nothing(pool, tmp_path):
    chunks = [Deadly(one, tmp_path, deaths=one in (2, 3, 9)) for one in range(12)]
    assert [number for number, _ in pool.map(dies_at_first, chunks)] == list(range(12))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_worker_that_is_killed_in_the_middle_of_its_answer_loses_nothing(pool, tmp_path):
    """The executor of the standard library waits for the rest of such an answer for ever."""
    chunks = [Deadly(one, tmp_path, deaths=one in (1, 2)) for one in range(4)]
    assert [len(one) for one in pool.map(dies_while_answering, chunks)] == [1 << 15] * 4


def test_a_worker_that_is_killed_while_much_is_sent_to_others_loses_nothing(pool, tmp_path):
    """The executor of the standard library, before 3.11.5, writes for ever to a line that nobody reads."""
    chunks = [(Deadly(one, tmp_path, deaths=one == 0), bytes(4 << 20)) for one in range(6)]
    assert list(pool.map(length_of_what_follows, chunks)) == [4 << 20] * 6


def test_what_ended_its_worker_is_tried_again_while_nothing_else_runs(pool, tmp_path):
    chunks = [Deadly(one, tmp_path, deaths=one in (1, 2, 7)) for one in range(12)]
    assert list(pool.map(who_else_runs, chunks)) == [[]] * 12


def test_what_cannot_be_sent_is_an_error_and_ends_nobody(pool):
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        list(pool.map(unspeakable, range(1)))
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        list(pool.map(where, [lambda: 1]))
    assert list(pool.map(squared, range(3))) == [0, 1, 4]


def test_work_that_leaves_ends_its_worker_and_not_who_asked(pool):
    with pytest.raises(ChunkBroke, match=r"chunk 1 ended its worker 3 times"):
        list(pool.map(leaves, range(1)))


def test_what_kills_its_worker_each_time_is_named_and_nothing_else(pool, tmp_path):
    chunks = [Deadly(one, tmp_path, deaths=99 * (one == 3)) for one in range(8)]
    found = pool.map(dies_at_first, chunks)
    assert [next(found)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ChunkBroke, match=r"chunk 4 ended its worker 3 times"):
        next(found)
    assert list(pool.map(squared, range(3))) == [0, 1, 4], "the pool is of use afterwards"


def test_workers_killed_from_outside_are_replaced(pool):
    found = pool.map(squared, range(40))
    assert next(found) == 0
    for one in pool.workers:
        os.kill(one, signal.SIGKILL)
    assert list(found) == [one * one for one in range(1, 40)]


def test_an_error_of_the_work_is_raised_as_it_was_with_where_it_came_from(pool):
    found = pool.map(refuses_seven, range(12))
    assert [next(found) for _ in range(7)] == list(range(7))
    with pytest.raises(BadRequest) as error:
        next(found)
    assert (error.value.message, error.value.hint, error.value.param) == ("seven", "take another", "number")
    assert "refuses_seven" in error.value.__notes__[0]


def test_chunks_are_taken_as_they_are_needed(pool):
    taken = []

    def chunks():
        for one in range(1000):
            taken.append(one)
            yield one

    found = pool.map(squared, chunks())
    next(found)
    assert len(taken) <= 5
    found.close()
    assert pool.workers == ()


def test_a_tick_that_raises_cancels_the_rest(pool):
    ticks = iter(range(5))

    def tick():
        if next(ticks, None) is None:
            raise LeaseLost("another has it")

    found = []
    with pytest.raises(LeaseLost):
        found.extend(pool.map(squared, range(1000), tick))
    assert found == [one * one for one in range(len(found))] and len(found) <= 5
    assert pool.workers == ()


PARENT = """
import sys
from freehold.jobs.local_pool import LocalPool
from tests.house.sources import ROOT
from tests.jobs.chunk_work import where
if __name__ == "__main__":
    pool = LocalPool(2, patience=0.0)
    found = pool.map(where, range(10**9))
    next(found)
    print(*pool.workers, flush=True)
    sys.stdin.read()
"""


def test_workers_end_with_whoever_asked_even_if_that_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    path = os.pathsep.join([str(ROOT), *sys.path])
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    try:
        workers = [int(one) for one in child.stdout.readline().split()]
        assert len(workers) == 2
    finally:
        child.kill()
        child.communicate(timeout=WAIT_SECONDS)
    deadline = time.monotonic() + WAIT_SECONDS
    while any(alive(one) for one in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(one) for one in workers)


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
