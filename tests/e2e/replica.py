"""Another machine, as its users run it: `freehold up --join` as a child process, with a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError

from freehold.core.process import read_processes
from tests.e2e.instance import FREEHOLD, START_SECONDS, Answer, Instance, Vendors, http, until


class Replica:
    """`freehold up --join` as a child process."""

    def __init__(self, folder: Path, name: str, primary: Instance, fakes: Vendors, more: str = "") -> None:
        """`more` is of its own configuration."""
        self.folder = folder / name
        self.folder.mkdir()
        self.home, self.log, self.name = self.folder / "home", self.folder / "up.log", name
        self.file = self.folder / "join"
        primary.freehold("replicas", "add", name, "--out", str(self.file))
        (self.folder / "freehold.toml").write_text(f"[gateway]\nport = 0\n{more}")
        keys = {"E2E_OPENAI_KEY": fakes.openai.key, "E2E_ANTHROPIC_KEY": fakes.anthropic.key}
        self.env = {**os.environ, **keys}
        self.base = ""
        self.within: tuple[str, ...] = ()
        """What its command begins with."""

    def start(self) -> None:
        """Begin; once joined, the home alone is enough."""
        given = [] if self.base else ["--join", str(self.file)]
        place = ["--home", str(self.home), "--config", str(self.folder / "freehold.toml")]
        with self.log.open("wb") as out:
            command = [*self.within, *FREEHOLD, *place, "up", "--json", *given]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.env)
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

    def ask(self, key: str, model: str = "main", *, stream: bool = False) -> Answer | None:
        """One chat completion; None where nobody listens, or hangs up before an answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16, "stream": stream}
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        try:
            return http(f"{self.base}/v1/chat/completions", body, headers)
        except (URLError, ConnectionError):
            return None

    def answers(self, key: str, model: str = "main") -> str:
        """The id of a call that was answered; waits until one is."""

        def answered() -> str:
            got = self.ask(key, model)
            return got.call if got is not None and got.status == 200 and got.whole else ""

        return until(answered, "the replica answers", START_SECONDS)

    def unshipped(self) -> list[Path]:
        """Journals that are not known to be at the primary."""
        return list((self.home / "journal").iterdir())


@contextmanager
def replicas(folder: Path, primary: Instance, fakes: Vendors, *names: str, more: str = "") -> Iterator[list[Replica]]:
    """Replicas that serve, by their names."""
    with ExitStack() as stack:
        made = []
        for name in names:
            one = Replica(folder, name, primary, fakes, more)
            stack.callback(one.end)
            one.start()
            made.append(one)
        yield made
