"""Secrets that are planted turn up nowhere: no log, error, answer, export, journal, database, snapshot or body file."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.instance import Vendors, until, vendors
from tests.e2e.instance import http as request
from tests.e2e.sdks import ask
from tests.fakes.fake_anthropic import error_body as anthropic_error
from tests.fakes.fake_openai import error_body as openai_error
from tests.fakes.wire import Fault

MARK = "marker-of-a-prompt-8d1f"
PLAIN = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
"""A vendor's key without any telling beginning."""
CONFIG = """\
[capture]
bodies = true
[routes.gpt]
targets = ["gpt"]
[routes.claude]
targets = ["claude"]
"""
OWN_SECRETS = ("run/admin.token", "identity.key", "data.key")


@pytest.fixture(scope="module")
def module_vendors() -> Iterator[Vendors]:
    """Vendors that tell everybody the key they were shown and what was asked."""
    with vendors() as both:
        both.anthropic.key = PLAIN
        both.openai.error = lambda status: openai_error(status, f"bad key {both.openai.key} in {MARK}")
        both.anthropic.error = lambda status: anthropic_error(status, f"bad key {PLAIN} in {MARK}")
        yield both


@pytest.fixture(scope="module")
def told(module_instance, module_vendors):
    """Every answer of the gateway to traffic of all kinds, and the keys it was called with."""
    answers, keys = [], [module_instance.make_key("planted"), module_instance.key]

    def say(path, model, **more):
        body = {"model": model, "messages": ask(f"Remember {MARK}."), "max_tokens": 16, **more}
        headers = {"anthropic-version": "2023-06-01"} if path == "/v1/messages" else {}
        answers.append(module_instance.ask(path, body, headers, keys[0]))

    faults = [None, *(Fault("status", status=one) for one in (401, 403, 404, 409, 429, 500, 503))]
    faults += [Fault(kind) for kind in ("bad_json", "error_inside", "cut", "reset")]
    for path in ("/v1/chat/completions", "/v1/messages"):
        for model in ("gpt", "claude"):
            for fault in faults:
                for stream in (False, True):
                    module_vendors.openai.always = module_vendors.anthropic.always = fault
                    say(path, model, stream=stream)
    module_vendors.calm()
    bad = f"{keys[0]}x"
    answers.append(module_instance.chat("gpt", MARK, key=bad))
    answers.append(module_instance.ask("/v1/chat/completions", f'{{"model": "gpt", {MARK}'.encode(), {}, keys[0]))
    # A key in the path is told back to who sent it, and to nobody else.
    assert module_instance.ask(f"/v1/{keys[0]}", {"model": "gpt"}, {}, keys[0]).status == 404
    until(lambda: len(module_instance.calls()) >= len(faults) * 8 and not module_instance.pending(), "all is settled")
    return answers, [*keys, bad]


def secrets(instance, fakes, keys):
    found = {"a provider's key": fakes.openai.key, "a plain provider's key": PLAIN, "the token": instance.token}
    return {**found, **{f"key {at}": one for at, one in enumerate(keys)}}


def assert_clean(content, where, planted):
    data = content if isinstance(content, bytes) else str(content).encode()
    for name, secret in planted.items():
        assert secret.encode() not in data, f"{name} stands in {where}"


def test_bodies_are_kept_and_can_be_read_by_who_may(instance, told):
    answers, _ = told
    call = next(one for one in answers if one.status == 200 and one.whole).call
    kept = instance.api(f"/api/calls/{call}/bodies/request")
    assert kept.status == 200 and MARK.encode() in kept.body


def test_no_answer_of_the_gateway_tells_a_secret(instance, fakes, told):
    answers, keys = told
    assert len({one.status for one in answers}) >= 5
    for one in answers:
        planted = secrets(instance, fakes, keys)
        assert_clean(f"{one.headers}".encode() + one.body, f"an answer of {one.status}", planted)


def test_no_file_of_the_instance_tells_a_secret(instance, fakes, told):
    planted = {**secrets(instance, fakes, told[1]), "a prompt": MARK}
    looked = 0
    for path in sorted(instance.home.rglob("*")):
        if path.is_file() and str(path.relative_to(instance.home)) not in OWN_SECRETS:
            assert_clean(path.read_bytes(), path.name, planted)
            looked += 1
    kinds = {path.suffix for path in instance.home.rglob("*") if path.is_file()}
    assert looked > 30 and {".db", ".journal", ".log", ".snapshot"} <= kinds
    assert any((instance.home / "bodies").rglob("*")), "bodies were kept, sealed"


def test_the_start_banner_alone_tells_the_first_key(instance, told):
    text = (instance.home.parent / "up.log").read_text()
    assert text.count(instance.key) == 1 and MARK not in text and instance.token not in text


def test_nothing_the_management_api_says_tells_a_secret(instance, fakes, told):
    planted = {**secrets(instance, fakes, told[1]), "a prompt": MARK}
    paths = [path for path, verbs in instance.api("/openapi.json").json["paths"].items() if "get" in verbs]
    call = told[0][0].call
    for path in paths:
        if path.endswith(("/bodies/{side}", "/conversation")):  # what was said, for who may read it; audited
            continue
        path = path.replace("{call}", call).replace("{name}", "planted").replace("{leaf}", "0")
        got = instance.api(path + ("?last=500" if path.endswith("tail") else ""))
        assert_clean(got.body, path, planted)
    assert len(paths) > 15
    assert_clean(b"".join(json.dumps(one).encode() for one in instance.calls()), "the export", planted)


def test_the_command_line_shows_references_and_no_values(instance, fakes, told):
    shown = instance.freehold("config", "show")
    assert "E2E_OPENAI_KEY" in str(shown)
    assert_clean(str(shown), "config show", secrets(instance, fakes, told[1]))


def test_the_gateways_listener_has_no_admin_route(instance):
    document = instance.api("/openapi.json").json["paths"]
    for path, verbs in {**document, "/openapi.json": {"get": {}}, "/docs": {"get": {}}, "/health": {"get": {}}}.items():
        for verb in verbs:
            body = None if verb == "get" else {}
            headers = {"authorization": f"Bearer {instance.token}"}
            got = request(f"{instance.base}{path.replace('{', '').replace('}', '')}", body, headers, verb.upper())
            assert got.status in {404, 405}, (verb, path, got.body)


def test_the_management_api_wants_its_token(instance, fakes):
    for path in ("/api/keys", "/api/calls", "/api/status", "/api/audit", "/api/config"):
        for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": f"Bearer {instance.key}"}):
            assert request(f"{instance.admin}{path}", None, headers).status in {401, 403}, (path, headers)


@pytest.mark.parametrize("listener", ["base", "admin"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", ""])
def test_only_our_own_names_are_served(instance, listener, host):
    port = urlsplit(getattr(instance, listener)).port
    path = "/v1/models" if listener == "base" else "/api/keys"
    key = instance.key if listener == "base" else instance.token
    assert status(port, path, key, f"localhost:{port}") == 200
    assert status(port, path, key, host) in {400, 421}
    # A target in absolute form does not replace the Host header.
    assert status(port, f"http://localhost:{port}{path}", key, host) in {400, 404, 421}


def status(port, path, key, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("host", host)
        connection.putheader("authorization", f"Bearer {key}")
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()
