"""What is converted holds the tensors its own loaders see, bit for bit, and what has no such form is refused."""

from __future__ import annotations

import argparse
import collections
import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.registry.convert import NOTES, convert, convert_apart
from freehold.registry.gate.errors import Malformed, NotConverted, TooMuch
from freehold.registry.gate.scan import scan

BITS = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}


def opened(path):
    """Dtype, shape and bytes of each tensor, by an own few lines; and the file's notes."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    head = json.loads(data[8 : 8 + length])
    notes = head.pop("__metadata__", {})
    body = data[8 + length :]
    found = {name: (one["dtype"], tuple(one["shape"]), body[slice(*one["data_offsets"])]) for name, one in head.items()}
    return found, notes


@pytest.fixture
def converted(tmp_path):
    def made(source, **more):
        target = tmp_path / "out.safetensors"
        told = convert(source, target, **more)
        assert told.size == target.stat().st_size
        assert scan(target).verdict == "allow"
        return opened(target)

    return made


def flat(value, path=()):
    if isinstance(value, dict):
        for key, one in value.items():
            yield from flat(one, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for count, one in enumerate(value):
            yield from flat(one, (*path, str(count)))
    else:
        yield ".".join(path) or "tensor", value


def raw(tensor):
    """A tensor's bytes as torch has them in the order of its axes."""
    import torch

    whole = (
        tensor.detach()
        .clone(memory_format=torch.contiguous_format)
        .contiguous()
        .reshape(-1)
        .as_strided((tensor.numel(),), (1,))
    )
    return b"" if not whole.numel() else whole.view(torch.uint8).numpy().tobytes()


KINDS = [
    "bool",
    "bfloat16",
    "complex64",
    "float16",
    "float32",
    "float64",
    "float8_e4m3fn",
    "float8_e5m2",
    "int16",
    "int32",
    "int64",
    "int8",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
]


@st.composite
def checkpoints(draw):
    """Nested tables of tensors: own ones, views that share a storage, odd strides, no elements, no axes."""
    torch = pytest.importorskip("torch")
    storages = []
    for _ in range(draw(st.integers(1, 3))):
        kind, count = draw(st.sampled_from(KINDS)), draw(st.integers(0, 40))
        data = draw(st.binary(min_size=count * 8, max_size=count * 8))
        dtype = getattr(torch, kind)
        whole = torch.frombuffer(bytearray(data), dtype=torch.uint8) if count else torch.empty(0, dtype=torch.uint8)
        whole = (whole & 1).view(torch.bool) if kind == "bool" else whole.view(dtype)
        storages.append(whole)

    def view(whole):
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        strides = [draw(st.integers(0, 4)) for _ in shape]
        offset = draw(st.integers(0, 3))
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True) if size)
        return whole.as_strided(shape, strides, offset) if last < len(whole) and 0 not in shape else whole

    leaves = st.sampled_from(storages).map(view)
    leaves |= leaves.map(lambda one: torch.nn.Parameter(one, requires_grad=False))
    names = st.text("abz_", min_size=1, max_size=3)
    tables = st.dictionaries(names, leaves | st.dictionaries(names, leaves, min_size=1, max_size=3), max_size=3)
    return {"first": view(storages[0]), "rest": draw(tables), "epoch": draw(st.integers())}


@settings(max_examples=40, deadline=None)
@given(checkpoint=checkpoints(), new=st.booleans(), ordered=st.booleans())
def test_every_tensor_of_torchs_is_the_one_torch_loads(tmp_path_factory, checkpoint, new, ordered):
    import torch

    folder = tmp_path_factory.mktemp("torch")
    value = collections.OrderedDict(checkpoint) if ordered else checkpoint
    torch.save(value, folder / "m.pt", _use_new_zipfile_serialization=new)
    convert(folder / "m.pt", folder / "m.safetensors")
    found, notes = opened(folder / "m.safetensors")
    safe = pytest.importorskip("safetensors.torch").load_file(folder / "m.safetensors")
    try:
        loaded = torch.load(folder / "m.pt", weights_only=True)
    except AttributeError:  # torch writes its old form with kinds that it then cannot read
        assert not new
        loaded = checkpoint
    wanted = {name: one for name, one in flat(loaded) if isinstance(one, torch.Tensor)}
    assert set(found) == set(wanted) == set(safe)
    for name, one in wanted.items():
        assert (safe[name].dtype, safe[name].shape) == (one.dtype, one.shape)
        assert found[name][2] == raw(one) == raw(safe[name])
    assert json.loads(notes[NOTES])["epoch"] == checkpoint["epoch"]
    assert notes["format"] == "pt"


