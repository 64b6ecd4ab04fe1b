"""`python -m bench.imports [--calls N] [--form NAME] [--data FILE]`: the time and memory to import a log.

Without a file it writes synthetic calls (several workflows, tools, JSON; no real person or text) and imports them into
a fresh home in a child process, twice: the second time nothing must be added. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.kept import OUT, RESULTS, keep

CALLS = 100_000

Call = dict[str, Any]
_START = 1_757_000_000.0
_WORDS = (
    *("account", "order", "invoice", "refund", "parcel", "card", "payment", "limit", "transfer", "delay", "address"),
    *("courier", "voucher", "balance", "statement", "branch", "device", "password", "contract", "renewal", "meter"),
    *("reading", "tariff", "seat", "booking", "luggage", "repair", "warranty", "licence", "upgrade"),
)
_INTENTS = tuple(f"{first}_{second}" for first, second in itertools.product(_WORDS[:8], _WORDS[8:16]))


def _sentence(draw: random.Random, count: int) -> str:
    return " ".join(draw.choices(_WORDS, k=count)).capitalize() + "."


def _intent(draw: random.Random) -> tuple[Call, Call]:
    system = "You label messages of customers. Answer with one of: " + ", ".join(_INTENTS)
    asked = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": _sentence(draw, 14)}]}
    return asked, {"role": "assistant", "content": draw.choice(_INTENTS)}


def _invoice(draw: random.Random) -> tuple[Call, Call]:
    lines = "\n".join(
        f"{_sentence(draw, 4)} {draw.randrange(1, 9)} x {draw.randrange(100, 9999) / 100}" for _ in range(12)
    )
    asked = {"messages": [{"role": "user", "content": f"Read this invoice as JSON (total, number):\n{lines}"}]}
    answer = json.dumps({"total": draw.randrange(1000) / 10, "number": f"R-{draw.randrange(10**6)}"})
    return {**asked, "response_format": {"type": "json_object"}}, {"role": "assistant", "content": answer}


def _tool(draw: random.Random) -> tuple[Call, Call]:
    schema = {"type": "object", "properties": {"what": {"type": "string"}, "when": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": schema}} for name in ("book", "cancel", "find")
    ]
    asked = {"messages": [{"role": "user", "content": _sentence(draw, 10)}], "tools": tools}
    function = {"name": draw.choice(("book", "cancel", "find")), "arguments": json.dumps({"what": draw.choice(_WORDS)})}
    calls = [{"id": f"call_{draw.randrange(10**12)}", "type": "function", "function": function}]
    return asked, {"role": "assistant", "content": None, "tool_calls": calls}


def _chat(draw: random.Random) -> tuple[Call, Call]:
    turns = [{"role": ("user", "assistant")[turn % 2], "content": _sentence(draw, 30)} for turn in range(5)]
    return {"messages": turns}, {"role": "assistant", "content": _sentence(draw, 120)}


_KINDS = (_intent, _invoice, _tool, _chat)


def calls(count: int, seed: int = 1) -> Iterator[Call]:
    """Synthetic calls in the plain form, in order of time."""
    draw = random.Random(seed)
    for number in range(count):
        asked, message = _KINDS[number % len(_KINDS)](draw)
        model = ("gpt-4o", "gpt-4o-mini")[number % 2]
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        reply = {
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        }
        usage = {"prompt_tokens": draw.randrange(50, 900), "completion_tokens": draw.randrange(2, 200)}
        yield {
            "id": f"synthetic-{number}",
            "ts": _START + number * 3.0,
            "request": {"model": model, "temperature": 0, **asked},
            "response": {**reply, "usage": {**usage, "total_tokens": sum(usage.values())}},
            "latency_ms": draw.randrange(200, 3000),
            "metadata": {"app": f"app-{number % 4}"},
        }


def _langfuse(one: Call) -> Call:
    message = one["response"]["choices"][0]["message"]
    asked = {name: value for name, value in one["request"].items() if name in ("messages", "tools")}
    usage = one["response"]["usage"]
    return {
        "id": one["id"],
        "traceId": one["id"],
        "type": "GENERATION",
        "startTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one["ts"])),
        "model": one["request"]["model"],
        "modelParameters": {"temperature": 0},
        "input": asked,
        "output": message,
        "usageDetails": {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]},
    }


def _har(one: Call) -> Call:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one["ts"]))
    request = {
        "method": "POST",
        "url": "https://vendor.test/v1/chat/completions",
        "headers": [],
        "postData": {"text": json.dumps(one["request"])},
    }
    content = {"mimeType": "application/json", "text": json.dumps({"id": one["id"], **one["response"]})}
    return {
        "startedDateTime": stamp,
        "time": one["latency_ms"],
        "request": request,
        "response": {"status": 200, "content": content},
    }


def _same(one: Call) -> Call:
    return one


_FORMS: tuple[tuple[str, Callable[[Call], Call]], ...] = (("har", _har), ("langfuse", _langfuse), ("plain", _same))


def write(path: Path, form: str, count: int) -> None:
    """A log of that form; HAR as one document, the others as packed lines."""
    shaped = dict(_FORMS)[form]
    if form == "har":
        with path.open("w") as file:
            file.write('{"log": {"version": "1.2", "entries": [')
            for number, one in enumerate(calls(count)):
                file.write(("," if number else "") + json.dumps(shaped(one)))
            file.write("]}}")
        return
    with gzip.open(path, "wt", compresslevel=1) as file:
        for one in calls(count):
            file.write(json.dumps(shaped(one)) + "\n")


def run_once(home: Path, log: Path) -> dict[str, Any]:
    """Import in this process, as the command does; what it took."""
    from freehold.cli.importing import into
    from freehold.cli.place import Place
    from freehold.core.ids import IdMaker
    from freehold.workflows.drafts import Options
    from freehold.workflows.imports import import_files

    began = time.monotonic()
    report = import_files([log], into(Place(None, str(home))), Options(label="public"), IdMaker()(), time.time)
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(time.process_time(), 2),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "new": report.new,
        "known": report.known,
        "rejected": report.rejected,
    }


def _measured(home: Path, log: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.imports", "--run", str(home), "--data", str(log)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--form", choices=[name for name, _ in _FORMS], default="plain")
    parser.add_argument("--data", type=Path, help="a log of your own instead")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_once(options.run, options.data)))
        return 0
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-imports-") as folder:
        log = options.data or Path(folder) / "log"
        if not options.data:
            write(log, options.form, options.calls)
        first = _measured(Path(folder) / "home", log)
        again = _measured(Path(folder) / "home", log)
        size = log.stat().st_size
    count = first["new"] + first["known"]
    print(f"{count:,} calls, {size / 1e6:.0f} MB as they lie")
    for name, one in (("first", first), ("again", again)):
        rate = count / one["seconds"]
        print(f"{name:5}  {one['seconds']:6.1f} s  {rate:8.0f} calls/s  {one['peak_rss_mb']:4d} MB  {one['new']:,} new")
    figures = {"calls": count, "form": options.form, "bytes": size, **first, "again_seconds": again["seconds"]}
    if not options.data:
        name = "imports" if count == CALLS else f"imports_{count}"
        keep(name, {**figures, "doubled": again["new"]}, RESULTS if count >= CALLS else OUT)
    print(json.dumps({"bench": "imports", **figures, "doubled": again["new"]}))
    return 0 if again["new"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
