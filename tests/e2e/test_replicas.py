"""Gateways with a home of their own beside one primary: killed and started again, and every call is counted once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.error import URLError

import pytest

from freehold.core.crypto import Identity
from freehold.core.db import connect, url_of
from freehold.core.ports import free_port
from freehold.policy.authority import standing
from freehold.policy.types import Budget
from tests.e2e.instance import START_SECONDS, Answer, Instance, Vendors, http, running, until, vendors

LIMIT = 1000
CONFIG = """\
[routes.main]
targets = ["gpt"]
budget = { limit = @limit, period = "total" }
""".replace("@limit", str(LIMIT))
HONEST = {429, 502, 503, 504}


class Child:
    """A process that is killed and started again."""

    def __init__(self, log: Path, *command: str, env: dict[str, str] | None = None) -> None:
        self._log = log
        self._command = (sys.executable, "-m", *command)
        self._env = {**os.environ, **(env or {})}
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=out, env=self._env)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()


class Replica:
    """One replica: its gateway and its courier."""

    def __init__(self, folder: Path, name: str, primary: Instance, fakes: Vendors, dock: int) -> None:
        self.home = folder / name
        self.home.mkdir()
        for one in ("identity.key", "data.key"):
            shutil.copy(primary.home / one, self.home / one)
        port = free_port()
        config = folder / f"{name}.toml"
        config.write_text(primary.config.read_text().replace("[gateway]\nport = 0", f"[gateway]\nport = {port}"))
        public = Identity.load(primary.home / "identity.key").public.hex()
        keys = {"E2E_OPENAI_KEY": fakes.openai.key, "E2E_ANTHROPIC_KEY": fakes.anthropic.key}
        where = ("--home", str(self.home), "--config", str(config))
        self.base = f"http://127.0.0.1:{port}"
        log = folder / f"{name}.log"
        self.courier = Child(log, "tests.e2e.line", "courier", str(self.home), str(dock), f"token-of-{name}", public)
        self.gateway = Child(log, "freehold.app", "gateway", *where, env=keys)

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

    def shipped(self) -> bool:
        """Does the primary have it all?"""
        return not list((self.home / "journal").iterdir())


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[tuple[Instance, Vendors]]:
    with vendors() as fakes, running(tmp_path, CONFIG, fakes) as made:
        yield made, fakes


@contextmanager
def replicas(folder: Path, primary: Instance, fakes: Vendors) -> Iterator[tuple[Child, list[Replica]]]:
    port = free_port()
    with ExitStack() as stack:
        dock = Child(folder / "dock.log", "tests.e2e.line", "dock", str(primary.home), str(port))
        stack.callback(dock.kill)
        made = []
        for name in ("r1", "r2"):
            one = Replica(folder, name, primary, fakes, port)
            stack.callback(one.courier.kill)
            stack.callback(one.gateway.kill)
            made.append(one)
        yield dock, made


def test_every_call_is_counted_once_whoever_is_killed(primary: tuple[Instance, Vendors], tmp_path: Path) -> None:
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes) as (dock, (first, second)):
        seen = [first.answers(instance.key), second.answers(instance.key)]

        def some() -> None:
            for number in range(10):
                for one in (first, second):
                    got = one.ask(instance.key, stream=number % 2 == 0)
                    if got is not None and got.status == 200 and got.whole:
                        seen.append(got.call)
                    else:
                        assert got is None or not got.whole or got.status in HONEST, got

        some()
        for victims in ([first.gateway, first.courier], [dock], [second.courier], [second.gateway]):
            for one in victims:
                one.kill()
            some()
            for one in victims:
                one.start()
            some()
        instance.kill("writer")
        some()
        seen += [first.answers(instance.key), second.answers(instance.key)]
        for replica in (first, second):
            replica.gateway.end()
            until(replica.shipped, "the replica's journal is at the primary")

        def loaded() -> bool:
            return not instance.pending() and set(seen) <= {one["call"]["id"] for one in instance.calls()}

        until(loaded, "all is loaded")
        found = [one["call"] for one in instance.calls()]
        assert max(Counter(one["id"] for one in found).values()) == 1
        assert not list((instance.home / "journal").glob("*/remote"))
        engine = connect(url_of(instance.home / "freehold.db"))
        spent = standing(engine, Budget(id="route/main", limit=Decimal(LIMIT), period="total"), time.time()).spent
        engine.dispose()
        assert Decimal(LIMIT) > spent == sum(Decimal(one["cost"]) for one in found) > 0
        assert instance.freehold("audit", "verify")


def test_a_key_that_is_revoked_is_refused_at_a_replica(primary: tuple[Instance, Vendors], tmp_path: Path) -> None:
    instance, fakes = primary
    with replicas(tmp_path, instance, fakes) as (_, (first, _)):
        secret = instance.make_key("app")
        first.answers(secret)
        assert instance.api("/api/keys/app/revoke", {}).status == 200

        def refused() -> bool:
            got = first.ask(secret)
            return got is not None and got.status == 401

        until(refused, "the replica refuses the key")
