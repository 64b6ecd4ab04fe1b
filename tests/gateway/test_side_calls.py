"""Shadows, evaluations and judges carry the label of the record they ask about, through the same door as everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold.core.label import parse_label
from freehold.evals.door import Door
from freehold.guard.types import Profile, Rule
from freehold.identity.types import SERVICE
from freehold.ledger.frames import Scan
from freehold.ledger.intake.scans import scan_text
from freehold.moves.pairing import compare
from freehold.policy.types import Policy
from freehold.workflows.collect import label_of
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance
from tests.moves.sample import move, record

SERVICE_KEY = "fh-service-key"
RECORDED = json.dumps({"model": "x", "messages": [{"role": "user", "content": "the diagnosis of K."}]}).encode()
STRICT = Profile(name="strict", rules=(Rule(detector="pii", action="redact"),))


@pytest.fixture
def gateway(tmp_path: Path, fake_openai) -> Iterator[Instance]:
    targets = (
        p.target("rented", fake_openai.port, model="gpt-fake", clearance="internal", **p.LIMITS),
        p.free("owned-a", fake_openai.port, model="gpt-fake", clearance="unknown", **p.LIMITS),
    )
    keys = p.keys(p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public")))
    routes = p.routes(targets, p.route("assistant", "rented"), guard="strict")
    home = Home(tmp_path, routes, keys, Policy(guards=(STRICT,)))
    with Instance(home, secret=fake_openai.key) as instance:
        yield instance


@pytest.fixture
def door(gateway: Instance) -> Iterator[Door]:
    with Door(f"http://127.0.0.1:{gateway.port}", SERVICE_KEY, pause=lambda _: None) as made:
        yield made


@pytest.mark.parametrize("label", ["confidential", "restricted:HIPAA", "internal:GDPR", "unknown"])
def test_what_a_record_is_labelled_no_side_call_forgets(door, fake_openai, label) -> None:
    denied = door.ask("rented", RECORDED, label)
    assert denied.answer is None and denied.error.startswith("FH-POL-002") and not fake_openai.requests
    (told,) = door.ask_all([("rented", RECORDED, label, "")])
    assert told.answer is None and not fake_openai.requests
    assert door.ask("owned-a", RECORDED, label).answer is not None


def test_a_shadow_asks_with_the_label_of_the_record(door, gateway, fake_openai) -> None:
    served_by_us = replace(record(1, target="owned-a"), label="restricted:HIPAA", request=RECORDED)
    compare(move("canary"), [served_by_us], ("owned-a",), door, lambda _: None)
    assert not fake_openai.requests  # the incumbent is rented, and may not take it
    served_by_them = replace(record(2), label="restricted:HIPAA", request=RECORDED)
    compare(move(), [served_by_them], ("owned-a",), door, lambda _: None)
    assert len(fake_openai.requests) == 1
    ends = gateway.home.ends()
    assert {one.label for one in ends if hasattr(one, "label")} == {"restricted:HIPAA"}


def test_side_calls_are_looked_at_like_any(door, gateway, fake_openai) -> None:
    asked = RECORDED.replace(b"K.", b"jane.doe@example.org")
    assert door.ask("rented", asked, "internal").answer is not None
    assert b"jane.doe" not in fake_openai.last.body and b"[EMAIL]" in fake_openai.last.body


def test_a_record_bears_what_was_found_in_its_answer() -> None:
    asked, said = Scan("g", "", label="internal"), Scan("g", "", label="restricted:HIPAA")
    assert label_of({"label": "internal:GDPR", "scan": scan_text(asked, said)}) == "restricted:GDPR,HIPAA"
    assert label_of({"label": "internal:GDPR", "scan": scan_text(asked, None)}) == "internal:GDPR"
    assert label_of({"label": "internal:GDPR", "scan": ""}) == "internal:GDPR"