NUMPY = ("?", "<f2", "<f4", "<f8", "<c8", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8")


@st.composite
def arrays(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    kind = np.dtype(draw(st.sampled_from(NUMPY)))
    size = int(np.prod(shape, dtype=int)) * kind.itemsize
    data = bytes(one & 1 for one in range(size)) if kind.char == "?" else draw(st.binary(min_size=size, max_size=size))
    made = np.frombuffer(data, dtype=kind).reshape(shape)
    return np.asfortranarray(made) if draw(st.booleans()) else made


def same(found, array):
    assert found[1] == array.shape
    assert found[2] == np.ascontiguousarray(array).tobytes()


@settings(max_examples=40, deadline=None)
@given(array=arrays(), form=st.sampled_from(["npy", "npz", "packed", "pickle"]), protocol=st.integers(2, 5))
def test_every_array_is_the_one_numpy_loads(tmp_path_factory, array, form, protocol):
    folder = tmp_path_factory.mktemp("numpy")
    path = folder / "m.bin"
    with path.open("wb") as file:
        if form == "npy":
            np.save(file, array)
        elif form == "pickle":
            pickle.dump({"w": {"a": array, "n": None}}, file, protocol=protocol)
        else:
            (np.savez if form == "npz" else np.savez_compressed)(file, w=array, v=array.T)
    convert(path, folder / "o.safetensors")
    found, notes = opened(folder / "o.safetensors")
    if form == "npy":
        same(found["tensor"], np.load(path))
    elif form == "pickle":
        same(found["w.a"], array)
        assert json.loads(notes[NOTES]) == {"w.n": None}
    else:
        with np.load(path) as loaded:
            assert set(loaded) == set(found)
            for name in loaded:
                same(found[name], loaded[name])


def test_arrays_of_joblibs_are_those_joblib_loads(tmp_path, converted):
    joblib = pytest.importorskip("joblib")
    value = {
        "w": np.arange(12, dtype="<f4").reshape(3, 4),
        "f": np.asfortranarray(np.arange(6, dtype="<i8").reshape(2, 3)),
        "list": [np.zeros((0, 2), "<f8"), np.array(3, "u1")],
        "n": 7,
    }
    joblib.dump(value, tmp_path / "m.joblib")
    found, notes = converted(tmp_path / "m.joblib")
    loaded = dict(flat(joblib.load(tmp_path / "m.joblib")))
    assert json.loads(notes[NOTES]) == {"n": loaded.pop("n")}
    assert set(found) == set(loaded)
    for name, one in loaded.items():
        same(found[name], one)


def torch_saved(value, path, **more):
    torch = pytest.importorskip("torch")
    torch.save(value, path, **more)
    return path


def test_a_tensor_alone_has_a_name_and_large_strided_ones_are_written_by_pieces(tmp_path, converted, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("freehold.registry.convert.PIECE", 64)
    whole = torch.arange(4 * 6 * 8, dtype=torch.int16).reshape(4, 6, 8)
    found, _ = converted(torch_saved(whole.permute(2, 0, 1), tmp_path / "m.pt"))
    assert found["tensor"] == ("I16", (8, 4, 6), raw(whole.permute(2, 0, 1)))


def test_big_endian_elements_are_refused(tmp_path, converted):
    np.save(tmp_path / "m.npy", np.arange(3, dtype=">f4"))
    with pytest.raises(NotConverted, match="big-endian"):
        converted(tmp_path / "m.npy")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"w": np.arange(3, dtype=">f4")}))
    with pytest.raises(NotConverted, match="w is elements in big-endian"):
        converted(tmp_path / "m.pkl")
    torch = pytest.importorskip("torch")
    torch_saved({"w": torch.ones(2)}, tmp_path / "m.pt")
    with zipfile.ZipFile(tmp_path / "m.pt") as read, zipfile.ZipFile(tmp_path / "b.pt", "w") as write:
        for one in read.namelist():
            write.writestr(one, b"big" if one.endswith("/byteorder") else read.read(one))
    with pytest.raises(NotConverted, match="big-endian"):
        converted(tmp_path / "b.pt")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda torch: {"a.b": torch.ones(1), "a": {"b": torch.zeros(1)}}, "two values become"),
        (lambda torch: {"epoch": 3}, "no tensors"),
        (lambda torch: {"w": torch.ones(2, dtype=torch.complex128)}, "ComplexDoubleStorage"),
        (lambda torch: {"w": torch.ones(2, dtype=torch.complex64).conj()}, "conjugate"),
        (lambda torch: {"w": torch.eye(2).to_sparse()}, "no plain one"),
        (lambda torch: {(1, 2): torch.ones(2)}, "a key"),
        (lambda torch: {"w": torch.ones(2), "s": {1, 2}}, "neither a tensor nor a plain value"),
        (lambda torch: {"w": np.array(["a"])}, "safetensors has not"),
        (lambda torch: {"__metadata__": torch.ones(2)}, "keeps for itself"),
    ],
)
def test_what_would_lose_something_is_refused_in_words(tmp_path, converted, value, said):
    torch = pytest.importorskip("torch")
    with pytest.raises(NotConverted, match=said):
        converted(torch_saved(value(torch), tmp_path / "m.pt"))
    assert [one.name for one in tmp_path.iterdir()] == ["m.pt"]


