"""Supervises child processes: starts, probes, restarts with back-off, drains in order, leaves no orphan.

What to do is decided in `core/restart.py`; here it is done. Children get a session of their own, so that only the
supervisor signals them, and die with it even when it is killed (Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from freehold.core.clock import iso
from freehold.core.errors import Conflict, Unavailable
from freehold.core.restart import ALIVE, Event, Exited, Probed, Rules, Start, State, Stop, Tick, next_action

Probe = Callable[[], Awaitable[bool]]
Log = Callable[[str, Mapping[str, object]], None]
"""Told an event's name and its fields."""

_LOG_BYTES = 8 << 20
"""A child's log larger than this is set aside as `.1` when the child is started."""
_PR_SET_PDEATHSIG = 1


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One child. `probe` None means ready once started; children with a lower `drain` are stopped, and gone, first."""

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] | None = None
    """The child's whole environment; None hands ours on."""
    log: Path | None = None
    """Gets its stdout and stderr; None shares ours."""
    probe: Probe | None = None
    drain: int = 0
    rules: Rules = Rules()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What people and other processes may know of a child."""

    name: str
    phase: str
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    reason: str = ""
    since: str = ""
    log: str = ""


class Processes(msgspec.Struct, frozen=True):
    """The status file: the supervisor's own pid, and its children by name."""

    supervisor: int
    children: tuple[Status, ...]


