"""Shipped journals: whatever is cut, repeated or comes late, the primary has the replica's bytes once."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadRequest, Conflict
from freehold.ledger.journal import REMOTE, epoch_over, pack, segment_name, unpack
from freehold.ledger.shipping.dispatch import Dispatch
from freehold.ledger.shipping.messages import Over, Parcel, Position
from freehold.ledger.shipping.shelf import Shelf
from tests.ledger.sample import opened

EPOCH = "0" * 31 + "1"


class Replica:
    """An epoch written by hand, whose gateway lives until `end`."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "journal" / EPOCH
        self.folder.mkdir(parents=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def write(self, segment: int, data: bytes) -> None:
        with (self.folder / segment_name(segment)).open("ab") as file:
            file.write(data)

    def end(self) -> None:
        os.close(self._lock)


def deliver(shelf: Shelf, message: Parcel | Over) -> Position:
    return shelf.append("r1", message) if isinstance(message, Parcel) else shelf.end("r1", message)


def ship(shelf: Shelf, dispatch: Dispatch) -> bool:
    """Until there is nothing to send; did the epoch end?"""
    dispatch.answered(shelf.begin("r1", EPOCH))
    while (message := dispatch.next()) is not None:
        if dispatch.answered(deliver(shelf, message)):
            return True
    return False


def same(home: Path, expected: dict[str, bytes]) -> bool:
    """Are these the segments, without a gap? The last ones may be missing where they are empty."""
    found = bytes_of(home)
    return found == {name: expected[name] for name in sorted(expected)[: len(found)]} and not any(
        data for name, data in expected.items() if name not in found
    )


def bytes_of(home: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (home / "journal" / EPOCH).glob("*.journal")}


pieces = st.lists(
    st.tuples(st.lists(st.integers(0, 50), max_size=4), st.lists(st.floats(0, 1), max_size=3), st.booleans()),
    min_size=1,
    max_size=5,
)


@given(pieces)
def test_any_cuts_and_repetitions_give_the_same_bytes(parts: list[tuple[list[int], list[float], bool]]) -> None:
    """Each part is a segment: its frames, at which parts of what was sent the connection broke, a torn tail."""
    with tempfile.TemporaryDirectory() as folder:
        near, far = Path(folder, "near"), Path(folder, "far")
        replica = Replica(near)
        told: list[Parcel] = []
        expected: dict[str, bytes] = {}
        for number, (frames, cuts, torn) in enumerate(parts, 1):
            data = b"".join(pack(opened(one)) for one in frames)
            replica.write(number, data + (pack(opened(1))[:-3] if torn else b""))
            expected[segment_name(number)] = data
            for cut in cuts:  # a connection that breaks after some bytes: the dock wrote them, and its word was lost
                lost = Dispatch(replica.folder)
                lost.answered(Shelf(far).begin("r1", EPOCH))
                message = lost.next()
                if isinstance(message, Parcel):
                    short = Parcel(EPOCH, message.segment, message.offset, message.data[: int(cut * len(message.data))])
                    Shelf(far).append("r1", short)
                    told.append(message)
            assert not ship(Shelf(far), Dispatch(replica.folder))  # its gateway lives
            for late in told:
                Shelf(far).append("r1", late)
        assert same(far, expected)
        replica.end()
        assert ship(Shelf(far), Dispatch(replica.folder))
        assert not replica.folder.exists()
        assert same(far, expected)
        assert not (far / "journal" / EPOCH / REMOTE).exists()


def test_segments_the_loader_removed_do_not_begin_anew(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "near")
    shelf, dispatch = Shelf(tmp_path / "far"), Dispatch(replica.folder)
    replica.write(1, pack(opened(1)))
    replica.write(2, pack(opened(2)))
    ship(shelf, dispatch)
    assert not (replica.folder / segment_name(1)).exists()  # shipped whole, and closed
    (tmp_path / "far" / "journal" / EPOCH / segment_name(1)).unlink()  # as the loader does
    late = Parcel(EPOCH, 1, 0, pack(opened(1)))
    assert Shelf(tmp_path / "far").append("r1", late) == Position(EPOCH, 2, len(pack(opened(2))))
    assert set(bytes_of(tmp_path / "far")) == {segment_name(2)}
    replica.end()


def test_an_epoch_that_ended_is_not_made_anew(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "near")
    replica.write(1, pack(opened(1)))
    replica.end()
    far = tmp_path / "far"
    assert ship(Shelf(far), Dispatch(replica.folder))
    assert epoch_over(far / "journal" / EPOCH)
    (far / "journal" / EPOCH / segment_name(1)).unlink()
    (far / "journal" / EPOCH).rmdir()  # loaded
    assert Shelf(far).append("r1", Parcel(EPOCH, 1, 0, pack(opened(1)))).ended
    assert not (far / "journal" / EPOCH).exists()


def test_a_remote_epoch_is_not_over_while_bytes_are_missing(tmp_path: Path) -> None:
    far = tmp_path / "far"
    shelf = Shelf(far)
    shelf.append("r1", Parcel(EPOCH, 1, 0, pack(opened(1))))
    size = len(pack(opened(1)))
    assert shelf.end("r1", Over(EPOCH, 1, size + 1)) == Position(EPOCH, 1, size)
    assert shelf.end("r1", Over(EPOCH, 2, 0)) == Position(EPOCH, 1, size)
    assert not epoch_over(far / "journal" / EPOCH)
    assert shelf.end("r1", Over(EPOCH, 1, size)).ended
    assert epoch_over(far / "journal" / EPOCH)


def test_a_hole_is_not_written(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert shelf.append("r1", Parcel(EPOCH, 1, 8, b"later")) == Position(EPOCH, 0, 0)
    shelf.append("r1", Parcel(EPOCH, 1, 0, b"1234"))
    assert shelf.append("r1", Parcel(EPOCH, 1, 8, b"later")) == Position(EPOCH, 1, 4)
    assert shelf.append("r1", Parcel(EPOCH, 3, 0, b"later")) == Position(EPOCH, 1, 4)
    assert bytes_of(tmp_path) == {segment_name(1): b"1234"}


def test_two_writers_of_one_epoch_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.append("r1", Parcel(EPOCH, 1, 0, b"1234"))
    with pytest.raises(Conflict):
        shelf.append("r2", Parcel(EPOCH, 1, 4, b"5678"))
    with pytest.raises(Conflict):
        shelf.end("r2", Over(EPOCH, 1, 4))
    with pytest.raises(Conflict):
        shelf.append("r1", Parcel(EPOCH, 1, 0, b"9999"))
    assert bytes_of(tmp_path) == {segment_name(1): b"1234"}


def test_an_epoch_of_the_primary_is_not_written_by_a_replica(tmp_path: Path) -> None:
    local = Replica(tmp_path)
    with pytest.raises(Conflict):
        Shelf(tmp_path).append("r1", Parcel(EPOCH, 1, 0, b"1234"))
    local.end()


@pytest.mark.parametrize("name", ["", ".", "../../etc", "batch-1", EPOCH[1:], f"{EPOCH}\n"])
def test_names_no_gateway_gives_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        Shelf(tmp_path).begin("r1", name)


def test_half_a_write_that_is_taken_back_was_never_sent(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "near")
    shelf, dispatch = Shelf(tmp_path / "far"), Dispatch(replica.folder)
    whole = pack(opened(1))
    replica.write(1, whole + pack(opened(2))[:-1])
    ship(shelf, dispatch)
    assert bytes_of(tmp_path / "far") == {segment_name(1): whole}
    os.truncate(replica.folder / segment_name(1), len(whole))
    replica.write(2, pack(opened(2)))
    ship(shelf, dispatch)
    found = b"".join(one for _, one in sorted(bytes_of(tmp_path / "far").items()))
    assert len(unpack(found)[0]) == 2
    replica.end()
