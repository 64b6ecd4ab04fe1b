"""Log lines for tests of the import, and the import itself, into a home of its own."""

from __future__ import annotations

import json
from pathlib import Path

from freehold.core.ids import IdMaker
from freehold.workflows.drafts import Options
from freehold.workflows.imports import Into, Report, import_files
from freehold.workflows.store import Which

AT = 1_757_000_000.0


def call(number: int, question: str = "Capital of France?", answer: str = "Paris", **more: object) -> dict[str, object]:
    """One call as a recording proxy writes it."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"{number}: {question}"}]}
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    reply = {"object": "chat.completion", "model": "gpt-4o", "choices": [choice]}
    return {"id": f"call-{number}", "ts": AT + number, "request": body, "response": reply, **more}


def jsonl(*lines: object) -> bytes:
    """Lines of JSON; bytes stand as they are."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)


def importing(instance: object, *paths: Path, progress: object = None, **options: object) -> Report:
    """Import under a fresh id."""
    into = Into(instance.path, instance.engine, instance.shelf, instance.sealer, 86400.0)
    return import_files(list(paths), into, Options(**options), IdMaker()(), lambda: 1_760_000_000.0, progress)


def rejects(report: Report) -> list[dict[str, object]]:
    """The lines of its reject file."""
    return [json.loads(line) for line in Path(report.rejects).read_text().splitlines()] if report.rejects else []


def questions(instance: object) -> list[int]:
    """The numbers of the calls on the shelf."""
    found = [json.loads(one.request)["messages"][-1]["content"] for one in instance.shelf.records(Which())]
    return [int(one.partition(":")[0]) for one in found]


def half(number: int, *, answer: bool) -> dict[str, object]:
    """One side of a call of a batch."""
    one = call(number)
    if answer:
        return {
            "id": f"b{number}",
            "custom_id": f"c{number}",
            "response": {"status_code": 200, "body": {"id": f"r{number}", "created": AT, **one["response"]}},
            "error": None,
        }
    return {"custom_id": f"c{number}", "method": "POST", "url": "/v1/chat/completions", "body": one["request"]}


HALVES = (half(1, answer=True), half(1, answer=False))
