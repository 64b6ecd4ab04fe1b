"""A replica's courier beside the primary's dock, authority and loader: money is held and calls are counted once."""

from __future__ import annotations

import asyncio
import functools
import io
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import ParamSpec

import msgspec
import pytest
from sqlalchemy import func, select

from freehold.core.db import reading
from freehold.core.errors import BadConfig
from freehold.core.log import Log
from freehold.core.ports import free_port
from freehold.core.snapshot import read_snapshot, write_snapshot
from freehold.ledger.errors import Refused
from freehold.ledger.journal import Journal
from freehold.ledger.shipping.courier import Courier, Primary
from freehold.ledger.shipping.dock import Dock
from freehold.ledger.shipping.messages import Refuse, decode_down
from freehold.ledger.tables import calls
from freehold.ledger.writer import load_once
from freehold.policy import store
from freehold.policy.authority import Authority, standing
from freehold.policy.leases import Grant, Hello, Lease
from freehold.policy.types import Budget, Policy
from tests.ledger.sample import START, Home, closed, opened

BUDGET = Budget(id="team/red", limit=Decimal(10), period="total")
EPOCH = "a" * 32
PATIENCE = 60.0
P = ParamSpec("P")
TOKENS = {"right": "r1", "other": "r2"}


def in_a_loop(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*args, **named))

    return run


