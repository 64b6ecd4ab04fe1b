"""What is known of who serves rented models: dated rows with source and certainty, and what the owner has in writing.

Not legal advice. Unknown means no: a row of low certainty, one read after today, one whose contract has ended and two
that disagree all count as no row at all. What a contract says stands before what is public.
"""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources
from typing import Literal

import msgspec

from freehold.policy.targets import Target

Certainty = Literal["contract", "high", "medium", "low"]
"""contract: the owner has it in writing; high: the vendor's own page or a dated registry that quotes it; medium:
told by others; low: sources disagree, or it was inferred."""
STALE_DAYS = 180
"""A public row not read again for longer must not be released."""
FILE = "vendor_facts.csv"

ATTRIBUTES: tuple[tuple[str, str], ...] = (
    ("certificates", "audits it has passed: `soc2`, `iso27001`, `iso42001`, `fedramp`"),
    ("dpa", "processor agreement: `signed`, `in_terms`, `offered` or `no`"),
    ("handles", "regimes that may be sent there by contract, such as `PCI`"),
    ("hipaa_baa", "business associate agreement: `signed`, `in_terms`, `offered` or `no`"),
    ("indemnity", "does it answer for claims about its outputs: `conditional` or `no`"),
    ("processor", "who processes the data"),
    ("residency", "where it can be bound to process: regions, `region` for the one chosen, `none`"),
    ("retention_days", "days for which content is kept by default"),
    ("trains_by_default", "does it train on content: `no`, `opt_out`, `paid_no` or `yes`"),
    ("zero_retention", "keeping nothing: `on`, `offered`, `self_serve` or `no`"),
)
"""What rows speak of, sorted, each with its values. What answers may be used for stands in `terms.py`."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing said about one party."""

    party: str
    """An offering (`openai-api`: what is called, not who made the model), or for contracts also `provider/NAME` or
    `target/NAME` of this instance."""
    attribute: str
    values: tuple[str, ...]
    certainty: Certainty
    source: str
    """Where to read it; of a contract, which one."""
    as_of: str
    """ISO date (or month) of the last reading; of a contract, the day it begins."""
    until: str = ""
    """Last ISO date a contract holds; empty for no end."""
    by: str = ""
    """Of a contract: the person who answers for it."""
    condition: str = ""
    """What must be true for it, in our own words."""

    def cite(self) -> str:
        """The row as a refusal names it."""
        told = f"{self.party} {self.attribute} = {'|'.join(self.values)}"
        if self.certainty == "contract":
            end = f" until {self.until}" if self.until else ""
            return f"{told} (contract {self.source}, {self.by}, since {self.as_of}{end})"
        return f"{told} ({self.certainty} certainty, {self.source}, {self.as_of})"


class Known(msgspec.Struct, frozen=True):
    """What may be relied on: the row, or None and in words why there is none."""

    fact: Fact | None
    why: str


def known(facts: tuple[Fact, ...], target: Target, attribute: str, today: str) -> Known:
    """The row that decides on `attribute` for `target` on the ISO date `today`.

    A contract goes before a public row, one of the target before its provider's before its offering's, then the newest.
    """
    ranks = {f"target/{target.name}": 3, f"provider/{target.provider}": 2}
    if target.offering:
        ranks[target.offering] = 1
    mine = [one for one in facts if one.attribute == attribute and one.party in ranks]
    name = target.offering or f"provider/{target.provider}"
    if not mine:
        return Known(None, f"nothing is known of {attribute} at {name}")
    held = [one for one in mine if _in_force(one, today)]
    if not held:
        return Known(None, f"not in force on {today}: {'; '.join(one.cite() for one in mine)}")

    def rank(one: Fact) -> tuple[bool, int, str]:
        return (one.certainty == "contract", ranks[one.party], one.as_of)

    best = max(rank(one) for one in held)
    first = [one for one in held if rank(one) == best]
    if len({one.values for one in first}) > 1:
        return Known(None, f"rows disagree: {'; '.join(sorted(one.cite() for one in first))}")
    if first[0].certainty == "low":
        return Known(None, f"not certain enough: {first[0].cite()}")
    return Known(first[0], first[0].cite())


def _in_force(one: Fact, today: str) -> bool:
    """Rows from after today are not: then it is the clock that is wrong, and with it every end of a contract."""
    return one.as_of <= today and (not one.until or today <= one.until)


def packaged() -> tuple[Fact, ...]:
    """The public rows that come with Freehold."""
    text = resources.files("freehold.policy").joinpath(FILE).read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(
        Fact(
            party=row["offering"],
            attribute=row["attribute"],
            values=tuple(row["value"].split("|")),
            certainty=msgspec.convert(row["certainty"], Certainty),
            source=row["source"],
            as_of=row["as_of"],
            condition=row["condition"],
        )
        for row in rows
    )


def behind(facts: tuple[Fact, ...], today: str) -> Fact | None:
    """A public row that was read after `today`, if there is one: a clock that is behind."""
    late = [one for one in facts if one.certainty != "contract" and one.as_of > today]
    return max(late, key=lambda one: one.as_of, default=None)


def stale(facts: tuple[Fact, ...], today: date) -> tuple[Fact, ...]:
    """Public rows last read more than STALE_DAYS before `today`."""
    public = [one for one in facts if one.certainty != "contract"]
    return tuple(one for one in public if (today - _day(one.as_of)).days > STALE_DAYS)


def _day(text: str) -> date:
    return date.fromisoformat(text if len(text) > 7 else f"{text}-01")
