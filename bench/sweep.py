"""`python -m bench.sweep [--lessons N] [--steps N]`: four adapters of the embedded chat model, three ways.

One sweep of two ranks and two rates on the demo's invented intents, each way in an interpreter of its own. Every
variant must have the same bytes each way. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kept import OUT, RESULTS, keep

Figures = dict[str, Any]
CHAT = "smollm2-135m-instruct"
LESSONS, STEPS = 100, 6
SWEEP: dict[str, list[Any]] = {"rank": [4, 16], "rate": [0.001, 0.003]}
BATCH = 8
WAYS = ("one", "two", "ray")


def run_once(options: argparse.Namespace) -> Figures:
    """The sweep in one way, in this interpreter. Starting the pool counts; loading modules does not."""
    from bench.lora import lessons_of, tasks
    from freehold.jobs.settings import JobsSettings
    from freehold.moves.training.job import Base, Job, prepare
    from freehold.moves.tuning import train
    from freehold.registry.artefacts import digest_of
    from freehold.settings.pools import pool_for_training

    there = JobsSettings(processes=1 if options.way == "one" else 2)
    if options.way == "ray":
        there = JobsSettings(backend="ray", processes=2, content=True)
    file = options.models / f"{CHAT}.gguf"
    base = Base(CHAT, str(file), digest_of(file))
    _, calls = next(tasks(7, options.lessons))
    wanted = {"steps": options.steps, "batch": BATCH}
    with tempfile.TemporaryDirectory(prefix="freehold-bench-sweep-") as folder:
        job = Job(recipe="lora", workflow="bench", base=base, options=wanted)
        prepare(Path(folder) / "job", job, lessons_of(calls, "lora"))
        began, load = time.monotonic(), os.getloadavg()[0]
        made = train(Path(folder) / "job", "lora", lambda _told: None, SWEEP, lambda: pool_for_training(there))
        took = time.monotonic() - began
    return {"seconds": round(took, 1), "load_before": round(load, 1), "variants": made.metrics["sweep"]}


def main() -> int:
    from freehold.serving.fetch import DEFAULT_CACHE

    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--lessons", type=int, default=LESSONS)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each variant")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--models", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(run_once(options)))
        return 0
    ways: Figures = {}
    same = ["--lessons", str(options.lessons), "--steps", str(options.steps), "--models", str(options.models)]
    for way in options.ways:
        command = [sys.executable, "-m", "bench.sweep", "--way", way, *same]
        ways[way] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
        print(way, ways[way]["seconds"], "s", flush=True)
    digests = {tuple(one["sha256"] for one in found["variants"]) for found in ways.values()}
    if len(digests) != 1:
        raise RuntimeError("the adapters are not the same")
    told = next(iter(ways.values()))["variants"]
    measured = ("options", "loss_before", "loss_after", "sha256", "chosen")
    found: Figures = {
        "model": CHAT,
        "lessons": options.lessons,
        "steps": options.steps,
        "variants": [{name: one[name] for name in measured if name in one} for one in told],
        "seconds": {way: one["seconds"] for way, one in ways.items()},
        "load_before": {way: one["load_before"] for way, one in ways.items()},
    }
    whole = (options.lessons, options.steps, len(options.ways)) == (LESSONS, STEPS, len(WAYS))
    keep("sweep", found, RESULTS if whole else OUT)
    print(json.dumps({"bench": "sweep", **found, "same": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
