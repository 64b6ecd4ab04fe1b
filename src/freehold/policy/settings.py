"""The tables [policy] and [[budgets]], and the `budget` field of teams and routes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.section import Flag, Money, Section

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
