"""Bodies in an S3-compatible store, against a real one: shipped once confirmed, never overwritten, really erased."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from freehold.core.db import reading
from freehold.core.errors import BadSignature, NotFound
from freehold.core.ids import as_text
from freehold.ledger import capture, store
from freehold.ledger.errors import SpoolFull, StoreAway
from freehold.ledger.intake.loader import Pace
from freehold.ledger.objects.carrier import Carrier, Plan, Shipped, standing
from freehold.ledger.objects.place import Access, Place
from freehold.ledger.objects.s3 import S3
from freehold.ledger.tables import bodies
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, body, call_id, closed, opened
from tests.objectstore import Seaweed

PLAIN = b'{"messages": [{"role": "user", "content": "planted-in-clear-0451"}]}' * 20
AT_ONCE = Plan(after_seconds=0.0)


@pytest.fixture
def place(seaweed: Seaweed) -> Place:
    return seaweed.bucket()


@pytest.fixture
def away(seaweed: Seaweed) -> Iterator[Seaweed]:
    """The server, ended at once; it answers again for whoever comes next."""
    seaweed.kill()
    yield seaweed
    if seaweed.process is None:
        seaweed.start()


def captured(home: Home, *numbers: int, epoch: str = "e1") -> None:
    home.begin(epoch)
    for number in numbers:
        asked = body(number, "request", PLAIN, home.keys.sealer)
        answered = body(number, "response", b"answer %d" % number, home.keys.sealer)
        home.write(epoch, opened(number), asked, answered, closed(number))
    load_once(home.path, home.engine, home.keys, pace=Pace(retention_seconds=100.0))


def stored(home: Home, seaweed: Seaweed, place: Place) -> capture.Bodies:
    return capture.Bodies(home.path / "bodies", home.keys.sealer, seaweed.store(place))


def carrier(home: Home, kept: capture.Bodies, place: Place, plan: Plan = AT_ONCE) -> Carrier:
    return Carrier(kept, place.url, plan, time.time, lambda: capture.finish(home.engine, kept))


def here(home: Home) -> list[Path]:
    return [one for one in (home.path / "bodies").glob("??/*") if len(one.name) == 64]


def read(home: Home, kept: capture.Bodies, number: int) -> dict[str, bytes]:
    with reading(home.engine) as connection:
        digests = store.body_digests(connection, as_text("call", call_id(number)))
    return {side: kept.open(digest) for side, digest in digests.items()}


def test_what_is_captured_waits_in_the_folder_and_goes_once_the_store_has_it(
    home: Home, seaweed: Seaweed, place: Place
) -> None:
    captured(home, 0, 1)
    kept = stored(home, seaweed, place)
    names = {f"{one.name[:2]}/{one.name}" for one in here(home)}
    assert read(home, kept, 1)["request"] == PLAIN
    assert carrier(home, kept, place, Plan(after_seconds=1e6)).round().waiting == 4
    told = carrier(home, kept, place).round()
    assert (told.waiting, told.error, told.full) == (0, "", False)
    assert standing(home.path) == told
    assert here(home) == []
    assert set(seaweed.store(place).names()) == names, "the folder's names, which tell nothing"
    assert read(home, kept, 1) == {"request": PLAIN, "response": b"answer 1"}
    assert b"planted-in-clear-0451" not in seaweed.bytes()


def test_a_wrong_secret_is_refused_and_nothing_goes(home: Home, seaweed: Seaweed, place: Place) -> None:
    captured(home, 0)
    kept = capture.Bodies(home.path / "bodies", home.keys.sealer, S3(place, Access("AKTEST", "another")))
    told = carrier(home, kept, place).round()
    assert "403 SignatureDoesNotMatch" in told.error
    assert told.waiting == len(here(home)) == 2
    assert "another" not in told.error


def test_a_retry_finds_its_own_and_never_overwrites_anything_else(home: Home, seaweed: Seaweed, place: Place) -> None:
    captured(home, 0)
    kept, store = stored(home, seaweed, place), seaweed.store(place)
    first, second = sorted(here(home))
    data = first.read_bytes()
    assert store.put(f"{first.name[:2]}/{first.name}", data) is None
    assert store.put(f"{first.name[:2]}/{first.name}", data) is None, "as after an answer that was lost"
    seaweed.raw(place, f"{second.name[:2]}/{second.name}", b"something else")
    ships = carrier(home, kept, place)
    told = ships.round()
    assert (told.waiting, told.strange, told.error) == (1, 1, "")
    assert here(home) == [second], "what the store does not have stays here"
    assert store.get(f"{second.name[:2]}/{second.name}") == b"something else"
    assert read(home, kept, 0) == {"request": PLAIN, "response": b"answer 0"}


def test_content_that_is_kept_again_is_shipped_again_and_stands_once(
    home: Home, seaweed: Seaweed, place: Place
) -> None:
    captured(home, 0)
    kept = stored(home, seaweed, place)
    ships = carrier(home, kept, place)
    ships.round()
    before = sorted(seaweed.store(place).names())
    captured(home, 3, epoch="e2")  # of the same key: its request is the same content
    assert len(here(home)) == 2
    assert ships.round().waiting == 0
    assert len(set(seaweed.store(place).names()) - set(before)) == 1
    assert read(home, kept, 3)["request"] == PLAIN


def test_while_the_store_is_away_nothing_is_lost(home: Home, away: Seaweed, seaweed: Seaweed) -> None:
    away.start()
    place = seaweed.bucket()
    captured(home, 0)
    kept = stored(home, seaweed, place)
    ships = carrier(home, kept, place)
    assert ships.round().waiting == 0
    away.kill()
    captured(home, 1, epoch="e2")
    told = ships.round()
    assert "does not answer" in told.error
    assert told.waiting == 2
    assert read(home, kept, 1)["request"] == PLAIN, "what waits is read here"
    with pytest.raises(StoreAway):  # not `NotFound`: it is kept
        read(home, kept, 0)
    away.start()
    assert until_shipped(ships).waiting == 0
    assert read(home, kept, 0)["response"] == b"answer 0"
    assert read(home, kept, 1)["response"] == b"answer 1"


def until_shipped(ships: Carrier) -> Shipped:
    end = time.monotonic() + 240
    while (told := ships.round()).error and time.monotonic() < end:
        time.sleep(0.05)
    return told


def test_a_server_killed_in_the_middle_of_uploads_has_them_all_in_the_end(home: Home, seaweed: Seaweed) -> None:
    place = seaweed.bucket()
    kept = stored(home, seaweed, place)
    plain = [b"%d planted-in-clear-0451" % number + bytes(range(256)) * 400 for number in range(400)]
    with kept.exclusive():
        digests = kept.put_all(plain)
    ships = carrier(home, kept, place)
    thread = threading.Thread(target=ships.round)
    thread.start()
    end = time.monotonic() + 240
    while len(here(home)) > 380 and time.monotonic() < end:
        time.sleep(0.001)
    seaweed.kill()
    thread.join(240)
    try:
        waiting = {one.name for one in here(home)}
    finally:
        seaweed.start()
    assert waiting
    assert until_shipped(ships).waiting == 0
    assert [kept.open(one) for one in digests] == plain
    assert len(list(seaweed.store(place).names())) == 400
    assert b"planted-in-clear-0451" not in seaweed.bytes()


def test_erasing_erases_in_the_store_what_nobody_else_needs(home: Home, seaweed: Seaweed, place: Place) -> None:
    captured(home, 0, 1, 3)
    kept = stored(home, seaweed, place)
    carrier(home, kept, place).round()
    assert len(list(seaweed.store(place).names())) == 5
    assert capture.erase_call(home.engine, kept, call_id(0), "asked for", START) == 2
    assert len(list(seaweed.store(place).names())) == 4
    assert read(home, kept, 0) == {}
    assert read(home, kept, 3)["request"] == PLAIN, "another call of that key holds the same"
    assert capture.expire(home.engine, kept, START + 1000) == 4
    assert list(seaweed.store(place).names()) == []


def test_a_bucket_that_keeps_versions_keeps_none_of_what_is_erased(home: Home, seaweed: Seaweed) -> None:
    place = seaweed.bucket(versions=True)
    captured(home, 0)
    kept = stored(home, seaweed, place)
    carrier(home, kept, place).round()
    assert seaweed.versions(place) == 2
    capture.expire(home.engine, kept, START + 1000)
    assert seaweed.versions(place) == 0


def test_what_is_erased_while_the_store_is_away_goes_when_it_is_back(home: Home, seaweed: Seaweed) -> None:
    place = seaweed.bucket()
    captured(home, 0)
    kept = stored(home, seaweed, place)
    ships = carrier(home, kept, place)
    ships.round()
    seaweed.kill()
    try:
        with pytest.raises(StoreAway):
            capture.erase_call(home.engine, kept, call_id(0), "asked for", START)
        assert read(home, kept, 0) == {}, "nobody reads it any more"
    finally:
        seaweed.start()
    assert until_shipped(ships).error == ""
    assert list(seaweed.store(place).names()) == []
    with reading(home.engine) as connection:
        assert list(connection.execute(select(bodies.c.digest)).scalars()) == [None, None]


def test_what_is_kept_anew_while_its_like_is_erased_stays(
    home: Home, seaweed: Seaweed, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured(home, 0)
    kept = stored(home, seaweed, place)
    carrier(home, kept, place).round()
    real = S3.delete
    fresh = iter(["e2"])

    def slow(self: S3, name: str) -> None:
        for epoch in fresh:
            captured(home, 3, epoch=epoch)  # the same content, while the store deletes
        real(self, name)

    monkeypatch.setattr(S3, "delete", slow)
    capture.erase_call(home.engine, kept, call_id(0), "asked for", START)
    carrier(home, kept, place).round()
    assert read(home, kept, 3) == {"request": PLAIN, "response": b"answer 3"}
    assert len(list(seaweed.store(place).names())) == 2


def test_a_full_spool_takes_no_more_and_says_so(home: Home, away: Seaweed, seaweed: Seaweed) -> None:
    captured(home, 0)
    place = Place(bucket="bodies-away", endpoint=seaweed.endpoint)
    kept = stored(home, seaweed, place)
    told = carrier(home, kept, place, Plan(after_seconds=0.0, bound_bytes=1)).round()
    assert told.full
    with kept.exclusive(), pytest.raises(SpoolFull):
        kept.put_all([b"an import"])
    captured(home, 1, epoch="e2")
    with reading(home.engine) as connection:
        shown = store.show_call(connection, as_text("call", call_id(1))).bodies
    assert [one.size for one in shown] == [-1, -1], "noted, and not kept"
    assert read(home, kept, 0)["request"] == PLAIN
    assert not carrier(home, kept, place).round().full
    captured(home, 4, epoch="e3")
    assert read(home, kept, 4)["request"] == PLAIN


def test_settings_that_name_no_store_or_another_do_not_make_bodies_seem_erased(
    home: Home, seaweed: Seaweed, place: Place
) -> None:
    captured(home, 0)
    kept = stored(home, seaweed, place)
    carrier(home, kept, place).round()
    for other in (
        capture.Bodies(home.path / "bodies", home.keys.sealer),
        stored(home, seaweed, seaweed.bucket()),
    ):
        with pytest.raises(StoreAway, match="does not name"):
            read(home, other, 0)
    with pytest.raises(StoreAway):
        capture.expire(home.engine, other, START + 1000)
    capture.expire(home.engine, kept, START + 1000)
    assert list(seaweed.store(place).names()) == []


def test_a_changed_object_does_not_open_and_one_that_is_gone_is_not_found(
    home: Home, seaweed: Seaweed, place: Place
) -> None:
    captured(home, 0)
    kept, store = stored(home, seaweed, place), seaweed.store(place)
    carrier(home, kept, place).round()
    for name in list(store.names()):
        data = store.get(name)
        assert data is not None
        seaweed.raw(place, name, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BadSignature):
        read(home, kept, 0)
    for name in list(store.names()):
        store.delete(name)
    with pytest.raises(NotFound):
        read(home, kept, 0)
