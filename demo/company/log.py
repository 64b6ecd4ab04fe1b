"""The company's log: its workflows' calls over four weeks and the days after, as a recording proxy would write them.

Run `python -m demo.company.log --out FILE` to have it. Answers stand in for a rented model's: right by construction but
for a stated share of slips. People's judgements (`gold`) come from the construction too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from faker import Faker

from demo.company import chatter, intents, invoices, orders, triage

BEGAN = datetime(2026, 9, 1, 6, tzinfo=UTC)
DAYS = 28
REWORDED_ON = 17
"""Day on which the prompt of the intents changed."""
NOTICE = "synthetic"


class Workflow(NamedTuple):
    """Who calls, which model answers, how many calls in the log and after it, the vendor's share of slips."""

    name: str
    app: str
    model: str
    calls: int
    later: int
    slips: float


WORKFLOWS = (
    Workflow("support intents", "helpdesk", "gpt-4o", 2600, 2600, 0.02),
    Workflow("ticket triage", "intranet", "gpt-4o", 1200, 700, 0.01),
    Workflow("invoice fields", "bookkeeping", "gpt-4o", 900, 500, 0.01),
    Workflow("order desk", "order-desk", "gpt-4o", 600, 200, 0.0),
    Workflow("chatter", "assistant", "gpt-4o", 300, 100, 0.0),
)


def lines(seed: int) -> Iterator[dict[str, Any]]:
    """Every call, in the order of time; those after the four weeks carry `"later": true`."""
    found = [one for number, workflow in enumerate(WORKFLOWS) for one in _calls(workflow, Random(seed * 100 + number))]
    yield from sorted(found, key=lambda one: one["ts"])


def _calls(workflow: Workflow, random: Random) -> Iterator[dict[str, Any]]:
    faker = Faker("en_GB")
    faker.seed_instance(random.randrange(1 << 30))
    for number in range(workflow.calls + workflow.later):
        later = number >= workflow.calls
        day = DAYS + random.random() * 7 if later else random.random() * DAYS
        request, gold = _call(workflow.name, random, faker, day)
        answer = gold if random.random() >= workflow.slips else _slip(workflow.name, random, gold)
        when = BEGAN + timedelta(days=day)
        sent = {"model": workflow.model, "temperature": 0, **request}
        yield {
            "id": f"call-{workflow.app}-{number:05d}",
            "ts": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "endpoint": "/v1/chat/completions",
            "request": sent,
            "response": _response(workflow.model, sent, answer),
            "usage_estimated": True,
            "latency_ms": None,
            "metadata": {"app": workflow.app, "origin": NOTICE},
            "later": later,
            "gold": gold,
        }


def _call(name: str, random: Random, faker: Faker, day: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """A request without its model, and the message a person would have answered with."""
    if name == "support intents":
        text, label = intents.example(random)
        return _chat(intents.system(later=day >= REWORDED_ON), text), {"content": label}
    if name == "ticket triage":
        text, answer = triage.example(random)
        return _chat(triage.SYSTEM, text), {"content": answer}
    if name == "invoice fields":
        text, answer = invoices.example(random, faker)
        stamp = f"Document {random.randint(10**5, 10**6)}, scanned for {faker.first_name()} {faker.last_name()}\n"
        return _chat(stamp + invoices.SYSTEM, text), {"content": answer}
    if name == "order desk":
        text, tool, arguments = orders.example(random)
        call = {"id": "call_0", "type": "function", "function": {"name": tool, "arguments": arguments}}
        return {**_chat(orders.SYSTEM, text), "tools": orders.TOOLS}, {"content": None, "tool_calls": [call]}
    text, answer = chatter.example(random)
    return _chat(chatter.SYSTEM, text), {"content": answer}


def _chat(system: str, user: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}


def _slip(name: str, random: Random, gold: dict[str, Any]) -> dict[str, Any]:
    """A wrong answer of the right form."""
    if name == "support intents":
        return {"content": random.choice([one for one in intents.INTENTS if one != gold["content"]])}
    fields = json.loads(gold["content"])
    if name == "ticket triage":
        fields["priority"] = random.choice([one for one in ("high", "normal", "low") if one != fields["priority"]])
    else:
        fields["number"] = fields["number"][:-1]
    return {"content": json.dumps(fields)}


def _response(model: str, request: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    sent, said = len(json.dumps(request)) // 4, max(len(json.dumps(message)) // 4, 1)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said},
    }


def main() -> None:
    """Write the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with gzip.open(options.out, "wt", encoding="utf-8") as file:
        for one in lines(options.seed):
            file.write(json.dumps(one) + "\n")
    sys.stdout.write(f"wrote {options.out}: {NOTICE}, by demo.company.log, seed {options.seed}\n")


if __name__ == "__main__":
    main()
