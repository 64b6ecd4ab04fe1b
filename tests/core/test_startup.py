"""Waiting for a start: ready, hopeless or unwanted, whichever comes first."""

from __future__ import annotations

import asyncio
import sys

import pytest

from freehold.core.errors import Unavailable
from freehold.core.process import Command, Supervisor
from freehold.core.restart import Rules
from freehold.core.startup import started

QUICK = Rules(probe_starting=0.01, first_delay=0.01, most_delay=0.02)
SLEEP = "import time; time.sleep(600)"


async def always():
    return True


async def never():
    return False


def wait(tmp_path, code, probe, stop=None, within=60.0):
    async def work():
        supervisor = Supervisor(tmp_path / "processes.json", lambda *_: None)
        event = asyncio.Event()
        log = tmp_path / "one.log"
        argv = (sys.executable, "-S", "-c", code)
        supervisor.start(Command(name="one", argv=argv, log=log, probe=probe, rules=QUICK))
        try:
            if stop:
                asyncio.get_running_loop().call_later(stop, event.set)
            return await started(supervisor, within, event)
        finally:
            await supervisor.close()

    return asyncio.run(work())


def test_it_is_true_once_all_are_ready(tmp_path):
    assert wait(tmp_path, SLEEP, always) is True


def test_a_stop_ends_the_waiting(tmp_path):
    assert wait(tmp_path, SLEEP, never, stop=0.01) is False


def test_a_child_that_ends_again_and_again_is_told_with_its_last_words_and_its_log(tmp_path):
    code = "print('error[FH-X-001] no weights\\n  fix   fetch them'); raise SystemExit(3)"
    with pytest.raises(Unavailable, match=r"one does not start: error\[FH-X-001\] no weights") as raised:
        wait(tmp_path, code, never)
    assert str(tmp_path / "one.log") in raised.value.hint


def test_without_last_words_it_is_told_how_it_ended(tmp_path):
    with pytest.raises(Unavailable, match="one does not start: exited with 3"):
        wait(tmp_path, "raise SystemExit(3)", never)


def test_a_slow_child_is_told_when_the_time_is_over(tmp_path):
    with pytest.raises(Unavailable, match="not ready after"):
        wait(tmp_path, SLEEP, never, within=0.05)


def test_only_the_named_children_are_waited_for(tmp_path):
    async def work():
        supervisor = Supervisor(tmp_path / "processes.json", lambda *_: None)
        argv = (sys.executable, "-S", "-c", "raise SystemExit(3)")
        supervisor.start(Command(name="bad", argv=argv, log=tmp_path / "bad.log", probe=never, rules=QUICK))
        argv = (sys.executable, "-S", "-c", SLEEP)
        supervisor.start(Command(name="good", argv=argv, probe=always, rules=QUICK))
        try:
            assert await started(supervisor, 60, asyncio.Event(), ("good",))
            with pytest.raises(Unavailable, match="bad does not start"):
                await started(supervisor, 60, asyncio.Event(), ("bad",), tries=1)
        finally:
            await supervisor.close()

    asyncio.run(work())
