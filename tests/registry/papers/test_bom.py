"""Bills of materials are valid CycloneDX, say what the papers say, and are the same each time."""

from __future__ import annotations

import json

import pytest

from freehold.core.crypto import Identity
from freehold.registry.artefacts import Blob, Lineage, Origin
from freehold.registry.papers.bom import bom, purl
from freehold.registry.papers.cards import Card, Metric
from freehold.registry.papers.lineage import read, step_of, walk
from freehold.registry.papers.types import Licence, Papers, Signature, Statement
from freehold.registry.papers.writing import card_of, documents
from tests.registry.papers.artefact import manifest

LICENCE = Licence("Apache-2.0 AND LicenseRef-llama3", "review", "card", ("show it",), ("review: who are you?",))
CARD = Card(
    datasets=("a/b", "ü x"),
    architectures=("LlamaForCausalLM",),
    metrics=(Metric("", "MMLU", "accuracy", "0.5"), Metric("t", "", "", "1")),
)
PAPERS = Papers(
    scan="allow",
    rules="r1",
    licence=LICENCE,
    signature=Signature("key", "ab12"),
    reviewed_by="ada",
    statements=(Statement("lineage", "x/y", "e" * 64, 3),),
)


def valid(found):
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.schema import SchemaVersion

    error = validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found))
    assert error is None, error


def adapter_with_all():
    base = manifest("base", "b", origin=Origin("up/stream", "2", "c" * 64))
    adapter = manifest("triage", "a", base=base)
    return adapter, walk("triage", {"base": base, "triage": adapter})


@pytest.mark.parametrize("licence", ["Apache-2.0", "NOASSERTION", "MIT OR LicenseRef-x", "LicenseRef-unread"])
def test_the_least_bill_is_valid(licence):
    found = bom(manifest("m"), Licence(licence, "allow", "given"))
    valid(found)
    licences = found["metadata"]["component"].get("licenses", [])
    assert [one["expression"] for one in licences] == ([] if licence == "NOASSERTION" else [licence])


def test_the_fullest_bill_is_valid_and_tells_all():
    adapter, line = adapter_with_all()
    found = bom(adapter, LICENCE, line, CARD, PAPERS)
    valid(found)
    model = found["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert [one["name"] for one in model["pedigree"]["ancestors"]] == ["base", "up/stream 2"]
    assert model["modelCard"]["modelParameters"]["modelArchitecture"] == "LlamaForCausalLM"
    told = [(one["name"], one["value"]) for one in model["properties"]]
    assert ("freehold:licence:duty", "show it") in told
    assert ("freehold:reviewed-by", "ada") in told
    assert {one["name"] for one in found["components"]} >= {"base", "a/b", "dataset of lora"}
    refs = [one["bom-ref"] for one in found["components"]]
    assert len({*refs}) == len(refs)
    assert {*found["dependencies"][0]["dependsOn"]} == {*refs}
    assert model["externalReferences"][0]["hashes"][0]["content"] == "e" * 64


def test_names_that_are_no_addresses_are_still_valid():
    odd = manifest("m", files=(Blob("a b/ü#?.gguf", "a" * 64, 1),), origin=Origin("own er/na me", "v 1", "a" * 64))
    valid(bom(odd, LICENCE, (), CARD))


def test_an_adapter_from_elsewhere_names_its_base_and_no_data(tmp_path):
    given = Lineage(recipe="elsewhere", dataset_sha256="", base="base", base_sha256="b" * 64)
    adapter = manifest("triage", "a", kind="adapter", lineage=given)
    found = documents(adapter, LICENCE, Card(), Identity.load(tmp_path / "identity.key"))[0]
    valid(json.loads(found.data))
    assert [one["name"] for one in json.loads(found.data)["components"]] == ["base"]


def test_one_model_has_one_bill():
    adapter, line = adapter_with_all()
    assert bom(adapter, LICENCE, line) == bom(adapter, LICENCE, line)
    other = manifest("other", "e")
    assert bom(adapter, LICENCE)["serialNumber"] != bom(other, LICENCE)["serialNumber"]


def test_a_model_of_a_hub_is_called_as_there():
    assert purl(manifest("m", origin=Origin("owner/model", "main", "a" * 64))) == "pkg:huggingface/owner/model@main"
    assert purl(manifest("m", origin=Origin("./model", "", "a" * 64))).startswith("pkg:generic/m?checksum=sha256:aaaa")


def test_admission_writes_card_lineage_and_bill(tmp_path):
    identity = Identity.load(tmp_path / "identity.key")
    adapter, line = adapter_with_all()
    found = {one.kind: one for one in documents(adapter, LICENCE, CARD, identity, line)}
    assert [*found] == ["bom", "card", "lineage"]
    valid(json.loads(found["bom"].data))
    assert card_of(found["card"].data) == CARD
    assert card_of(b"{") == Card()
    assert read(found["lineage"].data, identity).how == step_of(adapter).how
    assert found["card"].statement.size == len(found["card"].data)
