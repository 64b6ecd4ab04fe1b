"""What stands for imported and made objects, and which calls and states are let through even for listed names.

Invariant: a listed name is called only in the ways its own pickles call it; sizes are bounded, codecs and dtypes known.
"""

from __future__ import annotations

import math
import re
from typing import Any

from freehold.registry.gate.pickle_names import only_named

MOST_MADE = 1 << 28
"""Bytes or items that one call may ask for by a number: `bytearray(10**12)` is a bomb of a few bytes."""

_CODECS = frozenset({"latin-1", "latin1", "utf-8", "utf8", "ascii"})
_SIZED = frozenset({"bytearray", "bytes", "frozenset", "list", "set", "tuple", "dict"})
_FRACTION = re.compile(r"[+-]?\d{1,4000}(?:/\d{1,4000})?")
_DTYPE = re.compile(r"[<>|=]?([?bBiufcmMSUVOhHlLqQefdgFDG])(\d{0,9})")
_DEFAULT_SIZE = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "e": 2, "i": 4, "f": 4, "l": 8, "L": 8, "q": 8, "Q": 8, "d": 8}
_DEFAULT_SIZE |= {"F": 8, "D": 16, "M": 8, "m": 8, "O": 8, "S": 0, "U": 0, "V": 0, "u": 4, "c": 16, "g": 16, "G": 32}
_OBJECT_FLAGS = 63
"""What numpy itself writes for dtypes of objects; with fewer, raw bytes would be taken for addresses."""


class Refused(Exception):
    """The pickle does what no pickle may; `code` is its reason's."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


class Imported:
    """What an import gave. It can be called; it cannot be changed."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name


class Made:
    """An inert object: takes state and items, and keeps what a reader of arrays must know."""

    __slots__ = ("given", "maker", "state")

    def __init__(self, maker: str, given: tuple[Any, ...]) -> None:
        self.maker = maker
        self.given = given
        self.state: Any = None

    def __setitem__(self, key: object, value: object) -> None:
        """A dictionary's item, which nobody will ask for."""

    def append(self, value: object) -> None:
        """A list's item."""

    def extend(self, values: object) -> None:
        """A list's items."""

    def add(self, value: object) -> None:
        """A set's item."""


def wrong_call(found: Imported, given: tuple[Any, ...], named: dict[Any, Any]) -> str:
    """Why this call must not be made; empty where it may. Raises Refused for one inside it."""
    module, name = found.module, found.name
    if only_named(module, name):
        return f"calls {module}.{name}, which pickles only name"
    if any(isinstance(one, Made) and one.maker == "builtins.range" for one in given):
        return f"{module}.{name} of a range"
    if module == "_codecs":
        good = len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], str) and given[1] in _CODECS
        return "" if good else "_codecs.encode with another codec than text's"
    if module == "builtins" and name in _SIZED and given and isinstance(given[0], int):
        return "" if abs(given[0]) <= MOST_MADE else f"builtins.{name} of {given[0]:.3g}"
    if module == "fractions" and any(isinstance(one, str) and not _FRACTION.fullmatch(one) for one in given):
        return "a fraction with an exponent"
    if name == "_rebuild_from_type_v2":
        return _nested(given)
    if name == "_reconstructor":
        return "" if all(isinstance(one, Imported) for one in given[:2]) else "reconstructs from what it made itself"
    if name == "_reconstruct" and module.endswith("multiarray"):
        good = len(given) == 3 and isinstance(given[0], Imported) and given[1] == (0,)
        return "" if good else "an array that is not empty before its state"
    if name == "_mareconstruct":
        return "" if len(given) == 4 and given[2] == (0,) else "a masked array that is not empty before its state"
    if name == "scalar" and module.endswith("multiarray"):
        return _scalar(given)
    if module in ("numpy", "torch") and _large(given):
        return f"{module}.{name} of more than {MOST_MADE} items"
    return "" if not named or all(isinstance(one, str) for one in named) else "arguments whose names are no text"


def _nested(given: tuple[Any, ...]) -> str:
    if len(given) != 4 or not isinstance(given[0], Imported) or not isinstance(given[2], tuple):
        return "rebuilds a tensor from another thing than a function"
    return wrong_call(given[0], given[2], {})


def _scalar(given: tuple[Any, ...]) -> str:
    kind = item_size(given[0]) if given else None
    if kind is None or holds_objects(given[0]):
        return "a scalar of a dtype that is not plain"
    return "" if len(given) == 1 or isinstance(given[1], bytes | str | Made) else "a scalar that is no bytes"


