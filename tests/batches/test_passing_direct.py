"""Batches passed to a vendor that takes lines without a file, in a dialect of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.batches.passed_house import House, chat, sums
from tests.fakes.fake_message_batches import FakeMessageBatches
from tests.fakes.wire import Fault


@pytest.fixture
def anthropic() -> Iterator[FakeMessageBatches]:
    with FakeMessageBatches() as made:
        yield made


@pytest.fixture
def other(tmp_path, anthropic) -> Iterator[House]:
    """The same before a vendor whose batches have no files; what callers ask is translated for it."""
    made = House(tmp_path, anthropic)
    with made.gateway:
        yield made
    made.close()


def test_chats_go_to_a_vendor_of_another_dialect_and_come_back_as_chats(other, anthropic):
    anthropic.runs = 3
    anthropic.odd["line 1"] = {
        "type": "errored",
        "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
    }
    batch = other.start(*(chat(number) for number in range(4)))
    other.run()
    found, good, bad = other.answered(batch)
    assert found["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    assert [one["custom_id"] for one in good] == ["c0", "c2"]
    assert all(one["response"]["body"]["choices"][0]["message"]["content"] for one in good)
    assert bad[0]["response"]["status_code"] == 400
    assert bad[1]["error"]["code"] == "batch_expired"
    ((sent, *_),) = anthropic.inputs.values()
    assert sent["params"]["model"] == "claude-fake"
    assert not anthropic.batches
    calls = other.calls()
    assert sorted(one["outcome"] for one in calls) == ["failed", "failed", "ok", "ok"]
    other.load()
    assert other.money() == (sums(calls), 0)


@pytest.mark.parametrize("shows", [0, 2])
def test_a_batch_without_a_file_is_told_by_its_answers(other, anthropic, shows):
    anthropic.shows_left = shows
    anthropic._made([{"custom_id": "somebody-elses", "params": {"messages": [{"content": "x"}], "model": "m"}}] * 2)
    anthropic.fail(Fault("reset"))
    batch = other.start(chat(1), chat(2))
    other.run()
    assert len(other.answered(batch)[1]) == 2
    assert len(anthropic.submitted) == 4


def test_what_nobody_knows_of_is_not_sent_again_and_counts_as_spent(other, anthropic):
    anthropic.fail(Fault("status", status=503))
    batch = other.start(chat(1), chat(2))
    other.run()
    _, good, bad = other.answered(batch)
    assert not good
    assert {one["error"]["code"] for one in bad} == {"vendor_unclear"}
    assert len([one for one in anthropic.requests if one.method == "POST"]) == 1
    calls = other.calls()
    assert [one["outcome"] for one in calls] == ["lost", "lost"]
    other.load()
    spent, held = other.money()
    assert spent == sums(calls) > 0
    assert not held


@pytest.mark.parametrize("status", [429, 400])
def test_a_vendor_that_says_no_took_nothing(other, anthropic, status):
    anthropic.fail(Fault("status", status=status))
    batch = other.start(chat(1))
    other.run()
    _, good, _ = other.answered(batch)
    assert len(good) == (status == 429)
    assert len(anthropic.submitted) == (status == 429)
    calls = other.calls()
    other.load()
    assert other.money() == (sums(calls), 0)
