"""Moves, records and a door for tests: the door answers from a table, and counts what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from freehold.evals.door import Reply
from freehold.grading.types import Answer, Spec
from freehold.moves.machine import begin
from freehold.moves.types import Move, Plan, Rule
from freehold.workflows.records import LIVE, Record

WINDOW = 1000.0
RULE = Rule(grader=Spec("label"), window_until=WINDOW)
PLAN = Plan(workflow="wf_a", incumbent="rented", candidate="owned-a")


def move(stage: str = "shadow", rule: Rule = RULE, plan: Plan = PLAN, **more: Any) -> Move:
    return replace(begin("mv_1", WINDOW, rule, plan), stage=stage, candidate="owned-a", **more)


def record(number: int, answer: str = "yes", target: str = "rented", **more: Any) -> Record:
    at = more.pop("at", WINDOW + 1 + number)
    asked = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    told = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]}
    return Record(
        id=int(at * 1000).to_bytes(6, "big") + number.to_bytes(10, "big"),
        at=at,
        source=LIVE,
        model="m",
        target=target,
        assigned="wf_a",
        label="internal",
        request=json.dumps(asked).encode(),
        response=json.dumps(told).encode(),
        **more,
    )


class Door:
    """Answers `says(target, question)`; None is no answer."""

    def __init__(self, says: Callable[[str, str], str | None], cost: Decimal = Decimal("0.001")) -> None:
        self.says = says
        self.cost = cost
        self.asked: list[tuple[str, str]] = []

    def ask_all(self, asked: Iterable[tuple[str, bytes, str, str]], **_more: Any) -> Iterator[Reply]:
        for target, request, label, workflow in asked:
            assert (label, workflow) == ("internal", "wf_a")
            question = json.loads(request)["messages"][0]["content"]
            self.asked.append((target, question))
            said = self.says(target, question)
            if said is None:
                yield Reply(status=502, error="FH-UP-001 down")
            else:
                yield Reply(answer=Answer(said), status=200, cost=self.cost)
