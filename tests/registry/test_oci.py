"""Models go to a real registry and come back the same, with papers; what a registry says is held to digests."""

from __future__ import annotations

import json
import urllib.request

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry import layout
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store
from freehold.registry.oci import PAPERS, Registry, origin_of, parsed
from freehold.registry.offers import Rules
from freehold.registry.papers import signing
from freehold.registry.types import Origin
from tests.registry.docker_registry import registry
from tests.registry.test_admission import folder, looked, offer  # noqa: F401  a fixture


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def store(tmp_path, folder):  # noqa: F811
    made = Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))
    Admission(made, looked, Rules()).take(folder, offer())
    return made


def test_a_model_comes_back_the_same_with_its_makers_signature(host, store, tmp_path):
    pushed = Registry(parsed(f"oci://{host}/team/tiny:v1")).push(store, "tiny")
    assert pushed.digest == f"sha256:{store.record('tiny').image}"
    into = tmp_path / "pulled"
    into.mkdir()
    pulled = Registry(parsed(f"oci://{host}/team/tiny:v1")).pull(into)
    made = store.show("tiny")
    assert pulled.files == made.files
    assert (pulled.digest, pulled.told, pulled.licences) == (pushed.digest, made, ("MIT",))
    other = Store(tmp_path / "other", Identity.load(tmp_path / "other.key"))
    rules = Rules(trust=signing.Trust(keys=(pushed.signer.encode(),)), unsigned="block")
    where = Origin(origin_of(parsed(pushed.reference)), pulled.digest, "")
    again = Admission(other, looked, rules).take(into, offer(signature=pulled.signature, origin=where), link=True)
    assert again.files == made.files
    assert again.papers.signature.method == "key"
    assert other.open_verified("tiny").read_bytes() == store.open_verified("tiny").read_bytes()


def test_papers_are_found_by_their_subject_without_a_referrers_api(host, store):
    pushed = Registry(parsed(f"oci://{host}/team/tagged")).push(store, "tiny")
    Registry(parsed(f"oci://{host}/team/tagged:second")).push(store, "tiny")
    tag = pushed.digest.replace(":", "-")
    asked = urllib.request.Request(f"http://{host}/v2/team/tagged/manifests/{tag}", headers={"accept": layout.INDEX})
    with urllib.request.urlopen(asked) as answer:
        index = json.load(answer)
    assert index["mediaType"] == layout.INDEX
    (entry,) = index["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (pushed.papers, PAPERS)


def test_a_digest_pins_what_is_pulled_and_what_is_not_there_is_told(host, store, tmp_path):
    pushed = Registry(parsed(f"oci://{host}/team/pinned")).push(store, "tiny")
    assert Registry(parsed(pushed.reference)).pull(tmp_path / "a").digest == pushed.digest
    for wrong in (
        f"oci://{host}/team/pinned@sha256:{'0' * 64}",
        f"oci://{host}/team/none",
        f"oci://{host}/team/pinned:x",
    ):
        with pytest.raises(NotFound):
            Registry(parsed(wrong)).pull(tmp_path / "b")


@pytest.mark.parametrize("path", ["../up.txt", "/etc/x", "a/../../b", "a\\b", ""])
def test_layers_stay_inside_their_folder(host, store, tmp_path, path):
    Registry(parsed(f"oci://{host}/team/evil")).push(store, "tiny")
    image = json.loads(store.blob(store.record("tiny").image).read_bytes())
    image["layers"][0]["annotations"][layout.FILE_PATH] = path
    asked = urllib.request.Request(
        f"http://{host}/v2/team/evil/manifests/bad",
        json.dumps(image).encode(),
        {"content-type": layout.MANIFEST},
        method="PUT",
    )
    with urllib.request.urlopen(asked):
        pass
    with pytest.raises(BadArtefact):
        Registry(parsed(f"oci://{host}/team/evil:bad")).pull(tmp_path / "in" / "to")
    assert not list(tmp_path.rglob("up.txt"))


@pytest.mark.parametrize(
    "text", ["oci://", "oci://h", "oci://h/A", "oci://h/a:b:c", "oci://h/a@sha256:0", "oci://u@h/a", "h/a"]
)
def test_what_names_no_place_is_refused(text):
    with pytest.raises(BadArtefact):
        parsed(text)


def test_only_this_machine_is_asked_in_clear():
    assert parsed("oci://127.0.0.1:5000/a").root.startswith("http://")
    assert parsed("oci://registry.example/a/b:c").root == "https://registry.example/v2/a/b"
