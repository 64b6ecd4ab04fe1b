"""The tables [mcp.NAME]: registered servers of tools. Each stands for a provider, a target and a route of its own, so
that keys, labels, budgets, guards and the ledger know nothing of tools.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from freehold.core.section import Flag, LabelText, Money, OptionalLabel, Seconds, Secret, Section
from freehold.gateway.settings import ArmSettings, PriceSettings, ProviderSettings, RouteSettings, TargetSettings
from freehold.gateway.tools import ALLOW, DENY
from freehold.policy.settings import BudgetField

if TYPE_CHECKING:
    from freehold.settings.tree import Settings

PREFIX = "mcp/"
ALWAYS = date(2026, 1, 1)
"""Date of prices that the file itself states."""


class McpSettings(Section):
    """One registered server, served to callers at /mcp/NAME."""

    url: str = Field(description="Where it is served: streamable HTTP.")
    api_key: Secret = Field("", description="Reference to what is sent to it as a bearer token.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers sent with every message.")
    allow: tuple[str, ...] = Field(
        (), description="Names of tools, or patterns as in shells, that may be seen and called; every one if empty."
    )
    deny: tuple[str, ...] = Field((), description="Those that may not, whatever `allow` says.")
    owned: Flag = Field(default=False, description="True for a server on machines of your own.")
    region: str = Field("", description="Where it runs.")
    clearance: LabelText | None = Field(
        None, description="Most sensitive label it may take: `internal` for rented servers, everything for owned ones."
    )
    label: OptionalLabel = Field("", description="Least label of what goes through, such as confidential.")
    guard: str | None = Field(None, description="Profile that arguments and results are scanned by.")
    price_per_call: Money | None = Field(None, description="Dollars for one call of a tool.")
    budget: BudgetField | None = Field(None, description="Money limit: a number of dollars a month, or a table.")
    seconds: Seconds = Field(60.0, description="Longest wait for an answer.")
    tls_ca: str = Field("", description="PEM file of the authorities its certificate is checked against.")


def expanded(settings: Settings) -> Settings:
    """The settings with a provider, a target and a route for each server; what the file says of those itself stands."""
    if not settings.mcp:
        return settings
    servers = {PREFIX + name: one for name, one in settings.mcp.items()}
    return settings.model_copy(
        update={
            "providers": {**{name: _provider(one) for name, one in servers.items()}, **settings.providers},
            "targets": {**{name: _target(name, one) for name, one in servers.items()}, **settings.targets},
            "routes": {**{name: _route(name, one) for name, one in servers.items()}, **settings.routes},
        }
    )


def _provider(one: McpSettings) -> ProviderSettings:
    quirks = (*(ALLOW + name for name in one.allow), *(DENY + name for name in one.deny))
    return ProviderSettings(
        base_url=one.url,
        api_key=one.api_key,
        driver="mcp",
        dialects=("mcp",),
        region=one.region,
        owned=one.owned,
        tls_ca=one.tls_ca,
        headers=one.headers,
        quirks=quirks,
    )


def _target(name: str, one: McpSettings) -> TargetSettings:
    price = None
    if one.price_per_call is not None:
        price = PriceSettings(input=Decimal(0), output=Decimal(0), per_call=one.price_per_call, as_of=ALWAYS)
    return TargetSettings(
        provider=name, model=name, clearance=one.clearance, price=price, first_token_seconds=one.seconds
    )


def _route(name: str, one: McpSettings) -> RouteSettings:
    # A tool may have done what it was asked before its answer was lost: it is never called twice.
    return RouteSettings(
        targets=((ArmSettings(target=name),),), attempts=1, label=one.label, guard=one.guard, budget=one.budget
    )