def read_processes(path: Path) -> Processes | None:
    """What the status file says; None where no supervisor left one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Processes)
    except (OSError, msgspec.DecodeError):
        return None


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process a signal when its parent's thread ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


class Supervisor:
    """Runs children until closed. Make it and call it in one event loop, on a thread that lives as long as it."""

    def __init__(self, status_file: Path, log: Log, clock: Callable[[], float] = time.time) -> None:
        self._path = status_file
        self._log = log
        self._clock = clock
        self._children: dict[str, _Child] = {}

    def start(self, command: Command) -> None:
        """Begin to run a child. Raises Conflict where one of that name runs already."""
        old = self._children.get(command.name)
        if old is not None and not old.finished:
            raise Conflict(f"{command.name} runs already", hint="stop it first")
        child = _Child(command, self._changed)
        self._children[command.name] = child
        child.begin()

    async def ready(self, within: float, names: tuple[str, ...] = ()) -> None:
        """Wait until the named children (all, where none is named) are ready, at most `within` seconds.

        Raises Unavailable with each laggard, its last exit and its log.
        """
        wanted = [one for one in self._children.values() if not names or one.command.name in names]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while late := [one for one in wanted if not one.is_ready.is_set()]:
                    await asyncio.gather(*(one.is_ready.wait() for one in late))  # the first may be gone by the last
        late_children = [one.status(self._clock()) for one in wanted if not one.is_ready.is_set()]
        if late_children:
            told = "; ".join(f"{one.name} is {one.phase}{_because(one)}" for one in late_children)
            raise Unavailable(
                f"not ready after {within:g} s: {told}", hint=f"read {late_children[0].log or 'its output'}"
            )

    def statuses(self) -> tuple[Status, ...]:
        """Every child, by name."""
        now = self._clock()
        return tuple(self._children[name].status(now) for name in sorted(self._children))

    def status(self, name: str) -> Status | None:
        """One child; None where there is none of that name."""
        child = self._children.get(name)
        return None if child is None else child.status(self._clock())

    async def stop(self, name: str) -> None:
        """End one child for good and wait for it: a polite signal, then after its grace a kill."""
        child = self._children.get(name)
        if child is not None:
            await child.stop()

    async def remove(self, name: str) -> None:
        """End one child for good and forget it; nothing, where there is none of that name."""
        child = self._children.get(name)
        if child is None:
            return
        await child.stop()
        if self._children.get(name) is child:
            del self._children[name]
            self._write()

    async def close(self) -> None:
        """End all children, lowest `drain` first, and remove the status file. Then raises what one of them raised."""
        failed: list[BaseException] = []
        for order in sorted({one.command.drain for one in self._children.values()}):
            ends = [one.stop() for one in self._children.values() if one.command.drain == order]
            told = await asyncio.gather(*ends, return_exceptions=True)
            failed += [one for one in told if isinstance(one, BaseException)]
        self._path.unlink(missing_ok=True)
        if failed:
            raise failed[0]

    def _changed(self, child: _Child, before: State) -> None:
        status = child.status(self._clock())
        fields = {key: value for key, value in msgspec.structs.asdict(status).items() if value not in (None, "")}
        if child.state.phase != before.phase:
            self._log("process", fields)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(Processes(os.getpid(), self.statuses())))
        os.replace(temporary, self._path)


class _Child:
    """One command, its state, and the task that carries out what is decided."""

    def __init__(self, command: Command, changed: Callable[[_Child, State], None]) -> None:
        self.command = command
        self.state = State()
        self.is_ready = asyncio.Event()
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._side: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None

    @property
    def finished(self) -> bool:
        return self.state.phase == "stopped"

    def begin(self) -> None:
        self._events.put_nowait(Start())
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        self._events.put_nowait(Stop())
        if self._task is not None:
            await asyncio.shield(self._task)  # who no longer waits must not end the work of those who do

    def status(self, now: float) -> Status:
        state = self.state
        age = time.monotonic() - state.since
        return Status(
            name=self.command.name,
            phase=state.phase,
            pid=self._process.pid if self._process is not None and state.phase in ALIVE else None,
            restarts=state.restarts,
            last_exit=state.last_exit,
            reason=state.reason,
            since=iso(now - age) if state.since else "",
            log=str(self.command.log or ""),
        )

    async def _run(self) -> None:
        try:
            while not self.finished:
                await self._step(await self._next_event())
        finally:
            self._signal(signal.SIGKILL)
            for task in self._side:
                task.cancel()
            await asyncio.gather(*self._side, return_exceptions=True)

    async def _next_event(self) -> Event:
        wait = self.state.due - time.monotonic()
        if wait == float("inf"):
            return await self._events.get()
        try:
            return await asyncio.wait_for(self._events.get(), max(0.0, wait))
        except TimeoutError:
            return Tick()

    async def _step(self, event: Event) -> None:
        before = self.state
        if isinstance(event, Exited) and self._probing is not None:
            self._probing.cancel()  # its answer would be taken for the next process's
        self.state, action = next_action(before, event, time.monotonic(), self.command.rules)
        if action == "spawn":
            await self._spawn()
        elif action == "probe":
            self._probing = self._aside(self._probe())
        elif action in {"terminate", "kill"}:
            self._signal(signal.SIGTERM if action == "terminate" else signal.SIGKILL)
        if self.state.phase == "ready":
            self.is_ready.set()
        else:
            self.is_ready.clear()
        if (self.state.phase, self.state.last_exit) != (before.phase, before.last_exit):
            self._changed(self, before)

    async def _spawn(self) -> None:
        command = self.command
        with _log_file(command.log) as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=None if command.env is None else dict(command.env),
                    start_new_session=True,
                    preexec_fn=_tether(os.getpid()),
                )
            except OSError as error:
                self._process = None
                self._events.put_nowait(Exited(127, f"cannot be started: {error.strerror}"))
                return
        self._aside(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        self._events.put_nowait(Exited(status))

    async def _probe(self) -> None:
        probe = self.command.probe
        try:
            ok = True if probe is None else await probe()
        except OSError:
            ok = False
        self._events.put_nowait(Probed(ok))

    def _aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)
        return task

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(self._process.pid, number)  # whatever it started goes too
                else:
                    self._process.send_signal(number)


def _because(status: Status) -> str:
    return f" ({status.reason}, {status.restarts} restarts)" if status.reason else ""


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        os.replace(path, path.with_name(path.name + ".1"))
    with path.open("ab") as file:
        yield file


def _tether(parent: int) -> Callable[[], None] | None:
    """What the child does before it becomes the command: ask to die with us. Loaded here, so it only calls libc."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tether() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(0)

    return tether
