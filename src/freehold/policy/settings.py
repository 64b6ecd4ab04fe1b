"""The tables [policy], [teams.*], [rights] and [[budgets]], and the `budget` field of teams and routes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.section import Flag, LabelText, Money, OptionalLabel, Section
from freehold.policy.regimes import NEEDS
from freehold.policy.terms import Purpose
from freehold.policy.vendors import ATTRIBUTES

OWNER = re.compile(r"(key|team|route)/.+\Z")
Period = Literal["hour", "day", "week", "month", "total"]


NEED_NAMES = tuple(one.name for one in NEEDS)
ATTRIBUTE_NAMES = tuple(name for name, _ in ATTRIBUTES)


def _one_of(known: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError("known", "{what} is none of {known}", {"what": value, "known": ", ".join(known)})
        return value

    return AfterValidator(check)


def _words(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class RuleSettings(Section):
    """From a label up, for some teams and routes, what targets must be. Rules only narrow, and all of them hold."""

    label: LabelText = Field(
        "public", description="It holds for content with at least this level and all these regimes."
    )
    teams: tuple[str, ...] = Field((), description="Teams it holds for; empty for every team.")
    routes: tuple[str, ...] = Field((), description="Routes it holds for; empty for every route.")
    regions: tuple[str, ...] | None = Field(None, description="Where the target must stand, such as `EU` or `DE`.")
    needs: tuple[Annotated[str, _one_of(NEED_NAMES)], ...] = Field(
        (), description=f"What must be known of a rented target: {', '.join(f'`{one}`' for one in NEED_NAMES)}."
    )
    owned: Flag = Field(default=False, description="Only owned targets.")


class ContractSettings(Section):
    """What you have in writing from whoever serves a rented model. It stands before what is public about it."""

    party: str = Field(
        description="An offering such as `openai-api`, or `provider/NAME` or `target/NAME` of this file.", min_length=1
    )
    attribute: Annotated[str, _one_of(ATTRIBUTE_NAMES)] = Field(
        description="; ".join(f"`{name}`: {what}" for name, what in ATTRIBUTES) + "."
    )
    value: Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)] = Field(
        description="One of the attribute's values, or a list of them.",
        json_schema_extra={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    )
    reason: str = Field(description="Which contract says so.", min_length=1)
    by: str = Field(description="The person who answers for it.", min_length=1)
    since: date = Field(description="The first day it holds.")
    until: date | None = Field(None, description="The last day it holds; no end where it is left out.")


class PolicySettings(Section):
    """What holds for every call."""

    air_gapped: Flag = Field(default=False, description="No rented target exists: none is in the routes at all.")
    closed: str = Field("", description="Why no rented target may take anything for now; empty where nothing is wrong.")
    guard: str = Field(
        "",
        description="Profile that every route's calls are scanned by, unless the route says otherwise; empty for none.",
    )
    home: str = Field("", description="Region in which this machine stands, for the models it runs itself.")
    regions: tuple[str, ...] | None = Field(
        None, description="Where every target must stand, such as `EU`; anywhere where it is left out."
    )
    rules: tuple[RuleSettings, ...] = Field((), description="What targets must be, by label, team and route.")
    contracts: tuple[ContractSettings, ...] = Field((), description="What you have in writing from vendors.")
    cedar: str = Field("", description="File with the tenants' own rules, in Cedar.")
    cedar_text: str = Field("", description="Tenants' rules in Cedar, written here; those of the file come after them.")


class LimitSettings(Section):
    """A money limit."""

    limit: Money = Field(description="US dollars.")
    period: Period = Field("month", description="When it starts anew, in UTC; `total` never does.")


def _owner(value: str) -> str:
    if not OWNER.match(value):
        raise PydanticCustomError("owner", "{value} is not key/NAME, team/NAME or route/NAME", {"value": repr(value)})
    return value


class BudgetSettings(LimitSettings):
    """A money limit of a key, a team or a route."""

    owner: Annotated[str, AfterValidator(_owner), Field(json_schema_extra={"pattern": OWNER.pattern})] = Field(
        description="`key/NAME`, `team/NAME` or `route/NAME`."
    )


def _monthly(value: Any) -> Any:
    return {"limit": value} if isinstance(value, int | str | Decimal) and not isinstance(value, bool) else value


BudgetField = Annotated[LimitSettings, BeforeValidator(_monthly)]
"""A table, or a bare number: dollars a month."""


class TeamSettings(Section):
    """A team that keys belong to."""

    budget: BudgetField | None = Field(None, description="Money limit: a number of dollars a month, or a table.")
    regions: tuple[str, ...] | None = Field(
        None, description="Where targets must stand for what this team sends, such as `EU`; anywhere where left out."
    )
    priority: Literal["interactive", "normal", "batch"] = Field(
        "interactive", description="The highest class of this team's calls, where a target is full."
    )


class OverrideSettings(Section):
    """What you have in writing from a party about the use of its answers, or forbid yourself. It wins over the table
    of terms that comes with Freehold.
    """

    party: str = Field(
        description="An offering such as `openai-api`, or `licence:NAME` of an owned model.", min_length=1
    )
    purpose: Purpose = Field(description="What for: `evaluate`, `train_classifier` or `train_generative`.")
    allowed: Flag = Field(description="Whether its answers may be used for that.")
    reason: str = Field(description="Which contract or decision says so.", min_length=1)
    by: str = Field(description="The person who answers for it.", min_length=1)
    since: date = Field(description="The day it was written.")
    until: date | None = Field(None, description="The last day it holds; no end where it is left out.")


class RightsSettings(Section):
    """What recorded calls may be used for."""

    most_sensitive: LabelText = Field(
        "confidential", description="The most sensitive content that may train a model: `level` or `level:REGIME,...`."
    )
    unlabelled: OptionalLabel = Field(
        "", description="How content without a label counts, e.g. `internal`; empty keeps it out of training."
    )
    consent_required: Flag = Field(
        default=False,
        description="Only a recorded yes lets content train. Without it a recorded no forbids, silence does not.",
    )
    overrides: tuple[OverrideSettings, ...] = Field((), description="Written exceptions to the table of terms.")
