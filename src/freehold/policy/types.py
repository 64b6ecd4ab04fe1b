"""What the `policy` snapshot holds, and what a decision says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from freehold.core.label import PUBLIC, Label
from freehold.policy.vendors import Fact

ANY = "*"
"""As a team or a route: whoever asks speaks for others, so what holds for any of them holds."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A money limit over a period."""

    id: str
    """`key/NAME`, `team/NAME` or `route/NAME`; with a second period of the same owner, `.../PERIOD`."""
    limit: Decimal
    """US dollars."""
    period: str = "month"
    """`hour`, `day`, `week` (from Monday), `month` or `total`, in UTC."""


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the owner's: from a label up, for some teams and routes, what targets must be. Rules only narrow."""

    name: str
    """Where it stands in the file, such as `[policy] regions`."""
    label: Label = PUBLIC
    """It holds for content with at least this level and all these regimes."""
    teams: tuple[str, ...] = ()
    """Empty for every team."""
    routes: tuple[str, ...] = ()
    """Empty for every route."""
    regions: tuple[str, ...] | None = None
    """Where the target must stand; empty for nowhere, None for anywhere."""
    needs: tuple[str, ...] = ()
    """What must be known of a rented target: names of `regimes.NEEDS`."""
    owned: bool = False
    """Only owned targets."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the `policy` snapshot."""

    air_gapped: bool = False
    """No rented target may take anything."""
    closed: str = ""
    """Why no rented target may take anything for now, such as rules that cannot be read; empty where nothing is."""
    budgets: tuple[Budget, ...] = ()
    guards: tuple[Any, ...] = ()
    """Profiles of the guard, as `guard/types.py` has them: this room does not know that one."""
    rules: tuple[Narrowing, ...] = ()
    facts: tuple[Fact, ...] = ()
    """Public rows and contracts."""
    cedar: str = ""
    """The tenants' own rules, in Cedar; empty for none."""


class Where(msgspec.Struct, frozen=True):
    """On whose behalf and when a decision is made."""

    team: str = ANY
    route: str = ANY
    today: str = ""
    """ISO date in UTC. Empty is before every row: nothing that has a date is in force."""


class Decision(msgspec.Struct, frozen=True):
    """May content with this label go to this target, and why (one sentence)."""

    allowed: bool
    reason: str
    rule: str = ""
    """Which rule refused: a name of `decide.RULES`, or `cedar`."""
