from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from freehold.core.crypto import Sealer
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, NotFound
from freehold.core.ids import as_text
from freehold.ledger import capture, store
from freehold.ledger.intake.loader import Pace
from freehold.ledger.tables import bodies
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, body, call_id, closed, opened

PLAIN = b'{"messages": [{"role": "user", "content": "a very private question"}]}' * 20


@pytest.fixture
def kept(home: Home) -> Home:
    home.begin("e1")
    sealer = home.keys.sealer
    for number in (0, 1, 3):  # 0 and 3 are of key_0, 1 is of key_1; all asked the same, each was answered differently
        home.write(
            "e1",
            opened(number),
            body(number, "request", PLAIN, sealer),
            body(number, "response", b"answer %d" % number, sealer),
            closed(number),
        )
    load_once(home.path, home.engine, home.keys, pace=Pace(retention_seconds=100.0))
    return home


def folder(home: Home) -> capture.Bodies:
    return capture.Bodies(home.path / "bodies", home.keys.sealer)


def files(home: Home) -> list[Path]:
    return [one for one in (home.path / "bodies").rglob("*") if one.is_file() and one.name != "lock"]


def opened_bodies(home: Home, number: int) -> dict[str, bytes]:
    with reading(home.engine) as connection:
        digests = store.body_digests(connection, as_text("call", call_id(number)))
    return {side: folder(home).open(digest) for side, digest in digests.items()}


def test_bodies_come_back_and_equal_ones_of_one_subject_are_one_file(kept: Home) -> None:
    assert opened_bodies(kept, 1) == {"request": PLAIN, "response": b"answer 1"}
    assert len(files(kept)) == 5


def test_files_are_compressed_sealed_and_private(kept: Home) -> None:
    for path in files(kept):
        data = path.read_bytes()
        assert b"private" not in data
        assert len(data) < len(PLAIN) / 2
        assert path.stat().st_mode & 0o077 == 0
        with pytest.raises(BadSignature):
            Sealer(bytes(32)).open(data, bytes.fromhex(path.name))


def test_names_of_files_tell_nothing_without_the_key(kept: Home) -> None:
    other = Sealer(bytes(32))
    assert {one.name for one in files(kept)}.isdisjoint({other.digest(b"body", PLAIN).hex()})


def test_a_changed_file_does_not_open(kept: Home) -> None:
    for path in files(kept):
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
    with pytest.raises(BadSignature):
        opened_bodies(kept, 1)


def test_erasing_a_call_leaves_a_tombstone_and_what_others_share(kept: Home) -> None:
    assert capture.erase_call(kept.engine, folder(kept), call_id(0), "asked for", START) == 2
    assert opened_bodies(kept, 0) == {}
    assert opened_bodies(kept, 3) == {"request": PLAIN, "response": b"answer 3"}
    assert len(files(kept)) == 4
    with reading(kept.engine) as connection:
        shown = store.show_call(connection, as_text("call", call_id(0)))
    assert [(one.side, one.erased_at, one.erased_why) for one in shown.bodies] == [
        ("request", START, "asked for"),
        ("response", START, "asked for"),
    ]
    assert capture.erase_call(kept.engine, folder(kept), call_id(0), "again", START) == 0


def test_erasing_a_key_takes_all_of_its_calls(kept: Home) -> None:
    assert capture.erase_key(kept.engine, folder(kept), "key_0", "left", START) == 4
    assert opened_bodies(kept, 0) == opened_bodies(kept, 3) == {}
    assert opened_bodies(kept, 1)["request"] == PLAIN
    assert len(files(kept)) == 2


def test_retention_ends_to_the_second(kept: Home) -> None:
    assert capture.expire(kept.engine, folder(kept), START + 99.9) == 0
    assert capture.expire(kept.engine, folder(kept), START + 100.02) == 4  # of calls 0 and 1, 10 ms apart
    assert opened_bodies(kept, 3)["request"] == PLAIN
    assert capture.expire(kept.engine, folder(kept), START + 1000) == 2
    assert files(kept) == []


def test_an_erasure_that_was_cut_short_is_finished_by_the_next(kept: Home) -> None:
    with writing(kept.engine) as connection:
        store.mark_erased(connection, store.bodies_of_call(call_id(1)), "cut", START, limit=10)
    assert len(files(kept)) == 5
    assert capture.expire(kept.engine, folder(kept), START) == 0
    assert len(files(kept)) == 3
    with reading(kept.engine) as connection:
        assert (
            list(connection.execute(select(bodies.c.digest).where(bodies.c.call == call_id(1))).scalars()) == [None] * 2
        )


def test_erasures_are_audited_without_naming_content(kept: Home) -> None:
    from freehold.ledger.audit.store import queued

    capture.erase_key(kept.engine, folder(kept), "key_0", "left", START)
    with reading(kept.engine) as connection:
        ((_, _, kind, _, content),) = queued(connection, 10)
    assert (kind, content) == ("bodies.erase", '{"count":4,"why":"left"}')


def test_what_was_sealed_with_another_key_is_noted_and_stops_nothing(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), body(1, "request", PLAIN, Sealer(bytes(32))), closed(1))
    load_once(home.path, home.engine, home.keys)
    with reading(home.engine) as connection:
        (found,) = store.show_call(connection, as_text("call", call_id(1))).bodies
    assert found.size == -1
    assert opened_bodies(home, 1) == {}


def test_a_body_of_one_call_does_not_pass_for_anothers(home: Home) -> None:
    home.begin("e1")
    moved = replace(body(1, "request", PLAIN, home.keys.sealer), call=call_id(2))
    home.write("e1", opened(2), moved, closed(2))
    load_once(home.path, home.engine, home.keys)
    assert opened_bodies(home, 2) == {}


def test_a_file_that_is_gone_is_not_found(kept: Home) -> None:
    for path in files(kept):
        path.unlink()
    with pytest.raises(NotFound):
        opened_bodies(kept, 1)
