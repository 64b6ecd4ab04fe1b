"""Loading: exactly once, from any prefix, whatever is torn, doubled or cut short."""

from __future__ import annotations

import random
import struct
import zlib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import event, func, select

from freehold.core.crypto import Identity
from freehold.core.db import reading
from freehold.core.money import ZERO, from_pico
from freehold.core.snapshot import write_snapshot
from freehold.ledger.frames import Frame
from freehold.ledger.intake.loader import Loader, Pace
from freehold.ledger.journal import Journal, pack
from freehold.ledger.tables import attempts, audit_intents, calls, leases, pending, positions, spent, usage_hours
from freehold.ledger.writer import load_once
from tests.ledger.sample import RENTED, ROUTES, START, Home, attempt, call_id, closed, opened, refused, tried
from tests.postgres import EVERY_DATABASE

pytestmark = EVERY_DATABASE

PACE = Pace(batch_bytes=2000)


def totals(home: Home) -> dict[str, object]:
    with reading(home.engine) as connection:
        count, cost, tokens = connection.execute(
            select(func.count(), func.coalesce(func.sum(calls.c.cost), 0), func.coalesce(func.sum(calls.c.input), 0))
        ).one()
        outcomes = dict(connection.execute(select(calls.c.outcome, func.count()).group_by(calls.c.outcome)).all())
        leaves = sorted(
            [
                *connection.execute(select(calls.c.leaf)).scalars(),
                *connection.execute(select(audit_intents.c.leaf)).scalars(),
            ]
        )
        tried_rows = connection.execute(select(func.count()).select_from(attempts)).scalar()
        hours = connection.execute(select(func.sum(usage_hours.c.calls), func.sum(usage_hours.c.input))).one()
        assert tuple(one or 0 for one in hours) == (count, tokens)
        spending = {}
        for table, name in ((leases, "settled"), (spent, "amount")):
            for one in connection.execute(select(table)).mappings():
                spending[one["budget"]] = spending.get(one["budget"], ZERO) + Decimal(one[name])
    assert leaves == list(range(len(leaves)))  # no leaf twice, and none left out
    assert len(leaves) >= count
    return {"calls": count, "cost": from_pico(cost), "tokens": tokens, "outcomes": outcomes, "attempts": tried_rows} | {
        "spent": {name: amount for name, amount in spending.items() if amount}
    }


def load(home: Home) -> int:
    return load_once(home.path, home.engine, home.keys, pace=PACE)


def traffic(count: int, seed: int = 7) -> list[Frame]:
    """Interleaved calls: ended ones, refused ones, some with a second attempt; every tenth never ends."""
    pick = random.Random(seed)
    frames: list[Frame] = []
    open_calls: list[int] = []
    for number in range(count):
        if number % 7 == 3:
            frames.append(refused(number))
            continue
        frames.append(opened(number))
        open_calls.append(number)
        while len(open_calls) > 5:
            frames += ending(open_calls.pop(pick.randrange(len(open_calls))))
    for number in open_calls:
        frames += ending(number)
    return frames


def ending(number: int) -> list[Frame]:
    if number % 10 == 0:
        return []
    if number % 4 == 1:
        both = (tried(1, outcome="failed", cost="0.0004"), tried(2, "big", cost="0.0016"))
        return [attempt(number), closed(number, tried=both, cost=Decimal("0.002"))]
    return [closed(number)]


def test_a_call_becomes_a_row_with_its_attempts(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), attempt(1), closed(1, tried=(tried(), tried(2, "big"))))
    assert load(home) == 3
    found = totals(home)
    assert (found["calls"], found["attempts"], found["cost"]) == (1, 2, Decimal("0.001"))
    assert found["spent"] == {"team/red": Decimal("0.001")}
    assert load(home) == 0
    assert totals(home) == found


