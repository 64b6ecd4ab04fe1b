"""A whole instance whose bodies lie in an S3-compatible store: read, taken along and erased as from its folder."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.e2e.instance import running, until, vendors
from tests.objectstore import ACCESS

PLANTED = "planted-in-clear-7731"
CONFIG = """\
[capture]
bodies = true
[routes.gpt]
targets = ["gpt"]
[bodies]
url = "{url}"
endpoint = "{endpoint}"
access_key = "${{env:E2E_STORE_KEY}}"
secret_key = "${{env:E2E_STORE_SECRET}}"
after_seconds = 0.1
"""


@pytest.fixture(scope="module")
def place(seaweed):
    return seaweed.bucket()


@pytest.fixture(scope="module")
def instance(seaweed, place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("on-objects")
    text = CONFIG.format(url=place.url, endpoint=place.endpoint)
    with pytest.MonkeyPatch.context() as patch, vendors() as fakes:
        patch.setenv("E2E_STORE_KEY", ACCESS.key)
        patch.setenv("E2E_STORE_SECRET", ACCESS.secret)
        with running(folder, text, fakes) as made:
            yield made


def waiting(instance):
    """Names of bodies in the home."""
    return [one.name for one in (instance.home / "bodies").glob("??/*") if len(one.name) == 64]


def shipped(instance):
    until(lambda: not waiting(instance), "everything is in the store")


def asked(instance, text):
    answer = instance.chat("gpt", text=text)
    assert answer.status == 200
    instance.call(answer.call)
    return answer.call


def body(instance, call, side="request"):
    return instance.api(f"/api/calls/{call}/bodies/{side}")


def test_bodies_are_read_from_the_store_and_erased_there(instance, seaweed, place):
    call = asked(instance, f"{PLANTED} one")
    until(lambda: len(instance.api(f"/api/calls/{call}").json["bodies"]) == 2, "both bodies are kept")
    shipped(instance)
    assert len(list(seaweed.store(place).names())) >= 2
    assert PLANTED.encode() in body(instance, call).body
    assert PLANTED.encode() not in seaweed.bytes()
    told = [one for one in instance.freehold("doctor") if one["about"] == "bodies"]
    assert {one["state"] for one in told} == {"ok"}, told
    figures = instance.api("/metrics").body.decode()
    assert "freehold_bodies_store_up 1\n" in figures
    # The worker makes a record of it, which holds the same content and is erased with the call.
    until(lambda: len(list(seaweed.store(place).names())) >= 3, "the call is a record")
    shipped(instance)
    before = len(list(seaweed.store(place).names()))
    assert instance.api(f"/api/calls/{call}/erase", {"why": "asked for"}).status == 200
    until(lambda: body(instance, call).status == 404, "it is erased")
    assert len(list(seaweed.store(place).names())) < before


def test_calls_go_on_while_the_store_is_away_and_nothing_is_lost(instance, seaweed, tmp_path):
    first = asked(instance, f"{PLANTED} before")
    until(lambda: body(instance, first).status == 200, "it is kept")
    shipped(instance)
    seaweed.kill()
    try:
        calls = [asked(instance, f"{PLANTED} {number}") for number in range(5)]
        until(lambda: body(instance, calls[-1]).status == 200, "what waits is read from the home")
        away = body(instance, first)
        assert (away.status, away.json["error"]["code"]) == (503, "FH-AVA-050"), "not 404: it is kept"
        until(lambda: "freehold_bodies_store_up 0" in instance.api("/metrics").body.decode(), "the metrics say so")
        instance.kill("writer")
        calls.append(asked(instance, f"{PLANTED} after a kill"))
    finally:
        seaweed.start()
    shipped(instance)
    for one in (first, *calls):
        assert PLANTED.encode() in until(lambda one=one: (got := body(instance, one)).status == 200 and got.body, one)
    assert instance.freehold("audit", "verify")["good"]
    instance.freehold("export", str(tmp_path / "all"))
    with gzip.open(tmp_path / "all" / "contents.jsonl.gz", "rt") as lines:
        assert sum(PLANTED in json.dumps(json.loads(line)) for line in lines) >= len(calls)


def test_no_file_and_no_log_holds_the_secret_of_the_store(instance):
    found = [one for one in instance.home.rglob("*") if one.is_file() and not one.is_symlink()]
    assert found
    assert not [one for one in found if ACCESS.secret.encode() in one.read_bytes()]
