"""What a pass opens at a gateway, and what ends it."""

from __future__ import annotations

import time

import pytest

from freehold.core.crypto import Identity
from freehold.gateway.passing import PREFIX
from freehold.identity.passes import Pass, write_pass
from freehold.identity.service import service_key
from tests.e2e.instance import until

CONFIG = """\
[routes.main]
targets = ["gpt"]
[routes.other]
targets = ["claude"]
"""
LABEL = {"x-freehold-label": "internal"}


def a_pass(instance, *models, seconds=600.0, identity=None):
    identity = identity or Identity.load(instance.home / "identity.key")
    return write_pass(identity, Pass(models, time.time() + seconds))


def told(answer):
    return answer.status, answer.headers.get("x-freehold-error", "")


def test_it_opens_what_it_names_and_nothing_else(instance):
    key = a_pass(instance, "target:gpt", "other")
    for _ in range(2):  # read, and remembered
        got = instance.chat("target:gpt", key=key, headers=LABEL)
        assert got.status == 200, got.body
        call = instance.call(got.call)["call"]
        assert (call["key_id"], call["target"], call["label"]) == ("key_freehold", "gpt", "internal")
        assert instance.chat("other", key=key, headers=LABEL).status == 200
        for model in ("target:claude", "main"):
            assert told(instance.chat(model, key=key, headers=LABEL)) == (403, "FH-POL-003")
        assert told(instance.chat("target:gpt", key=key)) == (400, "FH-REQ-001"), "it must state the label, as our key"


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", f"{PREFIX.decode()}x"])
def test_it_opens_no_files_and_nothing_of_our_own(instance, path):
    assert instance.ask(path, {}, key=a_pass(instance, "main")).status == 403


def test_it_calls_for_no_other_key(instance):
    assert told(instance.chat("main", key=f"{a_pass(instance, 'main')}~key_0")) == (401, "FH-KEY-002")


def test_another_instances_is_unknown(instance):
    key = a_pass(instance, "main", identity=Identity(b"x" * 32))
    assert told(instance.chat("main", key=key, headers=LABEL)) == (401, "FH-KEY-002")


def test_it_ends(instance):
    assert told(instance.chat("main", key=a_pass(instance, "main", seconds=-1.0), headers=LABEL)) == (401, "FH-KEY-004")


def test_it_ends_with_our_key(instance):
    key = a_pass(instance, "main")
    assert instance.chat("main", key=key, headers=LABEL).status == 200
    assert instance.api("/api/keys/freehold/revoke", {}).status == 200
    until(lambda: instance.chat("main", key=key, headers=LABEL).status == 401, "the pass is refused")
    assert instance.chat("target:gpt", key=service_key(instance.home), headers=LABEL).status == 401
