"""Formats of weights, graphs, configurations and templates: what is whole and plain comes in, everything else does not."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.registry.gate.formats import FORMATS
from freehold.registry.gate.scan import Look, scan
from freehold.registry.gate.types import Limits, Source, hardest
from tests.registry.gate.test_templates import CHATML


def seen(name: str, data: bytes) -> tuple[str, str, set[str]]:
    """(format, verdict, codes) of one file."""
    found, reasons = Look(Limits(), FORMATS, lambda: 0.0).look(Source(name, memoryview(data)))
    return found, hardest(reasons), {one.code for one in reasons}


def verdict(name: str, data: bytes) -> str:
    return seen(name, data)[1]


# Safetensors


def tensors(head: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype: str = "F32", shape: list | None = None, at: list | None = None) -> dict:
    return {"dtype": dtype, "shape": [2] if shape is None else shape, "data_offsets": [0, 8] if at is None else at}


def test_a_header_that_accounts_for_every_byte_comes_in() -> None:
    whole = tensors({"a": one(), "b": one("BF16", [0], [8, 8]), "__metadata__": {"format": "pt"}}, b"\0" * 8)
    assert seen("m.safetensors", whole) == ("safetensors", "allow", set())


@pytest.mark.parametrize(
    "data",
    [
        tensors({"a": one()}, b"\0" * 7),
        tensors({"a": one()}, b"\0" * 9),
        tensors({"a": one(at=[0, 4])}, b"\0" * 4),
        tensors({"a": one(), "b": one()}, b"\0" * 8),
        tensors({"a": one(), "b": one(at=[12, 20])}, b"\0" * 20),
        tensors({"a": one(shape=[-2])}, b"\0" * 8),
        tensors({"a": one(shape=[1 << 70, 0])}, b"\0" * 8),
        tensors({"a": one(dtype="X")}, b"\0" * 8),
        tensors({"a": {**one(), "more": 1}}, b"\0" * 8),
        tensors({"a": one(), "__metadata__": {"n": 1}}, b"\0" * 8),
        tensors(b'{"a":%b,"\\u0061":%b}' % ((json.dumps(one()).encode(),) * 2), b"\0" * 8),
        tensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', b"\0" * 8),
        tensors({"a": one()}, b"\0" * 8, length=1 << 60),
        tensors({"a": one()}, b"\0" * 8, length=(1 << 64) - 1),
    ],
)
def test_a_header_that_does_not_is_blocked(data: bytes) -> None:
    assert verdict("m.safetensors", data) == "block"


@given(st.binary(max_size=80), st.integers(0, 200))
def test_no_header_breaks_the_reader(head: bytes, length: int) -> None:
    assert verdict("m.safetensors", struct.pack("<Q", length) + b"{" + head) in ("block", "review", "allow")


# GGUF


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf(keys: list[tuple[str, int, bytes]], infos: tuple[bytes, ...] = (), data: bytes = b"", counts=None) -> bytes:
    told = counts or (len(infos), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", 3, *told)
    head += b"".join(text(name) + struct.pack("<I", kind) + value for name, kind, value in keys) + b"".join(infos)
    return head + b"\0" * (-len(head) % 32) + data


def info(name: str, sizes: tuple[int, ...] = (8,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


def test_a_file_as_llama_cpp_writes_it_comes_in() -> None:
    keys = [("general.architecture", 8, text("llama")), ("tokenizer.chat_template", 8, text(CHATML)),
            ("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")), ("f", 6, struct.pack("<f", 1))]  # fmt: skip
    whole = gguf(keys, (info("w"), info("v", offset=32)), b"\0" * 64)
    assert seen("m.gguf", whole) == ("gguf", "allow", set())


@pytest.mark.parametrize(
    "data",
    [
        gguf([], (info("w"),), b"\0" * 8),
        gguf([], (info("w", offset=1 << 40),), b"\0" * 64),
        gguf([], (info("w"), info("w")), b"\0" * 64),
        gguf([], (info("w"), info("v")), b"\0" * 64),
        gguf([], (info("w", offset=4),), b"\0" * 64),
        gguf([], (info("w", kind=99),), b"\0" * 64),
        gguf([], (info("w", (1 << 33, 1 << 33)),), b"\0" * 64),
        gguf([], counts=(1 << 60, 0)),
        gguf([], counts=(0, 1 << 62)),
        gguf([("a", 8, struct.pack("<Q", 1 << 63))]),
        gguf([("a", 9, struct.pack("<IQ", 6, 1 << 61))]),
        gguf([("a", 7, b"\x02")]),
        gguf([("a", 4, b"\0" * 4), ("a", 4, b"\0" * 4)]),
        gguf([("general.alignment", 4, struct.pack("<I", 3))]),
        gguf([("tokenizer.chat_template.other", 8, text("{{ cycler.__init__ }}"))]),
    ],
)
def test_a_file_whose_counts_reach_further_than_it_is_blocked(data: bytes) -> None:
    assert verdict("m.gguf", data) == "block"


# JSON


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("config.json", {"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "auto_map": None}, "allow"),
        ("tokenizer_config.json", {"chat_template": CHATML, "tokenizer_class": "X"}, "allow"),
        ("vocab.json", {"__import__": 1, "os.system": 2, "auto_map": 0}, "allow"),
        ("config.json", {"a": {"b": [{"auto_map": {"AutoModel": "x.Y"}}]}}, "review"),
        ("config.json", {"trust_remote_code": True}, "review"),
        ("adapter_config.json", {"auto_mapping": {"parent_library": "os", "base_model_class": "system"}}, "review"),
        ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers.models.x"}}, "allow"),
        ("model.safetensors.index.json", {"weight_map": {"w": "model-1.safetensors"}}, "allow"),
        ("model.safetensors.index.json", {"weight_map": {"w": "../other"}}, "block"),
        ("model.safetensors.index.json", {"weight_map": {"w": "/etc/passwd"}}, "block"),
        ("tokenizer_config.json", {"chat_template": [{"name": "a", "template": "{{ ''.__class__ }}"}]}, "block"),
        ("processor_config.json", {"inner": {"chat_template": {"default": "{% include 'x' %}"}}}, "block"),
    ],
)
def test_configurations_are_looked_through_at_any_depth(name: str, content: object, expected: str) -> None:
    assert verdict(name, json.dumps(content).encode()) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"\\u0061":2}',
        b'{"a":NaN}',
        b'{"a":1} {"b":2}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_what_two_parsers_may_read_differently_is_blocked(data: bytes) -> None:
    assert verdict("config.json", data) == "block"


def test_lines_of_json_are_looked_at_one_by_one() -> None:
    assert verdict("data.jsonl", b'{"a": 1}\n\n{"b": [2]}\n') == "allow"
    assert verdict("data.jsonl", b'{"a": 1}\n{"auto_map": {"AutoModel": "x.Y"}}\n') == "review"
    assert verdict("data.jsonl", b'{"a": 1}\n{"b": \n') == "block"


# Keras


def keras(config: object) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", '{"keras_version": "3.12.0"}')
    return made.getvalue()


def layer(module: object, named: str, **config: object) -> dict:
    return {"module": module, "class_name": named, "config": {"name": "x", **config}, "registered_name": None}


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (layer("keras.layers", "Dense", units=4, activation="relu"), "allow"),
        (layer("keras.src.ops.numpy", "Add"), "allow"),
        (layer("keras.layers", "StringLookup", vocabulary=["a", "b"]), "allow"),
        (layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"), "block"),
        (layer("keras.layers", "Lambda", function="x"), "block"),
        (layer("keras.layers", "TorchModuleWrapper"), "block"),
        (layer("os", "system"), "block"),
        (layer("keras.utils", "get_file"), "block"),
        (layer("keras.saving", "load_model"), "block"),
        (layer("keras.layers.evil\nos", "X"), "block"),
        (layer("kerass", "X"), "block"),
        (layer("builtins", "eval"), "block"),
        (
            layer(
                "keras.layers", "Dense", activation={"module": "builtins", "class_name": "function", "config": "exec"}
            ),
            "block",
        ),
        ({**layer("keras.layers", "Dense"), "registered_name": "mine>Dense"}, "review"),
    ],
)
def test_keras_files_name_only_what_computes(inner: dict, expected: str) -> None:
    model = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
    assert verdict("m.keras", keras(model)) == expected


# ONNX and SavedModel


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    key = bytes([number << 3 | 2]) if number < 16 else bytes([(number << 3 | 2) & 0x7F | 0x80, number >> 4])
    size = len(value)
    return key + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + value


def node(kind: bytes, domain: bytes = b"", inner: bytes = b"") -> bytes:
    attribute = field(5, field(1, b"body") + field(6, inner)) if inner else b""
    return field(4, kind) + (field(7, domain) if domain else b"") + attribute


def onnx(*nodes: bytes, tensors: bytes = b"", more: bytes = b"") -> bytes:
    graph = b"".join(field(1, each) for each in nodes) + tensors
    return field(1, 9) + field(7, graph) + field(8, field(2, 17)) + more


def outside(place: bytes) -> bytes:
    return field(13, field(1, b"location") + field(2, place))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (onnx(node(b"Relu"), node(b"FusedMatMul", b"com.microsoft")), "allow"),
        (onnx(node(b"Run", b"evil.ops")), "review"),
        (onnx(node(b"If", inner=field(1, node(b"Run", b"evil.ops")))), "review"),
        (onnx(node(b"If", inner=field(1, node(b"Loop", inner=field(1, node(b"PyOp", b"ai.onnx.contrib")))))), "block"),
        (onnx(node(b"PythonOp", b"com.microsoft")), "block"),
        (
            onnx(
                node(b"Mine", b"own"), more=field(25, field(1, b"Mine") + field(10, b"own") + field(7, node(b"Relu")))
            ),
            "allow",
        ),
        (
            onnx(
                node(b"Mine", b"own"),
                more=field(25, field(1, b"Mine") + field(10, b"own") + field(7, node(b"Run", b"evil"))),
            ),
            "review",
        ),
        (onnx(node(b"Relu"), tensors=field(5, outside(b"weights.bin"))), "allow"),
        (onnx(node(b"Relu"), tensors=field(5, outside(b"../../etc/passwd"))), "block"),
        (onnx(node(b"Relu"), tensors=field(15, field(1, outside(b"/etc/passwd")))), "block"),
    ],
)
def test_graphs_are_read_to_their_innermost_node(data: bytes, expected: str) -> None:
    assert verdict("m.onnx", data) == expected


def saved(*operations: bytes, function: bytes = b"") -> bytes:
    graph = b"".join(field(1, field(1, b"n") + field(2, one)) for one in operations)
    library = (
        field(2, field(1, field(1, field(1, b"f")) + field(3, field(1, b"n") + field(2, function))))
        if function
        else b""
    )
    return field(1, 1) + field(2, field(2, graph + library))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (saved(b"Placeholder", b"MatMul", b"SaveV2"), "allow"),
        (saved(b"Const", function=b"Relu"), "allow"),
        (saved(b"PyFunc"), "block"),
        (saved(b"WriteFile"), "block"),
        (saved(b"Const", function=b"ReadFile"), "block"),
        (saved(b"SomethingNobodyKnows"), "review"),
    ],
)
def test_operations_are_on_a_list(data: bytes, expected: str) -> None:
    assert verdict("saved_model.pb", data) == expected


# Texts


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("README.md", b"# A model\n\nimport os; os.system('x')\n", "allow"),
        ("LICENSE", "MIT, \u00e9t\u00e9\n".encode(), "allow"),
        ("a.yaml", b"a: [1, 2]\n", "allow"),
        ("a.yaml", b"a: !!python/object/apply:os.system ['x']\n", "block"),
        ("x.py", b"class A:\n    def f(self):\n        return 1\n", "review"),
        ("x.py", b"import os\nos.system('x')\n", "block"),
        ("x.py", b"class A:\n    x = __import__('os').system('x')\n", "block"),
        ("x.py", b"def f(:\n", "block"),
        ("x.pth", b"import os\n", "block"),
        ("run.sh", b"#!/bin/sh\nls\n", "review"),
        ("lib.so", b"\x7fELF\x02\x01\x01" + b"\0" * 50, "block"),
        ("x.bin", bytes(range(256)), "review"),
        ("t.txt", b"ok\x00\x01", "review"),
    ],
)
def test_texts_and_programs_are_told_apart(name: str, data: bytes, expected: str) -> None:
    assert verdict(name, data) == expected


def test_the_corpus_is_held_to_its_bars(tmp_path) -> None:
    """Exec and file blocked, nothing plain blocked: on what the corpus makes with the packages that are here."""
    import subprocess
    import sys
    from pathlib import Path

    maker = Path(__file__).parents[4] / "shared" / "tools" / "artifact_corpus" / "generate.py"
    if not maker.exists():
        pytest.skip("../shared/tools/artifact_corpus is not here")
    subprocess.run([sys.executable, "-B", str(maker), "--out", str(tmp_path)], check=True, capture_output=True)
    flagged = 0
    for line in (tmp_path / "manifest.jsonl").read_text().splitlines():
        case = json.loads(line)
        found = scan(tmp_path / "files" / case["label"] / case["id"]).verdict
        if case["label"] in ("exec", "file", "dos"):
            assert found == "block", case["id"]
        elif case["label"] == "benign":
            assert found != "block", case["id"]
            flagged += found == "review"
        else:
            assert found != "allow", case["id"]
    assert flagged <= 10
