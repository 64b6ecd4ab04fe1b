"""What binds a model today: its own licence and those of all it comes from, by the facts in force."""

from __future__ import annotations

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from freehold.registry.papers.binding import Line, Terms, bind, line_of
from freehold.registry.papers.cards import Card
from freehold.registry.papers.licences import Licensee, Policy, Use
from freehold.registry.papers.lineage import walk
from freehold.registry.papers.types import Licence, Papers
from freehold.registry.trained import Product, admit_trained
from tests.registry.papers.artefact import manifest

LLAMA = "LicenseRef-scancode-llama-4-license-2025"
GERMAN = Terms(Licensee(country="DE", monthly_users=1), Use(commercial=True), Policy())
AMERICAN = Terms(Licensee(country="US", monthly_users=1), Use(commercial=True), Policy())


def line(*models, papers=None, card=None):
    manifests = {one.name: one for one in models}
    last = models[-1]
    return Line(last, (), walk(last.name, manifests), card or Card(), papers)


def test_an_adapter_is_bound_by_its_base_and_facts_decide_anew():
    base = manifest("base", "b", licence=LLAMA)
    found = line(base, manifest("triage", "a", base=base, licence="MIT"))
    bound = bind(found, GERMAN)
    assert bound.licence.verdict == "block"
    assert bound.licence.expression == f"MIT AND {LLAMA}"
    assert [(one.name, one.licence.verdict) for one in bound.each] == [("triage", "allow"), ("base", "block")]
    assert bound.each[1].via == ("triage", "base")
    assert bind(found, AMERICAN).licence.verdict == "allow"


def test_a_base_that_is_not_here_is_known_by_its_name_or_not_at_all():
    base = manifest("meta-llama/Llama-4-Scout", "b", licence="")
    adapter = manifest("triage", "a", base=base, licence="MIT", kind="classifier")
    assert bind(line(adapter), GERMAN).licence.verdict == "block"
    unknown = manifest("triage", "a", base=manifest("somebody/else", "b"), licence="MIT", kind="classifier")
    bound = bind(line(unknown), GERMAN)
    assert bound.licence.verdict == "review"
    assert "somebody/else" in " ".join(bound.licence.reasons)


def test_what_disagreed_on_admission_still_does():
    papers = Papers(scan="allow", rules="", licence=Licence("MIT", "review", "card", said=("a: b",), disagree=True))
    assert bind(line(manifest("m", licence="MIT"), papers=papers), AMERICAN).licence.verdict == "review"


def test_the_card_says_whether_it_takes_pictures():
    model = manifest("m", licence="LicenseRef-scancode-llama-3.2-license-2024")
    assert bind(line(model, card=Card(multimodal=False)), GERMAN).licence.verdict == "allow"
    assert bind(line(model, card=Card(multimodal=True)), GERMAN).licence.verdict == "block"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))


def admit(store, tmp_path, name, licence):
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(name.encode())
    made = Manifest(
        name=name,
        kind="chat",
        format="gguf",
        files=(Blob(path.name, digest_of(path), len(name)),),
        origin=Origin("owner/model", "1", "e" * 64),
        making=Making("requantise", "e" * 64, "Q8_0"),
        licence=licence,
        made_at="2026-11-22T00:00:00.000Z",
    )
    return store.admit(made, {path.name: path})


def test_a_line_is_read_from_the_store(store, tmp_path):
    admit(store, tmp_path, "base", "Apache-2.0")
    path = tmp_path / "adapter.gguf"
    path.write_bytes(b"lora")
    admit_trained(
        store,
        Product(
            name="triage",
            kind="adapter",
            format="gguf",
            files=(path,),
            recipe="lora",
            dataset_sha256="d" * 64,
            base="base",
        ),
        0.0,
    )
    found = line_of(store, "triage")
    assert [one.how for one in found.steps] == ["adapt"]
    assert [one.name for one in found.ancestors] == ["base", "owner/model 1"]
    assert bind(found, GERMAN).licence.verdict == "allow"
    with pytest.raises(NotFound):
        line_of(store, "nobody")


def test_a_manifest_that_was_swapped_has_no_line(store, tmp_path):
    admit(store, tmp_path, "base", "MIT")
    tampered = [one for one in store.root.rglob("*") if one.is_file() and b'"MIT"' in one.read_bytes()]
    assert tampered
    for path in tampered:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes().replace(b'"MIT"', b'"ISC"'))
    with pytest.raises(BadArtefact):
        line_of(store, "base")
