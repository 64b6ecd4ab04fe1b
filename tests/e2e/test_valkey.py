"""A primary and a replica that share limits and answers through Valkey, whatever is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.instance import http, running, until, vendors
from tests.e2e.replica import replicas

CONFIG = """\
[routes.gpt]
targets = ["gpt"]
[routes.kept]
targets = ["gpt"]
cache = { seconds = 600 }
[dock]
enabled = true
port = 0
"""
VALKEY = """\
[valkey]
url = "@url"
password = "${env:E2E_VALKEY_PASSWORD}"
answer_seconds = @answer
lookup_seconds = 30
when_away = "@when"
"""
PATIENT = 60
"""So that a slow machine is not taken for a server that is away."""


def ask(base: str, key: str, text: str = "hello", model: str = "gpt"):
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 16}
    return http(
        f"{base}/v1/chat/completions", body, {"authorization": f"Bearer {key}", "content-type": "application/json"}
    )


@contextmanager
def pair(folder: Path, valkey, when: str, answer: float, **limits):
    """A primary and its replica: both addresses, and a key with limits."""
    table = VALKEY.replace("@url", valkey.url).replace("@when", when).replace("@answer", str(answer))
    with vendors() as fakes, running(folder, CONFIG + table, fakes) as instance:
        key = instance.make_key("limited", **limits)
        with replicas(folder, instance, fakes, "other", more=table) as (other,):
            other.answers(instance.key, "gpt")
            yield instance, (instance.base, other.base), key, fakes


@pytest.fixture
def guarded(valkey, monkeypatch):
    """The server, behind a password."""
    monkeypatch.setenv("E2E_VALKEY_PASSWORD", "planted-valkey-password")
    valkey.restart("--requirepass", "planted-valkey-password")
    yield valkey
    valkey.restart()


def test_limits_and_answers_are_shared_and_the_sum_is_exact(guarded, tmp_path) -> None:
    with pair(tmp_path, guarded, "share", PATIENT, requests_per_minute=60) as (instance, both, key, fakes):
        began = time.monotonic()
        statuses: list[int] = []
        callers = [
            threading.Thread(target=lambda base=base: statuses.extend(ask(base, key).status for _ in range(50)))
            for base in both
            for _ in range(2)
        ]
        for one in callers:
            one.start()
        for one in callers:
            one.join(300)
        passed, took = Counter(statuses)[200], time.monotonic() - began
        assert len(statuses) == 200 and set(statuses) == {200, 429}
        assert 56 <= passed <= 60 * (1 + took / 60), "half of it at most would be one's own part"
        free = instance.key
        assert ask(both[0], free, "what is kept?", "kept").headers["x-freehold-cache"] == "miss"
        sent = len(fakes.openai.requests)
        until(
            lambda: ask(both[1], free, "what is kept?", "kept").headers["x-freehold-cache"] == "hit",
            "the other gateway has the answer",
        )
        assert len(fakes.openai.requests) <= sent + 1
        told = {one["about"]: one for one in instance.freehold("doctor")}
        assert told["valkey"]["state"] == "ok" and told["valkey"]["message"].startswith("version")
        assert "freehold_sharing_up 1\n" in instance.api("/metrics").body.decode()
        assert http(f"{both[0]}/status", None, {}).json["shared"] == "answers"
        assert "planted-valkey-password" not in instance.logs()


@pytest.mark.parametrize("when", ["share", "refuse"])
def test_it_may_be_killed_under_traffic_and_come_back(guarded, tmp_path, when) -> None:
    with pair(tmp_path, guarded, when, 5, requests_per_minute=40) as (instance, both, key, _):
        began = time.monotonic()
        before = [ask(base, key).status for _ in range(3) for base in both]
        assert set(before) == {200}
        guarded.kill()
        away = [ask(base, key) for _ in range(30) for base in both]
        passed = [one.status for one in away].count(200)
        minutes = 1 + (time.monotonic() - began) / 60
        if when == "share":
            assert {one.status for one in away} == {200, 429}
            assert 28 <= passed <= 40 * minutes + 4 - len(before), "two halves of what was left, and what was held"
        else:
            assert passed <= 4, "what was held"
            refused = away[-1]
            assert (refused.status, refused.headers["x-freehold-error"]) == (503, "FH-AVA-008")
            assert int(refused.headers["retry-after"]) >= 1
        assert http(f"{both[0]}/status", None, {}).json["shared"] == "away"
        assert {one["about"]: one["state"] for one in _doctor(instance)}["valkey"] == "fail"
        assert "freehold_sharing_up 0\n" in instance.api("/metrics").body.decode()
        guarded.start()
        for base in both:
            until(lambda base=base: http(f"{base}/status", None, {}).json["shared"] == "answers", "it is back")
        began_again = time.monotonic()
        back = [ask(base, key).status for _ in range(40) for base in both].count(200)
        assert back <= 40 * (1 + (time.monotonic() - began_again) / 60) + 4
        if when == "share":
            assert passed + back <= 40 * (1 + (time.monotonic() - began) / 60) + 6, "what went without it is counted"
        else:
            assert back >= 36, "it is of use again"


def _doctor(instance):
    command = [sys.executable, "-m", "freehold", "--home", str(instance.home), "--config", str(instance.config)]
    done = subprocess.run([*command, "doctor", "--json"], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1
    return json.loads(done.stdout)
