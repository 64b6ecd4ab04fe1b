"""What licences of models ask for: rows of `data/licences.csv`, each with source and date. Facts only.

A summary for policy and no legal advice: the text beside the weights wins over its row.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Kind = Literal[
    "open", "copyleft", "network-copyleft", "no-derivatives", "community", "use-restricted", "research", "owner"
]
Outputs = Literal["allowed", "named", "derived", "not-llms", "no", ""]
"""May answers train models: yes; yes, with the maker's name; yes, but what comes of it is under these terms too; no
other language models; no; nobody knows."""

EUROPEAN_UNION = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
"""ISO 3166-1, as of 2026-11; source: the EU's own list of member states."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """One licence in our own words."""

    id: str
    """As model hubs have it: `llama3.1`."""
    aliases: tuple[str, ...]
    name: str
    ref: str
    """SPDX id, else ScanCode's as `LicenseRef-scancode-...`, else ours as `LicenseRef-...`."""
    kind: Kind
    commercial: bool
    users: int | None
    """Monthly users up to which the grant holds as it is."""
    revenue_usd: int | None
    """US dollars a year up to which the grant holds as it is."""
    above: str
    """What is due above either limit: `agreement` with its maker, else a duty in words."""
    excluded: tuple[str, ...]
    """Countries, or `EU`, whose licensees get nothing."""
    excluded_models: Literal["any", "multimodal", ""]
    show: str
    pass_on: str
    prefix: str
    """What the name of a model made of it begins with."""
    use_rules: str
    outputs: Outputs
    certainty: Literal["high", "medium", "low"]
    note: str
    source: str
    as_of: str

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it is called."""
        return (self.id, self.ref, *self.aliases)


@cache
def known() -> tuple[Terms, ...]:
    """Every licence there is a row of, by id."""
    text = resources.files("freehold.registry").joinpath("data", "licences.csv").read_text(encoding="utf-8")
    return tuple(_terms(row) for row in csv.DictReader(text.splitlines()))


@cache
def named() -> dict[str, Terms]:
    """By every name in lower case."""
    return {name.lower(): one for one in known() for name in one.names}


def known_as(expression: str) -> str:
    """The one licence of an expression that says what answers may be used for, as tables of vendors' terms name it.

    SPDX's id where it has one, else the hub's. Parts that put no condition on answers are left out beside one that
    does; where two do, or one is unknown, the expression comes back as it is, which no table knows.
    """
    parts = dict.fromkeys(expression.split(" AND "))
    rows = [named().get(one.lower()) for one in parts]
    told = [one for one in rows if one is not None]
    if len(told) != len(rows):
        return expression
    bound = [one for one in told if one.outputs != "allowed"] or told[:1]
    if len(bound) > 1:
        return expression
    return bound[0].id if bound[0].ref.startswith("LicenseRef-") and bound[0].kind != "owner" else bound[0].ref


def _terms(row: dict[str, str]) -> Terms:
    changed = {
        **row,
        "aliases": row["aliases"].split(),
        "excluded": row["excluded"].split(),
        "commercial": row["commercial"] == "yes",
        "users": int(row["users"]) if row["users"] else None,
        "revenue_usd": int(row["revenue_usd"]) if row["revenue_usd"] else None,
    }
    changed["kind"] = changed.pop("class")
    return msgspec.convert(changed, Terms)
