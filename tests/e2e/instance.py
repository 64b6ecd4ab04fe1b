"""A whole instance as its users run it: `freehold up` as a child process, its own home, real sockets, real SQLite.

The fakes of both vendors are its providers; with `owned` it also runs the real engines on the real weights.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import IncompleteRead
from pathlib import Path
from typing import Any, TypeVar

import pytest

from freehold.serving.fetch import ready
from tests.engines import CACHE
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_openai import FakeOpenAi

T = TypeVar("T")

START_SECONDS = 240
WAIT_SECONDS = 120.0
FREEHOLD = (sys.executable, "-m", "freehold")

HEAD = """\
[gateway]
port = 0
[admin]
port = 0
[serving]
enabled = @owned
weights = "@weights"
threads = 2
context_tokens = 8192
[providers.openai]
vendor = "openai"
base_url = "@openai/v1"
api_key = "${env:E2E_OPENAI_KEY}"
[providers.anthropic]
vendor = "anthropic"
base_url = "@anthropic/v1"
api_key = "${env:E2E_ANTHROPIC_KEY}"
[targets.gpt]
provider = "openai"
model = "gpt-fake"
price = { input = 1, output = 2, cached = 0.1, as_of = 2026-11-01 }
[targets.claude]
provider = "anthropic"
model = "claude-fake"
price = { input = 3, output = 15, cached = 0.3, cache_write = 3.75, cache_write_1h = 6, as_of = 2026-11-01 }
"""


@dataclass
class Vendors:
    """Both fakes, and what they were sent."""

    openai: FakeOpenAi
    anthropic: FakeAnthropic

    def calm(self) -> None:
        """Forget every script, fault and request."""
        for one in (self.openai, self.anthropic):
            one.calm()

    def sent(self) -> bytes:
        """Every byte of every request that reached either."""
        found = [*self.openai.requests, *self.anthropic.requests]
        return b"".join(f"{one.path}{one.headers}".encode() + one.body for one in found)


@dataclass
class Answer:
    """What came back over plain HTTP; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True
    """False where the body was cut."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def call(self) -> str:
        return self.headers.get("x-request-id") or self.headers["request-id"]


@dataclass
class Instance:
    """A running instance: addresses, the first key, the owner's token, its folder."""

    base: str
    admin: str
    key: str
    home: Path
    config: Path
    process: subprocess.Popen[bytes]
    text: str = field(repr=False)
    """The configuration it was started with, but for what stands in capitals behind `@`."""

    @property
    def token(self) -> str:
        return (self.home / "run" / "admin.token").read_text().strip()

    # calls

    def ask(self, path: str, body: Any, headers: dict[str, str] | None = None, key: str | None = None) -> Answer:
        """One POST to the gateway (a GET where `body` is None)."""
        given = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json", **(headers or {})}
        return http(f"{self.base}{path}", body, given)

    def chat(self, model: str, text: str = "hello", key: str | None = None, **more: Any) -> Answer:
        """One chat completion."""
        headers = more.pop("headers", None)
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 16, **more}
        return self.ask("/v1/chat/completions", body, headers, key)

    # what it says about itself

    def api(self, path: str, body: Any = None, method: str | None = None) -> Answer:
        """One request to the management API, as the owner."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return http(f"{self.admin}{path}", body, headers, method)

    def make_key(self, name: str, **fields: Any) -> str:
        """A new key's secret, in force at the gateway."""
        made = self.api("/api/keys", {"name": name, "label": "internal", **fields})
        assert made.status == 201, made.body
        secret: str = made.json["secret"]
        until(lambda: self.ask("/v1/models", None, key=secret).status == 200, f"the key {name} is in force")
        return secret

    def call(self, call: str) -> dict[str, Any]:
        """What the ledger says of a call, once it is loaded."""
        return until(lambda: (got := self.api(f"/api/calls/{call}")).status == 200 and got.json, f"{call} is settled")

    def calls(self, **which: Any) -> list[dict[str, Any]]:
        """All calls with their attempts, oldest first."""
        query = "&".join(f"{name}={value}" for name, value in which.items())
        return [json.loads(line) for line in self.api(f"/api/calls/export?{query}").body.splitlines()]

    def freehold(self, *words: str) -> Any:
        """What a command says with `--json`."""
        command = [*FREEHOLD, "--home", str(self.home), "--config", str(self.config), *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    def pending(self) -> int:
        """Calls that have begun and, as far as the ledger knows, not ended."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'freehold.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM pending").fetchone()[0])

    def processes(self) -> dict[str, dict[str, Any]]:
        """The supervisor's children by name."""
        return {one["name"]: one for one in json.loads((self.home / "run" / "processes.json").read_bytes())["children"]}

    def logs(self) -> str:
        """The end of every log."""
        files = [*sorted((self.home / "logs").glob("*.log")), self.home.parent / "up.log"]
        return "\n".join(f"--- {one.name}\n{one.read_text(errors='replace')[-2500:]}" for one in files if one.exists())

    # what is done to it

    def write(self, text: str) -> None:
        """Replace the configuration file, as an editor does."""
        temporary = self.config.with_suffix(".new")
        temporary.write_text(text)
        os.replace(temporary, self.config)

    def kill(self, name: str) -> int:
        """`kill -9` of one child; its process id."""
        found: int = self.processes()[name]["pid"]
        os.kill(found, signal.SIGKILL)
        return found

    def stop(self) -> None:
        """End it in order. Every child must be gone with it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(120) == 0, self.logs()


def http(url: str, body: Any, headers: dict[str, str], method: str | None = None) -> Answer:
    """One request of its own connection; JSON where `body` is no bytes."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as got:
            named = {name.lower(): value for name, value in got.headers.items()}
            try:
                return Answer(got.status, named, got.read())
            except (IncompleteRead, ConnectionError) as error:
                return Answer(got.status, named, getattr(error, "partial", b""), whole=False)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {name.lower(): value for name, value in error.headers.items()}, error.read())


