from __future__ import annotations

from decimal import Decimal

from freehold.core.crypto import Sealer
from freehold.core.money import ZERO
from freehold.ledger.intake.join import Join
from tests.ledger.sample import attempt, body, call_id, closed, opened, refused


def test_a_call_is_its_frames_in_order() -> None:
    join = Join()
    assert join.feed([opened(1), opened(2), attempt(1)]).ended == []
    (ended,) = join.feed([closed(1)]).ended
    assert ended.begun == [opened(1), attempt(1)]
    assert ended.close == closed(1)
    assert set(join.open) == {call_id(2)}


def test_refused_calls_and_bodies_pass_through() -> None:
    captured = body(1, "request", b"hello", Sealer(bytes(32)))
    found = Join().feed([refused(3), captured])
    assert found.refused == [refused(3)]
    assert found.bodies == [captured]


def test_duplicate_frames_change_nothing() -> None:
    join = Join()
    join.feed([opened(1), opened(1, team="other"), attempt(1), attempt(1), attempt(1, which=1)])
    (ended,) = join.feed([closed(1)]).ended
    assert ended.begun == [opened(1), attempt(1)]


def test_a_close_without_an_opening_says_so() -> None:
    (ended,) = Join().feed([closed(1)]).ended
    assert ended.begun is None


def test_only_calls_that_outlive_a_batch_are_written_down() -> None:
    join = Join()
    join.feed([opened(1), closed(1), opened(2)])
    write, gone = join.unstored()
    assert [call for call, _ in write] == [call_id(2)]
    assert gone == []
    assert join.unstored() == ([], [])
    join.feed([attempt(2)])
    again, _ = join.unstored()
    assert [call for call, _ in again] == [call_id(2)]
    join.feed([closed(2)])
    assert join.unstored() == ([], [call_id(2)])


def test_what_was_written_down_is_taken_up_again() -> None:
    first = Join()
    first.feed([opened(1), attempt(1)])
    write, _ = first.unstored()
    second = Join(write)
    (ended,) = second.feed([closed(1)]).ended
    assert ended.begun == [opened(1), attempt(1)]
    assert second.unstored() == ([], [call_id(1)])


def test_abandoned_calls_end_lost_at_what_they_reserved() -> None:
    join = Join()
    join.feed([opened(1, reserved=Decimal("0.5")), opened(2), attempt(2, reserved="0.7")])
    one, two = (ended.close for ended in join.abandon())
    assert (one.outcome, one.cost, [t.cost for t in one.tried]) == ("lost", Decimal("0.5"), [Decimal("0.5")])
    assert (two.cost, [(t.target, t.cost) for t in two.tried]) == (
        Decimal("0.7"),
        [("small", ZERO), ("big", Decimal("0.7"))],
    )
    assert join.abandon() == []
