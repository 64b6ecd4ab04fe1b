"""`python -m bench.soak [--minutes N] [--share F] [--streams N]`: an hour near saturation, and what grows meanwhile.

Finds how much the gateway takes, then loads it with `share` of that: plain and streamed calls, with all policies on,
and with every detector too, in turn. Each five seconds it reads memory, threads, sockets and files of each process.
Results are written after each turn, so that a run that is cut off has said what it saw: `bench/results/soak.{json,md}`
for half an hour or more, else in `bench/out`. The mock offers no calls of tools, so none are in the traffic.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from bench.field import Field, opened
from bench.homes import PROFILES
from bench.instance import Instance, start
from bench.launch import compiled, prepare
from bench.load import Figures, NoLoad, Shot, Subject, build, fire
from bench.pinning import LOAD_CORE, Child, machine, pin_self

ROOT = Path(__file__).resolve().parent
OUT = ROOT / "out"
SAMPLE_SECONDS = 5.0
TURN_SECONDS = 15.0
WARM = 0.2
"""Share of the samples that is left out: caches fill, and the allocator finds its size."""
BLOCKS = 12
"""Neighbouring samples are alike: the slope's interval is taken from means of so many blocks."""
T_95 = 2.228
"""Student's t for 95 % and `BLOCKS` - 2 degrees of freedom."""
SHORTEST_KEPT = 30.0


class Reading(msgspec.Struct, frozen=True):
    """One process at one moment."""

    at: float
    """Seconds since the start."""
    name: str
    rss_mb: float
    threads: int
    sockets: int
    files: int


def main() -> int:
    options = _arguments()
    prepare(interpreted=False)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started ends with it
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        tools = build(OUT / "bin")
    except NoLoad as reason:
        print(f"bench.soak skipped: {reason}")
        return 0
    pin_self(LOAD_CORE, first=False)
    with opened(tools, OUT) as field:
        running = [start(field, one, f"soak-{one.name}") for one in PROFILES if one.everything]
        for one in running:
            field.add(one.subject, 60)
        if len(field.subjects) < len(running):
            print(f"bench.soak skipped: {field.skipped}")
            return 1
        result: dict[str, object] = {"machine": machine(), "compiled": compiled(), "options": vars(options)}
        if options.streams:
            result["streams"] = _streams(field, running[0].subject, options.streams)
        _soak(field, running, options, result)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long it is loaded")
    parser.add_argument("--share", type=float, default=0.7, help="of what it takes at most")
    parser.add_argument("--streams", type=int, default=0, help="first, so many paced streams at once")
    return parser.parse_args()


def _streams(field: Field, subject: Subject, count: int) -> dict[str, object]:
    """The delay of each event beyond the mock's own, all streams at once: ten events a second each, for ten seconds."""
    shot = Shot(name="paced", connections=count, seconds=2, events=100, gap_us=100_000, once=True)
    through, alone = fire(field.tools, subject, shot), fire(field.tools, field.direct(), shot)
    told: dict[str, object] = {
        "streams": count,
        "whole": through.ok,
        "short": through.short,
        "failed": through.bad + through.err,
        "added_p50_ms": round((through.delay_p50_us - alone.delay_p50_us) / 1000, 2),
        "added_p99_ms": round((through.delay_p99_us - alone.delay_p99_us) / 1000, 2),
    }
    print(f"streams: {told}", flush=True)
    return told


def _soak(field: Field, running: list[Instance], options: argparse.Namespace, result: dict[str, object]) -> None:
    rates = {one.subject.name: _rates(field, one.subject, options.share) for one in running}
    result["calls_a_second"] = {name: round(plain) for name, (plain, _) in rates.items()}
    print(f"loaded with: {result['calls_a_second']} calls a second", flush=True)
    readings: list[Reading] = []
    done = failed = 0
    began, length = time.monotonic(), options.minutes * 60
    with _watched(running, readings, began):
        while (spent := time.monotonic() - began) < length:
            one = running[int(spent / (2 * TURN_SECONDS)) % len(running)]
            plain, streams = rates[one.subject.name]
            seconds = min(TURN_SECONDS, length - spent + 1)
            for shot in (
                Shot(name="plain", connections=64, seconds=seconds, rate=plain),
                Shot(name="streamed", connections=streams, seconds=seconds, events=50, gap_us=20_000),
            ):
                figures = _fired(field, one.subject, shot)
                done, failed = done + figures.ok, failed + figures.bad + figures.err
                finished = time.monotonic() - began >= length
                result |= {"calls": done, "failed": failed, "finished": finished}
                result |= {"minutes": round((time.monotonic() - began) / 60, 1), "processes": _growth(readings)}
                _write(result, kept=spent >= SHORTEST_KEPT * 60)
                print(f"{result['minutes']:6} min  {done:,} calls, {failed:,} failed", flush=True)
    print(msgspec.json.encode(result).decode())


