"""The supervisor with real processes: readiness, restarts, drain order, no orphans."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import pytest

from freehold.core.errors import Conflict, Unavailable
from freehold.core.process import Command, Supervisor, read_processes
from freehold.core.restart import Rules

QUICK = Rules(ready_within=5, probe_starting=0.01, probe_ready=0.02, misses=2, first_delay=0.02, grace=5)
SLEEP = "import time; time.sleep(600)"
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


def python(code, *arguments):
    return (sys.executable, "-S", "-c", code, *map(str, arguments))


async def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.005)


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def children_of(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Watched:
    """A supervisor and what it logged."""

    def __init__(self, folder):
        self.file = folder / "run" / "processes.json"
        self.told = []
        self.supervisor = Supervisor(self.file, lambda event, fields: self.told.append((event, dict(fields))))

    def phases(self, name):
        return [fields["phase"] for _, fields in self.told if fields["name"] == name]

    def status(self, name):
        return next(one for one in self.supervisor.statuses() if one.name == name)


def run(folder, work):
    async def whole():
        watched = Watched(folder)
        try:
            await work(watched, watched.supervisor)
        finally:
            await watched.supervisor.close()
        return watched

    return asyncio.run(whole())


def test_a_child_is_ready_when_its_probe_says_so(tmp_path):
    flag = tmp_path / "flag"

    async def probe():
        return flag.exists()

    async def work(watched, supervisor):
        code = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
        supervisor.start(Command(name="one", argv=python(code, flag), probe=probe, rules=QUICK))
        await supervisor.ready(20)
        assert flag.exists()
        told = read_processes(watched.file)
        assert told.supervisor == os.getpid()
        assert [(one.name, one.phase, one.pid) for one in told.children] == [
            ("one", "ready", watched.status("one").pid)
        ]

    watched = run(tmp_path, work)
    assert watched.phases("one") == ["starting", "ready", "stopping", "stopped"]
    assert read_processes(watched.file) is None


def test_a_killed_child_comes_back_with_another_pid(tmp_path):
    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        await supervisor.ready(20)
        first = watched.status("one").pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: watched.status("one").restarts == 1 and watched.status("one").phase == "ready")
        status = watched.status("one")
        assert status.pid != first
        assert (status.last_exit, status.reason) == (-9, "ended by signal 9")

    run(tmp_path, work)


def test_a_child_that_always_fails_is_tried_ever_more_seldom_and_told(tmp_path):
    async def work(watched, supervisor):
        log = tmp_path / "one.log"
        command = Command(
            name="one", argv=python("print('no port'); raise SystemExit(3)"), log=log, probe=never, rules=QUICK
        )
        supervisor.start(command)
        await until(lambda: watched.status("one").restarts >= 3)
        with pytest.raises(Unavailable, match=r"one is \w+ \(exited with 3") as raised:
            await supervisor.ready(0.01)
        assert str(log) in raised.value.hint
        assert log.read_text().splitlines()[:3] == ["no port"] * 3

    run(tmp_path, work)


async def never():
    return False


def test_a_command_that_is_not_there_is_told(tmp_path):
    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=("/nonexistent/engine",), rules=QUICK))
        await until(lambda: watched.status("one").last_exit == 127)
        assert "cannot be started" in watched.status("one").reason

    run(tmp_path, work)


def test_a_child_that_stops_answering_is_replaced(tmp_path):
    answers = [True]

    async def probe():
        if not answers[0]:
            raise ConnectionRefusedError
        return True

    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=python(SLEEP), probe=probe, rules=QUICK))
        await supervisor.ready(20)
        answers[0] = False
        await until(lambda: watched.status("one").restarts == 1)
        answers[0] = True
        await supervisor.ready(20)
        assert watched.status("one").reason == "stopped answering"

    run(tmp_path, work)


def test_children_are_drained_in_order(tmp_path):
    order = tmp_path / "order"
    code = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[3]))
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2])
    raise SystemExit
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1] + sys.argv[2]).touch()
time.sleep(600)
"""

    def started(name):
        flag = tmp_path / f"order{name}"

        async def probe():
            return flag.exists()

        return probe

    async def work(watched, supervisor):
        for name, drain, linger in (("b", 10, 0), ("a", 0, 0.2), ("c", 20, 0)):
            argv = python(code, order, name, linger)
            supervisor.start(Command(name=name, argv=argv, probe=started(name), drain=drain, rules=QUICK))
        await supervisor.ready(20)

    run(tmp_path, work)
    assert order.read_text() == "abc"


