"""Configurations that name what shall be called: `_target_` of Hydra's, which imports and calls anything by its name.

Invariant: what Python itself brings along, and what unpickles, is never let through; libraries of models are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from sys import stdlib_module_names
from typing import Any

from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Reason

_SENTENCES = ("sentence_transformers.",)
_ACTIVATIONS = ("sentence_transformers.", "torch.nn.", "transformers.activations.")
_NAMED = re.compile(r"""["']?_target_["']?\s*:\s*["']?([\w.]+)""")
_PLAIN = frozenset({"collections.OrderedDict", "collections.defaultdict", "datetime.timedelta", "pathlib.Path"})
_PLAIN_BUILTINS = frozenset({"bool", "dict", "float", "int", "list", "set", "str", "tuple"})
_PICKLED = frozenset({"py/function", "py/object", "py/reduce", "py/repr", "py/type"})
_VALUES = _PLAIN_BUILTINS | {"bytearray", "bytes", "complex", "frozenset", "range", "slice", "type", "NoneType"}
_HARMLESS = frozenset({"collections", "datetime", "decimal", "enum", "fractions", "functools", "types", "uuid"})
_LOADERS = ("cloudpickle.", "dill.", "hydra.utils.", "joblib.", "jsonpickle.", "numpy.load", "pandas.read_pickle",
            "torch.hub.", "torch.load", "torch.utils.cpp_extension.", "yaml.")  # fmt: skip


def reasons(text: str, where: str) -> Iterator[Reason]:
    """Targets in a text, as YAML and JSON write them."""
    for name in dict.fromkeys(found.group(1) for found in _NAMED.finditer(text)):
        yield from reason(name, where)


def imports(one: dict[str, Any], where: str) -> Iterator[Reason]:
    """What an object of a configuration has imported, called or fetched when the model is loaded."""
    if isinstance(one.get("_target_"), str):
        yield from reason(one["_target_"], where)
    if {"idx", "path", "type"} <= one.keys() and isinstance(one["type"], str):
        yield from _imported(one["type"], _SENTENCES, where)
    for key, known in (("activation_function", _ACTIVATIONS), ("megatron_core", ("megatron",))):
        if isinstance(one.get(key), str) and "." in one[key]:
            yield from _imported(one[key], known, where)
    for key in ("attn_implementation", "_attn_implementation"):
        if isinstance(one.get(key), str) and "/" in one[key]:
            yield Reason("review", "json.remote_code", where, f"{key} fetches code: {quoted(one[key], 80)}")
    if {"target", "inputs", "outputs"} <= one.keys() and isinstance(one["target"], str):
        yield from _operator(one["target"], where)
    if {"__class__", "__module__", "__loader__"} <= one.keys():
        yield from _object(str(one["__module__"]), str(one["__class__"]), where)
    for key in sorted(one.keys() & _PICKLED):
        yield Reason("block", "json.import", where, f"{key} has jsonpickle make {quoted(str(one[key]), 80)}")
    if "_diffusers_version" in one:
        yield from _pipeline(one, where)


def _imported(name: str, known: tuple[str, ...], where: str) -> Iterator[Reason]:
    if name.partition(".")[0] in stdlib_module_names:
        yield Reason("block", "json.import", where, f"imports {quoted(name, 80)}")
    elif not name.startswith(known):
        yield Reason("review", "json.import", where, f"imports {quoted(name, 80)}")


def _operator(name: str, where: str) -> Iterator[Reason]:
    """Of a program as torch exports it, which looks it up below torch, step by step: `torch.os.system` is there."""
    steps = name.split(".")
    if steps[0] == "torch" and not name.startswith(("torch.ops.", "torch.sym_", "torch._sym_")):
        hard = any(each in stdlib_module_names for each in steps[1:])
        yield Reason("block" if hard else "review", "json.import", where, f"calls {quoted(name, 80)}")


def _object(module: str, name: str, where: str) -> Iterator[Reason]:
    """As skops writes it."""
    first = module.partition(".")[0]
    bad = name not in _VALUES if first == "builtins" else first in stdlib_module_names and first not in _HARMLESS
    if bad:
        yield Reason("block", "json.import", where, f"makes {quoted(module, 60)}.{quoted(name, 60)}")


def _pipeline(one: dict[str, Any], where: str) -> Iterator[Reason]:
    """Parts as pairs of a library and a class in it."""
    if isinstance(one.get("_class_name"), list):
        yield Reason("review", "json.remote_code", where, "a pipeline of the repository's own code")
    pairs = [each for each in one.values() if isinstance(each, list) and len(each) == 2]
    for library in dict.fromkeys(each[0] for each in pairs if isinstance(each[0], str)):
        if library.partition(".")[0] in stdlib_module_names:
            yield Reason("block", "json.import", where, f"imports {quoted(library, 80)}")


def reason(name: str, where: str) -> Iterator[Reason]:
    """Why this target must not be called."""
    first, _, rest = name.partition(".")
    plain = name in _PLAIN or (first == "builtins" and rest in _PLAIN_BUILTINS)
    if not plain and (first in stdlib_module_names or name.startswith(_LOADERS)):
        yield Reason("block", "config.target", where, f"has {quoted(name, 80)} called")