def test_plain_values_are_kept_beside_the_tensors(tmp_path, converted):
    torch = pytest.importorskip("torch")
    value = {"w": torch.ones(1), "args": argparse.Namespace(lr=0.1, names=["a", None]), "size": torch.Size([2])}
    _, notes = converted(torch_saved(value, tmp_path / "m.pt"))
    assert json.loads(notes[NOTES]) == {"args.lr": 0.1, "args.names.0": "a", "args.names.1": None, "size.0": 2}


def test_what_the_gate_refuses_is_not_converted(tmp_path, converted):
    class Hostile:
        def __reduce__(self):
            return (eval, ("1",))

    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"w": np.ones(2), "x": Hostile()}))
    with pytest.raises(Malformed, match=r"pickle\.import"):
        converted(tmp_path / "m.pkl")


def test_a_view_of_nothing_repeated_without_end_is_too_much(tmp_path, converted):
    torch = pytest.importorskip("torch")
    torch_saved({"w": torch.ones(1).expand(1 << 30)}, tmp_path / "m.pt")
    with pytest.raises(TooMuch, match="would take"):
        converted(tmp_path / "m.pt")


def test_a_tensor_that_reaches_out_of_its_storage_is_refused(tmp_path, converted):
    torch = pytest.importorskip("torch")
    made = io.BytesIO()
    torch.save({"w": torch.ones(300)}, made)
    with zipfile.ZipFile(made) as read, zipfile.ZipFile(tmp_path / "m.pt", "w") as write:
        for one in read.namelist():
            data = read.read(one)
            # BININT2 300 stands twice: the storage's size, then the shape
            at = data.rfind(struct.pack("<H", 300)) if one.endswith("data.pkl") else -1
            write.writestr(one, data[:at] + struct.pack("<H", 301) + data[at + 2 :] if at > 0 else data)
    with pytest.raises(NotConverted, match="over the end"):
        converted(tmp_path / "m.pt")


def test_apart_it_says_and_leaves_the_same(tmp_path):
    np.save(tmp_path / "m.npy", np.arange(5, dtype="<f4"))
    convert(tmp_path / "m.npy", tmp_path / "here.safetensors")
    told = convert_apart(tmp_path / "m.npy", tmp_path / "apart.safetensors")
    assert (told.form, told.tensors) == ("npy", 1)
    assert (tmp_path / "apart.safetensors").read_bytes() == (tmp_path / "here.safetensors").read_bytes()
    (tmp_path / "o.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(Malformed):
        convert_apart(tmp_path / "o.npy", tmp_path / "o.safetensors")
    assert not (tmp_path / "o.safetensors").exists()
