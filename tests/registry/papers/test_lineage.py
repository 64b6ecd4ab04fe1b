"""Lineage: each step is signed, and the way back finds all of it whatever stands between."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.registry.artefacts import Lineage, Making, Origin
from freehold.registry.papers import dsse
from freehold.registry.papers.cards import Card
from freehold.registry.papers.lineage import Part, Step, read, signed, statement, step_of, walk, walk_all
from freehold.registry.papers.writing import step_of_card
from tests.registry.papers.artefact import manifest


@pytest.fixture
def identity(tmp_path):
    return Identity.load(tmp_path / "identity.key")


def store(*manifests):
    return {one.name: one for one in manifests}


def names(found):
    return [one.name for one in found]


def test_a_step_is_read_back_as_it_was_signed(identity):
    step = Step(
        how="merge",
        made=(Part(name="model.gguf", sha256="a" * 64),),
        of=(Part(name="x", sha256="b" * 64, role="merged", licence="MIT"), Part(name="hub/y", role="merged")),
        detail="linear, 0.5 each",
        made_at="2026-11-22T00:00:00.000Z",
    )
    assert read(signed(step, identity), identity) == step


def test_a_statement_is_in_totos_with_slsas_provenance():
    found = statement(step_of(manifest("m")))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://slsa.dev/provenance/v1"
    assert found["subject"] == [{"name": "model.gguf", "digest": {"sha256": "a" * 64}}]
    assert found["predicate"]["buildDefinition"]["buildType"] == "urn:freehold:make:admit"


def test_anothers_statement_does_not_count(identity, tmp_path):
    other = Identity.load(tmp_path / "other.key")
    envelope = signed(step_of(manifest("m")), identity)
    with pytest.raises(BadSignature):
        read(envelope, other)
    changed = json.loads(envelope)
    changed["payload"] = signed_payload(other)
    with pytest.raises(BadSignature):
        read(json.dumps(changed).encode(), identity)


def signed_payload(identity):
    return json.loads(signed(step_of(manifest("n", "b")), identity))["payload"]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"predicate": 1}', b'{"predicate": {"buildDefinition": {}}}'])
def test_what_is_signed_and_no_step_is_refused(identity, payload):
    with pytest.raises(BadArtefact):
        read(dsse.sealed(payload, identity), identity)
    with pytest.raises(BadArtefact):
        read(payload, identity)


def test_an_adapter_comes_from_its_base_and_what_that_came_from():
    base = manifest("base", "b", making=Making("requantise", "c" * 64, "Q4"), origin=Origin("up", "2", "c" * 64))
    found = walk("triage", store(base, manifest("triage", "a", base=base)))
    assert names(found) == ["base", "up 2"]
    first, second = found
    assert (first.role, first.here, first.via) == ("base", True, ("triage", "base"))
    assert first.digests == ("b" * 64,)
    assert (second.here, second.digests, second.via) == (False, ("c" * 64,), ("triage", "base", "up 2"))


def test_an_adapter_of_an_adapter_reaches_the_ground():
    base = manifest("base", "b")
    first = manifest("first", "c", base=base)
    second = manifest("second", "e", base=first)
    assert names(walk("second", store(base, first, second))) == ["first", "base"]


def test_what_was_taken_in_as_it_was_is_no_ancestor_of_itself():
    assert walk("m", store(manifest("m"))) == ()


def test_a_base_that_was_exchanged_is_told_by_the_bytes_that_were_used():
    used = manifest("base", "b")
    adapter = manifest("triage", "a", base=used)
    found = walk("triage", store(manifest("base", "f"), adapter))
    assert found[0].digests == ("b" * 64,)
    assert not found[0].here


def test_a_base_is_found_by_its_bytes_under_another_name():
    base = manifest("base", "b")
    adapter = manifest("triage", "a", base=base)
    renamed = manifest("other-name", "b")
    found = walk("triage", store(renamed, adapter))
    assert names(found) == ["other-name"]
    assert found[0].here


def test_a_merge_comes_from_all_its_parts():
    one, two = manifest("one", "b", licence="MIT"), manifest("two", "c", licence="LicenseRef-llama3")
    merged = manifest("merged", "a")
    parts = (Part(name="one", sha256="b" * 64, role="merged"), Part(name="two", sha256="c" * 64, role="merged"))
    steps = {"merged": (Step(how="merge", made=(), of=parts),)}
    found = walk("merged", store(one, two, merged), steps)
    assert names(found) == ["one", "two"]
    assert [one.licence for one in found] == ["MIT", "LicenseRef-llama3"]


def test_the_base_a_card_names_is_an_ancestor_without_bytes():
    model = manifest("m")
    step = step_of_card(model, Card(bases=("meta-llama/Llama-3.1-8B",), relation="merge"))
    assert step.how == "merge"
    (found,) = walk("m", store(model), {"m": (step,)})
    assert (found.name, found.digests, found.here, found.role) == ("meta-llama/Llama-3.1-8B", (), False, "merged")


def test_an_adapter_from_elsewhere_has_no_dataset():
    base = manifest("base", "b")
    given = Lineage(recipe="elsewhere", dataset_sha256="", base="base", base_sha256="b" * 64)
    adapter = manifest("triage", "a", kind="adapter", lineage=given)
    step = step_of_card(adapter, Card(bases=("somebody/base",)))
    assert (step.how, [one.name for one in step.of]) == ("adapt", ["base", "somebody/base"])
    assert step.of[1].licence == "Apache-2.0"
    assert names(walk("triage", store(base, adapter), {"triage": (step,)})) == ["base", "somebody/base"]


def test_rings_end():
    steps = {
        "one": (Step(how="merge", made=(), of=(Part(name="two", role="merged"),)),),
        "two": (Step(how="merge", made=(), of=(Part(name="one", role="merged"),)),),
    }
    assert names(walk("one", store(manifest("one", "b"), manifest("two", "c")), steps)) == ["two", "one"]


def test_who_is_not_there_has_no_line():
    with pytest.raises(KeyError):
        walk("m", {})


edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(edges)
@settings(max_examples=60, deadline=None)
def test_the_walk_finds_exactly_what_can_be_reached_and_each_way_is_one(pairs):
    digests = "0123456789abcdef"
    models = store(*(manifest(f"m{i}", digests[i]) for i in range(8)))
    steps = {}
    for child, parent in pairs:
        part = Part(name=f"m{parent}", sha256=digests[parent] * 64, role="merged")
        steps.setdefault(f"m{child}", []).append(Step(how="merge", made=(), of=(part,)))
    found = walk("m0", models, {name: tuple(all_) for name, all_ in steps.items()})
    reached, queue = set(), ["m0"]
    while queue:
        at = queue.pop()
        for child, parent in pairs:
            if f"m{child}" == at and child != parent and f"m{parent}" not in reached:
                reached.add(f"m{parent}")
                queue.append(f"m{parent}")
    assert {*names(found)} == reached
    every = walk_all(models, {name: tuple(all_) for name, all_ in steps.items()})
    assert every["m0"] == found
    for one in found:
        assert one.via[0] == "m0"
        assert one.via[-1] == one.name
        steps_of_way = zip(one.via, one.via[1:], strict=False)
        assert all((int(a[1:]), int(b[1:])) in pairs for a, b in steps_of_way)
