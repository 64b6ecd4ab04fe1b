"""The load side: mock upstream and load client in C, compiled from the shared kit when the bench runs.

One `Shot` is one kind of load; one `Sample` is what one shot at one subject measured, with who used the cores.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import msgspec

from bench.pinning import GATEWAY_CORE, LOAD_CORE, Child, busy_seconds, cpu_seconds

KIT = Path(__file__).resolve().parents[2] / "shared" / "tools" / "benchkit"
KEY = "sk-bench-" + "0" * 40
FOREIGN_LIMIT = 8.0
"""Percent of the gateway's core that others may use before a run is repeated."""


class NoLoad(Exception):
    """The load side cannot be built here; the text says why."""


class Tools(msgspec.Struct, frozen=True):
    """The two compiled programs."""

    mock: Path
    load: Path


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of load: options of the load client."""

    name: str
    connections: int
    seconds: float
    rate: int = 0
    """Calls a second, open loop; 0 is a closed loop."""
    events: int = 0
    """Events of a stream; 0 is no stream."""
    gap_us: int = 0
    """Between events: 0 as few writes as possible, 1 one write an event at once, else paced."""
    once: bool = False
    """One stream a connection."""
    mock_core: int = LOAD_CORE
    """Where the mock runs: an open loop spins on the load core and would starve it there."""
    latency: bool = False
    """Compared with the mock alone on the gateway's core, so that the client's wake crosses cores either way."""

    def options(self) -> list[str]:
        """As the load client takes them."""
        found = ["-c", str(self.connections), "-d", str(self.seconds)]
        if self.rate:
            found += ["-R", str(self.rate)]
        if self.events:
            found += ["-s", "-n", str(self.events), "-g", str(self.gap_us)]
        return [*found, "-1"] if self.once else found


class Figures(msgspec.Struct, kw_only=True):
    """What the load client prints. Latencies in microseconds."""

    ok: int
    bad: int
    err: int
    secs: float
    rps: float
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float
    events: int = 0
    events_s: float = 0.0
    short: int = 0
    ttfb_p50_us: float = 0.0
    ttfb_p99_us: float = 0.0
    delay_p50_us: float = 0.0
    delay_p99_us: float = 0.0


class Sample(msgspec.Struct, kw_only=True):
    """One shot at one subject."""

    subject: str
    shot: str
    round: int
    figures: Figures
    cpu: float
    """CPU seconds of the subject."""
    busy: float
    """Percent of the wall time the subject ran."""
    foreign: float
    """Percent of the gateway's core that others used."""
    stolen: float
    """Percent of the wall time the hypervisor took the gateway's core away."""
    load_busy: float
    """Percent of the load core that mock and client used."""
    tries: int = 1
    per_cpu: float = 0.0
    """Calls (streams: events) per CPU second of the subject."""
    error: str = ""

    @property
    def disturbed(self) -> float:
        """Percent of the gateway's core that others took, inside this machine or outside."""
        return self.foreign + self.stolen


class Subject(msgspec.Struct, kw_only=True):
    """What is shot at. Without a child it is the mock itself."""

    name: str
    port: int
    child: Child | None = None
    headers: tuple[str, ...] = ()
    model: str = "mock"
    key: str = KEY
    slow: bool = False
    """Two orders slower than the rest: one round, no streams under load."""


def build(out: Path) -> Tools:
    """Compile mock and load client. Raises NoLoad."""
    for name in ("mock.c", "load.c"):
        if not (KIT / name).exists():
            raise NoLoad(f"{KIT / name} is not there: the load side comes from the shared bench kit")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoLoad("no C compiler: install gcc")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("mock", "load"):
        source, binary = KIT / f"{name}.c", out / name
        if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
            done = subprocess.run(
                [compiler, "-O2", "-w", "-o", binary, source, "-lm"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise NoLoad(f"{name}.c does not compile: {done.stderr.strip()[:300]}")
    return Tools(out / "mock", out / "load")


def fire(tools: Tools, subject: Subject, shot: Shot) -> Figures:
    """Run the load client on the load core. Raises RuntimeError with its message."""
    command = ["taskset", "-c", str(LOAD_CORE), str(tools.load), "-p", str(subject.port)]
    command += ["-k", subject.key, "-m", subject.model]
    for one in subject.headers:
        command += ["-H", one]
    limit = shot.seconds + shot.events * shot.gap_us / 1e6 + 60
    done = subprocess.run([*command, *shot.options()], capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode or not done.stdout:
        raise RuntimeError(f"load client: {done.stderr.strip()[:300] or done.returncode}")
    figures = msgspec.json.decode(done.stdout, type=Figures)
    if figures.bad and done.stderr:
        raise RuntimeError(f"{figures.bad} bad answers, {done.stderr.strip()[:300]}")
    return figures


def measure(tools: Tools, subject: Subject, shot: Shot, mocks: tuple[Child, ...], tries: int) -> Sample:
    """Shoot, up to `tries` times while others disturb the gateway's core; the least disturbed counts."""
    best: Sample | None = None
    alone = shot.latency and subject.child is None and not subject.name.endswith("same-core")
    for child in mocks:
        child.move(GATEWAY_CORE if alone else shot.mock_core)
    for number in range(1, tries + 1):
        sample = _once(tools, subject, shot, mocks)
        sample.tries = number
        if best is None or sample.disturbed < best.disturbed:
            best = sample
        best.tries = number
        if best.disturbed <= FOREIGN_LIMIT:
            break
    assert best is not None
    return best


def _once(tools: Tools, subject: Subject, shot: Shot, mocks: tuple[Child, ...]) -> Sample:
    pids = subject.child.pids() if subject.child else []
    load_pids = [pid for one in mocks for pid in one.pids()]
    before = (sum(map(cpu_seconds, pids)), sum(map(cpu_seconds, load_pids)), busy_seconds(), time.monotonic())
    figures = fire(tools, subject, shot)
    after = (sum(map(cpu_seconds, pids)), sum(map(cpu_seconds, load_pids)), busy_seconds(), time.monotonic())
    wall = after[3] - before[3]
    cpu = after[0] - before[0]
    core, stolen = (late - early for late, early in zip(after[2][GATEWAY_CORE], before[2][GATEWAY_CORE], strict=True))
    upstream = after[1] - before[1] if shot.mock_core == GATEWAY_CORE else 0.0
    load_core = after[2][LOAD_CORE][0] - before[2][LOAD_CORE][0]
    done = figures.events if shot.events else figures.ok
    return Sample(
        subject=subject.name,
        shot=shot.name,
        round=0,
        figures=figures,
        cpu=round(cpu, 4),
        busy=round(cpu / wall * 100, 1),
        foreign=round(max(core - cpu - upstream, 0.0) / wall * 100, 1) if subject.child else 0.0,
        stolen=round(stolen / wall * 100, 1),
        load_busy=round(load_core / wall * 100, 1),
        per_cpu=round(done / cpu, 1) if cpu > 0 else 0.0,
    )
