"""`python -m bench.simulator [--traces DIR] [--rows FILE]`: how long fleets take to find, and whether queues are right.

Seconds to the smallest fleet of each kind on each trace, one replica against M/D/1 and M/M/c, sampled minutes against
whole traces. The last line is JSON; results go to `bench/results/simulator.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench.kept import OUT, RESULTS, keep
from freehold.planner.course import Sampled, Whole
from freehold.planner.estimate import replica
from freehold.planner.fleet import Kind, kept, smallest
from freehold.planner.gpus import gpu
from freehold.planner.minutes import drawn
from freehold.planner.shapes import shape
from freehold.planner.simulate import Tuning, run, simulate
from freehold.planner.tracefiles import read_trace
from freehold.planner.traffic import Arrivals, Rates
from freehold.planner.types import Replicas, Slo, Speed

TRACES = Path(__file__).parents[2] / "shared" / "data" / "traces"
KINDS: tuple[Kind, ...] = ("static", "autoscaled", "hybrid")
MODEL, GPU, PRECISION = "Llama-3.1-8B", "H100-SXM", "bf16"
BOUNDS = {"seconds_max": 60.0, "closed_form_error_max": 0.02, "sampled_kept_gap_max": 0.05}
"""What the project holds itself to."""
STEP = 0.001
SEEDS = 4
CALLS = 250_000
ALONE = Replicas(kind="static", least=1, most=1, maintenance=0.0)
ENDLESS = Slo(ttft_seconds=1e9, tpot_seconds=1e9)
Row = dict[str, object]


class Clockwork:
    """Every step takes the same time: a server for each sequence of the batch."""

    gpus = 1
    kv_tokens = 10**12

    def __init__(self, servers: int) -> None:
        self.max_batch = servers

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """As `Speed` has it."""
        return STEP


class Slower:
    """A replica whose steps take longer: a small machine for a thinned trace."""

    def __init__(self, speed: Speed, factor: float) -> None:
        self.gpus, self.kv_tokens, self.max_batch = speed.gpus, speed.kv_tokens, speed.max_batch
        self._speed, self._factor = speed, factor

    def step_seconds(self, prefill_tokens: int, decoding: int, context_tokens: int) -> float:
        """As `Speed` has it."""
        return self._factor * self._speed.step_seconds(prefill_tokens, decoding, context_tokens)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.simulator", description=__doc__)
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of traces, in the forms that plans take")
    parser.add_argument("--rows", type=Path, help="write every figure with its setting as JSON lines")
    options = parser.parse_args()
    rows: list[Row] = []
    for one in _everything(options.traces):
        rows.append(one)
        shown = "  ".join(f"{key} {value}" for key, value in one.items() if key not in ("what", "setting"))
        print(f"{one['what']!s:12} {one['setting']!s:44} {shown}", flush=True)
    figures = _figures(rows)
    if options.rows:
        options.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
    keep("simulator", {**figures, "rows": rows}, RESULTS if options.traces.exists() else OUT)
    print(json.dumps(figures))


def _everything(folder: Path) -> Iterator[Row]:
    yield from _queues()
    speed = replica(shape(MODEL), gpu(GPU), 1, PRECISION)
    files = sorted(one for one in folder.glob("*") if ".csv" in one.name or ".jsonl" in one.name)
    if not files:
        print(f"no traces under {folder}: their part is left out")
    for path in files:
        if "lengths" not in path.name:
            yield from _trace(path, speed)


def _queues() -> Iterator[Row]:
    """Mean waits against Pollaczek and Khinchine (M/D/1) and Erlang (M/M/c)."""
    for load in (0.5, 0.8):
        service = 2.0
        outputs = np.full(CALLS, service / STEP)
        found = float(np.mean([_wait(load / service, outputs, (1, seed)) for seed in range(SEEDS)]))
        yield _queue(f"M/D/1, load {load:g}", found, load * service / (2.0 * (1.0 - load)))
    for servers, load in ((1, 0.5), (4, 0.7), (16, 0.8)):
        mean, offered, waits = 3.0, servers * load, []
        for seed in range(SEEDS):
            outputs = np.maximum(np.round(np.random.default_rng(100 + seed).exponential(mean / STEP, CALLS)), 1)
            waits.append(_wait(offered / mean, outputs, (servers, seed)))
        expected = _erlang(servers, offered) * mean / (servers - offered)
        yield _queue(f"M/M/{servers}, load {load:g}", float(np.mean(waits)), expected)


def _wait(rate: float, outputs: np.ndarray, how: tuple[int, int]) -> float:
    servers, seed = how
    t = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, CALLS))
    zeros = np.zeros(CALLS, dtype=np.int64)
    columns = {"input": zeros + 1, "output": outputs.astype(np.int64), "cached": zeros, "workflow": zeros}
    trace = Arrivals(t=t, span_seconds=float(t[-1]), **columns)
    return float(run(trace, Clockwork(servers), ENDLESS, ALONE, Tuning()).ttft.mean()) - STEP


def _queue(setting: str, found: float, expected: float) -> Row:
    error = round(abs(found / expected - 1.0), 4)
    return {
        "what": "queue",
        "setting": setting,
        "wait_s": round(found, 4),
        "closed_form_s": round(expected, 4),
        "error": error,
    }


def _erlang(servers: int, offered: float) -> float:
    """Probability of waiting in M/M/c (A. K. Erlang, 1917)."""
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(terms) + last)


def _trace(path: Path, speed: Speed) -> Iterator[Row]:
    trace = read_trace(path)
    name = path.name.split(".")[0]
    for kind in KINDS:
        began = time.monotonic()
        found = smallest(trace, speed, Slo(), kind)
        served = found.served
        yield {
            "what": "fleet",
            "setting": f"{name}, {kind}",
            "seconds": round(time.monotonic() - began, 2),
            "requests": trace.requests,
            "peak_replicas": served.peak_replicas,
            "replica_hours": round(served.replica_hours, 2),
            "meets": found.meets,
            "kept": round(kept(served), 4),
            "ttft_p99": round(served.ttft[2], 3),
            "tpot_p99_ms": round(1000.0 * served.tpot[2], 1),
            "overflowed": round(served.overflowed / served.requests, 4),
            "utilisation": round(served.utilisation, 3),
        }
    if isinstance(trace, Arrivals):
        yield _feasible(name, trace, speed)
        yield from _sampled(name, trace, speed if trace.blocks is not None else Slower(speed, 3.0))
    else:
        yield from _sampled(f"{name}, 2 h thinned", _thinned(trace), Slower(speed, 6.0))


def _feasible(name: str, trace: Arrivals, speed: Speed) -> Row:
    """How much of what one replica can do at all it can do within the SLO, at the trace's own rhythm."""
    at_once = msgspec.structs.replace(trace, t=np.zeros(trace.requests), span_seconds=1.0)
    busy = run(at_once, speed, ENDLESS, ALONE, Tuning()).busy
    low, high = 0.0, 64.0
    for _ in range(10):
        middle = (low + high) / 2.0
        if middle < 0.01:
            break
        faster = msgspec.structs.replace(trace, t=trace.t / middle, span_seconds=trace.span_seconds / middle)
        good = kept(simulate(faster, speed, Slo(), ALONE)) >= Slo().share
        low, high = (middle, high) if good else (low, middle)
    return {"what": "feasible", "setting": name, "share_of_offline": round(low * busy / trace.span_seconds, 3)}


