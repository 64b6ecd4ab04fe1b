"""Workflows to be moved in tests: a synthetic log of months past, callers who go on today, and the vendor of both.

The vendor answers what the log's maker would have; a test makes it wrong or silent, for one model or for all.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.company import chatter, intents, triage
from demo.company.wording import say
from demo.recorded import key_of
from freehold.core.clock import iso
from tests.e2e.instance import FREEHOLD, START_SECONDS, Instance, until
from tests.e2e.traffic import Traffic
from tests.fakes.fake_openai import FakeOpenAi, completion
from tests.fakes.replies import Reply
from tests.fakes.wire import Recorded, Streamed, Whole

MODEL = "gpt-4o"
CONFIG = f"""\
[moves]
margin = 0.1
alpha = 0.2
futility = 0.1
harm = 0.1
patience = 500
steps = [0.5]
step_pairs = 20
sample_owned = 1.0
[targets.rented]
provider = "openai"
model = "{MODEL}"
[targets.hosted]
provider = "openai"
model = "hosted"
[routes.{MODEL}]
targets = ["rented"]
baseline = "rented"
"""
"""Small values, so that a move takes seconds: nothing about how it is decided is changed."""
DAY = 86400.0
Example = Callable[[Random], tuple[str, str]]


class Rented(FakeOpenAi):
    """The vendor: right about everything it was told, wrong where a model is in `wrong`."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, str] = {}
        self.wrong: set[str] = set()

    def answer(self, request: Recorded) -> Whole | Streamed:
        body = request.json if request.body else {}
        said = self.known.get(key_of(body)) if "messages" in body else None
        if said is None:
            return super().answer(request)
        text = "never heard of it" if body["model"] in self.wrong else said
        return Whole(json.dumps(completion(body, Reply(text=text))).encode())


@dataclass
class Task:
    """One workflow: its prompt and its calls, the same for the same name."""

    name: str
    example: Example = triage.example
    system: Callable[[float], str] = lambda _day: triage.SYSTEM
    named: bool = True
    """Do its callers name it?"""

    def requests(self, count: int, seed: int, days: float = 0.0) -> Iterator[tuple[float, dict[str, Any], str]]:
        """Day, request and answer, in the order of time."""
        dice = Random(f"{self.name}/{seed}")
        for number in range(count):
            day = days * number / count
            text, said = self.example(dice)
            system = f"{self.system(day)}\nDesk: {self.name}."
            turns = [{"role": "system", "content": system}, {"role": "user", "content": text}]
            yield day, {"model": MODEL, "temperature": 0, "messages": turns}, said

    def log(self, count: int, days: float = 28.0) -> Iterator[dict[str, Any]]:
        """What a recording proxy would have written up to now."""
        began = time.time() - days * DAY - 60
        for number, (day, request, said) in enumerate(self.requests(count, 0, days)):
            yield {
                "id": f"{self.name}-{number}",
                "ts": iso(began + day * DAY),
                "request": request,
                "response": completion(request, Reply(text=said)),
                "metadata": {"app": self.name, **({"workflow": self.name} if self.named else {})},
            }


def mail() -> Task:
    """A task whose callers do not name it: a label out of five."""
    cores = intents.CORES[:5]

    def example(dice: Random) -> tuple[str, str]:
        name, said = dice.choice(cores)
        return say(dice, dice.choice(said)), name

    names = ", ".join(name for name, _ in cores)
    return Task(
        "mail", example, lambda _day: f"You sort an outdoor shop's mail. Answer with one of: {names}.", named=False
    )


def exploring() -> Task:
    """No task at all."""
    return Task("chat", chatter.example, lambda _day: chatter.SYSTEM, named=False)


def writing(name: str) -> Task:
    """A task whose answers are no choice out of a few."""
    return Task(name, lambda dice: (triage.example(dice)[0], chatter.example(dice)[1]))


