"""Advisories over the management API: what is here, what is taken in, and by whose word."""

from __future__ import annotations

import json

import pytest

from freehold.assurance.errata import csaf
from freehold.assurance.errata.types import Advisory, Affected
from freehold.core.crypto import Identity
from freehold.settings.load import load
from tests.server.conftest import CONFIG

ADVISORY = Advisory(
    id="FHSA-2026-0007", subject="vendor-model", title="t", kind="withdrawn",
    affected=(Affected(purl="pkg:generic/v/rented"),), workaround="name another model",
)  # fmt: skip


def document() -> str:
    return json.dumps(csaf.document(ADVISORY, "2026-11-23T00:00:00Z"))


def test_every_seed_is_known_with_its_patch(client) -> None:
    found = {one["id"]: one for one in client.get("/api/errata/advisories").json()}
    assert len(found) >= 17 and found["CVE-2026-21869"]["patch"]["rule"] == "n_discard"
    assert client.get("/api/errata/advisories/CVE-2025-1716").json()["id"] == "CVE-2025-1716"
    assert client.get("/api/errata/advisories/none").status_code == 404


def test_the_embedded_engine_is_held_off_and_says_that_nobody_knows_its_version(client) -> None:
    (found,) = [one for one in client.get("/api/errata").json() if one["what"] == "engine llama.cpp"]
    assert found["standing"] == "patched" and "not known" in found["reason"]


def test_an_engine_of_ones_own_is_never_left_out(instance, client, tmp_path) -> None:
    more = '\n[providers.big]\nvendor = "vllm"\nbase_url = "http://127.0.0.1:9/v1"\nowned = true\n'
    file = tmp_path / "more.toml"
    file.write_text(CONFIG + more)
    instance.loaded = load(str(file), str(instance.home))
    found = {
        one["advisory"]: one["standing"] for one in client.get("/api/errata").json() if one["what"] == "engine big"
    }
    assert set(found.values()) == {"unknown"} and "CVE-2026-22807" in found


def test_a_document_is_taken_in_and_marked_with_the_key_that_signed_it(client, tmp_path) -> None:
    identity = Identity.load(tmp_path / "their.key")
    text = document()
    signed = {"key": identity.public.hex(), "signature": identity.sign(text.encode()).hex()}
    taken = client.post("/api/errata/documents", json={"name": "a.json", "content": text, **signed})
    assert taken.json()["signer"] == identity.public.hex() and taken.json()["advisories"] == ["FHSA-2026-0007"]
    (found,) = [one for one in client.get("/api/errata").json() if one["advisory"] == "FHSA-2026-0007"]
    assert (found["what"], found["standing"], found["fix"]) == ("target rented", "affected", "name another model")


@pytest.mark.parametrize("change", [{"signature": "ab" * 64}, {"signature": ""}, {"content": document() + " "}])
def test_a_key_that_did_not_sign_it_is_not_believed(client, tmp_path, change) -> None:
    identity = Identity.load(tmp_path / "their.key")
    text = document()
    asked = {
        "name": "a.json",
        "content": text,
        "key": identity.public.hex(),
        "signature": identity.sign(text.encode()).hex(),
    }
    told = client.post("/api/errata/documents", json=asked | change)
    assert 400 <= told.status_code < 500
    assert all(one["id"] != "FHSA-2026-0007" for one in client.get("/api/errata/advisories").json())


def test_what_is_no_document_is_refused_with_a_hint(client) -> None:
    told = client.post("/api/errata/documents", json={"name": "a.json", "content": "{}"})
    assert told.status_code in (400, 422) and told.json()["error"]["hint"]
