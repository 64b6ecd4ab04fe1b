"""One digest over all columns of a call's row and its attempts, so that no bit of them can change unseen.

Columns that are NULL or empty text are left out: a column that a later version adds, empty for what was stored
before, changes no digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec

from freehold.ledger.tables import attempts, calls

_encode = msgspec.msgpack.Encoder().encode
_CALL = tuple(sorted(str(one.name) for one in calls.columns if one.name != "leaf"))
_ATTEMPT = tuple(sorted(str(one.name) for one in attempts.columns if one.name != "leaf"))
_of_call = itemgetter(*_CALL)
_of_attempt = itemgetter(*_ATTEMPT)


def row_sum(call: Mapping[str, Any], tried: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256, in hex, over a call and its attempts in storage form. Without their leaf: the tree says it."""
    found = [_kept(_CALL, _of_call(call))]
    found += [_kept(_ATTEMPT, _of_attempt(one)) for one in tried]
    return sha256(_encode(found)).hexdigest()


def _kept(names: tuple[str, ...], values: tuple[Any, ...]) -> list[tuple[str, Any]]:
    return [pair for pair in zip(names, values, strict=True) if pair[1] is not None and pair[1] != ""]