@dataclass
class Office:
    """An instance whose workflows are being moved."""

    instance: Instance
    vendor: Rented
    folder: Path
    tasks: dict[str, Task] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def remember(self, parts: Sequence[tuple[Task, int, float]]) -> None:
        """Import the log of these tasks (calls, days), and find the workflows in it."""
        path = self.folder / "log.jsonl"
        with path.open("w") as file:
            for task, count, days in parts:
                self.tasks[task.name] = task
                for one in task.log(count, days):
                    file.write(json.dumps(one) + "\n")
                    self.vendor.known[key_of(one["request"])] = one["response"]["choices"][0]["message"]["content"]
        told = self.instance.freehold("import", str(path), "--label", "internal")
        assert told["rejected"] == 0
        self.instance.freehold("workflows", "discover")
        for one in self.instance.api("/api/workflows").json:
            known = one["workflow"]
            apps = [
                name for name, task in self.tasks.items() if name in (known["name"], *one["figures"].get("apps", ()))
            ]
            for name in apps:
                self.ids[name] = known["id"]

    # what is asked of the product

    def start(self, name: str, *words: str) -> dict[str, Any]:
        """`freehold moves start`."""
        found: dict[str, Any] = self.instance.freehold("moves", "start", self.ids[name], *words)
        return found

    def refused(self, *words: str) -> str:
        """What a command says on its way out with an error."""
        made = self.instance
        command = [*FREEHOLD, "--home", str(made.home), "--config", str(made.config), "moves", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def act(self, verb: str, name: str, *words: str) -> dict[str, Any]:
        """`freehold moves VERB`."""
        found: dict[str, Any] = self.instance.freehold("moves", verb, self.ids[name], *words)
        return found

    def move(self, name: str) -> dict[str, Any]:
        """Where the newest move of a workflow stands."""
        found: dict[str, Any] = self.instance.api(f"/api/moves/{self.ids[name]}").json
        return found

    def events(self, name: str, kind: str = "") -> list[dict[str, Any]]:
        """What happened to it."""
        found = self.instance.api(f"/api/moves/{self.ids[name]}/events").json
        return [one for one in found if kind in ("", one["kind"])]

    def steps(self, name: str) -> list[str]:
        """The stages it came to, in order."""
        return [one["content"]["to"] for one in self.events(name, "stage")]

    def reaches(self, name: str, *stages: str, within: float = 60.0) -> dict[str, Any]:
        """Wait until the move has come to one of these stages."""

        def there() -> bool:
            now = ["observed", *self.steps(name)][-1]
            assert now in stages or now not in ("refused", "rolled_back"), self.events(name)[-1]
            return now in stages

        try:
            until(there, f"{name} is {' or '.join(stages)}", within)
        except pytest.fail.Exception as error:
            now = {key: self.move(name)[key] for key in ("stage", "held", "waiting", "measured")}
            pytest.fail(
                f"{error}; it is {now}, {[(one['kind'], one['content'].get('to')) for one in self.events(name)]}"
            )
        return self.move(name)

    def waits(self, name: str, step: str, within: float = 60.0) -> None:
        """Wait until the move waits for a person's approval of this step."""

        def there() -> bool:
            last = [one for one in self.events(name) if one["kind"] in ("waiting", "approved", "stage")][-1:]
            return [(one["kind"], one["content"].get("step")) for one in last] == [("waiting", step)]

        until(there, f"{name} waits for {step}", within)

    def phase(self, name: str) -> str:
        """What the trainer says it is at."""
        jobs = self.instance.api("/api/jobs?limit=50").json
        found = [one for one in jobs if one["payload"].get("move") == self.move(name)["id"]]
        return str(found[0]["result"].get("phase", "")) if found else ""

    def ask(self, name: str, number: int = 0) -> Any:
        """One live call of a workflow."""
        request = self.today(name, number + 1)[number]
        named = {"x-freehold-workflow": name} if self.tasks[name].named else {}
        return self.instance.ask("/v1/chat/completions", request, named)

    def today(self, name: str, count: int, seed: int = 1) -> list[dict[str, Any]]:
        """Requests of today, which the vendor knows the answers of."""
        made = list(self.tasks[name].requests(count, seed))
        self.vendor.known |= {key_of(request): said for _, request, said in made}
        return [request for _, request, _ in made]

    @contextlib.contextmanager
    def busy(self, name: str, callers: int = 1, seed: int = 2) -> Iterator[Callers]:
        """Callers of a workflow who go on until the block ends."""
        from threading import Thread

        made = Callers(self.instance, requests=self.today(name, 6000, seed))
        made.workflow = name if self.tasks[name].named else ""
        threads = [Thread(target=made.caller, args=(one,)) for one in range(callers)]
        for one in threads:
            one.start()
        try:
            yield made
        finally:
            made.over.set()
            for one in threads:
                one.join()

    # what is done to it

    def killed(self, name: str) -> None:
        """`kill -9` of a child; another is there in its place."""
        gone = self.instance.kill(name)

        def back() -> bool:
            one = self.instance.processes()[name]
            return one["phase"] == "ready" and one["pid"] != gone

        until(back, f"{name} is back", 60)

    def struck(self) -> None:
        """`kill -9` of `up` itself: everything ends with it. Then start it again."""
        made = self.instance
        children = [one["pid"] for one in made.processes().values()]
        made.process.send_signal(signal.SIGKILL)
        made.process.wait()
        until(lambda: not any(_lives(one) for one in children), "every child has died with its supervisor")
        log = made.home.parent / "up-again.log"
        environment = {**os.environ, "E2E_OPENAI_KEY": self.vendor.key, "E2E_ANTHROPIC_KEY": "none"}
        command = [*FREEHOLD, "--home", str(made.home), "--config", str(made.config), "up", "--json"]
        with log.open("wb") as out:
            made.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        text = until(
            lambda: (said := log.read_text()).startswith("{") and "\n" in said and said, "up again", START_SECONDS
        )
        ends = json.loads(text.splitlines()[0])["endpoints"]
        made.base, made.admin = ends["gateway"], ends["admin"]


@dataclass
class Callers(Traffic):
    """Callers of one workflow, each call another question."""

    requests: Sequence[dict[str, Any]] = ()
    workflow: str = ""
    asked: int = 0

    def _call(self, connection: http.client.HTTPConnection, *, stream: bool) -> None:
        port = urlsplit(self.instance.base).port
        if connection.port != port:  # the instance was started again elsewhere
            connection.close()
            connection.port = port
        self.asked += 1
        body = json.dumps(self.requests[self.asked % len(self.requests)])
        headers = {"authorization": f"Bearer {self.instance.key}", "content-type": "application/json"}
        named = {"x-freehold-workflow": self.workflow} if self.workflow else {}
        connection.request("POST", "/v1/chat/completions", body, {**headers, **named})
        answer = connection.getresponse()
        got = answer.read()
        if answer.status == 200:
            self.good.append((answer.headers["x-request-id"], answer.headers["x-freehold-target"]))
        else:
            self.refused.append((answer.status, got))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
