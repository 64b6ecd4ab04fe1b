"""A rolling upgrade: replicas one after the other, then the primary while they serve. No call fails, all are counted once.

It begins on the newest tag, where the repository has one; else on the same sources, so that the order alone is tried.
"""

from __future__ import annotations

import io
import itertools
import subprocess
import tarfile
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import pytest

from freehold.core.ports import free_port
from tests.e2e.instance import http, running, until, vendors
from tests.e2e.replica import Replica

ROOT = Path(__file__).parents[2]
CONFIG = """\
[dock]
enabled = true
port = @dock
[routes.main]
targets = ["gpt"]
budget = { limit = 1000, period = "total" }
"""
GATEWAY = "drain_notice_seconds = 3\n"


@pytest.fixture
def before(tmp_path: Path) -> dict[str, str]:
    """The environment in which `freehold` is that of the newest tag."""
    git = ("git", "-C", str(ROOT))
    tag = subprocess.run([*git, "describe", "--tags", "--abbrev=0"], capture_output=True, text=True, check=False)
    if tag.returncode:
        return {}
    packed = subprocess.run([*git, "archive", tag.stdout.strip(), "src"], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    return {"PYTHONPATH": str(tmp_path / "before" / "src")}


class Balancer:
    """Asks machines in turn that say they are ready; one that is not reached is passed over, as balancers do."""

    def __init__(self, machines: list[Replica], key: str) -> None:
        self._machines = machines
        self._key = key
        self._turns = itertools.count()
        self._over = threading.Event()
        self._callers = [threading.Thread(target=self._ask_on) for _ in range(4)]
        self.good: list[str] = []
        self.bad: list[object] = []

    def __enter__(self) -> Self:
        for one in self._callers:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._callers:
            one.join(120)

    def some(self) -> None:
        """Wait until more calls were answered."""
        wanted = len(self.good) + 40
        until(lambda: len(self.good) >= wanted or self.bad, "calls are answered")

    def _ask_on(self) -> None:
        while not self._over.is_set():
            number = next(self._turns)
            first = number % len(self._machines)
            for one in (*self._machines[first:], *self._machines[:first]):
                got = one.ask(self._key, stream=number % 3 == 0) if ready(one) else None
                if got is not None:
                    (self.good.append(got.call) if got.status == 200 and got.whole else self.bad.append(got))
                    break
            else:
                self.bad.append("no machine was ready")


def ready(one: Replica) -> bool:
    try:
        return http(f"{one.base}/readyz", None, {}).status == 200
    except OSError:
        return False


def test_no_call_fails_while_everything_is_replaced(tmp_path, before):
    text = CONFIG.replace("@dock", str(free_port()))
    with vendors() as fakes, running(tmp_path, text, fakes, gateway=GATEWAY, env=before) as old:
        key, machines = old.key, [Replica(tmp_path, name, old, fakes) for name in ("r1", "r2")]
        now = machines[0].env
        try:
            for one in machines:
                one.env = {**now, **before}
                (one.folder / "freehold.toml").write_text(f"[gateway]\nport = 0\n{GATEWAY}")
                one.start()
                one.answers(key)
            with Balancer(machines, key) as balancer:
                balancer.some()
                for one in machines:
                    assert one.stop() == 0, one.log.read_text()
                    one.env = now
                    one.start()
                    until(lambda one=one: ready(one), "the new one is ready")
                    balancer.some()
                old.stop()
                balancer.some()
                with running(tmp_path, text, fakes, gateway=GATEWAY) as new:
                    balancer.some()
                    balancer.__exit__()
                    assert balancer.bad == []
                    for one in machines:
                        assert one.stop() == 0, one.log.read_text()
                    seen = set(balancer.good)
                    until(lambda: seen <= {one["call"]["id"] for one in new.calls()}, "every call is counted")
                    found = Counter(one["call"]["id"] for one in new.calls())
                    assert max(found.values()) == 1
                    assert {one["call"]["outcome"] for one in new.calls()} == {"ok"}
                    assert new.freehold("audit", "verify")["good"]
        finally:
            for one in machines:
                one.end()
