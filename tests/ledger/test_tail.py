from __future__ import annotations

from freehold.ledger.frames import Refused
from freehold.ledger.intake import tail
from freehold.ledger.journal import pack
from tests.ledger.sample import Home, refused


def numbers(frames: list[Refused]) -> list[int]:
    return [int.from_bytes(one.call[-4:], "big") for one in frames]


def test_reads_on_from_a_position(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", refused(1), refused(2))
    first = tail.look(folder, 1, 0, 1 << 20)
    assert numbers(first.frames) == [1, 2]
    home.write("e1", refused(3))
    second = tail.look(folder, first.segment, first.offset, 1 << 20)
    assert numbers(second.frames) == [3]
    nothing = tail.look(folder, second.segment, second.offset, 1 << 20)
    assert (nothing.frames, nothing.offset, nothing.finished) == ([], second.offset, False)


def test_a_limit_bounds_what_is_read_at_once(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", *[refused(number) for number in range(100)])
    size = len(pack(refused(1)))
    assert len(tail.look(folder, 1, 0, size * 10).frames) == 10


def test_goes_on_to_the_next_segment_once_one_is_read(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", refused(1), segment=4)
    home.write("e1", refused(2), segment=5)
    start = tail.first_segment(folder)
    one = tail.look(folder, start, 0, 1 << 20)
    two = tail.look(folder, one.segment, one.offset, 1 << 20)
    assert [numbers(one.frames), numbers(two.frames), two.segment] == [[1], [2], 5]
    assert [path.name for path in tail.loaded_segments(folder, 5)] == ["00000004.journal"]
    assert [path.name for path in tail.open_segments(folder, 5)] == ["00000005.journal"]


def test_what_was_torn_off_at_a_segments_end_is_passed_over(home: Home) -> None:
    folder = home.begin("e1")
    home.write_raw("e1", pack(refused(1)) + pack(refused(2))[:-1])
    one = tail.look(folder, 1, 0, 1 << 20)
    assert numbers(one.frames) == [1]
    home.write("e1", refused(3), segment=2)
    assert numbers(tail.look(folder, 1, one.offset, 1 << 20).frames) == [3]


def test_an_epoch_is_finished_when_nobody_holds_it_and_all_is_read(home: Home) -> None:
    folder = home.begin("e1")
    home.write("e1", refused(1))
    home.end("e1")
    one = tail.look(folder, 1, 0, 1 << 20)
    assert not one.finished
    assert tail.look(folder, one.segment, one.offset, 1 << 20).finished


def test_removal_that_was_cut_short_can_be_repeated(home: Home) -> None:
    folder = home.begin("e1")
    home.end("e1")
    (folder / "lock").unlink()
    assert tail.epochs_in(home.path / "journal") == ["e1"]
    assert tail.look(folder, 1, 0, 1 << 20).finished
    tail.remove(folder)
    assert tail.epochs_in(home.path / "journal") == []
