"""The journal: what is read back is always a prefix of what was written, whatever happened to the end of the file."""

from __future__ import annotations

import errno
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import JournalUnavailable
from freehold.ledger import journal as module
from freehold.ledger.frames import Attempt, Body, Close, Open, Refused, Tried
from freehold.ledger.journal import Journal, epoch_over, pack, read_segment, segment_name, unpack
from freehold.ledger.meter import Usage

CALLS = st.binary(min_size=16, max_size=16)
MONEY = st.decimals(0, 100, places=9)
TEXT = st.text(max_size=12)
TIMES = st.floats(0, 2e9)
OPENS = st.builds(
    Open, CALLS, TIMES, TEXT, TEXT, TEXT, TEXT, st.booleans(), TEXT, TEXT, TEXT, st.integers(0, 9), st.integers(0, 9),
    MONEY, st.tuples(TEXT), st.binary(max_size=32),
)  # fmt: skip
TRIED = st.builds(
    Tried,
    st.integers(1, 9),
    TEXT,
    TIMES,
    st.none() | TIMES,
    TIMES,
    TEXT,
    st.integers(0, 599),
    st.just(Usage(7, 3)),
    MONEY,
)
CLOSES = st.builds(
    Close,
    CALLS,
    TIMES,
    TEXT,
    st.integers(0, 599),
    MONEY,
    st.tuples(TRIED),
    st.binary(max_size=32),
    st.integers(0, 1 << 40),
)
FRAMES = (
    OPENS
    | CLOSES
    | st.builds(Attempt, CALLS, TIMES, st.integers(1, 9), TEXT, MONEY)
    | st.builds(
        Refused,
        CALLS,
        TIMES,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        st.integers(400, 599),
        TEXT,
        st.integers(0, 9),
        st.integers(0, 9),
    )
    | st.builds(Body, CALLS, TIMES, TEXT, st.binary(max_size=300), TEXT)
)
MANY = st.lists(FRAMES, max_size=8)


def total(frames: list) -> Decimal:
    return sum((one.cost for one in frames if isinstance(one, Close)), Decimal(0))


@given(MANY)
def test_frames_read_back_as_written(frames: list) -> None:
    data = b"".join(map(pack, frames))
    assert unpack(data) == (frames, len(data))


@given(MANY, st.data())
def test_any_prefix_gives_a_prefix_of_frames_and_of_totals(frames: list, draw) -> None:
    data = b"".join(map(pack, frames))
    cut = draw.draw(st.integers(0, len(data)))
    found, used = unpack(data[:cut])
    assert found == frames[: len(found)]
    assert used == len(b"".join(map(pack, found))) <= cut
    assert total(found) == total(frames[: len(found)]) <= total(frames)
    # Reading on from there with the rest gives the rest, nothing twice.
    assert found + unpack(data[used:])[0] == frames


@given(MANY, st.binary(max_size=80) | st.integers(0, 200).map(bytes))
def test_a_torn_or_zeroed_tail_is_no_frame(frames: list, tail: bytes) -> None:
    data = b"".join(map(pack, frames))
    found, used = unpack(data + tail)
    assert (found, used) == (frames, len(data))


@given(st.lists(FRAMES, min_size=1, max_size=6), st.data())
def test_flipped_bytes_end_the_reading_and_never_give_another_frame(frames: list, draw) -> None:
    data = bytearray(b"".join(map(pack, frames)))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    found, used = unpack(bytes(data))
    assert found == frames[: len(found)]
    assert used <= at


@given(st.lists(FRAMES, min_size=1, max_size=8), st.integers(1, 400))
def test_a_segment_read_in_bites_gives_the_same_frames(tmp_path_factory, frames: list, bite: int) -> None:
    path = tmp_path_factory.mktemp("j") / segment_name(1)
    path.write_bytes(b"".join(map(pack, frames)) + b"\x00" * 11)
    found, offset = [], 0
    while True:
        some, after = read_segment(path, offset, bite)
        if not some:
            break
        found += some
        offset = after
    assert found == frames


# The writing side

REFUSED = Refused(b"c" * 16, 1.0, "k", "t", "r", "d", "l", "", 400, "FH-REQ-001", 1, 1)


class Turn:
    """A loop's `call_soon`, by hand."""

    def __init__(self) -> None:
        self.soon: list = []

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()


@pytest.fixture
def turn() -> Turn:
    return Turn()


