"""A hub is asked when a person asks, held to a commit and to digests; the store shows itself to the hub's own library."""

from __future__ import annotations

import subprocess
import sys

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store
from freehold.registry.errors import RegistryFailed
from freehold.registry.hub import fetch, parsed
from freehold.registry.hub_view import show
from freehold.registry.offers import Rules
from freehold.registry.types import Origin
from tests.fakes.hub import COMMIT, hub
from tests.registry.test_admission import folder, looked, offer  # noqa: F401  a fixture

FILES = {"model.safetensors": b"weights", "config.json": b"{}", "onnx/a.txt": b"a", ".gitattributes": b"x"}


@pytest.fixture
def server():
    with hub() as found:
        found.repositories["org/tiny"] = FILES
        yield found


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))


def test_files_come_from_the_commit_that_was_pinned_first(server, tmp_path):
    found = fetch("hf:org/tiny", tmp_path / "in", server.endpoint)
    assert (found.repository, found.commit) == ("org/tiny", COMMIT)
    assert sorted(found.files) == ["config.json", "model.safetensors", "onnx/a.txt"]
    assert (tmp_path / "in" / "onnx" / "a.txt").read_bytes() == b"a"
    assert all(COMMIT in one for one in server.asked[1:])


def test_only_the_files_that_are_meant_are_fetched(server, tmp_path):
    found = fetch("hf:org/tiny", tmp_path / "in", server.endpoint, only=("*.safetensors", "onnx/*"))
    assert sorted(found.files) == ["model.safetensors", "onnx/a.txt"]
    assert not any("config.json" in one for one in server.asked)


@pytest.mark.parametrize("lie", [b"weightz", b"weights+", b"weight", b""])
def test_bytes_that_are_not_those_named_are_refused(server, tmp_path, lie):
    server.lies["model.safetensors"] = lie
    with pytest.raises(BadArtefact, match="other bytes"):
        fetch("hf:org/tiny", tmp_path / "in", server.endpoint)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../b", "a\\b", "", None])
def test_names_stay_inside(server, tmp_path, name):
    server.extra.append({"rfilename": name, "size": 1})
    with pytest.raises(BadArtefact):
        fetch("hf:org/tiny", tmp_path / "in" / "to", server.endpoint)


def test_what_is_not_there_and_what_asks_for_a_token_is_told(server, tmp_path):
    with pytest.raises(NotFound):
        fetch("hf:org/none", tmp_path / "a", server.endpoint)
    with pytest.raises(NotFound):
        fetch("hf:org/tiny@gone", tmp_path / "b", server.endpoint)
    server.token = "secret"
    with pytest.raises(RegistryFailed):
        fetch("hf:org/tiny", tmp_path / "c", server.endpoint)
    assert fetch("hf:org/tiny", tmp_path / "d", server.endpoint, "secret").commit == COMMIT


@pytest.mark.parametrize("text", ["hf:", "hf:a/b/c", "hf:../b", "hf:a/b@../c", "hf:a b"])
def test_what_names_no_model_is_refused(text):
    with pytest.raises(BadArtefact):
        parsed(text)


READ = """
import sys
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
cache, name = sys.argv[1:]
print(open(hf_hub_download(name, "config.json", cache_dir=cache, local_files_only=True)).read())
print(snapshot_download(name, cache_dir=cache, local_files_only=True))
found = scan_cache_dir(cache)
assert not found.warnings, found.warnings
print([(one.repo_id, one.nb_files) for one in found.repos])
"""


def test_the_hubs_library_reads_the_store_without_a_network(store, folder, tmp_path):  # noqa: F811
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    Admission(store, looked, Rules()).take(folder, offer(origin=Origin("hf:org/tiny", COMMIT, "")))
    repository, snapshot = show(store, "tiny", tmp_path / "hub")
    assert repository == "org/tiny"
    weights = store.show("tiny").files[0]
    assert (snapshot / weights.name).stat().st_ino == store.blob(weights.sha256).stat().st_ino
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "hub"), repository],
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["{}", str(snapshot), "[('org/tiny', 3)]"]
    assert show(store, "tiny", tmp_path / "hub") == (repository, snapshot)


def test_what_was_changed_is_not_shown(store, folder, tmp_path):  # noqa: F811
    made = Admission(store, looked, Rules()).take(folder, offer())
    path = store.blob(made.files[0].sha256)
    path.chmod(0o600)
    path.write_bytes(b"changed")
    with pytest.raises(BadArtefact):
        show(store, "tiny", tmp_path / "hub")
    assert not (tmp_path / "hub").exists()
