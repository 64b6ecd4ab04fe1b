"""Virtual patches: a request that would reach a known flaw of the engine behind a target is refused before it leaves.

Which target needs which comes with the routes, as quirks `patch:NAME`; targets without any pay nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from freehold.gateway.errors import KeptFromFlaw
from freehold.gateway.json_splice import members

PATCH = "patch:"


class Rule(msgspec.Struct, frozen=True):
    """One patch: why a body must not go, or nothing; asked with the dialect's name and the body as it would be sent."""

    name: str
    why: Callable[[str, bytes], str]


def _n_discard(_dialect: str, body: bytes) -> str:
    """llama.cpp's server shifts its context by this number, and trusts it to be none below zero."""
    if b"n_discard" not in body and b"\\u" not in body:  # spelled with escapes it would be read all the same
        return ""
    try:
        given = members(body).get("n_discard")
        number = 0 if given is None else msgspec.json.decode(given)
    except msgspec.DecodeError:
        return "'n_discard' cannot be read"
    if number is None or (isinstance(number, int) and number >= 0):
        return ""
    return "'n_discard' is no number from 0 on"


def _ranking(dialect: str, _body: bytes) -> str:
    """SGLang renders the model's own chat template without a sandbox when it ranks."""
    return "rankings are not let through to this engine" if dialect == "rerank" else ""


RULES: tuple[Rule, ...] = (Rule("n_discard", _n_discard), Rule("ranking", _ranking))


def patches_of(quirks: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules that a target's quirks name. Raises KeyError for a name nobody knows."""
    known = {one.name: one for one in RULES}
    return tuple(known[one.removeprefix(PATCH)] for one in quirks if one.startswith(PATCH))


def check_patched(rules: tuple[Rule, ...], target: str, dialect: str, body: bytes) -> None:
    """Raises KeptFromFlaw."""
    for rule in rules:
        why = rule.why(dialect, body)
        if why:
            raise KeptFromFlaw(f"{why}: {target} has a flaw there", param=rule.name)
