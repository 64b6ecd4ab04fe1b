"""SPDX licence expressions as trees: AND, OR, WITH. What cannot be parsed is no expression, and nothing is guessed."""

from __future__ import annotations

import re
from typing import Any

_LENGTH = 2_000
_NAME = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9][A-Za-z0-9.-]*\+?\Z")


def parsed(expression: str) -> Any:
    """The tree of an expression, as `license-expression` makes it; None where it is none."""
    from license_expression import ExpressionError, Licensing

    if len(expression) > _LENGTH:
        return None
    try:
        tree: Any = Licensing().parse(expression)
    except (ExpressionError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        # Its parser meets what it did not expect, such as an empty pair of brackets, with errors of the language.
        return None
    if tree is None or not all(_NAME.match(one.key) for symbol in tree.symbols for one in symbol.decompose()):
        return None  # it takes words that nothing joins, and marks, for names
    return tree


def spdx_key(name: str) -> str:
    """The name as SPDX's list has it; empty for others."""
    from license_expression import get_spdx_licensing

    known = get_spdx_licensing().known_symbols
    return next((str(key) for key in known if key.lower() == name.lower()), "")


def permits(exception: str) -> bool:
    """Whether what stands after WITH is an exception of SPDX's list: those only permit more, others may restrict."""
    from license_expression import get_spdx_licensing

    known = get_spdx_licensing().known_symbols
    return any(one.is_exception and key.lower() == exception.lower() for key, one in known.items())
