"""Legal holds, erasure of subjects, retention by class: what goes, what stays, and that the log stays whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, select, update

from freehold.core.crypto import Sealer
from freehold.core.db import reading, writing
from freehold.core.errors import NotFound
from freehold.core.ids import as_text
from freehold.ledger import capture, store
from freehold.ledger.audit import export, log, offline
from freehold.ledger.audit.exported import verify_export
from freehold.ledger.audit.leaves import gathered, spread
from freehold.ledger.audit.offline import verify_home
from freehold.ledger.errors import Erased, Held
from freehold.ledger.intake.loader import Pace
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.erasing import Gone, Order, erase_subject
from freehold.ledger.keeping.holds import Hold, Scope
from freehold.ledger.tables import bodies, calls
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, body, call_id, closed, opened
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

PERSON = "person/blue/ann"
PACE = Pace(retention_seconds=100.0, retention_classes=(("confidential", 50.0), ("HIPAA", 500.0), ("PCI", 20.0)))


def write(home: Home, numbers: range, subject: str = "", label: str = "internal") -> None:
    for number in numbers:
        for side, plain in (("request", b"my name is %d" % number), ("response", b"hello %d" % number)):
            frame = msgspec.structs.replace(body(number, side, plain, home.keys.sealer), label=label)
            if side == "request":
                home.write("e1", opened(number, subject=subject, team="blue", label=label))
            home.write("e1", frame)
        home.write("e1", closed(number))


@pytest.fixture
def kept(home: Home) -> Home:
    home.begin("e1")
    write(home, range(6))
    write(home, range(6, 12), "ann")
    write(home, range(12, 15), "bob")
    load(home)
    return home


def load(home: Home) -> None:
    load_once(home.path, home.engine, home.keys, pace=PACE)


def folder(home: Home) -> capture.Bodies:
    return capture.Bodies(home.path / "bodies", home.keys.sealer)


def erase(home: Home, subject: str = PERSON) -> Gone:
    found = folder(home)
    gone = erase_subject(home.engine, found, Order(found.subjects.name(subject), "asked to", "owner"), START + 50)
    load(home)
    return gone


def contents(home: Home, number: int) -> dict[str, bytes]:
    with reading(home.engine) as connection:
        digests = store.body_digests(connection, as_text("call", call_id(number)))
    return {side: folder(home).open(digest) for side, digest in digests.items()}


def hold(home: Home, **scope: object) -> Hold:
    made = Hold(raw=bytes(15) + b"7", made_at=START, made_by="counsel", why="case 12", scope=Scope(**scope))
    with writing(home.engine) as connection:
        keeping.insert_hold(connection, made)
    return made


def release(home: Home, made: Hold) -> None:
    with writing(home.engine) as connection:
        keeping.release_hold(connection, msgspec.structs.replace(made, released_at=START, released_by="counsel"))


def test_an_erased_person_is_gone_and_the_log_is_whole(kept: Home, tmp_path: Path) -> None:
    receipt = log.receipt_of_call(kept.engine, kept.keys.identity, kept.salts, as_text("call", call_id(7)))
    key = folder(kept).subjects.key(folder(kept).subjects.name(PERSON))
    assert erase(kept) == Gone(6, 12)
    report = verify_home(kept.path)
    assert (report.good, report.erased, report.problems) == (True, 6, ())
    for number in range(6, 12):
        assert contents(kept, number) == {}
    assert contents(kept, 5)["request"] == b"my name is 5"
    assert contents(kept, 12)["request"] == b"my name is 12"
    with reading(kept.engine) as connection:
        row, _ = store.call_rows(connection, call_id(7))
    assert (row["subject"], row["request_sha256"], row["response_sha256"]) == ("", b"", b"")
    assert row["cost"] > 0, "what it cost stays"
    with pytest.raises(Erased):
        log.receipt_of_call(kept.engine, kept.keys.identity, kept.salts, as_text("call", call_id(7)))
    files = [one for one in kept.path.rglob("*") if one.is_file()]
    assert not [one for one in files if bytes.fromhex(receipt.salt) in one.read_bytes()]
    sealer = kept.keys.sealer
    name = folder(kept).subjects.name(PERSON)
    for one in (kept.path / "subjects").rglob("*"):
        if one.is_file() and one.name != "lock":
            with pytest.raises(Exception, match="do not open"):
                assert sealer.open(one.read_bytes(), name.encode()) != key
    export.write(kept.path, tmp_path / "export")
    assert verify_export(tmp_path / "export", [], kept.keys.identity.public).good
    with pytest.raises(Erased):
        offline.statement_at(kept.path, row["leaf"])


def test_bodies_in_a_backup_do_not_open_once_the_key_is_destroyed(kept: Home) -> None:
    with reading(kept.engine) as connection:
        digests = store.body_digests(connection, as_text("call", call_id(7)))
    backup = shutil.copytree(kept.path / "bodies", kept.path.parent / "backup")
    erase(kept)
    shutil.copytree(backup, kept.path / "bodies", dirs_exist_ok=True)
    with pytest.raises(NotFound, match="destroyed"):
        folder(kept).open(digests["request"])


def test_what_is_left_of_an_erased_row_cannot_change(kept: Home) -> None:
    erase(kept)
    with writing(kept.engine) as connection:
        connection.execute(update(calls).where(calls.c.id == call_id(7)).values(cost=calls.c.cost + 1))
    (problem,) = verify_home(kept.path).problems
    assert "what is left of its rows" in problem.message


def test_nothing_can_pass_for_erased(kept: Home) -> None:
    with writing(kept.engine) as connection:
        connection.execute(update(calls).where(calls.c.id == call_id(7)).values(subject=""))
    (problem,) = verify_home(kept.path).problems
    assert "no erasure of it is logged" in problem.message


def test_calls_about_them_that_come_later_get_a_new_key(kept: Home) -> None:
    erase(kept)
    write(kept, range(20, 23), "ann")
    load(kept)
    assert verify_home(kept.path).good
    assert contents(kept, 21)["request"] == b"my name is 21"
    log.receipt_of_call(kept.engine, kept.keys.identity, kept.salts, as_text("call", call_id(21)))
    assert erase(kept) == Gone(3, 6)
    assert verify_home(kept.path).good


def test_a_writer_that_lives_on_uses_no_destroyed_key(kept: Home) -> None:
    from freehold.ledger.intake.loader import Loader

    loader = Loader(kept.path, kept.engine, kept.keys, lambda: START, PACE)
    write(kept, range(20, 21), "ann")
    loader.load()
    found = folder(kept)
    erase_subject(kept.engine, found, Order(found.subjects.name(PERSON), "asked to", "owner"), START)
    write(kept, range(21, 22), "ann")
    loader.load()
    loader.tend(final=True)
    report = verify_home(kept.path)
    assert (report.good, report.erased) == (True, 7), report.problems


def test_an_erasure_cut_short_anywhere_is_finished_by_the_next(home: Home) -> None:
    home.begin("e1")
    write(home, range(4), "ann")
    load(home)
    pristine = shutil.copytree(home.path, home.path.parent / "pristine")
    cut = 0
    while True:
        home.engine.dispose()
        shutil.rmtree(home.path)
        shutil.copytree(pristine, home.path)
        left = [cut]

        def count(*_: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        event.listen(home.engine, "before_cursor_execute", count)
        try:
            found = folder(home)
            erase_subject(home.engine, found, Order(found.subjects.name(PERSON), "asked to", "owner"), START)
            break
        except KeyboardInterrupt:
            pass
        finally:
            event.remove(home.engine, "before_cursor_execute", count)
        assert verify_home(home.path).good, cut
        erase(home)
        report = verify_home(home.path)
        assert (report.good, report.erased) == (True, 4), (cut, report.problems)
        assert not list((home.path / "subjects" / "doomed").iterdir())
        assert contents(home, 2) == {}
        cut += 3
    assert cut > 6


SCOPES: tuple[tuple[str, Callable[[Home], dict[str, object]]], ...] = (
    ("call", lambda home: {"call": call_id(7).hex()}),
    ("everything", lambda home: {}),
    ("key", lambda home: {"key": "key_1"}),
    ("since", lambda home: {"since": START + 0.065, "until": START + 0.08}),
    ("subject", lambda home: {"subject": folder(home).subjects.name(PERSON)}),
    ("team", lambda home: {"team": "blue"}),
    ("workflow", lambda home: {"workflow": "w2"}),
)


@pytest.mark.parametrize(("name", "scope"), SCOPES)
def test_what_is_held_is_erased_by_nobody(kept: Home, name: str, scope: Callable[[Home], dict[str, object]]) -> None:
    made = hold(kept, **scope(kept))
    for attempt in (
        lambda: erase(kept),
        lambda: capture.erase_call(kept.engine, folder(kept), call_id(7), "asked", START),
        lambda: capture.erase_key(kept.engine, folder(kept), "key_1", "asked", START),
    ):
        with pytest.raises(Held, match=r"hold_0+37 by counsel \(case 12\)"):
            attempt()
    capture.expire(kept.engine, folder(kept), START + 10_000)
    assert contents(kept, 7) == {"request": b"my name is 7", "response": b"hello 7"}
    release(kept, made)
    capture.expire(kept.engine, folder(kept), START + 10_000)
    assert contents(kept, 7) == {}
    assert erase(kept).calls == 6


def test_what_a_hold_does_not_cover_goes(kept: Home) -> None:
    hold(kept, call=call_id(7).hex())
    capture.expire(kept.engine, folder(kept), START + 10_000)
    with reading(kept.engine) as connection:
        left = connection.execute(select(bodies.c.call).where(bodies.c.erased_at.is_(None)).distinct()).scalars().all()
    assert left == [call_id(7)]
    assert erase(kept, "person/blue/bob").calls == 3


def test_retention_follows_the_shortest_class_of_the_label(home: Home) -> None:
    home.begin("e1")
    labels = ("internal", "confidential", "internal:HIPAA", "confidential:HIPAA", "restricted:HIPAA,PCI", "unknown")
    for number, label in enumerate(labels):
        write(home, range(number, number + 1), label=label)
    load(home)
    with reading(home.engine) as connection:
        rows = connection.execute(select(bodies.c.call, bodies.c.retention_until, bodies.c.kept_at)).all()
    terms = {one.call: round(one.retention_until - one.kept_at) for one in rows}
    assert [terms[call_id(number)] for number in range(6)] == [100, 50, 500, 50, 20, 100]


def test_spans_of_leaves_read_back() -> None:
    assert gathered([3, 7, 8, 9, 11]) == "3,7-9,11"
    assert spread("3,7-9,11") == (3, 7, 8, 9, 11)
    assert spread(gathered([])) == ()


def test_names_of_subjects_tell_nothing(kept: Home) -> None:
    found = folder(kept).subjects
    assert found.name(PERSON) != found.name("person/red/ann")
    assert capture.Bodies(kept.path / "bodies", Sealer(bytes(32))).subjects.name(PERSON) != found.name(PERSON)
    data = b"".join(one.read_bytes() for one in (kept.path / "subjects").rglob("*") if one.is_file())
    names = [one.name for one in (kept.path / "subjects").rglob("*")]
    assert b"ann" not in data
    assert not [one for one in names if "ann" in one]
