"""Set-up leaves pinned files or fails; what it makes is what the engine is proven with."""

from __future__ import annotations

import msgspec
import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, Unavailable
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store, digest_of
from freehold.registry.gate.types import Checked, Report
from freehold.registry.offers import Rules
from freehold.serving import fetch
from freehold.serving.catalogue import MODELS, admit

TINY = msgspec.structs.replace(MODELS[1], name="tiny", source="tiny.bin")


@pytest.fixture
def made(monkeypatch, tmp_path):
    """A model whose download and conversion are two small functions; gives the model and what was done."""
    done = []

    def unpack(package, into):
        done.append("download")
        path = into / "tiny.bin"
        path.write_bytes(b"q4")
        return {"tiny.bin": path}

    def make(model, members, target, progress):
        done.append("make")
        target.write_bytes(members["tiny.bin"].read_bytes() + b"q8")
        progress(0.5)
        progress(1.0)

    monkeypatch.setattr(fetch, "unpack", unpack)
    monkeypatch.setattr(fetch, "_make", make)
    path = tmp_path / "pin"
    path.write_bytes(b"q4q8")
    return msgspec.structs.replace(TINY, sha256=digest_of(path), size=4), done


def test_the_first_run_makes_the_second_has_nothing_to_do(made, tmp_path):
    model, done = made
    said = []
    cache = tmp_path / "cache"
    (path,) = fetch.fetch_all(cache, said.append, (model,))
    assert path.read_bytes() == b"q4q8"
    assert [one.name for one in cache.iterdir()] == ["tiny.gguf"]
    assert said[-2:] == ["tiny: 50 %", "tiny: 100 %"]
    assert fetch.ready(cache, (model,))
    fetch.fetch_all(cache, said.append, (model,))
    assert done == ["download", "make"]
    assert said[-1] == "tiny: ready"


def test_a_damaged_file_is_made_again(made, tmp_path):
    model, done = made
    (path,) = fetch.fetch_all(tmp_path / "cache", print, (model,))
    path.chmod(0o600)
    path.write_bytes(b"q4q9")
    fetch.fetch_all(tmp_path / "cache", print, (model,))
    assert path.read_bytes() == b"q4q8"
    assert len(done) == 4


def test_a_result_that_is_not_the_pinned_one_is_not_left(made, tmp_path):
    model, _ = made
    with pytest.raises(BadArtefact):
        fetch.fetch_all(tmp_path / "cache", print, (msgspec.structs.replace(model, sha256="0" * 64),))
    assert list((tmp_path / "cache").iterdir()) == []


def test_failures_end_in_a_command(monkeypatch, capsys, tmp_path):
    def unpack(package, into):
        raise Unavailable("no route", hint="check the connection, then: make setup")

    monkeypatch.setattr(fetch, "unpack", unpack)
    assert fetch.main(["--into", str(tmp_path)]) == 1
    assert capsys.readouterr().err.endswith(
        "error[FH-AVA-001] no route\n  fix   check the connection, then: make setup\n"
    )


def test_without_the_cache_nothing_is_admitted_and_the_way_out_is_told(tmp_path):
    store = Store(tmp_path / "store", Identity.load(tmp_path / "key"))
    with pytest.raises(Unavailable) as raised:
        admit(tmp_path / "cache", store, lambda: 0.0)
    assert raised.value.hint.endswith("freehold models fetch")


def test_what_set_up_made_is_admitted_with_its_papers(weights, tmp_path):
    store = Store(tmp_path / "store", Identity.load(tmp_path / "key"))
    manifests = admit(weights, store, lambda: 1_795_000_000.0)
    assert {one.kind for one in manifests} == {"chat", "embedding"}
    for one, model in zip(manifests, MODELS, strict=True):
        assert one.making.from_sha256 in {member.sha256 for member in model.package.members}
        assert one.origin.version == model.package.version
        assert one.licence == "Apache-2.0"
        assert store.open_verified(one.name).stat().st_size == model.size
    assert admit(tmp_path / "gone", store, lambda: 0.0) == manifests  # the store is enough from then on


def test_a_cache_with_other_weights_is_refused(weights, tmp_path):
    model = MODELS[0]
    (tmp_path / "cache").mkdir()
    data = bytearray((weights / model.file).read_bytes())
    data[-1] ^= 1
    (tmp_path / "cache" / model.file).write_bytes(data)
    store = Store(tmp_path / "store", Identity.load(tmp_path / "key"))
    with pytest.raises(BadArtefact):
        admit(tmp_path / "cache", store, lambda: 0.0)
    assert store.list() == ()


def passing(root):
    """A gate that lets everything through: what the real one finds is tested with it."""
    files = (Checked(one.name, digest_of(one), one.stat().st_size, "gguf", "allow") for one in root.iterdir())
    return Report("allow", tuple(files), "0" * 64)


def test_what_comes_along_passes_the_gate_and_gets_papers_also_where_it_came_in_without(weights, tmp_path):
    store = Store(tmp_path / "store", Identity.load(tmp_path / "key"))
    bare = admit(weights, store, lambda: 1_795_000_000.0)
    assert [one.papers for one in bare] == [None, None]
    way = Admission(store, passing, Rules())
    made = admit(tmp_path / "gone", store, lambda: 1_795_000_000.0, way)
    for one, model in zip(made, MODELS, strict=True):
        assert (one.licence, one.papers.licence.verdict, one.papers.scan) == ("Apache-2.0", "allow", "allow")
        assert (one.files[0].sha256, one.papers.reviewed_by) == (model.sha256, "")
        assert {paper.kind for paper in one.papers.statements} == {"bom", "card", "lineage", "scan"}
        assert store.open_verified(one.name).stat().st_size == model.size
    assert admit(tmp_path / "gone", store, lambda: 0.0, way) == made


def test_the_pin_holds_on_the_way_past_the_gate_too(weights, tmp_path):
    model = MODELS[0]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / model.file).write_bytes((weights / model.file).read_bytes() + b"!")
    store = Store(tmp_path / "store", Identity.load(tmp_path / "key"))
    with pytest.raises(BadArtefact, match="is pinned"):
        admit(tmp_path / "cache", store, lambda: 0.0, Admission(store, passing, Rules()))
    assert store.list() == ()
