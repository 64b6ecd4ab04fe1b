"""The promise of budget leases: never over the limit, and no money lost, whatever is killed and when."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Self

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.core.db import reading
from freehold.core.money import ZERO
from freehold.core.snapshot import write_snapshot
from freehold.ledger.intake.loader import Loader, Pace
from freehold.ledger.writer import load_once
from freehold.policy import store
from freehold.policy.authority import Authority, Ledger, grant_size, standing
from freehold.policy.budgets import Purse, Reservation, Slice
from freehold.policy.leases import Grant, Hello, Lease, Return
from freehold.policy.periods import NEVER
from freehold.policy.types import Budget, Policy
from tests.ledger.sample import START, Home, closed, opened
from tests.postgres import EVERY_DATABASE

pytestmark = EVERY_DATABASE

BUDGET = Budget(id="team/red", limit=Decimal(10), period="total")
DAILY = Budget(id="key/app", limit=Decimal(4), period="day")


def publish(home: Home, *budgets: Budget, version: int = 1) -> None:
    write_snapshot(home.path / "snapshots", "policy", version, START, Policy(budgets=budgets), home.keys.identity)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    publish(made, BUDGET, DAILY)
    yield made
    made.close()


def ledger_of(home: Home, now: float = START) -> Ledger:
    return Ledger(home.path, home.engine, home.keys.identity, lambda: now)


def ask(need: str, want: str = "0", budget: Budget = BUDGET, start: int = 0) -> Lease:
    return Lease(budget.id, start, Decimal(need), Decimal(want))


@pytest.mark.parametrize(
    ("need", "want", "left", "granted"),
    [
        ("1", "0", "10", "1"),  # the need, though nobody wants more
        ("1", "5", "10", "2.5"),  # a quarter of what is left
        ("1", "2", "10", "2"),  # what is wanted, where that is less
        ("4", "9", "10", "4"),  # the need, where that is more
        ("4", "9", "4", "4"),
        ("4.000001", "9", "4", "0"),  # all or nothing
        ("0", "1", "0.000001", "0"),  # no dust
        ("0", "1", "0", "0"),
        ("0", "1", "-3", "0"),
    ],
)
def test_grant_sizes(need: str, want: str, left: str, granted: str) -> None:
    assert grant_size(Decimal(need), Decimal(want), Decimal(left)) == Decimal(granted)


def test_a_grant_is_written_down_before_it_is_answered(home: Home) -> None:
    home.begin("e1")
    found = ledger_of(home).lease("e1", ask("1", "9"))
    assert found == Grant("team/red", 0, Decimal("2.5"), Decimal("7.5"), Decimal(10), NEVER)
    with reading(home.engine) as connection:
        assert store.held(connection, "team/red", 0).granted == {"e1": Decimal("2.5")}


def test_gateways_share_one_limit_also_across_a_restart_of_the_authority(home: Home) -> None:
    home.begin("e1")
    home.begin("e2")
    assert ledger_of(home).lease("e1", ask("6")).amount == 6
    assert ledger_of(home).lease("e2", ask("6")).amount == 0
    assert ledger_of(home).lease("e2", ask("4")).amount == 4


def test_what_is_given_back_can_be_granted_again(home: Home) -> None:
    home.begin("e1")
    home.begin("e2")
    ledger = ledger_of(home)
    ledger.lease("e1", ask("10"))
    ledger.give_back("e1", Return("team/red", 0, Decimal(3)))
    ledger.give_back("e2", Return("team/red", 0, Decimal(3)))  # it holds nothing
    assert ledger.lease("e2", ask("4")).amount == 0
    assert ledger.lease("e2", ask("3")).amount == 3


@pytest.mark.parametrize("epoch", ["", "unknown", "../e1", ".", "over"])
def test_nothing_for_an_epoch_that_does_not_live(home: Home, epoch: str) -> None:
    home.begin("e1")
    home.begin("over")
    home.end("over")
    assert ledger_of(home).lease(epoch, ask("1")).amount == 0


def test_nothing_for_an_unknown_budget_or_another_period(home: Home) -> None:
    home.begin("e1")
    ledger = ledger_of(home)
    unknown = ledger.lease("e1", Lease("team/none", 0, Decimal(1), Decimal(1)))
    assert (unknown.amount, unknown.limit) == (0, 0)
    today = int(START - START % 86400)
    assert ledger.lease("e1", ask("1", budget=DAILY, start=today)).amount == 1
    assert ledger.lease("e1", ask("1", budget=DAILY, start=today - 86400)).amount == 0
    assert ledger.lease("e1", ask("1", budget=DAILY, start=today + 86400)).amount == 0
    assert ledger.lease("e1", ask("-1")).amount == 0


def test_a_new_day_begins_with_the_whole_limit(home: Home) -> None:
    home.begin("e1")
    today = int(START - START % 86400)
    found = ledger_of(home).lease("e1", ask("4", budget=DAILY, start=today))
    assert (found.amount, found.resets_at) == (4, today + 86400)
    assert ledger_of(home).lease("e1", ask("0.1", budget=DAILY, start=today)).amount == 0
    tomorrow = ledger_of(home, START + 86400)
    assert tomorrow.lease("e1", ask("4", budget=DAILY, start=today + 86400)).amount == 4


def test_a_changed_limit_holds_from_the_next_grant_on(home: Home) -> None:
    home.begin("e1")
    ledger = ledger_of(home)
    assert ledger.lease("e1", ask("8")).amount == 8
    publish(home, msgspec.structs.replace(BUDGET, limit=Decimal(5)), version=2)
    lowered = ledger.lease("e1", ask("1"))
    assert (lowered.amount, lowered.remaining, lowered.limit) == (0, Decimal(-3), Decimal(5))
    publish(home, msgspec.structs.replace(BUDGET, limit=Decimal(20)), version=3)
    assert ledger.lease("e1", ask("12")).amount == 12


def test_a_policy_signed_by_somebody_else_changes_nothing(home: Home) -> None:
    from freehold.core.crypto import Identity

    home.begin("e1")
    ledger = ledger_of(home)
    ledger.lease("e1", ask("8"))
    forged = Policy(budgets=(msgspec.structs.replace(BUDGET, limit=Decimal(10**6)),))
    write_snapshot(home.path / "snapshots", "policy", 9, START, forged, Identity(bytes(range(32))))
    assert ledger.lease("e1", ask("3")).amount == 0


def test_a_dead_gateways_lease_becomes_what_its_calls_cost(home: Home) -> None:
    home.begin("e1")
    ledger = ledger_of(home)
    ledger.lease("e1", ask("10"))
    home.write("e1", opened(1), closed(1, cost=Decimal(2)), opened(2, reserved=Decimal("0.5")))
    home.end("e1")
    assert standing(home.engine, BUDGET, START).available == 0
    load_once(home.path, home.engine, home.keys)
    found = standing(home.engine, BUDGET, START)
    assert (found.spent, found.held, found.available) == (Decimal("2.5"), 0, Decimal("7.5"))


def test_a_lease_whose_epoch_left_no_folder_is_settled_too(home: Home) -> None:
    folder = home.begin("e1")
    ledger_of(home).lease("e1", ask("10"))
    home.end("e1")
    (folder / "lock").unlink()
    folder.rmdir()
    load_once(home.path, home.engine, home.keys)
    assert standing(home.engine, BUDGET, START).available == 10


class Gateway:
    """A gateway as far as money goes: its purse, its journal, and what it has in flight."""

    def __init__(self, home: Home, epoch: str) -> None:
        self.home = home
        self.epoch = epoch
        self.purse = Purse()
        self.flying: dict[int, Reservation] = {}
        home.begin(epoch)

    def ask(self, ledger: Ledger, need: Decimal, heard: bool) -> None:
        found = ledger.lease(self.epoch, Lease(BUDGET.id, 0, need, need * 3))
        if heard:  # else the authority was killed after it had committed, before its answer came
            held = Slice(BUDGET.id, 0, found.resets_at, found.limit)
            self.purse.grant(held, found.amount, exhausted=not found.amount)

    def begin(self, number: int, amount: Decimal) -> None:
        held = self.purse.reserve((BUDGET.id,), amount, START)
        if isinstance(held, Reservation):
            self.flying[number] = held
            self.home.write(self.epoch, opened(number, reserved=amount, budgets=("team/red@0",)))

    def end(self, number: int, share: Decimal) -> Decimal:
        held = self.flying.pop(number)
        cost = held.amount * share
        self.home.write(self.epoch, closed(number, cost=cost))
        self.purse.settle(held, cost)
        return cost

    def give_back(self, ledger: Ledger) -> None:
        held = self.purse.slices.get(BUDGET.id)
        if held is not None and held.left:
            ledger.give_back(self.epoch, Return(BUDGET.id, 0, held.left))
            held.left = ZERO


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(5, 60))
def test_never_over_the_limit_and_no_money_lost(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: int
) -> None:
    pick = random.Random(seed)
    home = Home(tmp_path_factory.mktemp("money") / "home")
    publish(home, BUDGET)
    ledger = ledger_of(home)
    loader = Loader(home.path, home.engine, home.keys, lambda: START, Pace(batch_bytes=700))
    gateways = [Gateway(home, "e0")]
    spent, number, made = ZERO, 0, 1
    for _ in range(steps):
        one = pick.choice(gateways)
        move = pick.choice(("ask", "ask", "begin", "begin", "begin", "end", "back", "kill", "load", "writer", "more"))
        if move == "ask":
            one.ask(ledger, Decimal(pick.randrange(1, 300)) / 100, heard=pick.random() > 0.1)
        elif move == "begin":
            number += 1
            one.begin(number, Decimal(pick.randrange(1, 100)) / 100)
        elif move == "end" and one.flying:
            spent += one.end(pick.choice(list(one.flying)), Decimal(pick.randrange(0, 101)) / 100)
        elif move == "back":
            one.give_back(ledger)
        elif move == "kill":
            spent += sum((held.amount for held in one.flying.values()), ZERO)
            home.end(one.epoch)
            gateways.remove(one)
        elif move == "load":
            loader.load()
        elif move == "writer":
            ledger = ledger_of(home)
            loader = Loader(home.path, home.engine, home.keys, lambda: START, Pace(batch_bytes=700))
        if move == "more" or not gateways:
            gateways.append(Gateway(home, f"e{made}"))
            made += 1
        flying = sum((held.amount for each in gateways for held in each.flying.values()), ZERO)
        in_purses = sum((held.left for each in gateways for held in each.purse.slices.values()), ZERO)
        assert spent + flying + in_purses <= BUDGET.limit
    for one in gateways:
        spent += sum((held.amount for held in one.flying.values()), ZERO)
        home.end(one.epoch)
    load_once(home.path, home.engine, home.keys)
    found = standing(home.engine, BUDGET, START)
    assert (found.spent, found.held, found.available) == (spent, 0, BUDGET.limit - spent)
    home.close()


LENGTH = struct.Struct("<I")


class Caller:
    """The other end of the socket."""

    def __init__(self, home: Home) -> None:
        self.path = home.path / "run" / "writer.sock"

    async def __aenter__(self) -> Self:
        while True:
            try:
                self.reader, self.writer = await asyncio.open_unix_connection(self.path)
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0)
            else:
                return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def say(self, message: object) -> None:
        data = msgspec.msgpack.encode(message)
        self.writer.write(LENGTH.pack(len(data)) + data)

    async def hear(self) -> Grant:
        (length,) = LENGTH.unpack(await self.reader.readexactly(4))
        return msgspec.msgpack.decode(await self.reader.readexactly(length), type=Grant)


def served(home: Home, talk: object) -> None:
    async def main() -> None:
        serving = asyncio.create_task(Authority(home.path, home.engine, home.keys.identity, lambda: START).serve())
        async with asyncio.timeout(20):
            await talk()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_over_the_socket_each_lease_has_its_grant(home: Home) -> None:
    home.begin("e1")
    home.begin("e2")

    async def talk() -> None:
        async with Caller(home) as one, Caller(home) as two:
            one.say(Hello("e1"))
            two.say(Hello("e2"))
            for _ in range(3):
                one.say(ask("2"))
            assert [(await one.hear()).amount for _ in range(3)] == [2, 2, 2]
            two.say(ask("6"))
            assert (await two.hear()).amount == 0
            one.say(Return("team/red", 0, Decimal(2)))
            one.say(ask("0.5"))
            assert (await one.hear()).amount == Decimal("0.5")
            two.say(ask("5"))
            assert (await two.hear()).amount == 5
        async with Caller(home) as stranger:
            stranger.say(ask("0.1"))
            assert (await stranger.hear()).amount == 0

    served(home, talk)
    assert not (home.path / "run" / "writer.sock").exists()


@pytest.mark.parametrize(
    "raw", [b"\xff\xff\xff\xff", LENGTH.pack(3) + b"abc", LENGTH.pack(1) + b"\xc0", LENGTH.pack(0)]
)
def test_nonsense_closes_the_line_and_nothing_else(home: Home, raw: bytes) -> None:
    home.begin("e1")

    async def talk() -> None:
        async with Caller(home) as other, Caller(home) as one:
            other.say(Hello("e1"))
            one.writer.write(raw)
            assert await one.reader.read() == b""
            other.say(ask("1"))
            assert (await other.hear()).amount == 1

    served(home, talk)


def test_a_message_in_pieces_is_one_message(home: Home) -> None:
    home.begin("e1")

    async def talk() -> None:
        async with Caller(home) as one:
            for message in (Hello("e1"), ask("1")):
                data = msgspec.msgpack.encode(message)
                for byte in LENGTH.pack(len(data)) + data:
                    one.writer.write(bytes([byte]))
                    await one.writer.drain()
            assert (await one.hear()).amount == 1

    served(home, talk)


def test_only_the_owner_may_connect(home: Home) -> None:
    async def talk() -> None:
        async with Caller(home):
            assert (home.path / "run" / "writer.sock").stat().st_mode & 0o777 == 0o600

    served(home, talk)