def _rates(field: Field, subject: Subject, share: float) -> tuple[int, int]:
    """Plain calls a second, and streams at once, that are `share` of what it takes."""
    most = fire(field.tools, subject, Shot(name="most", connections=64, seconds=4))
    blob = fire(field.tools, subject, Shot(name="blob", connections=64, seconds=4, events=50, gap_us=1))
    # A stream of 50 events a second takes 50 of what it relays.
    return max(int(most.rps * share), 1), min(max(int(blob.events_s * share / 50), 1), 1000)


def _fired(field: Field, subject: Subject, shot: Shot) -> Figures:
    """What the client saw; a shot that goes wrong counts as one failure and does not end the run."""
    try:
        return fire(field.tools, subject, shot)
    except (RuntimeError, OSError) as error:
        print(f"  {subject.name}, {shot.name}: {error}", flush=True)
        return Figures(ok=0, bad=0, err=1, secs=0, rps=0, p50_us=0, p90_us=0, p99_us=0, max_us=0)


@contextlib.contextmanager
def _watched(running: list[Instance], readings: list[Reading], began: float) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            for one in running:
                for role, child in (("gateway", one.subject.child), ("writer", one.writer)):
                    if child is not None:
                        readings.append(_read(f"{one.profile.name} {role}", child, time.monotonic() - began))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def _read(name: str, child: Child, at: float) -> Reading:
    links, threads = [], 0
    for pid in child.pids():
        with contextlib.suppress(OSError):
            threads += len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  the count alone
            for one in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    links.append(str(one.readlink()))
    sockets = sum(one.startswith("socket:") for one in links)
    return Reading(round(at, 1), name, child.rss_mb(), threads, sockets, len(links) - sockets)


def slope(at: list[float], values: list[float]) -> tuple[float, float] | None:
    """How much a figure grows an hour, and half the width of its 95 % interval; None where too little is known."""
    if len(at) < 2 * BLOCKS:
        return None
    x = np.array([part.mean() for part in np.array_split(np.array(at), BLOCKS)]) / 3600
    y = np.array([part.mean() for part in np.array_split(np.array(values), BLOCKS)])
    spread = float(((x - x.mean()) ** 2).sum())
    if not spread:
        return None
    rise = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    rest = y - y.mean() - rise * (x - x.mean())
    return rise, T_95 * float(np.sqrt((rest**2).sum() / (BLOCKS - 2) / spread))


def _growth(readings: list[Reading]) -> dict[str, object]:
    """For each process: first and last figures after the warm-up, and the slope of its memory."""
    found: dict[str, object] = {}
    for name in dict.fromkeys(one.name for one in readings):
        mine = [one for one in readings if one.name == name]
        mine = mine[int(len(mine) * WARM) :]
        grown = slope([one.at for one in mine], [one.rss_mb for one in mine])
        told: dict[str, object] = {"rss_mb": [mine[0].rss_mb, mine[-1].rss_mb], "samples": len(mine)}
        parts = np.array_split(np.array([one.rss_mb for one in mine]), BLOCKS) if len(mine) >= BLOCKS else []
        told["rss_mb_most_by_block"] = [round(float(one.max()), 1) for one in parts]  # does it end, or go on?
        for figure in ("threads", "sockets", "files"):
            values = [getattr(one, figure) for one in mine]
            told[figure] = {"first": values[0], "last": values[-1], "most": max(values)}
        if grown is not None:
            told["mb_an_hour"], told["plus_minus"] = round(grown[0], 3), round(grown[1], 3)
        found[name] = told
    return found


def _write(result: dict[str, object], *, kept: bool) -> None:
    folder = ROOT / "results" if kept else OUT
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **result}
    data = msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()
    page = f"# Soak, {whole['date']}\n\n{result['machine']}\n\n```json\n{data}\n```\n"
    for name, text in (("soak.json", data + "\n"), ("soak.md", page)):
        temporary = folder / f".{name}"
        temporary.write_text(text)
        temporary.replace(folder / name)


if __name__ == "__main__":
    raise SystemExit(main())