def publish(home: Home, version: int) -> None:
    write_snapshot(home.path / "snapshots", "policy", version, START, Policy(budgets=(BUDGET,)), home.keys.identity)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "primary")
    publish(made, 1)
    yield made
    made.close()


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    return tmp_path / "replica"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  files and rows tell of no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def docked(home: Home, port: int = 0, told: io.StringIO | None = None) -> AsyncIterator[int]:
    dock = Dock(home.path, TOKENS.get, Log("dock", told or io.StringIO()))
    server = await dock.listen("127.0.0.1", port, None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await dock.close()


@asynccontextmanager
async def running(*tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def courier(home: Home, folder: Path, port: int, token: str = "right") -> Courier:
    primary = Primary(host="127.0.0.1", port=port, token=token)
    return Courier(folder, primary, home.keys.identity, Log("courier", io.StringIO()))


def authority(home: Home) -> Authority:
    return Authority(home.path, home.engine, home.keys.identity, lambda: START)


async def granted(folder: Path, epoch: str, need: str) -> Grant:
    """Ask for money as a gateway does: again, on a new line, where nobody answers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(OSError, EOFError):
                reader, writer = await asyncio.open_unix_connection(folder / "run" / "writer.sock")
                try:
                    for message in (Hello(epoch), Lease(BUDGET.id, 0, Decimal(need), Decimal(0))):
                        data = msgspec.msgpack.encode(message)
                        writer.write(struct.pack("<I", len(data)) + data)
                    size = struct.unpack("<I", await reader.readexactly(4))[0]
                    return msgspec.msgpack.decode(await reader.readexactly(size), type=Grant)
                finally:
                    writer.close()
            await asyncio.sleep(0.02)


def counted(home: Home) -> tuple[int, Decimal]:
    with reading(home.engine) as connection:
        number = connection.execute(select(func.count()).select_from(calls)).scalar_one()
    return number, standing(home.engine, BUDGET, START).spent


@in_a_loop
async def test_a_call_of_a_replica_is_paid_and_counted_at_the_primary(home: Home, replica: Path) -> None:
    async with docked(home) as port:
        tasks = [asyncio.create_task(authority(home).serve()), asyncio.create_task(courier(home, replica, port).run())]
        async with running(*tasks):
            journal = Journal(replica / "journal", EPOCH, asyncio.get_running_loop().call_soon)
            found = await granted(replica, EPOCH, "2")
            assert found.amount == Decimal(2)
            journal.add(opened(1))
            journal.add(closed(1))
            journal.flush()
            shipped = home.path / "journal" / EPOCH / "00000001.journal"
            local = replica / "journal" / EPOCH / "00000001.journal"
            await until(lambda: shipped.exists() and shipped.stat().st_size == local.stat().st_size)
            load_once(home.path, home.engine, home.keys)
            assert counted(home) == (1, Decimal("0.001"))
            with reading(home.engine) as connection:
                assert store.held(connection, BUDGET.id, 0).granted == {EPOCH: Decimal(2)}  # while its gateway lives
            journal.close()
            await until(lambda: not (replica / "journal" / EPOCH).exists())
    load_once(home.path, home.engine, home.keys)
    assert counted(home) == (1, Decimal("0.001"))
    with reading(home.engine) as connection:
        assert store.held(connection, BUDGET.id, 0).granted == {}
    assert not (home.path / "journal" / EPOCH).exists()


@in_a_loop
async def test_what_was_written_while_the_primary_was_away_is_counted_once(home: Home, replica: Path) -> None:
    journal = Journal(replica / "journal", EPOCH, asyncio.get_running_loop().call_soon)
    for number in range(20):
        journal.add(opened(number))
        journal.add(closed(number))
    journal.flush()
    async with docked(home) as port:
        pass  # a port that nobody listens on
    task = asyncio.create_task(courier(home, replica, port).run())
    async with running(task):
        for number in range(20, 40):
            async with docked(home, port):
                journal.add(opened(number))
                journal.add(closed(number))
                journal.flush()
                await until((home.path / "journal" / EPOCH).exists)
            load_once(home.path, home.engine, home.keys)
            if number == 30:  # the courier is killed and started again
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                task = asyncio.create_task(courier(home, replica, port).run())
        journal.close()
        async with running(task), docked(home, port):
            await until(lambda: not (replica / "journal" / EPOCH).exists())
    load_once(home.path, home.engine, home.keys)
    assert counted(home)[0] == 40


@in_a_loop
async def test_no_money_is_granted_to_an_epoch_that_is_another_replicas(home: Home, replica: Path) -> None:
    other = replica.with_name("other")
    told = io.StringIO()
    async with docked(home, told=told) as port:
        tasks = [
            asyncio.create_task(authority(home).serve()),
            asyncio.create_task(courier(home, replica, port).run()),
            asyncio.create_task(courier(home, other, port, "other").run()),
        ]
        async with running(*tasks):
            loop = asyncio.get_running_loop()
            mine = Journal(replica / "journal", EPOCH, loop.call_soon)
            assert (await granted(replica, EPOCH, "1")).amount == 1
            stolen = Journal(other / "journal", EPOCH, loop.call_soon)
            asking = asyncio.create_task(granted(other, EPOCH, "1"))
            await until(lambda: "another gateway's" in told.getvalue())
            own = Journal(replica / "journal", "b" * 32, loop.call_soon)
            assert (await granted(replica, "b" * 32, "3")).amount == 3
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            with reading(home.engine) as connection:
                assert store.held(connection, BUDGET.id, 0).granted == {EPOCH: Decimal(1), "b" * 32: Decimal(3)}
            for journal in (mine, stolen, own):
                journal.close()


@in_a_loop
async def test_snapshots_reach_a_replica_and_older_or_unsigned_ones_do_not(home: Home, replica: Path) -> None:
    def version() -> int:
        with suppress(FileNotFoundError):
            return read_snapshot(replica / "snapshots", "policy", Policy, home.keys.identity)[0]
        return 0

    async with docked(home) as port, running(asyncio.create_task(courier(home, replica, port).run())):
        await until(lambda: version() == 1)
        publish(home, 3)
        await until(lambda: version() == 3)
        publish(home, 2)
        (home.path / "snapshots" / "zones.snapshot").write_bytes(b"not signed" * 20)
        write_snapshot(home.path / "snapshots", "zz", 1, START, {}, home.keys.identity)  # sent after the others
        await until((replica / "snapshots" / "zz.snapshot").exists)
        assert version() == 3
        publish(home, 4)
        await until(lambda: version() == 4)
        assert not (replica / "snapshots" / "zones.snapshot").exists()


@in_a_loop
async def test_without_a_token_nothing_is_told_but_that(home: Home) -> None:
    async with docked(home) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        data = msgspec.msgpack.encode({"type": "join", "token": "wrong"})
        writer.write(struct.pack("<I", len(data)) + data)
        async with asyncio.timeout(PATIENCE):
            told = await reader.read()
        assert decode_down(told[4:]) == Refuse()
        writer.close()


def test_a_courier_that_is_refused_never_answered_a_gateway(
    home: Home, replica: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opens(*_: object) -> None:
        pytest.fail("gateways could have begun by the snapshots of yesterday")

    async def refused() -> None:
        async with docked(home) as port:
            monkeypatch.setattr(asyncio, "start_unix_server", opens)
            with pytest.raises(Refused):
                await courier(home, replica, port, token="wrong").run()

    asyncio.run(refused())


@in_a_loop
async def test_a_courier_whose_primary_is_away_answers_gateways(home: Home, replica: Path) -> None:
    task = asyncio.create_task(courier(home, replica, free_port()).run())
    async with running(task):
        await until((replica / "run" / "writer.sock").exists)


@in_a_loop
async def test_a_dock_does_not_listen_on_a_network_in_plain(home: Home) -> None:
    with pytest.raises(BadConfig):
        await Dock(home.path, TOKENS.get, Log("dock", io.StringIO())).listen("192.0.2.1", 0, None)