def _large(given: tuple[Any, ...]) -> bool:
    flat = [each for one in given for each in (one if isinstance(one, tuple | list) else (one,))]
    sizes = [max(abs(one), 1) for one in flat if isinstance(one, int) and not isinstance(one, bool)]
    return math.prod(sizes[:64]) > 1 << 48


def wrong_state(made: Made, state: Any) -> str:
    """Why an object of this maker must not be given this state; empty where it may."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for one in parts:
        if isinstance(one, dict) and any(isinstance(key, str) and key.startswith("__") for key in one):
            return f"sets {next(key for key in one if isinstance(key, str) and key.startswith('__')):.40}"
    if made.maker == "numpy.dtype":
        return _dtype_state(made, state)
    if made.maker.endswith("multiarray._reconstruct"):
        return _array_state(state)
    return ""


def _dtype_state(made: Made, state: Any) -> str:
    if not isinstance(state, tuple) or len(state) not in (8, 9) or not all(_whole(one) for one in state[5:8]):
        return "a dtype with an unknown state"
    _, _, inner, names, fields, size, _, flags = state[:8]
    text = made.given[0] if made.given else None
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        return "a dtype that is not named by a text"
    objects = text.lstrip("<>|=").startswith("O")
    if not flags & 0xFF >= 0 or (objects and flags & 0xFF != _OBJECT_FLAGS):
        return "a dtype of objects that says it holds none"
    if inner is None and fields is None:
        return ""
    if not text.lstrip("|").startswith("V"):
        return "fields in a plain dtype"
    return _fields_state(inner, names, fields, size)


def _fields_state(inner: Any, names: Any, fields: Any, size: int) -> str:
    reach = []
    if inner is not None:
        shape = inner[1] if isinstance(inner, tuple) and len(inner) == 2 else None
        shape = (shape,) if isinstance(shape, int) else shape
        if not isinstance(shape, tuple) or not all(_whole(one) and one >= 0 for one in shape):
            return "a dtype of arrays without a shape"
        reach.append((inner[0], 0, math.prod(shape)))
    if fields is not None:
        if not isinstance(fields, dict) or not isinstance(names, tuple) or set(names) - set(fields):
            return "a dtype whose fields are not those it names"
        for one in fields.values():
            if not isinstance(one, tuple) or len(one) < 2 or not _whole(one[1]) or one[1] < 0:
                return "a dtype's field without a place"
            reach.append((one[0], one[1], 1))
    for kind, at, count in reach:
        width = item_size(kind)
        if width is None or holds_objects(kind) or at + width * count > size:
            return "a dtype's field of objects, or one that reaches over its end"
    return ""


def _whole(one: object) -> bool:
    return isinstance(one, int) and not isinstance(one, bool)


def _array_state(state: Any) -> str:
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        return "an array with an unknown state"
    shape, kind, _, raw = state[-4:]
    if not isinstance(shape, tuple) or not all(_whole(one) and one >= 0 for one in shape):
        return "an array without a shape"
    width = item_size(kind)
    if width is None:
        return "an array of a dtype that is not known"
    if holds_objects(kind):
        return "" if isinstance(raw, list) and len(raw) == math.prod(shape) else "an array of objects given as bytes"
    if isinstance(raw, bytes | str | bytearray) and len(raw) != math.prod(shape) * width:
        return "an array of another size than its bytes"
    return "" if isinstance(raw, bytes | str | bytearray | Made) else "an array whose bytes are none"


def item_size(kind: object) -> int | None:
    """Bytes of one item of a dtype as it stands in a pickle; None where it is not known."""
    if not isinstance(kind, Made) or kind.maker != "numpy.dtype" or not kind.given:
        return None
    found = _DTYPE.fullmatch(kind.given[0]) if isinstance(kind.given[0], str) else None
    if found is None:
        return None
    letter, digits = found.groups()
    if isinstance(kind.state, tuple) and letter in "VSU" and len(kind.state) >= 8 and kind.state[5] >= 0:
        return int(kind.state[5])
    if not digits:
        return _DEFAULT_SIZE[letter]
    return int(digits) * (4 if letter == "U" else 1)


def holds_objects(kind: object) -> bool:
    """A dtype of Python objects."""
    return isinstance(kind, Made) and bool(kind.given) and str(kind.given[0]).lstrip("<>|=").startswith("O")
