"""Replicas beside one primary, as `freehold up` runs them: killed in turn, and every call is counted and paid once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.error import URLError

import pytest

from freehold.core.db import connect, url_of
from freehold.core.process import read_processes
from freehold.policy.authority import standing
from freehold.policy.types import Budget
from tests.e2e.instance import FREEHOLD, START_SECONDS, Answer, Instance, Vendors, http, running, until, vendors

LIMIT = 1000
CONFIG = """\
[dock]
enabled = true
port = 0
[routes.main]
targets = ["gpt"]
budget = { limit = @limit, period = "total" }
""".replace("@limit", str(LIMIT))
HONEST = {429, 502, 503, 504}


class Replica:
    """`freehold up --join` as a child process."""

    def __init__(self, folder: Path, name: str, primary: Instance, fakes: Vendors) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.home, self.log, self.name = self.folder / "home", self.folder / "up.log", name
        self.file = self.folder / "join"
        primary.freehold("replicas", "add", name, "--out", str(self.file))
        (self.folder / "freehold.toml").write_text("[gateway]\nport = 0\n")
        keys = {"E2E_OPENAI_KEY": fakes.openai.key, "E2E_ANTHROPIC_KEY": fakes.anthropic.key}
        self._env = {**os.environ, **keys}
        self.base = ""

    def start(self) -> None:
        """Begin; once joined, the home alone is enough."""
        given = [] if self.base else ["--join", str(self.file)]
        place = ["--home", str(self.home), "--config", str(self.folder / "freehold.toml")]
        with self.log.open("wb") as out:
            command = [*FREEHOLD, *place, "up", "--json", *given]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self._env)
        self.base = json.loads(until(self._banner, "the replica is up", START_SECONDS))["gateway"]

    def _banner(self) -> str:
        text = self.log.read_text()
        assert self.process.poll() is None, text
        return text.splitlines()[0] if text.startswith("{") and "\n" in text else ""

    def kill(self, child: str) -> None:
        """`kill -9` of one process, which is started again."""
        found = read_processes(self.home / "run" / "processes.json")
        assert found is not None
        pid = next(one.pid for one in found.children if one.name == child)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """As if the machine lost its power: children die with their supervisor."""
        for child in ("courier", "gateway"):
            self.kill(child)
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        """End it in order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def end(self) -> None:
        """Whatever became of it."""
        if self.base and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
            self.process.wait(60)

    def ask(self, key: str, *, stream: bool = False) -> Answer | None:
        """One chat completion; None where nobody listens, or hangs up before an answer."""
        body = {"model": "main", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16, "stream": stream}
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        try:
            return http(f"{self.base}/v1/chat/completions", body, headers)
        except (URLError, ConnectionError):
            return None

    def answers(self, key: str) -> str:
        """The id of a call that was answered; waits until one is."""

        def answered() -> str:
            got = self.ask(key)
            return got.call if got is not None and got.status == 200 and got.whole else ""

        return until(answered, "the replica answers", START_SECONDS)

    def unshipped(self) -> list[Path]:
        """Journals that are not known to be at the primary."""
        return list((self.home / "journal").iterdir())


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[tuple[Instance, Vendors]]:
    with vendors() as fakes, running(tmp_path, CONFIG, fakes) as made:
        yield made, fakes


@contextmanager
def replicas(folder: Path, primary: Instance, fakes: Vendors, *names: str) -> Iterator[list[Replica]]:
    with ExitStack() as stack:
        made = []
        for name in names:
            one = Replica(folder, name, primary, fakes)
            stack.callback(one.end)
            one.start()
            made.append(one)
        yield made


def lent(instance: Instance, epoch: str) -> Decimal:
    """What a gateway holds of the budget."""
    with contextlib.closing(sqlite3.connect(f"file:{instance.home / 'freehold.db'}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT granted FROM leases WHERE epoch = ?", (epoch,)).fetchone()
    return Decimal(found[0]) if found else Decimal(0)


def spent(instance: Instance) -> Decimal:
    """What the route's budget says is spent."""
    engine = connect(url_of(instance.home / "freehold.db"))
    found = standing(engine, Budget(id="route/main", limit=Decimal(LIMIT), period="total"), time.time())
    engine.dispose()
    assert found.available == LIMIT - found.spent - found.held
    return found.spent


def test_every_call_is_counted_once_whoever_is_killed(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1", "r2") as (first, second):
        seen = [first.answers(instance.key), second.answers(instance.key)]

        def some():
            for number in range(10):
                for one in (first, second):
                    got = one.ask(instance.key, stream=number % 2 == 0)
                    if got is not None and got.status == 200 and got.whole:
                        seen.append(got.call)
                    else:
                        assert got is None or not got.whole or got.status in HONEST, got

        some()
        for strike in (
            lambda: (first.kill("gateway"), first.kill("courier")),
            lambda: instance.kill("dock"),
            lambda: second.kill("courier"),
            lambda: instance.kill("writer"),
            second.kill_all,
        ):
            strike()
            some()
        second.start()
        some()
        seen += [first.answers(instance.key), second.answers(instance.key)]
        for one in (first, second):
            assert one.stop() == 0, one.log.read_text()
            assert one.unshipped() == []

        def loaded():
            return not instance.pending() and set(seen) <= {one["call"]["id"] for one in instance.calls()}

        until(loaded, "all is loaded")
        found = [one["call"] for one in instance.calls()]
        assert max(Counter(one["id"] for one in found).values()) == 1
        assert LIMIT > sum(Decimal(one["cost"]) for one in found) == spent(instance) > 0
        assert instance.freehold("audit", "verify")
        assert [one["journals"] for one in instance.freehold("replicas", "list")] == [0, 0]


def test_keys_and_limits_are_the_primarys(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        secret = instance.make_key("app", requests_per_minute=60)
        replica.answers(secret)
        for one in (replica.ask(secret), instance.chat("main", key=secret)):
            assert one.headers["x-ratelimit-limit-requests"] == "30", "each of two machines has its part"
        assert instance.api("/api/keys/app/revoke", {}).status == 200
        until(lambda: (got := replica.ask(secret)) is not None and got.status == 401, "the replica refuses the key")


def test_one_that_is_removed_serves_no_more(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        replica.answers(instance.key)
        refused = instance.api("/api/replicas/r1/remove", {})
        assert refused.status == 409, "its gateway lives, so its journal is not all here"
        assert replica.stop() == 0
        assert instance.freehold("replicas", "remove", "r1")["name"] == "r1"
        assert instance.freehold("replicas", "list") == []
        with pytest.raises(AssertionError, match="FH-POL-035"):
            replica.start()


def test_what_a_lost_one_held_counts_as_spent_and_it_is_told_when_it_comes_back(primary, tmp_path):
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes, "r1") as (replica,):
        seen = replica.answers(instance.key)
        instance.call(seen)
        (journal,) = replica.unshipped()
        held = lent(instance, journal.name)
        assert held > spent(instance) > 0
        replica.kill_all()
        assert instance.freehold("replicas", "remove", "r1", "--lost")["journals"] == 1
        until(lambda: spent(instance) == held, "what it held counts as spent")
        assert lent(instance, journal.name) == 0
        assert [one["call"]["id"] for one in instance.calls()] == [seen]
        with pytest.raises(AssertionError, match="FH-POL-035"):
            replica.start()
        assert replica.unshipped(), "what it wrote stays where it is"
        assert instance.freehold("audit", "verify")
