"""`python -m bench.evaluation [--calls N] [--ways threads ray]`: a whole evaluation of many recorded calls.

Synthetic calls are imported, and one candidate is asked about all of them through a real gateway before a mock vendor
that answers at once: what is measured is our own part, from the drawing of the examples to the scorecard. `threads` is
how an instance asks by itself, `ray` how it asks where `[jobs]` lets contents go to a cluster: here one of this machine
alone. The scorecards must be the same. Ends with one JSON line; kept in `bench/results` for 100,000 calls or more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from bench.field import opened
from bench.imports import calls
from bench.kept import OUT, RESULTS, keep
from bench.load import build
from freehold.app import make_publisher
from freehold.cli.importing import into
from freehold.cli.place import Place
from freehold.core.db import reading, writing
from freehold.core.ids import as_text
from freehold.evals import store as evaluations
from freehold.evals.runs import evaluate
from freehold.evals.types import Plan, Run
from freehold.grading.types import Spec
from freehold.tasks import Instance
from freehold.workflows import store as records
from freehold.workflows.drafts import Options
from freehold.workflows.imports import import_files
from tests.e2e.instance import running

WHOLE = 100_000
WORKFLOW = "wf_000000000001"
WAYS = {"threads": "", "ray": 'backend = "ray"\ncontent = true\nprocesses = 2\n'}
CONFIG = """\
[routes.main]
targets = ["gpt"]
[jobs]
asking = @asking
"""


def main() -> int:
    options = _arguments()
    if options.home is not None:
        print(json.dumps(_evaluated(options.home, options.calls)))
        return 0
    figures: dict[str, Any] = {"calls": options.calls, "asking": options.asking}
    with tempfile.TemporaryDirectory() as folder, opened(build(OUT / "bin"), OUT) as field:
        fake = SimpleNamespace(port=field.upstream, key="sk-fake-mock")
        vendors: Any = SimpleNamespace(openai=fake, anthropic=fake)
        text = CONFIG.replace("@asking", str(options.asking))
        with running(Path(folder), text, vendors) as instance:
            figures["import_seconds"] = _imported(Path(folder), instance.home, options.calls)
            for way in options.ways:
                instance.config.write_text(f"{instance.config.read_text().split('asking =')[0]}")
                with instance.config.open("a") as file:
                    file.write(f"asking = {options.asking}\n{WAYS[way]}")
                figures[way] = _apart(instance.home, options.calls)
                print(way, figures[way], flush=True)
    if len({figures[way]["scorecard"] for way in options.ways}) != 1:
        raise RuntimeError("the scorecards are not the same")
    keep("evaluation", figures, RESULTS if options.calls >= WHOLE else OUT)
    print(json.dumps(figures))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--calls", type=int, default=WHOLE)
    parser.add_argument("--asking", type=int, default=8, help="calls under way at once, on each processor")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _imported(folder: Path, home: Path, count: int) -> float:
    """Import the calls as one workflow's; seconds."""
    log = folder / "calls.jsonl"
    with log.open("w") as file:
        file.writelines(json.dumps(one) + "\n" for one in calls(count))
    began = time.monotonic()
    place = into(Place(None, str(home)))
    import_files([log], place, Options(label="public", vendor="openai-api"), bytes(16), time.time)
    took = round(time.monotonic() - began, 1)
    with reading(place.engine) as connection:
        ids = [one for (one,) in connection.exec_driver_sql("SELECT id FROM records")]
    with writing(place.engine) as connection:
        records.assign(connection, [(one, WORKFLOW) for one in ids])
    return took


def _apart(home: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.evaluation", "--home", str(home), "--calls", str(count)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def _evaluated(home: Path, count: int) -> dict[str, Any]:
    """One evaluation, as the worker runs it."""
    office = Instance(str(home.parent / "freehold.toml"), home, make_publisher)
    run = Run(id=as_text("ev", time.time_ns().to_bytes(16, "big")), at=time.time(), plan=_plan(count))
    with writing(office.engine) as connection:
        evaluations.add_run(connection, run)
    began = time.monotonic()
    told: list[float] = []
    card = evaluate(office.runs(), run.id, lambda *_: told.append(time.monotonic()))
    took = time.monotonic() - began
    with reading(office.engine) as connection:
        rows = evaluations.rows_of(connection, run.id)
    if not len(rows) == len({one.record for one in rows}) == len(told):
        raise RuntimeError(f"{len(rows)} rows of {len(told)} answers")
    timed = dict.fromkeys(("latency_p50", "latency_p95"))
    plain = msgspec.json.encode(msgspec.structs.replace(card, at=0.0, **timed))
    return {
        "pairs": card.pairs,
        "seconds": round(took, 1),
        "drawing_seconds": round(told[0] - began, 1),
        "asking_seconds": round(told[-1] - told[0], 1),
        "calls_a_second": round(len(told) / (told[-1] - told[0])),
        "own_cpu_seconds": round(time.process_time(), 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "scorecard": hashlib.sha256(plain).hexdigest()[:16],
    }


def _plan(count: int) -> Plan:
    return Plan(workflow=WORKFLOW, target="gpt", grader=Spec("label"), limit=count)


if __name__ == "__main__":
    raise SystemExit(main())
