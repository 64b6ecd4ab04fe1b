"""Made-up lessons for the recipes' tests, cleared by the real gate."""

from __future__ import annotations

import json
import random
import time
from datetime import date

from freehold.grading.types import Answer, ToolCall
from freehold.moves.training.job import USES, Job, Lesson, prepare
from freehold.policy.rights import Facts, Rules, gate

TODAY = date(2026, 11, 22)
WORDS = {
    "card": ["my card has not arrived", "where is the card", "card still missing"],
    "rate": ["what exchange rate do you use", "how much is a euro today", "rate for dollars"],
    "pin": ["i want to change my pin", "set a new pin code", "forgot the pin"],
    "refund": ["give me my money back", "i want a refund", "refund this payment please"],
}
FORMS = {
    "text": lambda label, urgent: Answer(label),
    "json": lambda label, urgent: Answer(
        f'{{"team": "{label}",  "v": 2, "urgent": {"true" if urgent else "false"}}}\n'
    ),
    "tool": lambda label, urgent: Answer(
        tool_calls=(ToolCall("route", f'{{"queue":"{label}","urgent":{str(urgent).lower()}}}'),), finish="tool_calls"
    ),
}


def made(count: int, form: str = "text", seed: int = 0) -> list[Lesson]:
    """`count` lessons whose answer follows from the words; urgent where the text says so."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        label = chance.choice(sorted(WORDS))
        urgent = chance.random() < 0.4
        text = f"{chance.choice(['hi', 'hello', 'so'])} {number % 7} {chance.choice(WORDS[label])}"
        text += (
            chance.choice([" right now it is urgent", " urgent urgent"]) if urgent else chance.choice(["", " thanks"])
        )
        request = {
            "model": "m",
            "messages": [{"role": "system", "content": "Say it."}, {"role": "user", "content": text}],
        }
        found.append(
            Lesson(f"{number:05}", float(number), json.dumps(request), FORMS[form](label, urgent), "synthetic")
        )
    return found


def gone_within(there, seconds):
    """No private folder of a node is left there, or will be left once its keeper has seen the end."""
    deadline = time.monotonic() + seconds
    while (left := list(there.glob("freehold-train-*"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == [], "lessons stay on no node"


def folder_of(path, lessons, recipe="classifier", **job):
    """A prepared folder."""
    facts = ((one, Facts(id=one.id, label="internal", maker="synthetic")) for one in lessons)
    cleared = gate(facts, USES[recipe], Rules(), TODAY).cleared
    prepare(path, Job(recipe=recipe, workflow="wf_1", **job), cleared)
    return path
