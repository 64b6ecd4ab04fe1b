"""Adapters on the engine answer as they do where they were trained; a wrong row order would be seen here."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import save_file

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact
from freehold.registry.artefacts import Blob, Making, Manifest, Origin, Store, digest_of
from freehold.registry.trained import Product, admit_trained
from freehold.serving import adapter_gguf
from freehold.serving.adapter_gguf import convert, engine_rows
from freehold.serving.deployments import Deployment, command, place
from tests.engines import Engine
from tests.serving.reference import MODULES, Reference, shorten

R, ALPHA = 4, 8
TOKENS = [1, 5109, 314, 260, 2834, 338, 28, 7042]
LAYERS = 2
TOLERANCE = 0.15
"""Of log-probabilities: the token table and what it is multiplied with are 8 bits wide in the engine."""


def peft(folder, shapes, seed=0, scale=0.05, **config):
    """A random adapter as PEFT leaves it; what it adds to each weight, in the trainers' row order."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    tensors, deltas = {}, {}
    for (layer, module), (rows, columns) in shapes.items():
        a = random.normal(size=(R, columns)).astype(np.float32) * np.float32(scale)
        # Where a wrong row order would show, the adapter is strong.
        strength = 8 * scale if module in ("q_proj", "k_proj") else scale
        b = random.normal(size=(rows, R)).astype(np.float32) * np.float32(strength)
        name = f"base_model.model.model.layers.{layer}.{MODULES[module][0]}.{module}"
        tensors |= {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
        rank = R**0.5 if config.get("use_rslora") else R
        deltas[layer, module] = np.float32(ALPHA / rank) * (b @ a)
    save_file(tensors, folder / adapter_gguf.WEIGHTS)
    given = {"peft_type": "LORA", "r": R, "lora_alpha": ALPHA, "bias": "none", "alpha_pattern": {}, **config}
    (folder / adapter_gguf.CONFIG).write_text(json.dumps(given))
    return deltas


@pytest.fixture(scope="module")
def base(weights, tmp_path_factory):
    return shorten(weights / "smollm2-135m-instruct.gguf", tmp_path_factory.mktemp("base") / "short.gguf", LAYERS)


@pytest.fixture(scope="module")
def reference(base):
    return Reference(base)


@pytest.fixture(scope="module")
def store(base, tmp_path_factory):
    home = tmp_path_factory.mktemp("store")
    made = Store(home / "store", Identity.load(home / "identity.key"))
    blob = Blob("short.gguf", digest_of(base), base.stat().st_size)
    given = {"origin": Origin("p", "1", "0" * 64), "making": Making("none"), "made_at": "2026-11-22T00:00:00.000Z"}
    made.admit(
        Manifest(name="short", kind="chat", format="gguf", files=(blob,), licence="Apache-2.0", **given),
        {"short.gguf": base},
        link=True,
    )
    return made


SHAPES = {(layer, module): (16, 8) if module == "q_proj" else (8, 8) for layer in range(2) for module in MODULES}


@pytest.fixture(scope="module")
def outline(tmp_path_factory):
    """A base of which nothing is true but its heads and shapes."""
    path = tmp_path_factory.mktemp("outline") / "outline.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    for (layer, module), shape in SHAPES.items():
        writer.add_tensor(f"blk.{layer}.{MODULES[module][1]}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def admit_adapter(store, folder, base, name):
    convert(folder, base, folder / "adapter.gguf")
    files = tuple(folder / one for one in ("adapter.gguf", adapter_gguf.WEIGHTS, adapter_gguf.CONFIG))
    product = Product(
        name=name, kind="adapter", format="gguf", files=files, recipe="lora", dataset_sha256="d" * 64, base="short"
    )
    return admit_trained(store, product, 0.0)


def start(store, manifest, folder):
    shape = Deployment(
        name="owned-x", kind="chat", model="", port=0, secret_path="", threads=1, context=256, slots=1, max_output=4
    )
    one = place(folder / "run", manifest, shape)
    spec = command(one, store.root, store.verifier, folder / "log")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(spec.argv, env=dict(spec.env), stdout=log, stderr=log)
    engine = Engine(one, None, Path(one.secret_path).read_text(), process)
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            if engine.post("/health", None)[0] == 200:
                return engine
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def serve(store, tmp_path):
    """Starts an engine for a model of the store, and ends it."""
    engines = []

    def begin(manifest):
        engines.append(start(store, manifest, tmp_path))
        return engines[-1]

    yield begin
    for one in engines:
        one.process.kill()
        one.process.wait()


def likeliest(engine):
    """Log-probabilities of the likeliest next tokens by id, as the engine sees them; no `lora` is named."""
    status, body = engine.post("/completion", {"prompt": TOKENS, "n_predict": 1, "n_probs": 40, "temperature": 0})
    assert status == 200, body
    return {one["id"]: one["logprob"] for one in json.loads(body)["completion_probabilities"][0]["top_logprobs"]}


def distance(found, wanted):
    return max(abs(value - wanted[token]) for token, value in found.items())


def test_an_adapter_answers_on_the_engine_as_where_it_was_trained(store, base, reference, serve, tmp_path):
    deltas = peft(tmp_path / "peft", reference.shapes())
    found = likeliest(serve(admit_adapter(store, tmp_path / "peft", base, "random")))
    assert distance(found, reference.logprobs(TOKENS, deltas)) < TOLERANCE
    # What this would look like with rows in the wrong order, and without the adapter: far outside the tolerance.
    wrong = {
        (layer, module): engine_rows(one, {"q_proj": reference.heads, "k_proj": reference.keys}[module])
        if module in ("q_proj", "k_proj")
        else one
        for (layer, module), one in deltas.items()
    }
    assert distance(found, reference.logprobs(TOKENS, wrong)) > 3 * TOLERANCE
    assert distance(found, reference.logprobs(TOKENS)) > 3 * TOLERANCE


def test_an_adapter_of_zeros_changes_nothing(store, base, reference, serve, tmp_path):
    peft(tmp_path / "peft", reference.shapes(), scale=0.0)
    found = likeliest(serve(admit_adapter(store, tmp_path / "peft", base, "zero")))
    assert distance(found, reference.logprobs(TOKENS)) < TOLERANCE


def test_an_adapter_whose_base_is_another_is_not_loaded(store, base, reference, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(base.read_bytes() + b"\0")
    mine = Store(tmp_path / "store", Identity.load(tmp_path / "identity.key"))
    given = {"origin": Origin("p", "1", "0" * 64), "making": Making("none"), "made_at": "2026-11-22T00:00:00.000Z"}

    def admit(path):
        blob = Blob("short.gguf", digest_of(path), path.stat().st_size)
        manifest = Manifest(name="short", kind="chat", format="gguf", files=(blob,), licence="Apache-2.0", **given)
        mine.admit(manifest, {"short.gguf": path}, link=True)

    admit(base)
    peft(tmp_path / "peft", reference.shapes())
    manifest = admit_adapter(mine, tmp_path / "peft", base, "random")
    admit(other)
    shape = Deployment(name="owned-x", kind="chat", model="", port=0, secret_path="", threads=1, context=64, slots=1)
    spec = command(place(tmp_path / "run", manifest, shape), mine.root, mine.verifier, tmp_path / "log")
    done = subprocess.run(spec.argv, env=dict(spec.env), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"was trained on" in done.stderr


def test_rank_stabilised_adapters_keep_their_scale(outline, tmp_path):
    deltas = peft(tmp_path / "peft", SHAPES, use_rslora=True)
    made = convert(tmp_path / "peft", outline, tmp_path / "adapter.gguf")
    wanted = deltas[1, "down_proj"]
    assert np.abs(made.delta("blk.1.ffn_down.weight") - wanted).max() < 1e-6 * np.abs(wanted).max() + 1e-7


def test_what_was_written_is_read_back(outline, tmp_path):
    peft(tmp_path / "peft", SHAPES)
    made = convert(tmp_path / "peft", outline, tmp_path / "adapter.gguf")
    back = adapter_gguf.read(tmp_path / "adapter.gguf")
    assert (back.alpha, back.architecture, set(back.pairs)) == (ALPHA, "llama", set(made.pairs))
    assert len(back.pairs) == LAYERS * len(MODULES)
    for name, pair in back.pairs.items():
        assert np.abs(pair.a - made.pairs[name].a).max() < 1e-3
        assert np.abs(pair.b - made.pairs[name].b).max() < 1e-3
    again = tmp_path / "again.gguf"
    adapter_gguf.write(made, again)
    assert again.read_bytes() == (tmp_path / "adapter.gguf").read_bytes()


@pytest.mark.parametrize(
    "config",
    [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}, {"rank_pattern": {"q_proj": 2}},
     {"alpha_pattern": {"q_proj": 2}}, {"peft_type": "IA3"}, {"r": 0}, {"r": "four"}],
)  # fmt: skip
def test_what_is_no_plain_lora_is_refused(outline, tmp_path, config):
    peft(tmp_path / "peft", SHAPES, **config)
    with pytest.raises(BadArtefact):
        convert(tmp_path / "peft", outline, tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


def test_only_query_and_key_rows_change_places(outline, tmp_path):
    deltas = peft(tmp_path / "peft", SHAPES)
    made = convert(tmp_path / "peft", outline, tmp_path / "adapter.gguf")
    moved = {
        module
        for (layer, module), delta in deltas.items()
        if not np.allclose(made.delta(f"blk.{layer}.{MODULES[module][1]}.weight"), delta)
    }
    assert moved == {"q_proj", "k_proj"}
    # Four heads of four rows: the pairs (0, 2) and (1, 3) come to stand side by side.
    assert np.allclose(made.delta("blk.0.attn_q.weight")[:4], deltas[0, "q_proj"][[0, 2, 1, 3]])


def test_an_adapter_that_does_not_fit_is_refused(outline, tmp_path):
    for number, (key, shape) in enumerate({(0, "q_proj"): (16, 4), (9, "q_proj"): (16, 8)}.items()):
        folder = tmp_path / str(number)
        peft(folder, {key: shape})
        with pytest.raises(BadArtefact, match="the base's is"):
            convert(folder, outline, tmp_path / "adapter.gguf")


def test_numbers_that_are_none_are_refused(outline, tmp_path):
    peft(tmp_path / "peft", SHAPES, scale=float("nan"))
    with pytest.raises(BadArtefact, match="went wrong"):
        convert(tmp_path / "peft", outline, tmp_path / "adapter.gguf")