def test_an_epoch_that_is_over_settles_its_open_calls_and_leaves(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", opened(1), opened(2, reserved=Decimal("0.25")), closed(1))
    load(home)
    assert totals(home)["calls"] == 1
    home.end("e1")
    load(home)
    found = totals(home)
    assert found["outcomes"] == {"ok": 1, "lost": 1}
    assert found["cost"] == Decimal("0.251")
    assert found["spent"] == {"team/red": Decimal("0.251")}
    assert not folder.exists()
    with reading(home.engine) as connection:
        for table in (pending, positions, leases):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
        assert Decimal(connection.execute(select(spent.c.amount)).scalar_one()) == Decimal("0.251")


def test_a_living_epoch_keeps_its_open_calls_open(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1))
    load(home)
    load(home)
    assert totals(home)["calls"] == 0
    home.write("e1", closed(1))
    load(home)
    assert totals(home)["outcomes"] == {"ok": 1}


def test_a_torn_frame_waits_for_its_rest(home: Home) -> None:
    home.begin("e1")
    data = pack(opened(1)) + pack(closed(1))
    for end in range(1, len(data) + 1):
        home.write_raw("e1", data[end - 1 : end])
        load(home)
        assert totals(home)["calls"] == int(end == len(data))


def test_a_torn_tail_of_a_dead_epoch_is_dropped(home: Home) -> None:
    home.begin("e1")
    home.write_raw("e1", pack(opened(1)) + pack(closed(1))[:-3])
    home.end("e1")
    load(home)
    assert totals(home)["outcomes"] == {"lost": 1}


def test_segments_are_read_in_order_and_deleted_once_loaded(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", opened(1), opened(2), segment=1)
    home.write("e1", closed(1), segment=2)
    home.write("e1", closed(2), opened(3), segment=3)
    load(home)
    assert totals(home)["calls"] == 2
    assert sorted(one.name for one in folder.iterdir()) == ["00000003.journal", "lock"]
    home.write("e1", closed(3), segment=3)
    load(home)
    assert totals(home)["calls"] == 3


def test_calls_that_were_loaded_before_are_not_loaded_again(home: Home) -> None:
    frames = traffic(60)
    home.begin("e1")
    home.write("e1", *frames)
    home.end("e1")
    load(home)
    found = totals(home)
    home.begin("restored-from-a-backup")
    home.write("restored-from-a-backup", *frames, refused(200))
    home.end("restored-from-a-backup")
    load(home)
    after = totals(home)
    assert after["calls"] == found["calls"] + 1
    assert (after["cost"], after["spent"], after["attempts"]) == (found["cost"], found["spent"], found["attempts"])


def test_doubled_frames_count_once(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), opened(1), closed(1), closed(1), refused(2), refused(2))
    load(home)
    found = totals(home)
    assert (found["calls"], found["attempts"], found["spent"]) == (2, 1, {"team/red": Decimal("0.001")})


def test_epochs_of_several_gateways_are_loaded_side_by_side(home: Home) -> None:
    home.begin("e1")
    home.begin("e2")
    home.write("e1", opened(1))
    home.write("e2", opened(2), closed(2))
    home.write("e1", closed(1))
    load(home)
    assert totals(home)["calls"] == 2


def test_an_epoch_being_made_is_left_alone(home: Home) -> None:
    journal = Journal(home.path / "journal", "e9", lambda run: run())
    (home.path / "journal" / ".e10").mkdir()
    load(home)
    assert (home.path / "journal" / "e9" / "lock").exists()
    assert (home.path / "journal" / ".e10").exists()
    journal.add(refused(1))
    journal.close()
    load(home)
    assert totals(home)["calls"] == 1


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_prefix_then_the_rest_gives_the_same_totals(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    frames = traffic(80)
    raw = b"".join(pack(one) for one in frames)
    whole = Home(tmp_path_factory.mktemp("whole") / "home")
    whole.begin("e1")
    whole.write_raw("e1", raw)
    whole.end("e1")
    load(whole)
    parts = Home(tmp_path_factory.mktemp("parts") / "home")
    parts.begin("e1")
    before = 0
    for cut in sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5))):
        parts.write_raw("e1", raw[before:cut])
        before = cut
        load(parts)
    parts.write_raw("e1", raw[before:])
    parts.end("e1")
    load(parts)
    assert totals(parts) == totals(whole)
    whole.close()
    parts.close()


