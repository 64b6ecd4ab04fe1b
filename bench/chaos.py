"""`python -m bench.chaos --suite FOLDER --python PYTHON`: a public fault server, with and without Freehold before it.

The suite is ChaosLLM of errorworks (github.com/johnm-dta/errorworks, MIT): FOLDER is a checkout, PYTHON an interpreter
(3.12 or newer) that has what it needs. Nothing of it is part of this project. For each of its presets the official SDK
of OpenAI, with its own retries off, asks the server itself, then Freehold before one such server, then Freehold before
two. A call is answered, told honestly that it failed, or lied to: status 200 and no whole answer. Afterwards the books:
each answered call stands in the ledger once. Exit 1 where that is not so. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import openai

from bench.kept import OUT, RESULTS, keep
from freehold.core.ports import free_port
from tests.e2e.instance import Instance, running, until

PRESETS = ("realistic", "chaos", "stress_extreme")
CALLS, AT_ONCE = 400, 16
PATIENCE = 60.0
"""Seconds that a caller waits."""
CONFIG = """\
[routes.one]
targets = ["gpt"]
attempts = 3
[routes.two]
targets = ["gpt", "spare"]
attempts = 4
[targets.spare]
provider = "spare"
model = "gpt-fake"
price = { input = 1, output = 2, as_of = 2026-11-01 }
[providers.spare]
vendor = "openai"
base_url = "http://127.0.0.1:@spare/v1"
api_key = "${env:E2E_OPENAI_KEY}"
"""


def main() -> int:
    options = _arguments()
    figures: dict[str, Any] = {"suite": _suite(options.suite), "calls": options.calls, "at_once": AT_ONCE}
    for preset in options.presets:
        figures[preset] = _preset(options, preset)
        print(preset, json.dumps(figures[preset]), flush=True)
    good = all(one["books"] == "exact" for name, one in figures.items() if name in PRESETS)
    whole = options.calls >= CALLS and tuple(options.presets) == PRESETS
    keep("chaos", figures, RESULTS if whole and good else OUT)
    print(json.dumps({"bench": "chaos", **figures}))
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--suite", type=Path, required=True, help="a checkout of errorworks")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has what it needs")
    parser.add_argument("--calls", type=int, default=CALLS, help="of each way")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    return parser.parse_args()


def _suite(folder: Path) -> str:
    told = subprocess.run(["git", "log", "-1", "--format=%h"], cwd=folder, check=True, capture_output=True, text=True)
    return f"errorworks {told.stdout.strip()}"


@contextmanager
def _server(options: argparse.Namespace, preset: str) -> Iterator[int]:
    """One fault server; its port."""
    port = free_port()
    command = [options.python, "-c", "from errorworks.llm.cli import main; main()"]
    command += ["serve", "--preset", preset, "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": str(options.suite / "src")}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            until(lambda: _healthy(port), "the fault server answers")
            yield port
        finally:
            child.kill()


def _healthy(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx2.HTTPError:
        return False


def _preset(options: argparse.Namespace, preset: str) -> dict[str, Any]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(_server(options, preset)) for _ in range(2))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fake = SimpleNamespace(port=first, key="sk-fake-chaos")
        vendors: Any = SimpleNamespace(openai=fake, anthropic=fake)
        instance = stack.enter_context(running(folder, CONFIG.replace("@spare", str(second)), vendors))
        alone, _ = _asked(f"http://127.0.0.1:{first}/v1", fake.key, "gpt-fake", options.calls)
        one, seen = _asked(f"{instance.base}/v1", instance.key, "one", options.calls)
        two, more = _asked(f"{instance.base}/v1", instance.key, "two", options.calls)
        return {"alone": alone, "one_target": one, "two_targets": two, "books": _books(instance, [*seen, *more])}


def _asked(base: str, key: str, model: str, count: int) -> tuple[dict[str, Any], list[str]]:
    """What came of that many calls, and the ids of those that were answered."""
    client = openai.OpenAI(base_url=base, api_key=key, max_retries=0, timeout=PATIENCE)
    began = time.monotonic()
    with client, ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda number: _one(client, model, number), range(count)))
    told: dict[str, Any] = dict(Counter(kind for kind, _, _ in found))
    waits = sorted(seconds for _, _, seconds in found)
    told |= {"p50_seconds": round(waits[count // 2], 2), "p99_seconds": round(waits[int(count * 0.99)], 2)}
    return {**told, "seconds": round(time.monotonic() - began, 1)}, [call for kind, call, _ in found if kind == "ok"]


def _one(client: openai.OpenAI, model: str, number: int) -> tuple[str, str, float]:
    """How one call ended, its id where it was answered, and the seconds it took."""
    began, call = time.monotonic(), ""
    try:
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": f"Say number {number}."}], max_tokens=64
        )
        call = raw.headers.get("x-request-id", "")
        said = json.loads(raw.content)["choices"][0]["message"]["content"]
        kind = "ok" if isinstance(said, str) and said else "lie"
    except openai.APIStatusError:
        kind = "told"
    except openai.APIConnectionError:
        kind = "cut"
    except (ValueError, LookupError, TypeError):
        kind = "lie"
    return kind, call, time.monotonic() - began


def _books(instance: Instance, answered: list[str]) -> str:
    """Each answered call is in the ledger once, as ok, and nothing else is."""
    until(lambda: set(answered) <= {one["call"]["id"] for one in instance.calls()}, "every call is counted")
    outcomes = Counter((one["call"]["id"], one["call"]["outcome"]) for one in instance.calls())
    ok = {call for (call, outcome) in outcomes if outcome == "ok"}
    if max(outcomes.values()) > 1:
        return "a call stands twice"
    if ok != set(answered):
        return f"{len(ok ^ set(answered))} calls stand otherwise than their callers saw"
    return "exact" if instance.freehold("audit", "verify")["good"] else "the log does not verify"


if __name__ == "__main__":
    raise SystemExit(main())
