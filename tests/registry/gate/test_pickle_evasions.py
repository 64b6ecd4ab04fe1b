"""Pickles that loaders run and that once came in: what the machine in C takes, what listed names do when led."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest

from tests.registry.gate.hostile import RUN, call, imported, pickled, text
from tests.registry.gate.test_formats import verdict

MEMMAP = imported("numpy", "memmap")
PATH = text("/tmp/never")


def dtype(name: str) -> bytes:
    return call("numpy", "dtype", text(name) + b"\x89\x88\x87")


def state(inner: bytes, size: int = 8, flags: int = 0) -> bytes:
    """A dtype's, with one field of it."""
    head = b"(K\x03" + text("|") + b"N" + text("a") + b"\x85}" + text("a") + inner + b"K\x00\x86s"
    return head + b"K" + bytes([size]) + b"K\x01K" + bytes([flags]) + b"t"


@pytest.mark.parametrize(
    "start",
    [b"I1\np70000\n0", b"I1\nNb0", b"I010\n0", b"I" + b"1" * 5000 + b"\n0", b"(I1\nNbt0"],
    ids=["far memo slot", "a state of None", "an octal number", "a number for old loaders", "within a mark"],
)
@pytest.mark.parametrize("name", ["pytorch_model.bin", "README.md", "model.sav"])
def test_a_pickle_that_is_a_text_as_well_is_known_whatever_it_begins_with(start: bytes, name: str) -> None:
    assert verdict(name, start + RUN) == "block"


@pytest.mark.parametrize("words", ["In the beginning\nthere was", "Know\nN", "config\nfoo\n", "(I am)\n", "I10\nN\n"])  # fmt: skip
def test_a_text_stays_a_text(words: str) -> None:
    assert verdict("notes.md", words.encode()) == "allow"


@pytest.mark.parametrize(
    "body",
    [
        call("copyreg", "_reconstructor", MEMMAP + MEMMAP + PATH + b"\x87"),
        call("numpy.random._pickle", "__generator_ctor", PATH + MEMMAP + b"\x86"),
        call("types", "SimpleNamespace") + call("builtins", "dict", text("__setstate__") + MEMMAP + b"\x86\x85\x85") + b"b" + PATH + b"b",
        call("torch._tensor", "_rebuild_from_type_v2", b"(" + imported("pathlib", "Path") + imported("torch", "Tensor") + PATH + b"\x85Nt"),
        call("numpy.ma.core", "_mareconstruct", b"(" + MEMMAP + MEMMAP + b"K\x00\x85C\x01bt"),
    ],
    ids=["reconstructor", "generator", "state by a call", "tensor", "masked array"],
)  # fmt: skip
def test_a_class_that_opens_files_is_never_called(body: bytes) -> None:
    assert verdict("m.pkl", pickled(body)) == "block"


@pytest.mark.parametrize(
    "body",
    [
        call("copyreg", "_reconstructor", imported("numpy", "dtype") * 2 + text("V8") + b"\x87") + state(dtype("O8")) + b"b",
        call("torch._tensor", "_rebuild_from_type_v2", b"(" + imported("numpy", "dtype") + imported("numpy.dtypes", "VoidDType") + text("V8") + b"\x89\x88\x87" + state(dtype("O8")) + b"t"),
        dtype("V8") + state(dtype("i8")) + b"b" + state(dtype("i8"), 200) + b"b",
        dtype("V8") + state(dtype("i8"), flags=63) + b"b",
    ],
    ids=["reconstructor", "tensor", "grown when in use", "numbers as addresses"],
)  # fmt: skip
def test_no_dtype_takes_numbers_for_addresses(body: bytes) -> None:
    assert verdict("m.pkl", pickled(body)) == "block"


def _deep(kind: bytes, outer: bytes) -> bytes:
    """Each holds the one before twice: 2**40 parts."""
    made = kind + b"\x940"
    for at in range(40):
        made += b"(" + b"h" + bytes([at]) + b"h" + bytes([at]) + outer + b"\x940"
    return made + b"h\x28"