def until(found: Callable[[], T], what: str, within: float = WAIT_SECONDS) -> T:
    """The first true value; fails where none comes in time."""
    end = time.monotonic() + within
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {within:g} s: {what}")
        time.sleep(0.01)


@contextlib.contextmanager
def vendors() -> Iterator[Vendors]:
    """Both fakes, listening."""
    with FakeOpenAi() as openai, FakeAnthropic() as anthropic:
        yield Vendors(openai, anthropic)


def filled(text: str, fakes: Vendors, *, owned: bool, gateway: str = "") -> str:
    """A configuration: the head that all share (with more for its table [gateway]), then what is given; addresses
    filled in.
    """
    values = {
        "owned": "true" if owned else "false",
        "weights": str(CACHE),
        "openai": f"http://127.0.0.1:{fakes.openai.port}",
        "anthropic": f"http://127.0.0.1:{fakes.anthropic.port}",
    }
    found = HEAD.replace("[gateway]\n", f"[gateway]\n{gateway}") + text
    for name, value in values.items():
        found = found.replace(f"@{name}", value)
    return found


@contextlib.contextmanager
def running(
    folder: Path, text: str, fakes: Vendors, *, owned: bool = False, gateway: str = "", env: Mapping[str, str] = {}
) -> Iterator[Instance]:
    """An instance in `folder`, `env` beside our own. Skips where it would need weights that are not there."""
    if owned and not ready(CACHE):
        pytest.skip(f"no weights in {CACHE}: run `make setup`")
    config, home, log = folder / "freehold.toml", folder / "home", folder / "up.log"
    config.write_text(filled(text, fakes, owned=owned, gateway=gateway))
    keys = {"E2E_OPENAI_KEY": fakes.openai.key, "E2E_ANTHROPIC_KEY": fakes.anthropic.key}
    command = [*FREEHOLD, "--home", str(home), "--config", str(config), "up", "--json"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **keys, **env})
    try:
        told = json.loads(until(lambda: _banner(process, log), "the instance is up", START_SECONDS))
        ends = told["endpoints"]
        made = Instance(ends["gateway"], ends["admin"], told["secret"], home, config, process, text)
        yield made
        made.stop()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def _banner(process: subprocess.Popen[bytes], log: Path) -> str:
    text = log.read_text()
    if process.poll() is not None:
        pytest.fail(f"the instance ended with {process.returncode}:\n{text}")
    return text.splitlines()[0] if text.startswith("{") and "\n" in text else ""
