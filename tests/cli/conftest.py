"""The command line, run in this process or against a running instance."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from freehold.cli.main import run
from tests.fakes.fake_openai import FakeOpenAi

DEADLINE_SECONDS = 30.0


class Told:
    """What a command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Told:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return call


class Running:
    """A whole instance in processes of its own, with a fake vendor behind it."""

    def __init__(self, folder: Path, vendor: FakeOpenAi) -> None:
        self.folder = folder
        self.vendor = vendor
        self.home = folder / "home"
        self.config = folder / "freehold.toml"
        self.banner: dict[str, Any] = {}
        self.process: subprocess.Popen[str] | None = None

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEHOLD")}
        return {**kept, "VENDOR_KEY": self.vendor.key, "NO_COLOR": "1"}

    def start(self) -> dict[str, Any]:
        """The banner, once everything is up."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "freehold", *self.options(), "up", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment(),
            cwd=self.folder,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.logs()
        self.banner = json.loads(line)
        return self.banner

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def options(self) -> list[str]:
        return ["--home", str(self.home), "--config", str(self.config)]

    def __call__(self, *arguments: str, given: str = "", **environment: str) -> Told:
        """Run a command against the instance."""
        done = subprocess.run(
            [sys.executable, "-m", "freehold", *self.options(), *arguments],
            capture_output=True,
            text=True,
            input=given,
            env={**self.environment(), **environment},
            cwd=self.folder,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        return Told(done.returncode, done.stdout, done.stderr)

    def logs(self) -> str:
        return "\n".join(one.read_text()[-2000:] for one in sorted((self.home / "logs").glob("*.log")))


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition of another process; its value."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(AssertionError, LookupError, ValueError):
            found = condition()
            if found:
                return found
        time.sleep(0.05)
    return condition()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("instance")
    with FakeOpenAi() as vendor:
        made = Running(folder, vendor)
        made.config.write_text(config(vendor))
        made.start()
        yield made
        if made.process is not None and made.process.poll() is None:
            made.stop()


def config(vendor: FakeOpenAi, more: str = "") -> str:
    return f"""\
[gateway]
port = 0
[admin]
port = 0
[serving]
enabled = false
[providers.vendor]
base_url = "{vendor.base_url}/v1"
api_key = "${{env:VENDOR_KEY}}"
[targets.rented]
provider = "vendor"
model = "gpt-4o"
price = {{ input = 2.5, output = 10, as_of = 2026-11-01 }}
[routes.assistant]
targets = ["rented"]
baseline = "rented"
{more}
"""
