"""A changed freehold.toml under traffic: the new routes count at once, a bad file changes nothing, no call fails."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.e2e.instance import Instance, filled, until

MAIN = '[routes.main]\ntargets = ["gpt"]\n'
CONFIG = MAIN
BODY = json.dumps({"model": "main", "messages": [{"role": "user", "content": "hello"}]})


class Traffic:
    """Callers on kept connections, one call after the other; remembers where each went and what was no success."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.went: list[str] = []
        self.bad: list[object] = []
        self.over = threading.Event()

    def call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.instance.base).port, timeout=30)
        headers = {"authorization": f"Bearer {self.instance.key}", "content-type": "application/json"}
        try:
            while not self.over.is_set():
                connection.request("POST", "/v1/chat/completions", BODY, headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.went.append(answer.headers["x-freehold-target"])
                else:
                    self.bad.append((answer.status, body))
                time.sleep(0.002)
        except OSError as error:
            self.bad.append(error)
        finally:
            connection.close()

    def more(self, target: str) -> bool:
        """Have the last calls all gone to `target`?"""
        return set(self.went[-12:]) == {target}


@contextlib.contextmanager
def traffic(instance):
    made = Traffic(instance)
    threads = [threading.Thread(target=made.call) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        until(lambda: len(made.went) >= 12, "traffic flows")
        yield made
    finally:
        made.over.set()
        for one in threads:
            one.join()
    assert not made.bad, made.bad[:3]


@pytest.fixture
def put(instance, module_vendors):
    """Replaces the configuration; the one it began with stands again afterwards."""
    yield lambda text: instance.write(filled(text, module_vendors, owned=False))
    instance.write(filled(CONFIG, module_vendors, owned=False))
    until(lambda: instance.chat("main").headers.get("x-freehold-target") == "gpt", "the first configuration stands")


def test_new_routes_count_at_once_and_no_call_fails(instance, put):
    with traffic(instance) as flow:
        for target in ("claude", "gpt", "claude"):
            put(f'[routes.main]\ntargets = ["{target}"]\n')
            until(lambda: flow.more(target), f"calls go to {target}", within=10)  # noqa: B023  called at once
    versions = {one["call"]["routes_version"] for one in instance.calls()}
    assert len(versions) >= 4


@pytest.mark.parametrize(
    "bad",
    [
        "[routes.main\ntargets = [",
        MAIN + '[routes.other]\ntargets = ["nowhere"]\n',
        MAIN + "[gatewy]\nport = 1\n",
        '[routes.main]\ntargets = ["gpt"]\nattempts = "many"\n',
        '[providers.evil]\nbase_url = "http://169.254.169.254/v1"\n' + MAIN,
    ],
)
def test_a_bad_file_is_told_and_the_old_one_stays(instance, put, bad):
    before = instance.api("/api/status").json["versions"]
    with traffic(instance) as flow:
        put(bad)
        until(lambda: instance.api("/api/status").json["problems"], "the problem is told")
        seen = len(flow.went)
        until(lambda: len(flow.went) > seen + 20, "traffic goes on")
        assert set(flow.went) == {"gpt"}
    assert instance.api("/api/status").json["versions"] == before
    put(CONFIG)
    until(lambda: not instance.api("/api/status").json["problems"], "the problem is over")


def test_routes_come_and_go(instance, put):
    put(MAIN + '[routes.more]\ntargets = ["claude"]\naliases = ["gpt-4o"]\n')
    until(lambda: instance.chat("gpt-4o").status == 200, "the alias is served")
    assert instance.chat("more").headers["x-freehold-target"] == "claude"
    put(MAIN)
    until(lambda: instance.chat("more").status == 404, "the route is gone")


def test_a_stream_under_way_ends_by_the_routes_it_began_with(instance, put, fakes):
    from tests.e2e.sdks import ask, openai_client
    from tests.fakes.wire import Fault

    fakes.openai.fail(Fault("stall_mid", after=6))
    with openai_client(instance) as client:
        stream = client.chat.completions.create(model="main", messages=ask("hello"), stream=True)
        first = next(iter(stream))
        put('[routes.main]\ntargets = ["claude"]\n')
        until(lambda: instance.chat("main").headers["x-freehold-target"] == "claude", "the new routes count")
        fakes.openai.release()
        rest = list(stream)
    assert first.choices and rest[-1].choices[0].finish_reason == "stop"
