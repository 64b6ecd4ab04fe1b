"""Keras' configurations: which classes and functions a file names, by a list of those that only compute.

Whatever it is asked, Keras imports what `module` names and calls what `class_name` names there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Reason

_MODULES = re.compile(
    r"(?:tf_keras\.|tensorflow\.python\.)?keras(?:\.src)?"
    r"(?:\.(?:activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|ops|optimizers|regularizers"
    r"|engine|trainers)(?:\.[a-z_0-9]+)*)?\Z"
)
_CODE = frozenset(
    """Lambda __lambda__ TorchModuleWrapper TFSMLayer JaxLayer FlaxLayer function get_file load_model
    enable_unsafe_deserialization deserialize_keras_object""".split()  # noqa: SIM905
)
_PLAIN = frozenset({"bool", "bytes", "float", "int", "list", "set", "slice", "str", "tuple", "dict"})
"""Of `builtins`."""
_NO_FUNCTION = frozenset(
    {"__ellipsis__", "__tensor__", "__numpy__", "__bytes__", "__typespec__", "__tuple__", "__keras_tensor__"}
)
_PATHS = frozenset({"vocabulary", "idf_weights", "vocabulary_file", "filename", "filepath", "file_path", "asset_path"})


def looks(value: dict[str, Any]) -> bool:
    """Is this the configuration of a model or layer?"""
    return isinstance(value.get("class_name"), str) and "config" in value


def reasons(value: Any, where: str) -> Iterator[Reason]:
    """Everything in it that would run code or read a file."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from _entry(one, where)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _entry(one: dict[str, Any], where: str) -> Iterator[Reason]:
    module, named, registered = one.get("module"), one.get("class_name"), one.get("registered_name")
    if isinstance(named, str):
        if named in _CODE and not (named == "function" and _is_keras(module)):
            yield Reason("block", "keras.code", where, f"{quoted(named, 60)} runs what the file brings")
        elif module == "builtins" and named not in _PLAIN | _NO_FUNCTION:
            yield Reason("block", "keras.module", where, f"takes {quoted(named, 60)} out of builtins")
    if isinstance(module, str) and module != "builtins" and not _is_keras(module):
        yield Reason("block", "keras.module", where, f"imports {quoted(module, 60)}")
    if isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "Keras")):
        yield Reason("review", "keras.custom", where, f"needs the custom object {quoted(registered, 60)}")
    for key in _PATHS & one.keys():
        if isinstance(one[key], str):
            yield Reason("block", "keras.path", where, f"{key} is read from {quoted(one[key], 80)}")
    if named == "function" and one.get("config") in _CODE:
        yield Reason("block", "keras.code", where, f"{quoted(str(one['config']), 60)} runs what the file brings")
    code = one.get("function")
    if isinstance(code, list) and code and isinstance(code[0], str) and one.get("function_type", "lambda") == "lambda":
        yield Reason("block", "keras.code", where, "a function as marshalled code")


def _is_keras(module: Any) -> bool:
    return isinstance(module, str) and _MODULES.match(module) is not None
