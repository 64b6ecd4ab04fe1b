"""Advisories: ranges, lineage, honest unknowns, documents in and out, and every seed with its patch or the reason why not."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from freehold.assurance.errata import csaf, feeds, osv
from freehold.assurance.errata.inventory import EMBEDDED, Attached, engines, tools
from freehold.assurance.errata.matching import Thing, matched
from freehold.assurance.errata.patches import PATCHES, held_off, patched
from freehold.assurance.errata.seeds import seeds
from freehold.assurance.errata.types import Advisory, Affected
from freehold.assurance.errata.versions import within
from freehold.cli.main import freehold
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature, NotFound
from freehold.gateway.patches import RULES
from freehold.registry.oci import Registry, parsed
from tests.gateway import pieces as p
from tests.registry.docker_registry import registry

VLLM = "pkg:pypi/vllm"


@pytest.mark.parametrize(
    ("versions", "version", "expected"),
    [
        ("vers:pypi/>=0.10.1|<0.14.0", "0.10.0", False),
        ("vers:pypi/>=0.10.1|<0.14.0", "0.10.1", True),
        ("vers:pypi/>=0.10.1|<0.14.0", "0.13.9", True),
        ("vers:pypi/>=0.10.1|<0.14.0", "0.14.0", False),
        ("vers:pypi/<=2.5.1", "2.5.1", True),
        ("vers:pypi/<=2.5.1", "2.5.1+cpu", False),
        ("vers:pypi/=0.19.0", "0.19.0", True),
        ("vers:pypi/=0.19.0", "0.19.1", False),
        ("vers:pypi/*", "1", True),
        ("vers:pypi/!=1.2", "1.2", False),
        ("vers:pypi/!=1.2", "1.3", True),
        ("vers:pypi/<1|>=2|<3", "2.5", True),
        ("vers:pypi/<1|>=2|<3", "1.5", False),
        ("vers:semver/<0.17.1", "0.17.0", True),
        ("", "anything", True),
        ("unknown", "1.0", None),
        ("vers:golang/<1", "0.5", None),
        ("vers:pypi/<1", "not a version", None),
        ("vers:pypi/<nonsense<", "1", None),
    ],
)
def test_ranges_hold_what_they_say(versions: str, version: str, expected: bool | None) -> None:
    assert within(versions, version) is expected


NUMBERS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda two: f"{two[0]}.{two[1]}")


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_span_is_what_lies_between_its_ends(low: str, high: str, here: str) -> None:
    if Version(low) < Version(high):
        expected = Version(low) <= Version(here) < Version(high)
        assert within(f"vers:pypi/>={low}|<{high}", here) is expected


@given(st.text(max_size=30), st.text(max_size=10))
def test_nonsense_is_unknown_and_never_an_error(versions: str, version: str) -> None:
    assert within(f"vers:pypi/{versions}", version) in (True, False, None)


def advisory(name: str = "FHSA-2026-0001", **affected: object) -> Advisory:
    return Advisory(id=name, subject="engine", title="t", kind="k", affected=(Affected(**affected),))  # type: ignore[arg-type]


def standings(
    advisories: list[Advisory], *things: Thing, patched_by: dict[str, tuple[str, str]] | None = None
) -> dict[str, str]:
    """Of each thing the worst."""
    return {one.what: one.standing for one in reversed(matched(advisories, things, patched_by or {}))}


def test_versions_decide_and_what_cannot_be_compared_is_unknown() -> None:
    found = advisory(purl=VLLM, versions="vers:pypi/<0.14.0", fixed="0.14.0")
    things = [Thing(name=name, subject="engine", purl=VLLM, version=version) for name, version in
              [("old", "0.13"), ("new", "0.14.1"), ("dumb", ""), ("odd", "nightly")]]  # fmt: skip
    assert standings([found], *things) == {"old": "affected", "new": "fixed", "dumb": "unknown", "odd": "unknown"}


def test_an_adapter_inherits_what_its_base_and_its_engine_have_however_far() -> None:
    found = [advisory("A", digests=("d" * 64,)), advisory("B", purl=VLLM, versions="vers:pypi/<1")]
    things = (
        Thing(name="base", subject="model", digests=("d" * 64,)),
        Thing(name="tuned", subject="model", bases=("base",)),
        Thing(name="adapter", subject="adapter", bases=("tuned", "engine v")),
        Thing(name="engine v", subject="engine", purl=VLLM, version="0.5"),
        Thing(name="other", subject="model"),
    )
    matches = {(one.what, one.advisory): one for one in matched(found, things, {})}
    assert set(matches) == {
        ("base", "A"), ("tuned", "A"), ("adapter", "A"), ("engine v", "B"), ("adapter", "B"),
    }  # fmt: skip
    assert matches["adapter", "A"].via == ("tuned", "base") and matches["adapter", "A"].standing == "affected"


def test_lineages_that_run_in_a_circle_end() -> None:
    things = (
        Thing(name="a", subject="model", bases=("b",)),
        Thing(name="b", subject="model", bases=("a",), digests=("d",)),
    )
    assert standings([advisory(digests=("d",))], *things) == {"a": "affected", "b": "affected"}


def test_a_patch_holds_off_and_says_so() -> None:
    found = advisory(purl=VLLM, versions="vers:pypi/*")
    thing = Thing(name="v", subject="engine", purl=VLLM, version="1")
    (match,) = matched([found], [thing], {found.id: ("gateway", "refused at the door")})
    assert match.standing == "patched" and "refused at the door" in match.reason and match.fix


def test_a_licence_can_be_what_it_is_about() -> None:
    found = advisory(licences=("LicenseRef-gone",))
    things = (
        Thing(name="a", subject="model", licence="LicenseRef-gone"),
        Thing(name="b", subject="model", licence="MIT"),
    )
    assert standings([found], *things) == {"a": "affected"}


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40), st.sets(st.integers(0, 30), max_size=5)
)
def test_who_rests_on_an_affected_thing_is_affected_and_nobody_else(edges, bad) -> None:
    bases: dict[int, set[int]] = {number: set() for number in range(31)}
    for one, other in edges:
        bases[one].add(other)
    things = [
        Thing(
            name=str(n),
            subject="model",
            digests=(f"bad{n}",) if n in bad else (),
            bases=tuple(map(str, sorted(bases[n]))),
        )
        for n in range(31)
    ]
    reached = set(bad)
    while more := {n for n in bases if bases[n] & reached} - reached:
        reached |= more
    found = standings([advisory(digests=tuple(f"bad{n}" for n in sorted(bad)))] if bad else [], *things)
    assert set(found) == set(map(str, reached))


def test_every_seed_has_a_patch_with_a_test_or_says_why_nothing_can() -> None:
    ids = {one.id for one in seeds()}
    assert ids == {one.advisory for one in PATCHES}
    rules = {one.name for one in RULES}
    for one in PATCHES:
        assert one.said
        assert one.side != "gateway" or one.rule in rules
        assert (one.side == "none") == (not one.rule)
    assert [one.advisory for one in PATCHES] == sorted(one.advisory for one in PATCHES)


def test_engines_here_are_held_off_and_packages_are_by_their_versions() -> None:
    def versions(name: str) -> str:
        return {"xllamacpp": "2026.10.11549", "torch": "2.5.1", "keras": "3.12.0"}.get(name, "")

    attached = {
        "big": Attached("vllm", "0.13.0", ours=True),
        "far": Attached("vllm", "0.13.0"),
        "small": Attached("sglang"),
    }
    found = standings(list(seeds()), *engines(versions, attached), *tools(seeds(), versions), patched_by=held_off())
    assert found[EMBEDDED] == "patched"
    assert found["package torch"] == "patched" and found["package keras"] == "fixed"
    big = [one for one in matched(seeds(), engines(versions, attached), {}) if one.what == "engine big"]
    assert {one.advisory: one.standing for one in big} == {
        "CVE-2026-22807": "affected", "CVE-2026-27893": "affected", "CVE-2026-9540": "not_affected",
    }  # fmt: skip
    assert found["engine big"] == "patched"  # it loads only what the gate let in
    assert found["engine far"] == "affected"  # what it loads nobody here has seen
    assert found["engine small"] == "unknown"  # its broker: nothing here holds that off


def test_routes_name_the_patches_their_engines_need() -> None:
    routes = p.routes(
        (
            p.target("mine", 1, driver="llama_cpp", owned=True),
            p.target("lang", 2, driver="openai", owned=True),
            p.target("rented", 3, driver="openai"),
        )
    )
    once = patched(routes, {"lang": "sglang", "rented": "openai"})
    assert [one.quirks for one in once.targets] == [("patch:n_discard",), ("patch:ranking",), ()]
    assert patched(once, {"lang": "sglang"}) == once


def test_a_document_comes_back_as_what_it_was_made_of() -> None:
    for one in seeds():
        (again,) = csaf.read(json.loads(json.dumps(csaf.document(one, "2026-11-23T00:00:00Z"))))
        assert (again.id, again.subject, again.kind, again.trigger) == (one.id, one.subject, one.kind, one.trigger)
        ours, theirs = one.affected[0], again.affected[0]
        known = ours.versions.startswith("vers:")
        assert theirs.purl == ours.purl and theirs.fixed == ours.fixed
        assert theirs.versions == (ours.versions if known else "vers:generic/*")


def test_documents_hold_to_the_standard(tmp_path: Path) -> None:
    pytest.importorskip("csaf", reason="the validator is not installed")
    made = [
        *seeds(),
        advisory("FHSA-2026-0002", digests=("a" * 64,)),
        advisory("FHSA-2026-0003", licences=("LicenseRef-x",)),
    ]
    for one in (made[0], made[7], *made[-2:]):
        path = tmp_path / f"{one.id.lower()}.json"
        path.write_bytes(msgspec.json.encode(csaf.document(one, "2026-11-23T00:00:00Z")))
        done = subprocess.run(
            [sys.executable, "-m", "csaf", "validate", "--spec-version", "v20", str(path)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "FAIL" not in done.stdout, done.stdout + done.stderr


OSV = {
    "id": "GHSA-xxxx", "summary": "s", "aliases": ["CVE-2026-1"], "published": "2026-10-01T00:00:00Z",
    "affected": [{
        "package": {"ecosystem": "PyPI", "name": "vLLM"},
        "ranges": [{"type": "ECOSYSTEM", "events": [
            {"introduced": "0"}, {"fixed": "0.5"}, {"introduced": "0.8"}, {"last_affected": "0.9"}]}],
    }],
}  # fmt: skip


def test_osv_records_are_spans_from_introduction_to_fix() -> None:
    (one,) = osv.read(OSV)
    assert [each.versions for each in one.affected] == ["vers:pypi/<0.5", "vers:pypi/>=0.8|<=0.9"]
    for version, expected in [
        ("0.4", "affected"),
        ("0.5", None),
        ("0.8", "affected"),
        ("0.9", "affected"),
        ("1.0", None),
    ]:
        things = [Thing(name="v", subject="engine", purl=VLLM, version=version)]
        found = {each.standing for each in matched([one], things, {})}
        assert ("affected" in found) is (expected == "affected")
    assert osv.read({**OSV, "withdrawn": "2026-11-01T00:00:00Z"}) == ()
    commits = {**OSV, "affected": [{"package": {"ecosystem": "PyPI", "name": "vllm"}, "ranges": [{"type": "GIT"}]}]}
    assert standings(list(osv.read(commits)), Thing(name="v", subject="engine", purl=VLLM, version="1")) == {
        "v": "unknown"
    }


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.sampled_from(["document", "vulnerabilities", "affected", "id", "tracking", "product_tree"]), inner,
                         max_size=4), max_leaves=12))  # fmt: skip
def test_documents_that_are_none_are_refused_and_nothing_else_happens(found) -> None:
    with contextlib.suppress(BadArtefact):
        assert isinstance(feeds.parse(json.dumps(found).encode(), "x.json"), tuple)


def test_a_document_is_taken_in_once_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    data = json.dumps(OSV).encode()
    first, second = feeds.take(tmp_path, "a.json", data, ""), feeds.take(tmp_path, "b.json", data, "")
    assert first.sha256 == second.sha256 and len(feeds.kept(tmp_path)) == 1
    assert {"GHSA-xxxx", "CVE-2025-1716"} <= {one.id for one in feeds.everything(tmp_path)}
    (path,) = (tmp_path / feeds.FOLDER).glob("*.json")
    path.write_text(path.read_text().replace("0.9", "0.1"))
    with pytest.raises(BadArtefact):
        feeds.everything(tmp_path)


def test_signatures_count_only_by_keys_that_were_named(tmp_path: Path) -> None:
    identity, other = Identity.load(tmp_path / "a.key"), Identity.load(tmp_path / "b.key")
    path = tmp_path / "doc.json"
    path.write_text(json.dumps(OSV))
    data = path.read_bytes()
    assert feeds.signed_by(path, data, ())[0] == ""
    beside = path.with_name("doc.json.ed25519")
    beside.write_text(identity.sign(data).hex())
    assert feeds.signed_by(path, data, (identity.public.hex(),))[0] == identity.public.hex()
    for keys, content in (((), data), ((other.public.hex(),), data), ((identity.public.hex(),), data + b" ")):
        with pytest.raises(BadSignature):
            feeds.signed_by(path, content, keys)
    beside.write_text("no hex")
    with pytest.raises(BadSignature):
        feeds.signed_by(path, data, (identity.public.hex(),))
    with pytest.raises(NotFound):
        feeds.documents(tmp_path / "nowhere")


def test_a_thousand_models_are_matched_with_every_seed() -> None:
    chance = random.Random(1)
    things = [
        Thing(
            name=f"m{n}", subject="model", digests=(f"{chance.getrandbits(256):064x}",), licence="MIT",
            bases=(f"m{chance.randrange(n)}",) if n and n % 3 else (EMBEDDED,),
        )
        for n in range(1000)
    ]  # fmt: skip
    found = matched(seeds(), (*engines(lambda _: "1"), *things), held_off())
    assert len(found) == 1001 and {one.standing for one in found} == {"patched"}


def test_our_own_advisory_is_published_signed_and_comes_in_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = {"subject": "adapter", "title": "withdrawn data", "kind": "rights", "affected": [{"digests": ["a" * 64]}]}
    (tmp_path / "a.json").write_text(json.dumps(told))
    done = CliRunner().invoke(
        freehold,
        ["errata", "publish", str(tmp_path / "a.json"), "--out", str(tmp_path / "out"), "--json", "--home", str(home)],
    )
    assert done.exit_code == 0, done.output
    made = json.loads(done.output)
    assert made["id"].startswith("FHSA-") and made["id"].endswith("-0001")
    path = Path(made["file"])
    assert feeds.signed_by(path, path.read_bytes(), (made["key"],))[0] == made["key"]
    (again,) = feeds.parse(path.read_bytes(), path.name)
    assert again.id == made["id"] and again.affected[0].digests == ("a" * 64,)


def test_a_feed_goes_to_a_registry_and_comes_back_signed(tmp_path: Path) -> None:
    identity, out, into = Identity.load(tmp_path / "a.key"), tmp_path / "out", tmp_path / "into"
    out.mkdir()
    into.mkdir()
    for one in (advisory("FHSA-2026-0001", purl=VLLM), advisory("FHSA-2026-0002", digests=("a" * 64,))):
        data = msgspec.json.encode(csaf.document(one, "2026-11-23T00:00:00Z"))
        (out / f"{one.id}.json").write_bytes(data)
        (out / f"{one.id}.json{feeds.SIGNATURE}").write_text(identity.sign(data).hex())
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        feeds.pushed(f"oci://{host}/errata/feed:1", "", feeds.documents(out))
        feeds.fetched(f"oci://{host}/errata/feed:1", "", into)
        with pytest.raises(BadArtefact):
            Registry(parsed(f"oci://{host}/errata/feed:1")).pull(tmp_path)  # no model
    for path in feeds.documents(into):
        assert feeds.signed_by(path, path.read_bytes(), (identity.public.hex(),))[0] == identity.public.hex()
    assert {path.name for path in into.iterdir()} == {path.name for path in out.iterdir()}
