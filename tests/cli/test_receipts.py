"""What a verified receipt is said to say."""

from __future__ import annotations

from freehold.cli.receipts import summary


def test_an_answer_that_was_kept_ran_nowhere() -> None:
    asked = {"call": "call_1", "target": "gpt", "outcome": "ok"}
    assert summary(asked) == "call_1 ran at gpt, ok"
    assert summary(asked | {"cache": "miss"}) == "call_1 ran at gpt, ok"
    assert summary(asked | {"cache": "hit"}) == "call_1 was served an answer kept from gpt, ok"
    assert summary({"change": "key.create", "actor": "anna"}) == "key.create by anna"
