"""A registered server of tools is a provider, a target and a route, and nothing else knows of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from freehold.core.label import Label, Level
from freehold.policy.regimes import unmet
from freehold.settings.compile import budgets, policy, routes
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig

TEXT = b"""
[mcp.tickets]
url = "https://tools.example.com/mcp"
api_key = "${env:TICKETS_KEY}"
allow = ["find_*"]
deny = ["find_all"]
region = "EU"
label = "confidential"
clearance = "confidential"
guard = "watch"
price_per_call = 0.002
budget = 20
seconds = 5
"""


def test_a_server_becomes_a_route_under_the_laws_of_all_routes() -> None:
    settings = parse(TEXT, None, {}).settings
    made = routes(settings, ())
    (target,) = [one for one in made.targets if one.driver == "mcp"]
    (route,) = [one for one in made.routes if one.name == "mcp/tickets"]
    assert (target.name, target.path, target.dialects, target.region) == ("mcp/tickets", "/mcp", ("mcp",), "EU")
    assert (target.origin.host, target.credential) == ("tools.example.com", "${env:TICKETS_KEY}")
    assert set(target.quirks) == {"allow:find_*", "deny:find_all"}
    assert target.price.units == (("call", Decimal("0.002")),)
    assert (route.attempts, route.label, route.guard) == (1, "confidential", "watch")
    (budget,) = [one for one in budgets(settings) if one.id in route.budgets]
    assert budget.limit == 20


def test_what_is_wrong_with_it_is_told_where_it_stands() -> None:
    with pytest.raises(InvalidConfig) as told:
        parse(b'[mcp.tickets]\nurl = "https://x.example.com"\nallowed = ["a"]\nclearance = "nobody"\n', None, {})
    assert [one.where for one in told.value.problems] == ["freehold.toml:3", "freehold.toml:4"]


def test_contracts_rules_and_budgets_may_name_a_server() -> None:
    more = b"""
[[policy.contracts]]
party = "provider/mcp/tickets"
attribute = "trains_by_default"
value = "no"
reason = "order 12"
by = "J. Roe"
since = 2026-03-01
[[policy.rules]]
routes = ["mcp/tickets"]
regions = ["EU"]
[[budgets]]
owner = "route/mcp/tickets"
period = "day"
limit = 1
"""
    settings = parse(TEXT + more, None, {}).settings
    (target,) = [one for one in routes(settings, ()).targets if one.driver == "mcp"]
    confidential = Label(Level.CONFIDENTIAL, frozenset())
    assert not list(unmet(confidential, target, policy(settings, ()), "2026-11-22"))
    assert list(unmet(confidential, target, policy(parse(TEXT, None, {}).settings, ()), "2026-11-22"))
    with pytest.raises(InvalidConfig) as told:
        parse(TEXT + more.replace(b"/tickets", b"/tackets"), None, {})
    assert len(told.value.problems) == 3
