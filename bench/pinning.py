"""Processes on chosen cores, and what they cost: CPU seconds, memory, foreign use of a core.

Linux only. CPU time is read off each process's own clock (nanoseconds), not from 10 ms ticks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GATEWAY_CORE = 0
LOAD_CORE = 1
_TICK = os.sysconf("SC_CLK_TCK")
_FIRST = -19
"""Autogroup niceness of what is measured: others get what it leaves idle."""


def go_first(pid: int) -> bool:
    """Put the session of `pid` before all others where the kernel and our rights allow it."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text(str(_FIRST))
    except OSError:
        return False
    return True


def pin_self(core: int, *, first: bool) -> None:
    """Move this process (and children it starts without a core of their own) to `core`."""
    os.sched_setaffinity(0, {core})
    if first:
        with contextlib.suppress(OSError):
            os.setsid()
        go_first(os.getpid())


def _parent(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    return int(text[text.rindex(")") + 2 :].split()[1])


def family(root: int) -> list[int]:
    """`root` and every living descendant."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(int(entry.name)), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of one process, its threads included; 0 where it is gone.

    The clock id of another process is `~pid << 3 | CPUCLOCK_SCHED` (linux/posix-timers.h).
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:
        return 0.0


def busy_seconds() -> dict[int, tuple[float, float]]:
    """For each core the seconds it was not idle since boot, and of these the seconds the hypervisor took away.

    In 10 ms ticks.
    """
    found = {}
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("cpu") and line[3].isdigit():
            name, *fields = line.split()
            ticks = [int(one) for one in fields[:8]]
            found[int(name[3:])] = ((sum(ticks) - ticks[3] - ticks[4]) / _TICK, ticks[7] / _TICK)
    return found


class Child:
    """A process of ours on one core, in a session of its own, stopped by its process id."""

    def __init__(self, name: str, command: Sequence[str], core: int, log: Path, **options: object) -> None:
        """`options`: `env` (added to ours), `cwd`, `first` (go before other sessions), `nice`."""
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        added = options.get("env") or {}
        assert isinstance(added, Mapping)
        cwd = options.get("cwd")
        prefix = ["nice", "-n", str(options["nice"])] if options.get("nice") else []
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*prefix, "taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **{str(key): str(value) for key, value in added.items()}},
                cwd=str(cwd) if cwd else None,
                start_new_session=True,
            )
        if options.get("first", True):
            go_first(self.process.pid)

    def alive(self) -> bool:
        """True while it runs."""
        return self.process.poll() is None

    def pids(self) -> list[int]:
        """It and its descendants."""
        return family(self.process.pid)

    def cpu(self) -> float:
        """CPU seconds of the whole family. A descendant that ended between two readings is not counted."""
        return sum(cpu_seconds(pid) for pid in self.pids())

    def move(self, core: int) -> None:
        """Pin the family to another core."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(pid, {core})

    def rss_mb(self) -> float:
        """Resident memory of the family, MiB."""
        total = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                total += next(int(one.split()[1]) for one in lines if one.startswith("VmRSS:")) / 1024
        return round(total, 1)

    def tail(self, size: int = 400) -> str:
        """The end of its log, on one line."""
        with contextlib.suppress(OSError):
            return " ".join(self.log.read_text(errors="replace")[-size:].split())
        return ""

    def stop(self, seconds: float = 5.0) -> None:
        """Ask, wait, then end the family by process id."""
        pids = self.pids()
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            gone = self.process.poll() is not None
            if gone and not any(Path(f"/proc/{pid}").exists() for pid in pids if pid != self.process.pid):
                break
            time.sleep(0.02)
        for pid in pids:
            if pid != self.process.pid or self.process.poll() is None:
                _signal(pid, signal.SIGKILL)
        self.process.wait()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def machine() -> dict[str, object]:
    """What this ran on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    system = os.uname()
    return {"cpu": model, "cores": os.cpu_count(), "memory_mb": memory, "kernel": f"{system.sysname} {system.release}"}