class Cut(Exception):
    pass


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=12))
def test_a_loader_cut_at_any_statement_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    """Each loader's connection fails at the n-th statement; what it did by then must be all or nothing."""
    frames = traffic(50)
    home = Home(tmp_path_factory.mktemp("cut") / "home")
    home.begin("e1")
    home.write("e1", *frames)
    home.end("e1")
    left = 0

    def fail(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Cut

    event.listen(home.engine, "before_cursor_execute", fail)
    for cut in cuts:
        left = cut
        try:
            loader = Loader(home.path, home.engine, home.keys, lambda: 0.0, PACE)
            while loader.load():
                pass
        except Cut:
            pass
    left = 0
    event.remove(home.engine, "before_cursor_execute", fail)
    load(home)
    plain = Home(tmp_path_factory.mktemp("plain") / "home")
    plain.begin("e1")
    plain.write("e1", *frames)
    plain.end("e1")
    load(plain)
    assert totals(home) == totals(plain)
    home.close()
    plain.close()


def test_the_routes_that_held_when_the_call_was_made_are_used(home: Home) -> None:
    home.begin("e1")
    loader = Loader(home.path, home.engine, home.keys, lambda: START)
    loader.load()
    dearer = replace(ROUTES.targets[0], price=replace(RENTED, input=Decimal(100), source="new"))
    newer = replace(ROUTES, targets=(dearer, ROUTES.targets[1]))
    write_snapshot(home.path / "snapshots", "routes", 2, START, newer, home.keys.identity)
    home.write("e1", opened(1), closed(1), opened(2, routes_version=2), closed(2))
    loader.load()
    with reading(home.engine) as connection:
        found = dict(connection.execute(select(calls.c.id, calls.c.what_if_source)).all())
    assert found[call_id(1)].startswith("list")
    assert found[call_id(2)].startswith("new")


def test_routes_signed_by_somebody_else_stop_nothing(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), closed(1))
    load(home)
    write_snapshot(home.path / "snapshots", "routes", 9, START, ROUTES, Identity(bytes(range(32))))
    home.write("e1", opened(2), closed(2))
    load(home)
    assert totals(home)["calls"] == 2


def strange() -> bytes:
    """A whole frame of a kind that only another version knows."""
    payload = msgspec.msgpack.encode(["spoken-by-version-9", b"x" * 16, 3])
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


@pytest.mark.parametrize("batch", [60, 1 << 20])
def test_frames_of_another_version_are_kept_and_stop_nothing(home: Home, capsys, batch: int) -> None:
    home.begin("e1")
    home.write("e1", opened(1), opened(2))
    home.write_raw("e1", strange())
    home.write("e1", closed(1), refused(3))
    home.write_raw("e1", strange())
    assert load_once(home.path, home.engine, home.keys, pace=Pace(batch_bytes=batch)) == 6
    assert totals(home)["outcomes"] == {"ok": 1, "refused": 1}
    (kept,) = (home.path / "quarantine" / "journal").iterdir()
    assert kept.name == "e1-00000001.journal"
    home.write("e1", closed(2))
    home.end("e1")
    load(home)
    assert totals(home)["outcomes"] == {"ok": 2, "refused": 1}
    assert not (home.path / "journal" / "e1").exists()
    assert kept.read_bytes().count(strange()) == 2 and kept.read_bytes().endswith(pack(closed(2)))
    assert "frames not understood" in capsys.readouterr().err


def test_home_without_journal_or_routes_is_fine(tmp_path: Path) -> None:
    bare = Home(tmp_path / "bare")
    (bare.path / "snapshots" / "routes.snapshot").unlink()
    assert load(bare) == 0
    bare.begin("e1")
    bare.write("e1", opened(1), closed(1))
    assert load(bare) == 2
    assert totals(bare)["calls"] == 1
    bare.close()
