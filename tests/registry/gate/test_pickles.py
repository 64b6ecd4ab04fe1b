from __future__ import annotations

import collections
import contextlib
import datetime as dt
import io
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.registry.gate.pickle_names import names
from freehold.registry.gate.scan import scan
from tests.registry.gate.hostile import RUN, call, imported, pickled, text


@pytest.fixture
def verdict(tmp_path):
    def said(data: bytes, name: str = "m.pkl") -> tuple[str, set[str]]:
        path = tmp_path / name
        path.write_bytes(data)
        report = scan(path)
        return report.verdict, {why.code for one in report.files for why in one.reasons} | {
            why.code for why in report.reasons
        }

    return said


def arguments(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


HOSTILE = {
    "oldest protocol": RUN,
    "a module that is not listed": pickled(call("somewhere.else", "Net")),
    "a listed module's other name": pickled(call("torch", "load", arguments(text("x")))),
    "a dotted name": pickled(call("collections", "OrderedDict.__init__")),
    "a name through the memo": b"\x80\x04"
    + text("os")
    + b"\x94"
    + b"0"
    + text("system")
    + b"\x94"
    + b"0h\x00h\x01\x93)R.",
    "an escaped name": b"V\\u006f\\u0073\nV\\u0073ystem\n\x93)R.",
    "a name that a call computes": pickled(call("builtins", "str", arguments(text("os"))) + text("system") + b"\x93)R"),
    "old names of Python 2": b"\x80\x02c__builtin__\neval\n(X\x01\x00\x00\x001tR.",
    "instances by INST": b"(S'x'\nios\nsystem\n.",
    "instances by OBJ": b"\x80\x02(cos\nsystem\nS'x'\no.",
    "NEWOBJ_EX": pickled(imported("functools", "partial") + b")}\x92"),
    "a call of what a call made": pickled(call("collections", "OrderedDict") + b")R"),
    "the extension registry": b"\x80\x02\x82\x41)R.",
    "state for an import": pickled(imported("numpy", "ndarray") + b"}b"),
    "dunder attributes": pickled(
        call("argparse", "Namespace") + b"}" + text("__class__") + imported("builtins", "dict") + b"sb"
    ),
    "a codec that is none": pickled(call("_codecs", "encode", arguments(text("x"), text("hex")))),
    "a broken end after the call": RUN[:-1] + b"\xff",
    "no end": pickled(call("os", "system"))[:-1],
    "a second pickle": pickle.dumps({"a": 1}) + RUN,
    "an import alone": b"cantigravity\nx\n.",
    "a deny-listed module's cousin": pickled(
        call("numpy.core", "_ufunc_reconstruct", arguments(text("os"), text("system")))
    ),
    "a tensor rebuilt by another function": pickled(
        call(
            "torch._tensor",
            "_rebuild_from_type_v2",
            arguments(
                imported("torch.storage", "UntypedStorage"),
                imported("torch", "Tensor"),
                arguments(b"J\xff\xff\xff\x7f"),
                b"N",
            ),
        )
    ),
    "a storage that is called": pickled(call("torch", "FloatStorage", arguments(b"J\xff\xff\xff\x7f"))),
    "a large bytearray": pickled(call("builtins", "bytearray", arguments(b"\x8a\x06\x00\x00\x00\x00\x00\x7f"))),
    "a range that becomes a list": pickled(
        call("builtins", "list", arguments(call("builtins", "range", arguments(b"J\xff\xff\xff\x7f"))))
    ),
    "a fraction that is a bomb": pickled(call("fractions", "Fraction", arguments(text("1e999999999")))),
    "a far memo slot": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a long bytearray8": b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b".",
    "a key that hashes for ever": b"\x80\x02})" + b"2\x86" * 64 + b"Ns.",
    "a set of them": b"\x80\x04\x8f()" + b"2\x86" * 64 + b"\x90.",
    "long before it runs": b"N0" * 700_000 + RUN,
    "dill": pickled(call("dill._dill", "_create_function")),
    "cloudpickle": pickled(call("cloudpickle.cloudpickle", "_builtin_type", arguments(text("CodeType")))),
    "objects as bytes": pickled(
        call(
            "numpy._core.multiarray",
            "_reconstruct",
            arguments(imported("numpy", "ndarray"), arguments(b"K\x00"), b"C\x01b"),
        )
        + arguments(
            b"K\x01",
            arguments(b"K\x01"),
            call("numpy", "dtype", arguments(text("O8"), b"\x89", b"\x88")),
            b"\x89",
            b"C\x08AAAAAAAA",
        )
        + b"b"
    ),
    "a dtype of objects that denies them": pickled(
        call("numpy", "dtype", arguments(text("O8"), b"\x89", b"\x88"))
        + arguments(b"K\x03", text("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\x00")
        + b"b"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_runs_or_takes_without_end_is_blocked(verdict, name):
    assert verdict(HOSTILE[name])[0] == "block"


@pytest.mark.parametrize(
    "name", ["m.txt", "README.md", "weights", "a.npy", "model.safetensors", "config.json", "m.onnx"]
)
def test_whatever_its_name_a_pickle_is_looked_at_as_one(verdict, name):
    assert verdict(RUN, name)[0] == "block"
    assert verdict(pickled(call("os", "system")), name)[0] == "block"


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_and_arrays_are_let_in(verdict, protocol):
    value = {
        "text": ["os.system('x')", "eval"],
        "array": np.arange(6.0).reshape(2, 3).T,
        "objects": np.array([1, "a", None], dtype=object),
        "fields": np.zeros(2, dtype=[("a", "f4"), ("b", "U3")]),
        "random": np.random.RandomState(3).get_state(),
        "when": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "counted": collections.Counter("aab"),
        "many": {1, 2, (3, 4)},
        "large": 10**60,
    }
    assert verdict(pickle.dumps(value, protocol)) == ("allow", set())


def test_classes_whose_state_c_trusts_ask_for_a_person(verdict):
    found = verdict(pickled(call("sklearn.tree._tree", "Tree")))
    assert found == ("review", {"pickle.class"})


def test_bytes_after_a_pickle_ask_for_a_person(verdict):
    assert verdict(pickle.dumps([1]) + b"\0\0\0\0\0\0") == ("review", {"pickle.trailing"})


def test_references_to_what_is_not_in_the_file_ask_for_a_person(verdict):
    assert verdict(b"\x80\x02X\x01\x00\x00\x00aQ.")[0] == "review"


@pytest.mark.parametrize("module", ["torch", "numpy"])
def test_every_listed_name_is_there(module):
    room = pytest.importorskip(module)
    listed = [one for one in names() if one[0] == module]
    assert listed
    assert [name for _, name in listed if not hasattr(room, name)] == []


def test_no_listed_name_imports_or_runs():
    words = (
        "eval",
        "exec",
        "system",
        "load",
        "loads",
        "open",
        "getattr",
        "import_module",
        "_ufunc_reconstruct",
        "partial",
    )
    assert not [one for one in names() if one[1] in words]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_pickle_ends_in_a_verdict_and_never_lets_the_import_in(tmp_path_factory, data):
    body = bytearray(
        pickled(call("collections", "OrderedDict") + b"}" + text("a") + call("os", "system", b"(K\x01t") + b"s")
    )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("drawn") / "m.pkl"
    path.write_bytes(body)
    assert scan(path).verdict != "allow" or b"os" not in body or not _runs(bytes(body))


def _runs(body: bytes) -> bool:
    """What the standard machine itself would import, with nothing behind it."""

    class Watched(pickle.Unpickler):
        def find_class(self, module, name):
            seen.append((module, name))
            return collections.OrderedDict

    seen: list[tuple[str, str]] = []
    with contextlib.suppress(Exception):
        Watched(io.BytesIO(body)).load()
    return any(one not in names() for one in seen)
