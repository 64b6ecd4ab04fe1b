"""A machine that runs out: the disk, file descriptors, the database. Calls are refused, none is lost, and it comes back.

Each test begins and ends with a process that serves; the last one audits what all of them left behind.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.instance import until
from tests.fakes.wire import Fault
from tests.faults.books import audit, lives

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process can be set on Linux alone")
LIMIT = Decimal(1000)
CONFIG = f"""\
[routes.main]
targets = ["gpt"]
budget = {{ limit = {LIMIT}, period = "total" }}
"""


@pytest.fixture(scope="module")
def good():
    """Ids of every call whose caller holds a whole answer."""
    return []


@contextlib.contextmanager
def limited(pid: int, kind: int, most: int):
    """The process may have no more than `most` of something for a while."""
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, before)


def gateway(instance) -> int:
    return instance.processes()["gateway"]["pid"]


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def served(instance, good) -> bool:
    got = instance.chat("main")
    if got.status == 200:
        good.append(got.call)
    return got.status == 200


def test_a_journal_that_cannot_be_written_refuses_calls_before_they_leave(instance, fakes, good):
    """A file may grow no further, which the process sees just as a full disk: the write fails."""
    pid = gateway(instance)
    assert served(instance, good)
    fakes.openai.requests.clear()
    with limited(pid, resource.RLIMIT_FSIZE, 0):
        for _ in range(5):
            got = instance.chat("main")
            assert got.status == 503 and b"FH-" in got.body, got.body
        assert not fakes.openai.requests, "what cannot be written down does not leave"
        assert instance.ask("/readyz", None).status == 503, "load balancers are told"
        assert instance.ask("/healthz", None).status == 200, "it need not be restarted"
    until(lambda: served(instance, good), "there is room again, and calls are served")
    assert instance.ask("/readyz", None).status == 200
    lives(instance, pid)


def test_the_end_of_a_stream_that_the_disk_did_not_take_is_written_down_later(instance, fakes, good):
    """The call was written down before it left, so it is paid whatever happens; how it ended waits in memory."""
    pid = gateway(instance)
    fakes.openai.fail(Fault("stall_mid", after=2))
    port = urlsplit(instance.base).port
    body = b'{"model":"main","stream":true,"max_tokens":16,"messages":[{"role":"user","content":"hello"}]}'
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {instance.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        caller.sendall(head.encode() + body)
        got = b""
        while b"data:" not in got:
            got += caller.recv(65536)
        with limited(pid, resource.RLIMIT_FSIZE, 0):
            fakes.openai.release()
            while piece := caller.recv(65536):
                got += piece
    until(lambda: served(instance, good), "calls are served again")
    call = got.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()
    whole = got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert instance.call(call)["call"]["outcome"] == ("ok" if whole else "broken")
    lives(instance, pid)


def test_callers_that_take_every_descriptor_do_not_end_the_process(instance, fakes, good):
    pid = gateway(instance)
    assert served(instance, good)
    port, room = urlsplit(instance.base).port, 40
    most = descriptors(pid) + room
    with contextlib.ExitStack() as stack:
        stack.enter_context(limited(pid, resource.RLIMIT_NOFILE, most))
        for _ in range(room + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        until(lambda: descriptors(pid) >= most - 1, "every descriptor is in use")
    until(lambda: served(instance, good), "they are gone, and calls are served", within=60)
    lives(instance, pid)


def test_a_database_that_is_locked_keeps_no_caller_waiting(instance, fakes, good):
    """Somebody else holds the write lock: calls go on, and are loaded once it is free."""
    with contextlib.closing(sqlite3.connect(instance.home / "freehold.db", timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = other.execute("SELECT count(*) FROM calls").fetchone()[0]
        for _ in range(20):
            assert served(instance, good), "the request path waits for no database"
        assert other.execute("SELECT count(*) FROM calls").fetchone()[0] == before
        other.rollback()
    assert instance.call(good[-1])["call"]["outcome"] == "ok"


def test_a_database_that_takes_no_more_is_caught_up_with(instance, fakes, good):
    """The writer's disk is full: what the journal holds is loaded, once, when there is room."""
    writer = instance.processes()["writer"]["pid"]
    with limited(writer, resource.RLIMIT_FSIZE, 0):
        for _ in range(20):
            assert served(instance, good)
    assert instance.call(good[-1])["call"]["outcome"] == "ok"


def test_the_books_are_right(instance, fakes, good):
    until(lambda: Path(f"/proc/{gateway(instance)}").exists(), "the gateway runs")
    audit(instance, good, LIMIT, "main")
    assert len(good) > 40
