"""Evidence over the management API: for auditors, signed, and unknown where records cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from freehold.assurance.evidence import judge
from freehold.assurance.evidence.types import Document
from freehold.cli.evidence import FRAMEWORKS
from freehold.core.crypto import Verifier


def test_the_controls_are_listed(client) -> None:
    found = client.get("/api/evidence", params={"framework": "hipaa"}).json()
    assert [one["reference"] for one in found] == [one.reference for one in judge.controls("hipaa")]
    assert len(client.get("/api/evidence").json()) == len(judge.controls())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_is_answered_and_the_answer_signed(client, instance, framework: str) -> None:
    answer = client.get(f"/api/evidence/{framework}", params={"quick": True})
    assert answer.status_code == 200
    signature = bytes.fromhex(answer.headers["x-freehold-signature"])
    Verifier(instance.identity.public).verify(signature, answer.content)
    found = msgspec.json.decode(answer.content, type=Document)
    assert found.framework == framework and len(found.results) == len(judge.controls(framework))
    # This database was made without migrations, so nothing that rests on it can be told.
    rests = {one.query for one in found.answers if {"keys", "log", "people"} & set(one.records)}
    assert {one.standing for one in found.results if one.query in rests} <= {"unknown"}


def test_the_page_is_told_and_an_unknown_framework_refused(client) -> None:
    page = client.get("/api/evidence/soc2/page")
    assert page.headers["content-type"].startswith("text/html") and "<h1>" in page.text
    assert client.get("/api/evidence/made-up").status_code == 400
