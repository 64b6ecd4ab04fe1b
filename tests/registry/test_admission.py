"""Nothing gets a name in the store but by the one way in, and nothing is loaded but what was let in."""

from __future__ import annotations

import json
import struct

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature, NotFound
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Making, Origin, Store, digest_of
from freehold.registry.errors import NotAdmitted, ReviewNeeded
from freehold.registry.gate.types import Checked, Reason, Report, hardest
from freehold.registry.held import waiting
from freehold.registry.layout import NAME, read_image, read_index
from freehold.registry.offers import Offer, Review, Rules
from freehold.registry.papers import signing
from freehold.registry.papers.binding import document, line_of
from freehold.registry.papers.licences import Policy

NOW = 1_800_000_000.0
DAY = 86400.0


def looked(root):
    """A gate that goes by words in the files: `evil` blocks, `odd` asks for a person."""
    files = []
    for path in sorted(one for one in root.rglob("*") if one.is_file()):
        data, name = path.read_bytes(), path.relative_to(root).as_posix()
        found = (("block", b"evil"), ("review", b"odd"))
        reasons = tuple(Reason(verdict, f"test.{verdict}", name, "said") for verdict, word in found if word in data)
        files.append(Checked(name, digest_of(path), len(data), "test", hardest(reasons), reasons))
    return Report(max((one.verdict for one in files), key=["allow", "review", "block"].index), tuple(files), "r" * 64)


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"), clock)


