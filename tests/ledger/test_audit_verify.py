"""Whatever is changed in the log, its tiles or its checkpoints is found and named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, delete, select, update

from freehold.core.db import connect, url_of, writing
from freehold.core.errors import NotFound, Unavailable
from freehold.ledger.audit import outside, publisher, store
from freehold.ledger.audit.offline import Report, verify_home
from freehold.ledger.intake.loader import Loader, Pace
from freehold.ledger.tables import (
    attempts,
    audit_entries,
    audit_intents,
    audit_tiles,
    calls,
    checkpoints,
    pending,
)
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, attempt, call_id, closed, opened, refused, tried

HOUR = 3600.0


def build(home: Home, public: Path) -> None:
    """A log of some 600 leaves: calls, refusals, changes, an intent; checkpoints of three hours, two of them outside."""
    home.begin("e1")
    clock = [START]
    loader = Loader(home.path, home.engine, home.keys, lambda: clock[0], Pace(checkpoint_seconds=0.5))
    public.mkdir(exist_ok=True)
    for part in range(3):
        for number in range(part * 200, part * 200 + 200):
            if number % 9 == 4:
                home.write("e1", refused(number))
            elif number % 9 == 5:
                both = (tried(1, outcome="failed"), tried(2, "big"))
                home.write("e1", opened(number), attempt(number), closed(number, tried=both))
            else:
                home.write("e1", opened(number), closed(number))
        if part == 1:
            home.write("e1", opened(5000))
        with writing(home.engine) as connection:
            store.append(connection, clock[0], "key.create", "owner", {"name": f"app-{part}"})
        while loader.load():
            pass
        loader.tend(final=True)
        if part < 2:
            publisher.publish(home.engine, home.keys.identity, home.path, public)
        clock[0] += HOUR
    home.write("e1", closed(5000))
    loader.load()
    loader.tend(final=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("audit")
    home = Home(folder / "home")
    build(home, folder / "public")
    home.close()
    return folder / "home", folder / "public"


class Spoiled:
    """A copy of the log to be changed behind its back."""

    def __init__(self, built: tuple[Path, Path], into: Path) -> None:
        shutil.rmtree(into, ignore_errors=True)
        self.path = Path(shutil.copytree(built[0], into / "home"))
        self.public = Path(shutil.copytree(built[1], into / "public"))
        self.engine = connect(url_of(self.path / "freehold.db"))

    def change(self, statement: object) -> None:
        with writing(self.engine) as connection:
            assert connection.execute(statement).rowcount > 0

    def check(self) -> Report:
        return verify_home(self.path, [self.public])


@pytest.fixture
def spoiled(built: tuple[Path, Path], tmp_path: Path) -> Spoiled:
    return Spoiled(built, tmp_path)


def named(report: Report, *words: str) -> bool:
    return any(all(word in f"{one.where}: {one.message}" for word in words) for one in report.problems)


def test_a_whole_log_is_good(built: tuple[Path, Path]) -> None:
    report = verify_home(built[0], [built[1]])
    assert report.problems == ()
    assert (report.good, report.size, report.signed, report.checkpoints) == (True, 605, 605, 6)
    assert report.outside == 403
    assert report.cut == report.under_way == ()
    assert any("newer than the newest outside" in one for one in report.remarks)


def test_without_outside_checkpoints_it_says_what_it_cannot_see(built: tuple[Path, Path]) -> None:
    report = verify_home(built[0])
    assert report.good
    assert any("cannot be seen" in one for one in report.remarks)


def test_a_home_without_a_log_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify_home(tmp_path)
    assert list(tmp_path.iterdir()) == []


COLUMNS = tuple(
    (table, column)
    for table in (calls, attempts, audit_entries, audit_intents)
    for column in table.c
    if column.name not in ("leaf", "number")
)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda one: getattr(one, "name", ""))
def test_no_column_of_a_row_can_change(spoiled: Spoiled, table: Table, column: object) -> None:
    with spoiled.engine.connect() as connection:
        leaf, value = connection.execute(select(table.c.leaf, column).order_by(table.c.leaf.desc()).limit(1)).one()
    kinds = {bytes: lambda one: bytes([one[0] ^ 1, *one[1:]]) if one else b"x", str: lambda one: one + "x"}
    kinds |= {int: lambda one: one + 1, float: lambda one: one + 2**-20, bool: lambda one: not one}
    changed = kinds[type(value)](value) if value is not None else column.type.python_type(1)
    spoiled.change(update(table).where(table.c.leaf == leaf).values({column.name: changed}))
    report = spoiled.check()
    assert not report.good
    assert named(report, f"leaf {leaf} ("), report.problems


@pytest.mark.parametrize(
    "spoil",
    [
        lambda leaf: delete(calls).where(calls.c.leaf == leaf),
        lambda leaf: delete(attempts).where(attempts.c.leaf == leaf),
        lambda leaf: update(attempts).where(attempts.c.leaf == leaf).values(number=7),
        lambda leaf: update(calls).where(calls.c.leaf == leaf).values(leaf=100_000),
    ],
)
def test_no_row_can_be_taken_away_or_moved(spoiled: Spoiled, spoil: Callable[[int], object]) -> None:
    spoiled.change(spoil(17))
    assert named(spoiled.check(), "leaf 17 (")


def test_rows_cannot_change_places(spoiled: Spoiled) -> None:
    for before, after in ((17, -1), (18, 17), (-1, 18)):
        for table in (calls, attempts):
            spoiled.change(update(table).where(table.c.leaf == before).values(leaf=after))
    report = spoiled.check()
    assert named(report, "leaf 17 (", "row was changed")
    assert named(report, "leaf 18 (", "row was changed")


def test_a_tile_that_was_changed_is_told_from_a_row(spoiled: Spoiled) -> None:
    with spoiled.engine.connect() as connection:
        blob = bytearray(
            connection.execute(select(audit_tiles.c.hashes).where(audit_tiles.c.level == 0)).scalars().first()
        )
    blob[17 * 32 + 3] ^= 4
    spoiled.change(
        update(audit_tiles).where(audit_tiles.c.level == 0, audit_tiles.c.number == 0).values(hashes=bytes(blob))
    )
    report = spoiled.check()
    assert named(report, "leaf 17 (", "hash in the tiles was changed")
    assert not named(report, "row was changed")


def test_a_log_that_was_forged_as_a_whole_is_found_by_what_is_outside(spoiled: Spoiled) -> None:
    """Row, tiles, checkpoints and signatures all made anew by somebody who holds every key of the home."""
    with writing(spoiled.engine) as connection:
        for table in (calls, attempts, audit_entries, audit_tiles, checkpoints, audit_intents, pending):
            connection.execute(delete(table))
    shutil.rmtree(spoiled.path / "journal")
    spoiled.engine.dispose()
    home = Home(spoiled.path)
    home.begin("e2")
    home.write("e2", *(refused(number) for number in range(700)))
    load_once(home.path, home.engine, home.keys)
    assert verify_home(spoiled.path).good
    assert named(spoiled.check(), str(spoiled.public), "first 201 leaves are not those that were signed")
    with pytest.raises(Exception, match="it was changed"):
        publisher.publish(home.engine, home.keys.identity, home.path, spoiled.public)
    home.close()


def test_what_is_cut_off_the_end_is_found_by_what_is_outside(spoiled: Spoiled) -> None:
    for table in (calls, attempts, audit_entries, audit_intents):
        with writing(spoiled.engine) as connection:
            connection.execute(delete(table).where(table.c.leaf >= 201))
    with writing(spoiled.engine) as connection:
        connection.execute(delete(checkpoints).where(checkpoints.c.size > 201))
        connection.execute(delete(pending))
        connection.execute(delete(audit_tiles).where(audit_tiles.c.number > 0))
        blob = connection.execute(select(audit_tiles.c.hashes).where(audit_tiles.c.level == 0)).scalar_one()
        connection.execute(delete(audit_tiles).where(audit_tiles.c.level > 0))
        connection.execute(update(audit_tiles).values(hashes=blob[: 201 * 32]))
    shutil.rmtree(spoiled.path / "journal")
    assert verify_home(spoiled.path).good, "what is left is a whole log, only shorter"
    report = spoiled.check()
    assert named(report, str(spoiled.public), "202 at the end of the log are gone"), report.problems


def test_every_checkpoint_is_checked_with_what_stands_beside_it(spoiled: Spoiled) -> None:
    with spoiled.engine.connect() as connection:
        rows = connection.execute(select(checkpoints).order_by(checkpoints.c.size)).all()
    assert [one.size for one in rows] == [201, 403, 604, 605]
    for change, word in (
        ({"at": rows[1].at + 0.25}, "time beside the note"),
        ({"root": bytes(32)}, "root beside the note"),
        ({"note": rows[1].note.replace("\n403\n", "\n402\n")}, "not signed by"),
        ({"note": rows[0].note}, "beside the note"),
    ):
        spoiled.change(update(checkpoints).where(checkpoints.c.size == 403).values(change))
        assert named(spoiled.check(), "checkpoint of size 403", word), change
        spoiled.change(update(checkpoints).where(checkpoints.c.size == 403).values(rows[1]._asdict()))
    assert spoiled.check().good
    spoiled.change(delete(checkpoints).where(checkpoints.c.size == 403))
    assert named(spoiled.check(), "checkpoint of size 604", "size 403 before it is gone")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_bit_of_an_outside_checkpoint_counts(built: tuple[Path, Path], tmp_path: Path, at: int, bit: int) -> None:
    public = tmp_path / "public"
    shutil.rmtree(public, ignore_errors=True)
    shutil.copytree(built[1], public)
    path = sorted(one for one in public.rglob("*.note"))[at % 2]
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.chmod(0o644)
    path.write_bytes(data)
    from freehold.core.crypto import Identity

    _, problems = outside.signed_in([public], Identity.load(built[0] / "identity.key"))
    if not problems:
        assert named(verify_home(built[0], [public]), str(path))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_bit_of_tiles_and_notes_counts(built: tuple[Path, Path], tmp_path: Path, seed: int) -> None:
    spoiled = Spoiled(built, tmp_path / "copy")
    draw = random.Random(seed)
    with spoiled.engine.connect() as connection:
        if draw.random() < 0.5:
            one = draw.choice(connection.execute(select(audit_tiles)).all())
            where, name = (audit_tiles.c.level == one.level) & (audit_tiles.c.number == one.number), "hashes"
            table, data = audit_tiles, bytearray(one.hashes)
        else:
            one = draw.choice(connection.execute(select(checkpoints)).all())
            where, table, name = checkpoints.c.size == one.size, checkpoints, draw.choice(("note", "root"))
            data = bytearray(one.note.encode() if name == "note" else one.root)
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8 if name != "note" else 7)
    try:
        value = data.decode() if name == "note" else bytes(data)
    except UnicodeDecodeError:
        return
    spoiled.change(update(table).where(where).values({name: value}))
    assert not spoiled.check().good
    spoiled.engine.dispose()


def test_a_crash_between_intent_and_outcome_shows(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), opened(2), closed(2))
    load_once(home.path, home.engine, home.keys)
    home.write("e1", opened(3))  # the writer has not seen this one
    report = verify_home(home.path)
    assert (report.good, sorted(report.under_way)) == (True, [f"call_{call_id(n).hex()}" for n in (1, 3)])
    home.end("e1")  # the gateway is gone
    report = verify_home(home.path)
    assert (report.good, report.under_way) == (True, ())
    assert sorted(report.cut) == [f"call_{call_id(n).hex()}" for n in (1, 3)]
    load_once(home.path, home.engine, home.keys)
    report = verify_home(home.path)
    assert (report.good, sorted(report.cut)) == (True, [f"call_{call_id(n).hex()}" for n in (1, 3)])


def test_frames_that_are_taken_away_leave_an_intent_without_outcome(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), opened(2), closed(2))
    load_once(home.path, home.engine, home.keys)
    home.end("e1")
    shutil.rmtree(home.path / "journal" / "e1")
    with writing(home.engine) as connection:
        connection.execute(delete(pending))
    assert named(verify_home(home.path), f"intent of call_{call_id(1).hex()}", "has no outcome")


def test_damage_to_the_database_file_is_told(built: tuple[Path, Path], tmp_path: Path) -> None:
    spoiled = Spoiled(built, tmp_path)
    with spoiled.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoiled.engine.dispose()
    path = spoiled.path / "freehold.db"
    data = bytearray(path.read_bytes())
    draw = random.Random(3)
    for at in range(4096 * 10, len(data), 4096):
        if b"CREATE " not in data[at : at + 4096]:  # without the schema nothing is there to be read
            data[at + draw.randrange(8)] ^= 0xFF  # the headers of pages
    path.write_bytes(data)
    report = spoiled.check()
    assert not report.good


TABLES = ("calls", "attempts", "audit_entries", "audit_intents", "audit_tiles", "checkpoints")


def content(path: Path) -> object:
    """What a database says of the log; None where it cannot be read."""
    connection = sqlite3.connect(path)
    try:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        connection.close()


@pytest.fixture(scope="module")
def at_rest(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same, with all of it in one file."""
    home = Path(shutil.copytree(built[0], tmp_path_factory.mktemp("rest") / "home"))
    connection = sqlite3.connect(home / "freehold.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return home, built[1]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2**40), bit=st.integers(0, 7))
def test_no_bit_of_the_database_file_changes_the_log_unseen(
    at_rest: tuple[Path, Path], tmp_path: Path, at: int, bit: int
) -> None:
    home = tmp_path / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(at_rest[0], home)
    data = bytearray((home / "freehold.db").read_bytes())
    data[at % len(data)] ^= 1 << bit
    (home / "freehold.db").write_bytes(data)
    try:
        good = verify_home(home, [at_rest[1]]).good
    except Unavailable:
        good = False  # the revision of the schema was hit
    if good:
        assert content(home / "freehold.db") == content(at_rest[0] / "freehold.db")