@pytest.mark.parametrize(
    "body",
    [
        call("builtins", "str", _deep(b"]", b"l") + b"\x85"),
        call("builtins", "frozenset", _deep(b")", b"t") + b"\x85\x85"),
        call("collections", "Counter", call("collections", "deque", _deep(b")", b"t") + b"\x85\x85") + b"\x85"),
        call("builtins", "int", call("decimal", "Decimal", text("1e99999999") + b"\x85") + b"\x85"),
        call("fractions", "Fraction", call("decimal", "Decimal", text("1e99999999") + b"\x85") + b"\x85"),
        call(
            "copyreg", "_reconstructor", imported("builtins", "bytearray") * 2 + b"\x8a\x06" + b"\0" * 5 + b"\x01\x87"
        ),
    ],
    ids=["text", "hash", "hash in a call", "number", "fraction", "bytes"],
)
def test_a_few_bytes_cannot_ask_for_a_world(body: bytes) -> None:
    assert verdict("m.pkl", pickled(body)) == "block"


def test_bytes_behind_an_end_within_its_frame_are_not_stepped_over() -> None:
    number = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b"."
    first = b"\x80\x04\x95" + struct.pack("<Q", len(number + RUN)) + number + RUN
    rest = b"".join(pickle.dumps(one, 2) for one in (1001, {"little_endian": True}, {}, []))
    assert verdict("pytorch_model.bin", first + rest) == "block"
    assert verdict("pytorch_model.bin", pickle.dumps(0x1950A86A20F9469CFC6C, 2) + rest) == "allow"


def wrapped(kind: bytes, count: int, name: bytes = text("NumpyArrayWrapper")) -> bytes:
    """Joblib's sign that an array's bytes follow."""
    made = text("joblib.numpy_pickle") + name + b"\x93)\x81}(" + text("subclass") + imported("numpy", "ndarray")
    made += text("shape") + b"K" + bytes([count]) + b"\x85" + text("order") + text("C") + text("dtype") + kind
    return made + text("allow_mmap") + b"\x89ub"


def test_arrays_of_joblib_are_as_long_as_numpy_says() -> None:
    hidden = b"0" + RUN
    assert (
        verdict("m.joblib", b"\x80\x04" + wrapped(dtype("c"), 60) + b"x" * 60 + hidden.ljust(900, b"N") + b".")
        == "block"
    )
    assert verdict("m.joblib", b"\x80\x04" + wrapped(dtype("i1"), 60) + b"x" * 60 + b".") == "allow"


def test_objects_in_arrays_of_joblib_are_read_by_a_plain_unpickler() -> None:
    objects = dtype("O8") + b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    inner = b"\x80\x04" + wrapped(dtype("i1"), len(RUN)) + RUN + b"."
    body = b"\x80\x04" + wrapped(dtype("i1"), 8) + b"\xff" * 8 + b"0" + wrapped(objects, 1) + inner + b"."
    assert verdict("m.joblib", body) == "block"


def test_an_array_of_joblib_is_known_however_its_class_is_spelled() -> None:
    spelled = b"V\\u004eumpyArrayWrapper\n"
    swallowed = b"\x8e" + struct.pack("<Q", 91)
    body = b"\x80\x04" + wrapped(dtype("i1"), 9, spelled) + swallowed + (b"0" + RUN).ljust(91, b"N") + b"."
    assert verdict("m.joblib", body) == "block"


@pytest.mark.parametrize("protocol", range(6))
def test_what_numpy_and_python_write_comes_in(protocol: int) -> None:
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    fields = np.zeros(3, [("a", "i4"), ("b", "S5"), ("c", "f8", (2,))])
    objects = np.array(["a", None, 1], object)
    kept = {"m": masked, "f": fields, "o": objects, "u": np.array(["x", "yy"]), "t": np.array([1], "M8[s]"), "c": 1j,
            "n": np.float32(2), "g": np.random.default_rng(3), "r": np.random.RandomState(1), "s": {frozenset([(1, 2)])}}  # fmt: skip
    assert verdict("m.pkl", pickle.dumps(kept, protocol)) == "allow"
