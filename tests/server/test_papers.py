"""Papers over the management API: bills, lineage and licences of what is in the store."""

from __future__ import annotations

import pytest

from freehold.registry.artefacts import Store
from tests.serving.tiny import admit_classifier


@pytest.fixture
def model(instance, tmp_path):
    return admit_classifier(Store(instance.home / "store", instance.identity), tmp_path)


def test_a_model_has_a_valid_bill(client, model):
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.schema import SchemaVersion

    told = client.get("/api/models/tickets-1/bom")
    assert told.headers["content-type"].startswith("application/vnd.cyclonedx+json")
    assert validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(told.text) is None
    assert told.json()["metadata"]["component"]["hashes"][0]["content"] == model.files[0].sha256


def test_a_model_tells_its_steps_and_what_it_comes_from(client, model):
    told = client.get("/api/models/tickets-1/lineage").json()
    (step,) = told["steps"]
    assert step["how"] == "fine-tune"
    assert [(one["role"], one["sha256"]) for one in step["of"]] == [("dataset", "d" * 64)]
    assert told["ancestors"] == []


def test_a_models_licence_is_decided_by_the_settings_in_force(client, model):
    told = client.get("/api/models/tickets-1/licence").json()
    assert (told["name"], told["licence"]["expression"]) == ("tickets-1", "LicenseRef-owner")
    assert told["licence"]["verdict"] == "allow"
    assert [one["name"] for one in told["each"]] == ["tickets-1"]


@pytest.mark.parametrize("what", ["bom", "lineage", "licence"])
def test_nobody_has_no_papers(client, what):
    assert client.get(f"/api/models/nobody/{what}").status_code == 404


def test_papers_of_changed_models_are_not_shown(client, instance, model):
    tampered = [
        one for one in (instance.home / "store").rglob("*") if one.is_file() and b"LicenseRef-owner" in one.read_bytes()
    ]
    assert tampered
    for path in tampered:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(b"LicenseRef-owner", b"LicenseRef-ownes"))
    assert client.get("/api/models/tickets-1/licence").status_code >= 400
