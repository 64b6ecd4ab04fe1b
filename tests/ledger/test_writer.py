"""The writer as a real process, killed at random points while a gateway's journal grows."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from freehold.core.db import reading
from freehold.core.errors import Conflict, Unavailable
from freehold.core.ids import as_text
from freehold.core.money import from_pico
from freehold.ledger import receipts, store
from freehold.ledger.audit.log import receipt_of_call
from freehold.ledger.audit.store import read_tree, tiles_in
from freehold.ledger.audit.tiles import nodes_of
from freehold.ledger.intake.loader import alone
from freehold.ledger.tables import attempts, audit_intents, bodies, calls, spent
from freehold.ledger.writer import WriterConfig, run
from tests.ledger.sample import Home, attempt, body, call_id, closed, opened, refused, tried

WRITER = """
import sys
from pathlib import Path
from freehold.ledger.intake.loader import Pace
from freehold.ledger.writer import WriterConfig, run
run(WriterConfig(home=Path(sys.argv[1]), database=sys.argv[2], pace=Pace(batch_bytes=4096), idle_seconds=0.002))
"""
DEADLINE = 30.0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def start(home: Home) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(home.path), home.url], stderr=subprocess.PIPE)


def count(home: Home) -> int:
    with reading(home.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(calls)).scalar_one())


@pytest.fixture
def writers() -> Iterator[list[subprocess.Popen[bytes]]]:
    made: list[subprocess.Popen[bytes]] = []
    yield made
    for one in made:
        if one.poll() is None:
            one.kill()
        one.communicate()


def expected(total: int) -> tuple[int, int, Decimal]:
    """Rows, attempts and cost of `traffic` once its epoch is over."""
    rows, tries, cost = 0, 0, Decimal(0)
    for number in range(total):
        rows += 1
        if number % 11 == 5:
            continue
        if number % 50 == 49:
            tries, cost = tries + 1, cost + Decimal("0.01")  # never closed: settled at its reservation
        elif number % 4 == 1:
            tries, cost = tries + 2, cost + Decimal("0.002")
        else:
            tries, cost = tries + 1, cost + Decimal("0.001")
    return rows, tries, cost


def write(home: Home, epoch: str, number: int, segment: int) -> None:
    if number % 11 == 5:
        home.write(epoch, refused(number), segment=segment)
        return
    home.write(epoch, opened(number), segment=segment)
    if number % 50 == 49:
        return
    if number % 8 == 0:
        home.write(epoch, body(number, "request", b"the same question", home.keys.sealer), segment=segment)
    if number % 4 == 1:
        both = (tried(1, outcome="failed"), tried(2, "big"))
        home.write(epoch, attempt(number), closed(number, tried=both, cost=Decimal("0.002")), segment=segment)
    else:
        home.write(epoch, closed(number), segment=segment)


def test_kill_9_at_random_points_loses_and_doubles_nothing(home: Home, writers: list[subprocess.Popen[bytes]]) -> None:
    pick = random.Random(11)
    total, kills = 1500, 6
    kill_after = sorted(pick.sample(range(50, total), kills))
    home.begin("e1")
    writers.append(start(home))
    for number in range(total):
        write(home, "e1", number, segment=1 + number // 400)
        if number in kill_after:
            # Somewhere in the midst of loading what stands in the journal by now.
            there, closable = count(home), sum(one % 50 != 49 for one in range(number + 1))
            reach = pick.randrange(there, max(there + 1, closable))  # what is still open is not loaded yet
            until(lambda reach=reach: count(home) >= reach or writers[-1].poll() is not None)
            assert writers[-1].poll() is None, writers[-1].stderr.read()
            writers[-1].kill()
            writers[-1].wait()
            writers.append(start(home))
    home.end("e1")
    rows, tries, cost = expected(total)
    until(lambda: count(home) == rows)
    writers[-1].send_signal(signal.SIGTERM)
    assert writers[-1].wait(DEADLINE) == 0
    with reading(home.engine) as connection:
        assert from_pico(connection.execute(select(func.sum(calls.c.cost))).scalar_one()) == cost
        assert connection.execute(select(func.count()).select_from(attempts)).scalar() == tries
        assert Decimal(connection.execute(select(spent.c.amount)).scalar_one()) == cost
        kept = connection.execute(
            select(func.count(), func.count(bodies.c.digest.distinct())).select_from(bodies)
        ).one()
        assert tuple(kept) == (
            sum(n % 8 == 0 and n % 11 != 5 and n % 50 != 49 for n in range(total)),
            3,
        )  # one file a key
        tree = read_tree(connection)
        nodes = nodes_of(tiles_in(connection))
        assert [nodes(0, leaf) for leaf in range(tree.size)]
        assert tree.size == rows + int(connection.execute(select(func.count()).select_from(audit_intents)).scalar_one())
    for number in (0, 5, 49, 777, total - 1):
        found = receipt_of_call(home.engine, home.keys.identity, home.salts, as_text("call", call_id(number)))
        receipts.verify(found, home.keys.identity.public)
    assert not (home.path / "journal" / "e1").exists()


def test_sigterm_loads_what_is_written_and_signs_it(home: Home, writers: list[subprocess.Popen[bytes]]) -> None:
    home.begin("e1")
    writers.append(start(home))
    until((home.path / "run" / "writer.lock").exists)
    home.write("e1", *[refused(number) for number in range(500)])
    until(lambda: count(home) > 0)
    writers[0].send_signal(signal.SIGTERM)
    assert writers[0].wait(DEADLINE) == 0
    assert count(home) == 500
    text = as_text("call", call_id(499))
    receipts.verify(receipt_of_call(home.engine, home.keys.identity, home.salts, text), home.keys.identity.public)


def test_a_call_can_be_read_while_the_writer_writes(home: Home, writers: list[subprocess.Popen[bytes]]) -> None:
    home.begin("e1")
    writers.append(start(home))
    home.write("e1", opened(1), closed(1))
    until(lambda: count(home) == 1)
    with reading(home.engine) as connection:
        store.show_call(connection, as_text("call", call_id(1)))
        home.write("e1", *[refused(number) for number in range(2, 200)])
        seen = connection.execute(select(func.count()).select_from(calls)).scalar()
        until(lambda: count(home) == 199)
        assert connection.execute(select(func.count()).select_from(calls)).scalar() == seen


def test_one_home_has_one_writer(home: Home) -> None:
    lock = alone(home.path)
    with pytest.raises(Conflict):
        run(WriterConfig(home=home.path, database=home.url))
    os.close(lock)


def test_an_old_schema_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        run(WriterConfig(home=tmp_path, database=f"sqlite:///{tmp_path}/new.db"))
    assert "freehold up" in caught.value.hint
