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
_PLAIN = (str, bytes, int, float, complex, type(None))
_NUMBERS = frozenset({"bool", "complex", "float", "int", "str"})
_HASHING = frozenset({"Counter", "OrderedDict", "defaultdict", "dict", "frozenset", "set"})
_BASES = frozenset({"dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple"})
"""Of which protocols 0 and 1 say that an object is one; each is made by its own `__new__`, and runs nothing else."""
_DICTS = ("builtins.dict", "collections.Counter", "collections.OrderedDict", "collections.defaultdict")
_TENSORS = frozenset({("torch", "Tensor"), ("torch.nn.parameter", "Buffer"), ("torch.nn.parameter", "Parameter")})
_MOST_VISITS = 10_000
_POINTERS = 7
"""Flags of dtypes whose items are addresses of Python objects."""
_FRACTION = re.compile(r"[+-]?\d{1,4000}(?:/\d{1,4000})?")
_DTYPE = re.compile(r"[<>|=]?([biufcmMSUVO])(\d{1,9})")
"""As numpy pickles them, with a size: single letters are other types on other machines, and `c` is no complex."""
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
    why = _costly(found, given)
    if why:
        return why
    if name == "_rebuild_from_type_v2":
        return _nested(given)
    if name == "_reconstructor":
        return _reconstructed(given)
    if module == "numpy.random._pickle":
        good = all(one.module.startswith("numpy.random.") for one in given if isinstance(one, Imported))
        return "" if good else "a generator of random numbers by another function"
    if name in ("_reconstruct", "_mareconstruct", "scalar"):
        return _array_call(name, given)
    if module in ("numpy", "torch") and _large(given):
        return f"{module}.{name} of more than {MOST_MADE} items"
    return "" if not named or all(isinstance(one, str) for one in named) else "arguments whose names are no text"


def _array_call(name: str, given: tuple[Any, ...]) -> str:
    if name == "scalar":
        return _scalar(given)
    if name == "_reconstruct":
        good = len(given) == 3 and isinstance(given[0], Imported) and given[1] == (0,)
        return "" if good else "an array that is not empty before its state"
    classes = [(one.module.partition(".")[0], one.name) for one in given[:2] if isinstance(one, Imported)]
    good = len(given) == 4 and given[2] == (0,) and len(classes) == 2
    good = good and classes[0] == ("numpy", "MaskedArray") and classes[1] in (("numpy", "ndarray"), ("numpy", "matrix"))
    return "" if good else "a masked array that is not empty before its state"


def _costly(found: Imported, given: tuple[Any, ...]) -> str:
    """Calls of builtins whose cost is not that of their bytes."""
    if (found.module == "builtins" and found.name in _NUMBERS) or found.module == "fractions":
        good = all(isinstance(one, _PLAIN) for one in given)
        return "" if good else f"{found.module}.{found.name} of what is no plain value"
    if found.module == "builtins" and found.name in ("bytearray", "bytes"):
        scalars = [one for one in given if isinstance(one, Made) and one.maker.endswith("multiarray.scalar")]
        return f"builtins.{found.name} of a number it made" if scalars else ""
    if found.module in ("builtins", "collections") and found.name in _HASHING and _shared(given):
        return f"{found.module}.{found.name} of what takes for ever to hash"
    return ""


def _shared(given: tuple[Any, ...]) -> bool:
    """Would walking all of it come by the same containers again and again?"""
    waiting: list[Any] = [given]
    seen: set[int] = set()
    visits = 0
    while waiting:
        one = waiting.pop()
        visits += 1
        seen.add(id(one))
        if visits > _MOST_VISITS + 8 * len(seen):
            return True
        parts = one.given if isinstance(one, Made) else one
        waiting.extend(each for each in parts if isinstance(each, tuple | list | frozenset | Made))
    return False


def _reconstructed(given: tuple[Any, ...]) -> str:
    """`copyreg._reconstructor(class, base, state)` calls the base's own `__new__` and `__init__` with the state."""
    if len(given) != 3 or not all(isinstance(one, Imported) for one in given[:2]):
        return "reconstructs from what it made itself"
    base, state = given[1], given[2]
    if base.module != "builtins" or base.name not in _BASES:
        return f"reconstructs by {base.module}.{base.name}"
    if base.name == "object":
        return "" if state is None else "reconstructs an object from a state"
    if base.name in ("float", "int", "str"):
        return "" if isinstance(state, _PLAIN) else f"reconstructs {base.name} from what is no plain value"
    plain = isinstance(state, tuple | list | dict | set | frozenset)
    good = plain or (isinstance(state, Made) and state.maker == f"builtins.{base.name}")
    return "" if good and not _shared((state,)) else f"reconstructs {base.name} from another thing"


def _nested(given: tuple[Any, ...]) -> str:
    """Torch calls the first with the third, and gives the outcome the fourth as its state."""
    if len(given) != 4 or not isinstance(given[0], Imported) or not isinstance(given[2], tuple):
        return "rebuilds a tensor from another thing than a function"
    if given[0].module != "torch._utils" or not given[0].name.startswith("_rebuild_"):
        return f"rebuilds a tensor by {given[0].module}.{given[0].name}"
    if not isinstance(given[1], Imported) or (given[1].module, given[1].name) not in _TENSORS:
        return "rebuilds a tensor of a class of its own"
    return _named_state(given[3]) or wrong_call(given[0], given[2], {})


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
    array = made.maker.endswith(("multiarray._reconstruct", "._mareconstruct", "._frombuffer"))
    if made.state is not None and (array or made.maker == "numpy.dtype"):
        return "changes an array or dtype that has its state already"
    if made.maker == "numpy.dtype":
        return _named_state(state) or _dtype_state(made, state)
    if made.maker.endswith("._frombuffer"):
        return "changes an array that is whole"
    if made.maker.endswith("._mareconstruct"):
        good = isinstance(state, tuple) and len(state) == 7
        return _array_state(state[:5]) if good else "a masked array with an unknown state"
    return _array_state(state) if array else _named_state(state)


def _named_state(state: Any) -> str:
    """Attributes that Python keeps to itself, and dictionaries nobody can look into."""
    for one in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(one, Made) and (one.maker in _DICTS or one.maker == "copyreg._reconstructor"):
            return "a state that is made by a call"
        inner = [key for key in one if isinstance(key, str) and key.startswith("__")] if isinstance(one, dict) else ()
        if inner:
            return f"sets {inner[0]:.40}"
    return ""


def _dtype_state(made: Made, state: Any) -> str:
    if not isinstance(state, tuple) or len(state) not in (8, 9) or not all(_whole(one) for one in state[5:8]):
        return "a dtype with an unknown state"
    _, _, inner, names, fields, size, _, flags = state[:8]
    text = made.given[0] if made.given else None
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        return "a dtype that is not named by a text"
    objects = text.lstrip("<>|=").startswith("O")
    if (objects and flags & 0xFF != _OBJECT_FLAGS) or (not objects and flags & _POINTERS):
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
    return int(digits) * (4 if letter == "U" else 1)


def holds_objects(kind: object) -> bool:
    """A dtype of Python objects."""
    return isinstance(kind, Made) and bool(kind.given) and str(kind.given[0]).lstrip("<>|=").startswith("O")