@pytest.fixture
def admission(store, clock):
    return Admission(store, looked, Rules(), clock)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (made / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0\0\0")
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("---\nlicense: mit\n---\n")
    return made


def offer(**changes):
    given = {"name": "tiny", "kind": "chat", "format": "safetensors", "origin": Origin("here", "", "")}
    return Offer(**{**given, "making": Making("none"), **changes})


def test_what_is_let_in_has_papers_that_name_every_document(store, admission, folder):
    made = admission.take(folder, offer())
    assert store.verify("tiny") == made
    assert made.files[0].name == "model.safetensors"
    assert (made.licence, made.papers.licence.verdict, made.papers.scan) == ("MIT", "allow", "allow")
    assert {one.kind for one in made.papers.statements} == {"bom", "card", "lineage", "scan"}
    assert json.loads(document(store, made, "scan"))["rules"] == made.papers.rules
    assert [one.how for one in line_of(store, "tiny").steps] == ["admit"]
    assert store.open_verified("tiny").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert list((store.root / "staging").iterdir()) == []


def test_the_folder_is_an_oci_layout_with_modelpacks_types(store, admission, folder):
    made = admission.take(folder, offer())
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = read_index(store.root).manifests
    assert entry.annotations[NAME] == "tiny"
    data = store.blob(entry.sha256).read_bytes()
    assert len(data) == entry.size
    image = read_image(data)
    assert image.artifact_type == "application/vnd.cncf.model.manifest.v1+json"
    assert {one.media_type.split(".model.")[1] for one in image.layers} == {
        "doc.v1.raw",
        "weight.config.v1.raw",
        "weight.v1.raw",
    }
    assert image.files == made.files
    assert all(store.blob(one.sha256).stat().st_size == one.size for one in (*image.layers, image.config))


def test_what_the_gate_blocks_is_not_let_in_by_anybodys_word(store, admission, folder):
    (folder / "more.json").write_text("evil")
    with pytest.raises(NotAdmitted, match=r"test\.block"):
        admission.take(folder, offer(), review=Review("ada", NOW + DAY))
    assert store.list() == ()
    assert waiting(store.root, store.verifier) == ()
    assert [one for one in store.root.rglob("*") if one.is_file()] == []


def test_what_needs_a_person_waits_until_one_vouches_and_again_when_the_word_runs_out(store, admission, folder, clock):
    (folder / "more.json").write_text("odd")
    with pytest.raises(ReviewNeeded, match=r"test\.review"):
        admission.take(folder, offer())
    assert [one.offer.name for one in waiting(store.root, store.verifier)] == ["tiny"]
    with pytest.raises(NotFound):
        store.open_verified("tiny")
    made = admission.review("tiny", Review("ada", NOW + DAY))
    assert (made.papers.scan, made.papers.reviewed_by) == ("review", "ada")
    assert b"ada" not in document(store, made, "scan")
    assert document(store, made, "review")
    assert waiting(store.root, store.verifier) == ()
    assert store.open_verified("tiny")
    clock.now = NOW + DAY
    with pytest.raises(ReviewNeeded, match="ran out"):
        store.open_verified("tiny")
    assert store.verify("tiny")
    admission.review("tiny", Review("bob", NOW + 3 * DAY))
    assert store.open_verified("tiny")


def test_a_word_is_for_the_bytes_that_were_judged(store, admission, folder):
    (folder / "more.json").write_text("odd")
    with pytest.raises(ReviewNeeded):
        admission.take(folder, offer())
    waits = store.root / "held" / "tiny" / "files" / "config.json"
    waits.write_text('{"other": 1}')
    with pytest.raises(NotAdmitted, match="was changed"):
        admission.review("tiny", Review("ada", NOW + DAY))
    held = store.root / "held" / "tiny" / "held.json"
    told = json.loads(held.read_bytes())
    told["payload"] = told["payload"][:-8] + "AAAA" + told["payload"][-4:]
    held.write_text(json.dumps(told))
    with pytest.raises(BadSignature):
        admission.review("tiny", Review("ada", NOW + DAY))


def test_a_word_that_has_run_out_counts_for_nothing(admission, folder):
    (folder / "more.json").write_text("odd")
    with pytest.raises(ReviewNeeded):
        admission.take(folder, offer(), review=Review("ada", NOW))


def test_a_gate_that_saw_other_bytes_lets_nothing_in(store, folder, clock):
    def blind(root):
        report = looked(root)
        return Report(report.verdict, report.files[1:], report.rules)

    with pytest.raises(NotAdmitted, match="did not see"):
        Admission(store, blind, Rules(), clock).take(folder, offer())


@pytest.mark.parametrize(("licence", "rules", "error"), [
    ("", Rules(), ReviewNeeded),
    ("mit", Rules(policy=Policy(refused=("mit",))), NotAdmitted),
    ("mit", Rules(unsigned="block"), NotAdmitted),
    ("mit", Rules(unsigned="review"), ReviewNeeded),
])  # fmt: skip
def test_licence_and_policy_have_their_say(store, folder, clock, licence, rules, error):
    (folder / "README.md").unlink()
    with pytest.raises(error):
        Admission(store, looked, rules, clock).take(folder, offer(licence=licence))


def test_a_makers_signature_is_checked_before_anything_is_let_in(store, folder, clock, tmp_path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    bundle = signing.sign("tiny", signing.digests(folder), signing.by_key(private))
    trusting = Admission(store, looked, Rules(trust=signing.Trust(keys=(public,)), unsigned="block"), clock)
    made = trusting.take(folder, offer(signature=bundle))
    assert made.papers.signature.method == "key"
    assert document(store, made, "signature") == bundle
    (folder / "config.json").write_text('{"changed": 1}')
    with pytest.raises(BadArtefact, match="was changed"):
        trusting.take(folder, offer(name="other", signature=bundle))
    assert [one.name for one in store.list()] == ["tiny"]


def test_an_adapter_is_bound_to_its_base_and_names_one(store, admission, folder, tmp_path):
    with pytest.raises(BadArtefact, match="names no base"):
        admission.take(folder, offer(kind="adapter"))
    with pytest.raises(NotFound):
        admission.take(folder, offer(kind="adapter", base="tiny"))
    base = admission.take(folder, offer())
    weights = tmp_path / "adapter.gguf"
    weights.write_bytes(b"lora")
    made = admission.take(weights, offer(name="lora", kind="adapter", format="gguf", base="tiny", licence="mit"))
    assert made.lineage.base_sha256 == base.files[0].sha256
    assert [one.read_bytes()[-4:] for one in store.open_with_base("lora")] == [b"\0\0\0\0", b"lora"]
    assert [one.name for one in line_of(store, "lora").ancestors] == ["tiny"]


def test_one_of_several_models_in_a_folder_is_chosen(admission, folder):
    for name in ("a-Q4.gguf", "a-Q8.gguf"):
        (folder / name).write_bytes(name.encode())
    with pytest.raises(BadArtefact, match="2 models here"):
        admission.take(folder, offer(format="gguf"))
    made = admission.take(folder, offer(format="gguf", only=("*Q8.gguf", "*.md")))
    assert [one.name for one in made.files] == ["a-Q8.gguf", "README.md"]
    with pytest.raises(BadArtefact, match="no files of these names"):
        admission.take(folder, offer(only=("*.none",)))


def test_what_is_made_here_goes_past_the_gate_in_its_own_order(store, admission, tmp_path, clock):
    from freehold.registry.trained import Product, admit_trained

    files = []
    for name in ("zeta.json", "alpha.safetensors"):
        (tmp_path / name).write_text("fine")
        files.append(tmp_path / name)
    given = {"kind": "classifier", "format": "json", "files": tuple(files), "recipe": "r", "dataset_sha256": "d" * 64}
    made = admit_trained(store, Product(name="mine", **given), clock(), admission)
    assert [one.name for one in made.files] == ["zeta.json", "alpha.safetensors"]
    assert (made.licence, made.papers.licence.verdict) == ("LicenseRef-owner", "allow")
    assert made.lineage.dataset_sha256 == "d" * 64
    assert store.verify("mine") == made
    files[1].write_text("evil")
    with pytest.raises(NotAdmitted):
        admit_trained(store, Product(name="other", **given), clock(), admission)


def test_links_are_followed_only_inside_and_in_a_hubs_cache(admission, store, folder, tmp_path):
    outside = tmp_path / "secret.json"
    outside.write_text("{}")
    (folder / "link.json").symlink_to(outside)
    with pytest.raises(BadArtefact, match="leads out"):
        admission.take(folder, offer())
    cache = tmp_path / "models--a--b"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots" / "r1").mkdir(parents=True)
    for path in (folder / "model.safetensors", folder / "README.md"):
        path.rename(cache / "blobs" / path.name)
        (cache / "snapshots" / "r1" / path.name).symlink_to(f"../../blobs/{path.name}")
    made = admission.take(cache / "snapshots" / "r1", offer())
    assert [one.name for one in made.files] == ["model.safetensors", "README.md"]
    assert not any(one.is_symlink() for one in store.root.rglob("*"))


def _change(path, data):
    path.chmod(0o600)
    path.write_bytes(data)


def _entry(store):
    return read_index(store.root).manifests[0].sha256


def changed_byte(store, made):
    path = store.blob(made.files[0].sha256)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    _change(path, bytes(data))


def extra_file(store, made):
    path = store.blob(_entry(store))
    told = json.loads(path.read_bytes())
    told["layers"].append({**told["layers"][0], "annotations": {"org.cncf.model.filepath": "extra.py"}})
    _change(path, json.dumps(told).encode())


def link(store, made):
    path = store.blob(made.files[1].sha256)
    path.rename(store.root / "elsewhere")
    path.symlink_to(store.root / "elsewhere")


def swapped_image(store, made):
    other = json.dumps(json.loads(store.blob(_entry(store)).read_bytes()), indent=1).encode()
    path = store.blob(__import__("hashlib").sha256(other).hexdigest())
    path.write_bytes(other)
    index = json.loads((store.root / "index.json").read_bytes())
    index["manifests"][0]["digest"] = f"sha256:{path.name}"
    (store.root / "index.json").write_text(json.dumps(index))


def swapped_papers(store, made):
    path = store.root / "models" / "tiny.json"
    told = json.loads(path.read_bytes())
    told["manifest"]["papers"]["licence"]["expression"] = "Apache-2.0"
    path.write_text(json.dumps(told))


def dropped_papers(store, made):
    path = store.root / "models" / "tiny.json"
    told = json.loads(path.read_bytes())
    told["manifest"]["papers"] = None
    path.write_text(json.dumps(told))


def swapped_document(store, made):
    _change(store.blob(next(one for one in made.papers.statements if one.kind == "scan").sha256), b"{}")


def gone_from_the_index(store, made):
    (store.root / "index.json").unlink()


@pytest.mark.parametrize("tamper", [
    changed_byte, extra_file, link, swapped_image, swapped_papers, dropped_papers, swapped_document,
    gone_from_the_index,
])  # fmt: skip
def test_tampering_is_caught_at_load(store, admission, folder, tamper):
    made = admission.take(folder, offer())
    tamper(store, made)
    with pytest.raises(BadArtefact):
        store.open_verified("tiny")


def test_bytes_nobody_names_are_collected_and_others_stay(store, admission, folder):
    made = admission.take(folder, offer())
    stray = store.blob("0" * 64)
    stray.write_bytes(b"stray")
    assert store.gc() == (("0" * 64, 5),)
    assert store.verify("tiny") == made
    store.remove("tiny")
    assert store.gc() == ()
    assert list((store.root / "blobs" / "sha256").iterdir()) == []
    assert read_index(store.root).manifests == ()


def test_what_a_killed_admission_left_is_swept_a_day_later(store, admission, folder, clock):
    made = admission.take(folder, offer())
    left = store.root / "staging" / "1.abc" / "sub"
    left.mkdir(parents=True)
    (left / "half.gguf").write_bytes(b"half")
    half = store.root / "blobs" / "sha256" / f".{'0' * 64}.1.abc"
    half.write_bytes(b"half")
    clock.now = half.stat().st_mtime + DAY - 60
    store.gc()
    assert half.exists() and (left / "half.gguf").exists()
    clock.now += 120
    store.gc()
    assert not half.exists() and not left.parent.exists()
    assert store.verify("tiny") == made


def test_an_older_store_is_read_and_gets_its_images(store, admission, folder):
    made = admission.take(folder, offer())
    bare = store.admit(
        type(made)(**{**{f: getattr(made, f) for f in made.__struct_fields__}, "papers": None, "name": "old"}),
        {one.name: store.blob(one.sha256) for one in made.files},
    )
    path = store.root / "models" / "old.json"
    told = json.loads(path.read_bytes())
    from freehold.registry.artefacts import _signable

    told = {"manifest": {**told["manifest"]}, "key_id": told["key_id"]}
    del told["manifest"]["lineage"], told["manifest"]["papers"]
    told["signature"] = store.verifier.sign(_signable(bare, "")).hex()
    path.write_text(json.dumps(told))
    assert store.verify("old") == bare
    assert store.record("old").image == ""
    store.settle()
    assert store.record("old").image
    assert store.verify("old") == bare
