"""Files of which two readers see two things, and that once came in: archives, texts under false forms, configurations."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from freehold.registry.gate.scan import scan
from tests.registry.gate.hostile import RUN, archive, tarred, zipped
from tests.registry.gate.test_formats import one, seen, tensors, verdict
from tests.registry.gate.test_templates import CHATML


def npy(values: object) -> bytes:
    made = io.BytesIO()
    np.save(made, np.asarray(values))
    return made.getvalue()


def local(name: bytes, data: bytes, *, wide: bool = False) -> bytes:
    sizes = (0xFFFFFFFF, 0xFFFFFFFF) if wide else (len(data), len(data))
    extra = struct.pack("<HHQQ", 1, 16, len(data), len(data)) if wide else b""
    head = (b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(data), *sizes, len(name), len(extra))
    return struct.pack("<4sHHHHHIIIHH", *head) + name + extra + data


def central(name: bytes, data: bytes, at: int, extra: bytes = b"") -> bytes:
    sizes = (0xFFFFFFFF, 0xFFFFFFFF) if extra else (len(data), len(data))
    head = (b"PK\x01\x02", 20, 20, 0, 0, 0, 33, zlib.crc32(data), *sizes, len(name), len(extra), 0, 0, 0, 0)
    return struct.pack("<4sHHHHHHIIIHHHHHII", *head, 0xFFFFFFFF if extra else at) + name + extra


HIDDEN = npy(np.frombuffer(local(b"a.npy", RUN), np.uint8))
"""An array that holds a member of an archive."""
PLACE = 30 + 5 + HIDDEN.index(b"PK\x03\x04")


def wide(size: int, at: int) -> bytes:
    return struct.pack("<HHQQQ", 1, 24, size, size, at)


@pytest.mark.parametrize(("extra", "expected"), [(b"", "allow"), (wide(len(RUN), PLACE), "block")])
def test_a_member_has_one_place(extra: bytes, expected: str) -> None:
    good = npy([1.0])
    first = local(b"c.npy", HIDDEN)
    directory = central(b"c.npy", HIDDEN, 0) + central(b"a.npy", good, 0, extra + wide(len(good), len(first)))
    assert verdict("a.npz", archive(first + local(b"a.npy", good, wide=True), directory, 2)) == expected


def end64(sector: bytes, directory: bytes, start: int) -> bytes:
    head = (b"PK\x06\x06", 44 + len(sector), 20, 20, 0, 0, 1, 1, len(directory), start)
    return struct.pack("<4sQHHIIQQQQ", *head) + sector


@pytest.mark.parametrize("hides", [False, True])
def test_a_wide_end_has_nothing_behind_it(hides: bool) -> None:
    first, directory = local(b"c.npy", HIDDEN), central(b"c.npy", HIDDEN, 0)
    at = len(first) + len(directory)
    other = central(b"a.npy", RUN, PLACE)
    sector = other + end64(b"", other, at + 56) if hides else b""
    ends = struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1) + struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0
    )
    whole = first + directory + end64(sector, directory, len(first)) + ends
    assert verdict("a.npz", whole) == ("block" if hides else "allow")


def test_readers_of_tar_agree_about_names() -> None:
    made = bytearray(tarred(("a.txt", tarfile.REGTYPE, b"x")))
    assert verdict("a.tar", bytes(made)) == "allow"
    made[257:265] = b"ustar  \0"
    made[345:350] = b"../up"
    made[148:156] = b" " * 8
    made[148:155] = b"%06o\0" % sum(made[:512])
    assert verdict("a.tar", bytes(made)) == "block"


RENDERS = "{% for m in messages %}<|{{m.role}}|>{{m.content}}{% endfor %}"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("modeling.py", b"GIF89a=1\nimport os\nos.system('touch /tmp/never');"),
        ("modeling.py", b"{#\n__import__('os').system('x'), #}" + RENDERS.encode() + b"\n}"),
        ("modeling.py", b"# coding: unicode_escape\n# \\x0aimport os\\x0aos.system('x')\n"),
        ("modeling.py", b"\n#\x18\x01\n\x0cimport os#aaimport os\nos"),
        ("a.yaml", b'!!%70ython/object/apply:os.system ["x"]\n'),
        ("a.yaml", b'!<tag:yaml.org,2002:%70ython/object/apply:os.system> ["x"]\n'),
        ("a.yaml", b'%PDF- a\n---\n!!python/object/apply:os.system ["x"]\n#%%EOF\n'),
        ("a.yaml", b'{#\na: !!python/object/apply:os.system ["x"], #}' + RENDERS.encode() + b"\n}"),
        ("MLmodel", b'a: !!python/object/apply:os.system ["x"]\n'),
        ("a.yaml", b"model:\n  _target_: os.system\n  command: x\n"),
        ("a.yaml", b"model: {'_target_': 'builtins.exec', _args_: [x]}\n"),
        ("chat_template.jinja", b'["{{ cycler.__init__.__globals__ }}"]'),
        ("chat_template.jinja", b"GIF89a{{ cycler.__init__ }};"),
        ("a.json", json.dumps({"x": [{"_target_": "subprocess.run", "args": "x"}]}).encode()),
        ("config.json", json.dumps({"activation_function": "os.abort"}).encode()),
        ("modules.json", json.dumps([{"idx": 0, "name": "0", "path": "", "type": "os.system"}]).encode()),
        ("model_index.json", json.dumps({"_diffusers_version": "1", "unet": ["os", "x"]}).encode()),
        ("m.safetensors", tensors({"a": one(), "__metadata__": {"c": "{'_target_': 'os.system'}"}}, b"\0" * 8)),
    ],
)
def test_a_name_that_runs_is_looked_at_as_what_it_runs_as(name: str, data: bytes) -> None:
    assert verdict(name, data) == "block"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.ipynb", b'{"cells": [{"cell_type": "code", "source": ["1"]}]}'),
        ("saved_model.pbtxt", b'meta_graphs { graph_def { node { op: "Write" "File" } } }'),
        ("config.json", b'{"attn_implementation": "someone/kernel"}'),
        ("config.json", b'{"x": {"trust_remote_code": 1}}'),
        ("modules.json", b'[{"idx": 0, "name": "0", "path": "", "type": "own.Thing"}]'),
        ("model_index.json", b'{"_diffusers_version": "1", "_class_name": ["pipe", "Pipe"]}'),
    ],
)
def test_code_of_a_repository_waits_for_a_person(name: str, data: bytes) -> None:
    assert verdict(name, data) == "review"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("__init__.py", b""),
        ("a.yaml", b"%YAML 1.2\n---\nrate: 100%\nmodel: {_target_: torch.nn.Linear, in_features: 2}\n"),
        ("config.pbtxt", b'name: "m"\nplatform: "onnxruntime_onnx"\ninput [ { name: "x" } ]\n'),
        ("a.json", b'{"_target_": "collections.OrderedDict", "trust_remote_code": false}'),
        ("config.json", b'{"activation_function": "gelu_new", "attn_implementation": "sdpa"}'),
        ("config.json", b'{"activation_function": "torch.nn.modules.activation.Tanh"}'),
        ("modules.json", b'[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Pooling"}]'),
        ("model_index.json", b'{"_diffusers_version": "1", "safety_checker": ["stable_diffusion", "Checker"]}'),
        ("chat_template.jinja", CHATML.encode()),
    ],
)
def test_ordinary_files_of_those_kinds_come_in(name: str, data: bytes) -> None:
    assert verdict(name, data) == "allow"


def test_a_long_name_keeps_its_ending(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 210)
    folder.mkdir()
    (folder / "modeling.py").write_text("import os\nos.system('x')\n")
    report = scan(tmp_path)
    assert report.verdict == "block"
    assert report.files[0].name.endswith("/modeling.py")


def field(number: int, data: bytes | int) -> bytes:
    if isinstance(data, int):
        return bytes([number << 3, data])
    size, told = len(data), bytearray()
    while size > 0x7F:
        told.append(size & 0x7F | 0x80)
        size >>= 7
    key = number << 3 | 2
    return (bytes([key]) if key < 0x80 else bytes([key & 0x7F | 0x80, key >> 7])) + bytes([*told, size]) + data


def node(*operations: bytes) -> bytes:
    return field(1, field(1, b"n") + b"".join(field(2, each) for each in operations))


def test_the_last_name_of_an_operation_counts_as_well() -> None:
    assert verdict("saved_model.pb", field(1, 1) + field(2, field(2, node(b"Const")))) == "allow"
    assert verdict("saved_model.pb", field(1, 1) + field(2, field(2, node(b"Const", b"WriteFile")))) == "block"


def test_a_graph_reads_no_file_outside_of_its_folder() -> None:
    for name, expected in ((b"vocab.txt", "allow"), (b"../../secret", "block")):
        meta = field(2, node(b"Const")) + field(6, field(2, name))
        assert verdict("saved_model.pb", field(1, 1) + field(2, meta)) == expected


def test_a_graph_behind_a_vocabularys_first_piece_is_no_vocabulary() -> None:
    piece = field(1, field(1, b"a"))
    assert seen("spiece.model", piece + field(2, field(2, b"m") + field(4, 5) + field(31, b"\n\x12")))[:2] == (
        "sentencepiece",
        "allow",
    )
    assert verdict("saved_model.pb", piece + field(2, field(2, node(b"WriteFile")))) != "allow"


def test_weights_outside_are_found_in_every_tensor_of_a_graph() -> None:
    def model(place: bytes, *, sparse: bool) -> bytes:
        tensor = field(13, field(1, b"location") + field(2, place))
        attribute = field(22, field(1, tensor)) if sparse else field(5, tensor)
        if sparse:
            return field(1, 8) + field(7, field(1, field(4, b"Constant") + field(5, attribute)))
        return field(1, 8) + field(7, b"") + field(25, field(10, b"own") + field(11, attribute))

    for sparse in (True, False):
        assert verdict("m.onnx", model(b"w.bin", sparse=sparse)) == "allow"
        assert verdict("m.onnx", model(b"/etc/passwd", sparse=sparse)) == "block"


@pytest.mark.parametrize(
    "text",
    [
        '{ "class_name": "L\\u0061mbda", "config": {}}',
        '{ "class_name": "Dense", "module": "os"}',
        '{"class_name": "function", "module": "keras.models", "config": "load_model"}',
    ],
)
def test_a_configuration_in_hdf5_is_read_however_it_is_written(text: str) -> None:
    assert verdict("m.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 40 + text.encode() + b"\0" * 8) == "block"
    plain = '{ "class_name": "Dense", "module": "keras.layers", "config": {"name": "d\\u00e9"}}'
    assert verdict("m.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 40 + plain.encode() + b"\0" * 8) == "allow"


def called(**more: object) -> bytes:
    return json.dumps({"inner": [more]}).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (called(target="torch.os.system", inputs=[], outputs=[]), "block"),
        (called(target="torch.hub.load", inputs=[], outputs=[]), "review"),
        (called(target="torch.ops.aten.add.Tensor", inputs=[], outputs=[]), "allow"),
        (called(target="_operator.add", inputs=[], outputs=[]), "allow"),
        (called(__class__="system", __module__="posix", __loader__="FunctionNode"), "block"),
        (called(__class__="eval", __module__="builtins", __loader__="FunctionNode"), "block"),
        (called(__class__="dict", __module__="builtins", __loader__="DictNode"), "allow"),
        (called(__class__="SVC", __module__="sklearn.svm._classes", __loader__="ObjectNode"), "allow"),
        (called(**{"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["x"]}]}), "block"),
        (called(class_name="Lambda", config={"function": ["YWJj", None, None]}), "block"),
        (called(class_name="Dense", config={"units": 1}), "allow"),
    ],
)
def test_a_configuration_makes_only_what_is_plain(data: bytes, expected: str) -> None:
    assert verdict("a.json", data) == expected


def test_an_operator_is_a_models_own_only_where_its_function_is_there() -> None:
    def model(operator: bytes, domain: bytes = b"own") -> bytes:
        graph = field(1, field(4, operator) + field(7, domain))
        return field(1, 8) + field(7, graph) + field(25, field(1, b"Mine") + field(10, b"own"))

    assert verdict("m.onnx", model(b"Mine")) == "allow"
    assert verdict("m.onnx", model(b"Other")) == "review"
    assert verdict("m.onnx", model(b"EPContext", b"com.microsoft")) == "review"


def test_torchs_archive_is_known_in_any_case_of_letters() -> None:
    members = {"m/Data.pkl": b"\x80\x02}.", "m/bytecode.pkl": b"\x80\x02K\x08\x85."}
    assert verdict("m.ptl", zipped(members)) == "block"


@pytest.mark.parametrize("power", [9, 16, 17, 20])
def test_hdf5_is_found_wherever_its_reader_looks_for_it(power: int) -> None:
    picture = b"\x89PNG\r\n\x1a\n".ljust(1 << power, b"\0") + b"\x89HDF\r\n\x1a\n" + b"\0" * 40 + b"IEND\xaeB`\x82"
    assert verdict("m.h5", picture) == "block"
