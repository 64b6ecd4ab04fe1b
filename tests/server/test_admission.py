"""Models come in over the management API by the one way in, and a person's word is asked and written down there."""

from __future__ import annotations

import json
import struct

import pytest

from freehold.registry.artefacts import Store
from tests.fakes.hub import COMMIT, hub
from tests.registry.docker_registry import registry
from tests.registry.test_admission import looked


@pytest.fixture(autouse=True)
def gate(monkeypatch):
    """One that goes by words: what the real one finds is tested with it."""
    monkeypatch.setattr("freehold.settings.admission.gate", lambda: looked)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "Tiny-Model"
    made.mkdir()
    header = json.dumps({
        "a.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b.weight": {"dtype": "BF16", "shape": [2], "data_offsets": [16, 20]},
    }).encode()  # fmt: skip
    data = struct.pack("<4f", 1, -1, 0, 2) + struct.pack("<2H", 0x3F80, 0xBF80)
    (made / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
    (made / "README.md").write_text("---\nlicense: mit\n---\n")
    return made


def added(client, source, **given):
    return client.post("/api/models", json={"source": str(source), **given})


def test_a_folder_becomes_a_model_with_papers_and_can_be_looked_into(client, instance, folder):
    made = added(client, folder)
    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["name"], told["kind"], told["format"], told["licence"]) == ("tiny-model", "chat", "safetensors", "MIT")
    assert told["papers"]["scan"] == "allow"
    (shown,) = client.get("/api/models").json()
    assert shown["papers"] == told["papers"]
    assert client.post("/api/models/tiny-model/verify").json()["good"]
    assert client.get("/api/models/tiny-model/bom").status_code == 200
    seen = client.get("/api/models/tiny-model/inspect", params={"deep": "true"}).json()
    assert (seen["parameters"], seen["types"]) == (6, {"BF16": 1, "F32": 1})
    first, second = seen["figures"]
    assert (first["mean"], first["least"], first["greatest"], first["zeros"]) == (0.5, -1, 2, 1)
    assert (second["mean"], second["deviation"]) == (0, 1)


def test_what_needs_a_person_waits_and_is_vouched_for_or_let_go(client, instance, folder):
    (folder / "more.json").write_text("odd")
    refused = added(client, folder, name="tiny")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "FH-ART-004")
    assert "models review tiny" in refused.json()["error"]["hint"]
    (waits,) = client.get("/api/models/held").json()
    assert waits["name"] == "tiny"
    assert any("test.review" in one for one in waits["judged"]["reasons"])
    assert client.post("/api/models/tiny/review", json={"expires_seconds": 1e12}).status_code == 400
    made = client.post("/api/models/tiny/review", json={"expires_seconds": 3600}).json()
    assert made["papers"]["reviewed_by"]
    assert client.get("/api/models/held").json() == []
    assert client.get("/api/models/tiny").status_code == 200
    assert added(client, folder, name="other").status_code == 422
    assert client.post("/api/models/other/refuse").status_code == 200
    assert client.post("/api/models/other/review", json={"expires_seconds": 60}).status_code == 404


def test_what_is_blocked_and_what_is_the_instances_own_stays_out(client, instance, folder):
    (folder / "more.json").write_text("evil")
    assert added(client, folder).json()["error"]["code"] == "FH-ART-003"
    assert added(client, instance.home / "identity.key").status_code == 403
    assert client.post("/api/models", json={"source": "relative"}).status_code == 400
    assert client.get("/api/models").json() == []


def test_a_model_goes_to_a_registry_and_comes_back(client, instance, folder, tmp_path):
    added(client, folder, name="tiny")
    with registry(tmp_path) as host:
        pushed = client.post("/api/models/tiny/push", json={"to": f"oci://{host}/team/tiny:1"}).json()
        again = added(client, f"oci://{host}/team/tiny:1", name="again")
    assert again.status_code == 200, again.text
    told = again.json()
    assert told["origin"]["version"] == pushed["digest"]
    assert (told["kind"], told["files"]) == ("chat", client.get("/api/models/tiny").json()["files"])


def test_a_hub_is_asked_only_where_one_is_named(client, instance, folder):
    refused = added(client, "hf:org/tiny")
    assert refused.status_code == 400
    with hub() as server:
        server.repositories["org/tiny"] = {one.name: one.read_bytes() for one in folder.iterdir()}
        file = instance.loaded.file
        file.write_text(f'{file.read_text()}\n[models]\nhub = "{server.endpoint}"\n')
        assert client.post("/api/config/reload").status_code == 200
        made = added(client, "hf:org/tiny").json()
    assert (made["name"], made["origin"]["package"], made["origin"]["version"]) == ("tiny", "hf:org/tiny", COMMIT)


def test_nothing_but_this_machine_is_asked_behind_an_air_gap(client, instance, folder):
    file = instance.loaded.file
    file.write_text(f"{file.read_text()}\n[policy]\nair_gapped = true\n")
    assert client.post("/api/config/reload").status_code == 200
    refused = added(client, "oci://registry.example/team/tiny:1")
    assert (refused.status_code, "air-gapped" in refused.text) == (403, True)


def test_bytes_that_no_model_names_are_collected(client, instance, folder):
    added(client, folder, name="tiny")
    Store(instance.home / "store", instance.identity).blob("0" * 64).write_bytes(b"stray")
    assert client.post("/api/models/gc").json() == {"blobs": 1, "bytes": 5}
    assert client.post("/api/models/tiny/verify").json()["good"]
