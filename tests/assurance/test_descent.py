"""Advisories travel along the lineage: to adapters, to what was quantised or merged, from what is not here any more."""

from __future__ import annotations

from freehold.assurance.errata.descent import with_ancestors
from freehold.assurance.errata.inventory import models
from freehold.assurance.errata.matching import matched
from freehold.assurance.errata.types import Advisory, Affected
from freehold.registry.artefacts import Making, Origin
from freehold.registry.papers.lineage import Part, Step, walk_all
from tests.registry.papers.artefact import manifest


def affected(manifests, affected, steps=None):
    """What is affected, and the way it came."""
    advisory = Advisory(id="FHSA-2026-0001", subject="model", title="t", kind="k", affected=(affected,))
    named = {one.name: one for one in manifests}
    things = with_ancestors(models(manifests, {}), walk_all(named, steps or {}))
    return {one.what: one.via for one in matched((advisory,), things, {}) if one.standing == "affected"}


def bytes_of(digest):
    return Affected(digests=(digest * 64,))


def test_an_adapter_inherits_its_bases_and_its_bases_sources():
    base = manifest("base", "b", making=Making("requantise", "c" * 64), origin=Origin("up", "2", "c" * 64))
    adapter = manifest("triage", "a", base=base, making=Making("train"))
    assert affected([base, adapter], bytes_of("b"))["triage"] == ("base",)
    found = affected([base, adapter], bytes_of("c"))
    assert {"base", "triage"} <= {*found}
    assert found["triage"][0] == "base"


def test_a_base_that_is_not_here_any_more_still_harms():
    adapter = manifest("triage", "a", base=manifest("base", "b"), making=Making("train"))
    assert affected([adapter], bytes_of("b"))["triage"] == ("base (bbbbbbbbbbbbbbbb)",)
    exchanged = manifest("base", "f")
    assert "triage" in affected([adapter, exchanged], bytes_of("b"))


def test_a_base_that_only_a_card_names_is_known_by_its_purl():
    part = Part(name="meta-llama/Llama-3.1-8B", role="base")
    steps = {"m": (Step(how="fine-tune", made=(), of=(part,)),)}
    found = affected([manifest("m")], Affected(purl="pkg:huggingface/meta-llama/Llama-3.1-8B"), steps)
    assert "m" in found


def test_what_was_merged_inherits_of_all_its_parts():
    one, two, merged = manifest("one", "b"), manifest("two", "c"), manifest("merged", "a")
    parts = tuple(Part(name=each.name, sha256=each.files[0].sha256, role="merged") for each in (one, two))
    steps = {"merged": (Step(how="merge", made=(), of=parts),)}
    for digest, name in (("b", "one"), ("c", "two")):
        assert affected([one, two, merged], bytes_of(digest), steps)["merged"] == (name,)


def test_nobody_else_is_affected():
    base = manifest("base", "b")
    assert affected([base, manifest("other", "c"), manifest("triage", "a", base=base)], bytes_of("c")) == {"other": ()}


def test_a_thousand_models_in_lines_are_matched():
    found = [manifest("m0", "0")]
    for number in range(1, 1000):
        found.append(manifest(f"m{number}", f"{number:064x}", base=found[-1] if number % 8 else None))
    assert len(affected(found, bytes_of("0"))) == 8
