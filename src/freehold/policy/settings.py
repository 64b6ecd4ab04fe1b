"""The tables [policy], [rights] and [[budgets]], and the `budget` field of teams and routes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.section import Flag, LabelText, Money, OptionalLabel, Section
from freehold.policy.terms import Purpose

OWNER = re.compile(r"(key|team|route)/.+\Z")
Period = Literal["hour", "day", "week", "month", "total"]


class PolicySettings(Section):
    """What holds for every call."""

    air_gapped: Flag = Field(default=False, description="No rented target may take anything.")


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
