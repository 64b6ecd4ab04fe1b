"""A network of our own between this machine and another: namespaces (Linux) with a router between them that may drop all.

What the router drops goes without a word: no reset, no unreachable, as where a firewall forgets or a cable is cut far off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from freehold.core.ports import free_port
from tests.e2e.instance import Instance, Vendors, until
from tests.e2e.replica import Replica


def run(*words: str) -> None:
    """One command of iproute2."""
    subprocess.run(words, check=True, capture_output=True, timeout=60)


class Network:
    """This machine, a router, and another machine, in a row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        number = os.getpid() % 250 + 1
        self.here, self.there = f"10.{number}.1.1", f"10.{number}.2.2"
        self.router, self.far = f"fh-r{os.getpid()}", f"fh-f{os.getpid()}"
        self._links = (f"fa{os.getpid()}", f"fb{os.getpid()}", f"fc{os.getpid()}", f"fd{os.getpid()}")
        self._relays: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Raises OSError or CalledProcessError where that is not allowed here."""
        near, left, right, far = self._links
        step = self.here.rsplit(".", 2)[0]
        for name in (self.router, self.far):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", near, "type", "veth", "peer", "name", left, "netns", self.router)
        run("ip", "-n", self.router, "link", "add", right, "type", "veth", "peer", "name", far, "netns", self.far)
        run("ip", "addr", "add", f"{self.here}/24", "dev", near)
        run("ip", "link", "set", near, "up")
        run("ip", "route", "add", f"{step}.2.0/24", "via", f"{step}.1.2")
        for space, link, address in (
            (self.router, left, f"{step}.1.2"),
            (self.router, right, f"{step}.2.1"),
            (self.far, far, self.there),
        ):
            run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", link)
            run("ip", "-n", space, "link", "set", link, "up")
        run("ip", "-n", self.far, "route", "add", "default", "via", f"{step}.2.1")
        self.heal()

    def cut(self) -> None:
        """From now on whatever comes to the router is gone."""
        self._forward("0")

    def heal(self) -> None:
        """The router does its work."""
        self._forward("1")

    def narrow(self, rate: str) -> None:
        """So much goes through, `64kbit` for one, and the rest waits or is dropped."""
        for link in self._links[1:3]:
            words = ("qdisc", "add", "dev", link, "root", "tbf", "rate", rate, "burst", "4kb", "latency", "100ms")
            run("tc", "-n", self.router, *words)

    def _forward(self, value: str) -> None:
        run("ip", "netns", "exec", self.router, "sh", "-c", f"echo {value} > /proc/sys/net/ipv4/ip_forward")

    def lead(self, place: str, to: str, *, far: bool) -> None:
        """A relay at the far machine, or here."""
        within = ("ip", "netns", "exec", self.far) if far else ()
        self._relays.append(subprocess.Popen([*within, sys.executable, "-m", "tests.faults.relay", place, to]))

    def close(self) -> None:
        """Nothing of it stays."""
        for one in self._relays:
            one.kill()
            one.wait(60)
            for pipe in (one.stdin, one.stdout):
                if pipe is not None:
                    pipe.close()
        for name in (self.router, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=60)
        subprocess.run(["ip", "link", "del", self._links[0]], check=False, capture_output=True, timeout=60)


class Line(Network):
    """The two machines with a line between them that is slow, and loses packets."""

    def begin(self) -> None:
        """Raises OSError or CalledProcessError where that is not allowed here."""
        near, far = self._links[0], self._links[3]
        command = [sys.executable, "-m", "tests.faults.link", near, far]
        self._carrier = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._relays.append(self._carrier)
        if self._said() != b"ready":
            raise OSError("no tunnel can be made")
        run("ip", "netns", "add", self.far)
        run("ip", "-n", self.far, "link", "set", "lo", "up")
        run("ip", "link", "set", far, "netns", self.far)
        self.there = f"{self.here.rsplit('.', 1)[0]}.2"
        run("ip", "addr", "add", f"{self.here}/24", "dev", near)
        run("ip", "link", "set", near, "up")
        run("ip", "-n", self.far, "addr", "add", f"{self.there}/24", "dev", far)
        run("ip", "-n", self.far, "link", "set", far, "up")

    def be(self, *, delay: float = 0.0, lost: float = 0.0) -> None:
        """From now on packets take so many seconds, and this share never comes."""
        assert self._carrier.stdin is not None
        self._carrier.stdin.write(f"{delay} {lost}\n".encode())
        self._carrier.stdin.flush()
        assert self._said() == b"so"

    def cut(self) -> None:
        self.be(lost=1.0)

    def heal(self) -> None:
        self.be()

    def _said(self) -> bytes:
        assert self._carrier.stdout is not None
        return self._carrier.stdout.readline().strip()


N = TypeVar("N", bound=Network)


class FarReplica(Replica):
    """A replica on the far machine. Its callers and its vendor reach it past the network between the two."""

    def __init__(self, folder: Path, network: Network, primary: Instance, fakes: Vendors) -> None:
        super().__init__(folder, "far", primary, fakes)
        self._network = network
        self.within = ("ip", "netns", "exec", network.far)
        vendor, port = str(network.folder / "v"), str(fakes.openai.port)
        network.lead(vendor, port, far=False)
        network.lead(port, vendor, far=True)

    def start(self) -> None:
        super().start()
        calls, port = str(self._network.folder / f"c{self.process.pid}"), free_port()
        self._network.lead(calls, self.base.rpartition(":")[2], far=True)
        self._network.lead(str(port), calls, far=False)
        self.base = f"http://127.0.0.1:{port}"

    def told(self, words: str) -> int:
        """How often the courier's log says that."""
        return (self.home / "logs" / "courier.log").read_text().count(words)


def shipped(instance: Instance, calls: list[str]) -> None:
    """Wait until every one of the calls is in the ledger."""
    until(lambda: set(calls) <= {one["call"]["id"] for one in instance.calls()}, "every call is counted", within=240)


@contextmanager
def begun(kind: type[N]) -> Iterator[N]:
    """A network of that kind. Skips where none can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a network of one's own needs Linux and root")
    made = kind(Path(tempfile.mkdtemp(prefix="fh-net-")))
    try:
        try:
            made.begin()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no {kind.__name__.lower()} can be made here: {error}")
        yield made
    finally:
        made.close()
        shutil.rmtree(made.folder, ignore_errors=True)