def _thinned(trace: Rates) -> Arrivals:
    """Two hours of a trace of rates as arrivals, few enough to be simulated whole."""
    random, scale, pieces = np.random.default_rng(7), 1.0 / 40.0, []
    bins = max(int(2 * 3600 / trace.bin_seconds), 1)
    for index, rate in enumerate(trace.rate[:bins]):
        begins = index * trace.bin_seconds
        one = drawn(trace, begins, (trace.bin_seconds, float(rate) * scale), random)
        pieces.append(msgspec.structs.replace(one, t=one.t + begins))
    columns = {name: np.concatenate([getattr(one, name) for one in pieces]) for name in ("t", "input", "output")}
    zeros = np.zeros(len(columns["t"]), dtype=np.int64)
    return Arrivals(**columns, cached=zeros, workflow=zeros, span_seconds=bins * trace.bin_seconds)


def _sampled(name: str, trace: Arrivals, speed: Speed) -> Iterator[Row]:
    """Sampled minutes beside the whole trace, for fleets from too small to ample."""
    slo, tuning = Slo(), Tuning()
    whole, sampled = Whole(trace, speed, slo, tuning), Sampled(trace, speed, slo, tuning, seed=0)
    needed = smallest(trace, speed, slo, "static", rule=Replicas(kind="static", most=512, spare=0, maintenance=0.0))
    for factor in (0.7, 1.0, 1.4):
        count = max(round(needed.rule.least * factor), 1)
        rule = Replicas(kind="static", least=count, most=count, maintenance=0.0)
        all_, some = whole.served(rule, tuning), sampled.served(rule, tuning)
        yield {
            "what": "sampled",
            "setting": f"{name}, {count} replicas",
            "factor": factor,
            "prefixes": trace.blocks is not None,
            "kept_whole": round(kept(all_), 4),
            "kept_sampled": round(kept(some), 4),
            "gap": round(abs(kept(some) - kept(all_)), 4),
            "ttft_p99_whole": round(all_.ttft[2], 3),
            "ttft_p99_sampled": round(some.ttft[2], 3),
        }


def _figures(rows: list[Row]) -> Row:
    def worst(key: str, what: str) -> float | None:
        return max((float(str(row[key])) for row in rows if row["what"] == what), default=None)

    ample = [row for row in rows if row["what"] == "sampled" and float(str(row["factor"])) >= 1.0]
    plain, hashed = ([float(str(row["gap"])) for row in ample if row["prefixes"] is one] for one in (False, True))
    return {
        "closed_form_error_max": worst("error", "queue"),
        "seconds_max": worst("seconds", "fleet"),
        "sampled_kept_gap_max": max(plain, default=None),
        "sampled_kept_gap_with_prefixes": max(hashed, default=None),
        "seconds": {row["setting"]: row["seconds"] for row in rows if row["what"] == "fleet"},
        "slo_share_of_offline": {row["setting"]: row["share_of_offline"] for row in rows if row["what"] == "feasible"},
        "bounds": BOUNDS,
        "model": f"{MODEL} {PRECISION} on {GPU}",
    }


if __name__ == "__main__":
    main()