def test_what_ignores_the_signal_is_killed_with_all_it_started(tmp_path):
    flag, pids = tmp_path / "flag", []
    code = STUBBORN.replace("time.sleep", "import subprocess; subprocess.Popen(sys.argv[2:]); time.sleep")

    async def probe():
        return flag.exists()

    async def work(watched, supervisor):
        rules = Rules(probe_starting=0.01, grace=0.1)
        argv = python(code, flag, "sleep", "600")
        supervisor.start(Command(name="one", argv=argv, probe=probe, rules=rules))
        await supervisor.ready(20)
        pid = watched.status("one").pid
        await until(lambda: children_of(pid))
        pids.extend([pid, *children_of(pid)])
        await supervisor.stop("one")
        assert watched.status("one").last_exit == -9
        await until(lambda: not any(alive(one) for one in pids))

    run(tmp_path, work)


def test_two_of_one_name_are_refused_until_the_first_has_ended(tmp_path):
    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        with pytest.raises(Conflict):
            supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        await supervisor.stop("one")
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        await supervisor.ready(20)

    run(tmp_path, work)


def test_a_bare_environment_holds_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("VENDOR_SECRET", "sk-planted")

    async def work(watched, supervisor):
        code = "import os, time; print(dict(os.environ), flush=True); time.sleep(600)"
        log = tmp_path / "one.log"
        supervisor.start(Command(name="one", argv=python(code), env=(("A", "b"),), log=log, rules=QUICK))
        await until(lambda: log.exists() and log.read_text())
        assert "'A': 'b'" in log.read_text()
        assert "planted" not in log.read_text()

    run(tmp_path, work)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path):
    code = f"""
import asyncio, pathlib, sys
from freehold.core.process import Command, Supervisor
async def main():
    supervisor = Supervisor(pathlib.Path(sys.argv[1]), lambda *_: None)
    supervisor.start(Command(name="one", argv=(sys.executable, "-c", {SLEEP!r})))
    await supervisor.ready(20)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    file = tmp_path / "processes.json"

    async def work(watched, supervisor):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(file))

        def ready():
            told = read_processes(file)
            return told is not None and told.children and told.children[0].phase == "ready"

        await until(ready)
        child = read_processes(file).children[0].pid
        process.kill()
        await process.wait()
        await until(lambda: not alive(child))

    run(tmp_path, work)


def test_what_is_removed_is_gone_from_the_status_file_and_may_come_again(tmp_path):
    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        supervisor.start(Command(name="two", argv=python(SLEEP), rules=QUICK))
        await supervisor.ready(20)
        pid = supervisor.status("one").pid
        await supervisor.remove("one")
        assert not alive(pid)
        assert supervisor.status("one") is None
        assert [one.name for one in read_processes(watched.file).children] == ["two"]
        await supervisor.remove("one")
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        await supervisor.ready(20, ("one",))

    run(tmp_path, work)


def test_who_was_ready_and_fell_is_waited_for_again(tmp_path):
    flag = tmp_path / "flag"

    async def probe():
        return flag.exists()

    async def work(watched, supervisor):
        supervisor.start(Command(name="one", argv=python(SLEEP), rules=QUICK))
        supervisor.start(Command(name="two", argv=python(SLEEP), probe=probe, rules=QUICK))
        await supervisor.ready(20, ("one",))
        waiting = asyncio.create_task(supervisor.ready(20))
        os.kill(watched.status("one").pid, signal.SIGKILL)
        await until(lambda: watched.status("one").phase != "ready")
        flag.touch()
        await waiting
        assert {one.phase for one in supervisor.statuses()} == {"ready"}

    run(tmp_path, work)


def test_who_no_longer_waits_for_an_end_does_not_take_it_from_others(tmp_path):
    file = tmp_path / "stubborn"

    async def work(watched, supervisor):
        supervisor.start(
            Command(name="one", argv=python(STUBBORN, file), rules=msgspec.structs.replace(QUICK, grace=0.2))
        )
        await until(file.exists)
        pid = supervisor.status("one").pid
        waiting = asyncio.ensure_future(supervisor.stop("one"))
        await until(lambda: supervisor.status("one").phase == "stopping")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await supervisor.close()
        assert not alive(pid)
        assert watched.phases("one")[-1] == "stopped"
        assert not watched.file.exists()

    run(tmp_path, work)