@pytest.fixture
def journal(tmp_path: Path, turn: Turn):
    made = Journal(tmp_path, "epoch", turn.soon.append)
    yield made
    made.close()


def written(folder: Path) -> list:
    found = []
    for path in sorted(folder.glob("*.journal")):
        found += read_segment(path)[0]
    return found


def test_frames_of_one_turn_are_written_together_before_anyone_is_told(
    journal: Journal, turn: Turn, monkeypatch
) -> None:
    writes, told = [], []
    monkeypatch.setattr(module.os, "write", lambda handle, data: writes.append(data) or len(data))
    for _ in range(3):
        journal.add(REFUSED, lambda failed: told.append((failed, len(writes))))
    assert not writes and not told
    turn.run()
    assert len(writes) == 1 and len(unpack(writes[0])[0]) == 3
    assert told == [(None, 1)] * 3


def test_short_writes_are_finished(journal: Journal, turn: Turn, monkeypatch) -> None:
    true = os.write
    monkeypatch.setattr(module.os, "write", lambda handle, data: true(handle, data[:7]))
    journal.add(REFUSED)
    turn.run()
    assert written(journal.folder) == [REFUSED]


def test_a_full_disk_is_told_and_leaves_no_half_frame(journal: Journal, turn: Turn, monkeypatch) -> None:
    true_write, true_open, room = os.write, os.open, [40]

    def write(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = true_write(handle, data[: room[0]])
        room[0] -= done
        return done

    def open_(path, flags, mode=0o777):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return true_open(path, flags, mode)

    told: list = []
    journal.add(REFUSED)
    turn.run()
    monkeypatch.setattr(module.os, "write", write)
    monkeypatch.setattr(module.os, "open", open_)
    for _ in range(3):  # the second and third cannot even begin a new segment
        journal.add(REFUSED, told.append)
        turn.run()
        assert journal.broken
    assert [type(one) for one in told] == [JournalUnavailable] * 3
    assert sum(one.stat().st_size for one in journal.folder.glob("*.journal")) == len(pack(REFUSED))
    room[0] = 1 << 20
    journal.add(REFUSED, told.append)
    turn.run()
    assert told[-1] is None and not journal.broken
    assert written(journal.folder) == [REFUSED] * 5  # what the full disk did not take is told late, not lost
    assert len(list(journal.folder.glob("*.journal"))) == 2  # what was cut may have been read: it is not reused


def test_a_defect_in_one_waiting_function_does_not_keep_the_others_from_being_told(tmp_path: Path, turn: Turn) -> None:
    defects: list = []
    journal = Journal(tmp_path, "other", turn.soon.append, defects.append)
    told: list = []
    journal.add(REFUSED, lambda failed: 1 / 0)
    journal.add(REFUSED, told.append)
    turn.run()
    assert told == [None] and [type(one) for one in defects] == [ZeroDivisionError]
    journal.close()


def test_segments_rotate_and_sort(journal: Journal, turn: Turn, monkeypatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    for _ in range(12):
        journal.add(REFUSED)
        turn.run()
    names = sorted(one.name for one in journal.folder.glob("*.journal"))
    assert len(names) > 2 and names == [segment_name(i + 1) for i in range(len(names))]
    assert written(journal.folder) == [REFUSED] * 12


def test_an_epoch_is_over_once_its_gateway_is_gone_and_never_taken_twice(tmp_path: Path, turn: Turn) -> None:
    journal = Journal(tmp_path, "one", turn.soon.append)
    assert not epoch_over(journal.folder)
    with pytest.raises(JournalUnavailable):
        Journal(tmp_path, "one", turn.soon.append)
    journal.close()
    assert epoch_over(journal.folder)


def test_frames_of_a_budget_are_exact_also_where_the_journal_is_not_strict(tmp_path: Path, turn: Turn) -> None:
    journal, told = Journal(tmp_path, "loose", turn.soon.append, strict=False), []
    journal.add(REFUSED, told.append)
    turn.run()
    assert told == [None] and written(journal.folder) == []
    journal.add(REFUSED, lambda failed: told.append(len(written(journal.folder))), exact=True)
    turn.run()
    assert told == [None, 2]
    journal.add(REFUSED)
    turn.run()
    assert len(written(journal.folder)) == 2  # exactness is a frame's, not the journal's from then on
    journal.close()
