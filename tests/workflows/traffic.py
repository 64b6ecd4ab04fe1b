"""Small invented traffic with a known truth, and the records it makes."""

from __future__ import annotations

import hashlib
import json
import random

from freehold.ledger.meter import Usage
from freehold.workflows.records import Record

START = 1_760_000_000.0
WORDS = [
    "river",
    "stone",
    "cloud",
    "paper",
    "window",
    "green",
    "table",
    "forest",
    "music",
    "bridge",
    "silver",
    "garden",
    "north",
    "engine",
    "candle",
]
CLASSIFY = "You sort letters of a town hall. Say which office should answer. Reply with tax, roads or schools only."
EXTRACT = "Read the delivery note and return one JSON object with the keys sender, weight and date, nothing else."
REPLY = "Answer the tenant as the housing association would: kindly, in two sentences, and never promise a date."


def words(draw, least, most):
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, most)))


def rows(count, seed=1):
    """(truth, request, answer) of three workflows."""
    draw = random.Random(seed)
    for _ in range(count):
        yield "classify", body(words(draw, 5, 20), CLASSIFY), draw.choice(("tax", "roads", "schools"))
        answer = json.dumps({"sender": words(draw, 1, 2), "weight": draw.randint(1, 90), "date": "2026-01-02"})
        yield "extract", body(f"{EXTRACT}\n\n{words(draw, 8, 30)}"), answer
        yield "reply", body(words(draw, 8, 30), f"Case {draw.randint(1, 99999)}\n{REPLY}"), words(draw, 20, 30) + "."


def body(user, system=""):
    messages = [{"role": "system", "content": system}] if system else []
    return {"model": "gpt-4o", "messages": [*messages, {"role": "user", "content": user}]}


def record(number, request, answer, **more):
    at = more.pop("at", START + number * 600.0)
    tail = hashlib.sha256(f"{number}".encode()).digest()[:10]
    response = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
    return Record(
        id=int(at * 1000).to_bytes(6, "big") + tail,
        at=at,
        source="plain",
        vendor="openai-api",
        model="gpt-4o",
        usage=Usage(100, 10),
        request=json.dumps(request).encode(),
        response=json.dumps(response).encode() if answer is not None else b"",
        **more,
    )


def traffic(count, seed=1, **more):
    """Records of `rows`, and the truth by id."""
    found, truth = [], {}
    for number, (name, request, answer) in enumerate(rows(count, seed)):
        one = record(number + seed * 1_000_000, request, answer, at=START + number * 600.0, **more)
        found.append(one)
        truth[one.id] = name
    return found, truth


class Held:
    """Records in memory as discovery reads them."""

    def __init__(self, found):
        self._found = found

    def records(self):
        return iter(self._found)

    def some(self, ids):
        wanted = set(ids)
        return (one for one in self._found if one.id in wanted)
