"""The world of `bench.sovereignty`: a file as an owner would write it, and beside it what it means, written by hand.

`MEANT` shares no code and no data with the product: it is what the product's decisions are held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.table import RouteTable, compile_routes
from freehold.policy.types import Policy
from freehold.settings import compile as compiled
from freehold.settings.load import parse

NAMES = ("vendor-us", "vendor-eu-dpa", "selfhost-eu", "selfhost-us")
"""The targets that scenarios speak of."""
MORE = ("vendor-baa", "vendor-low", "vendor-wide", "vendor-pci")
"""Further ones for traces: papers that end, papers that are uncertain, a clearance that was set too high."""

PROVIDERS = """
[serving]
enabled = false
[providers.us]
base_url = "https://us.vendor.test/v1"
region = "US"
[providers.eu]
base_url = "https://eu.vendor.test/v1"
region = "EU"
[providers.baa]
base_url = "https://baa.vendor.test/v1"
region = "US"
[providers.low]
base_url = "https://low.vendor.test/v1"
region = "EU"
offering = "anthropic-api"
[providers.wide]
base_url = "https://wide.vendor.test/v1"
[providers.pci]
base_url = "https://pci.vendor.test/v1"
region = "EU"
[providers.house-eu]
base_url = "https://eu.house.test/v1"
owned = true
region = "EU"
[providers.house-us]
base_url = "https://us.house.test/v1"
owned = true
region = "US"
[targets.vendor-us]
provider = "us"
[targets.vendor-eu-dpa]
provider = "eu"
clearance = "confidential:GDPR"
[targets.selfhost-eu]
provider = "house-eu"
[targets.selfhost-us]
provider = "house-us"
[targets.vendor-baa]
provider = "baa"
clearance = "restricted:HIPAA"
[targets.vendor-low]
provider = "low"
clearance = "restricted:GDPR"
[targets.vendor-wide]
provider = "wide"
clearance = "unknown"
[targets.vendor-pci]
provider = "pci"
clearance = "restricted:PCI"
[routes.all]
targets = ["vendor-us", "vendor-low", "vendor-eu-dpa", "vendor-wide", "vendor-baa", "vendor-pci",
  "selfhost-eu", "selfhost-us"]
attempts = 8
retry_ratio = 1
"""

CONTRACTS = """
[[policy.rules]]
label = "public:GDPR"
regions = ["EU"]
[[policy.rules]]
label = "public:CLASSIFIED"
regions = ["EU"]
[[policy.rules]]
teams = ["hr"]
regions = ["EU"]
"""
for _party, _attribute, _value, _until in (
    ("provider/eu", "trains_by_default", "no", ""),
    ("provider/eu", "dpa", "signed", ""),
    ("provider/baa", "trains_by_default", "no", ""),
    ("provider/baa", "zero_retention", "on", ""),
    ("provider/baa", "hipaa_baa", "signed", "2026-11-30"),
    ("provider/pci", "trains_by_default", "no", ""),
    ("provider/pci", "zero_retention", "on", "2026-11-30"),
    ("provider/pci", "handles", "PCI", ""),
):
    CONTRACTS += (
        f'[[policy.contracts]]\nparty = "{_party}"\nattribute = "{_attribute}"\nvalue = "{_value}"\n'
        'reason = "master agreement 12"\nby = "J. Roe"\nsince = 2026-01-01\n'
        + (f"until = {_until}\n" if _until else "")
    )


Reach = tuple[int, frozenset[str] | None]
"""The highest level (4 is what is unknown) and the regimes that may go, None for every one."""
NO: frozenset[str] = frozenset()
GDPR, HIPAA, PCI = (frozenset({one}) for one in ("GDPR", "HIPAA", "PCI"))


class Meant(NamedTuple):
    """What a target may take, all papers considered: by hand, for each time."""

    owned: bool
    region: str
    now: Reach
    """On the day the bench speaks of."""
    late: Reach
    """Once the contracts that end have ended."""
    early: Reach = (1, NO)
    """Before any contract began: what a clock that is far behind leaves."""


EVERYTHING: Reach = (4, None)
MEANT: dict[str, Meant] = {
    "vendor-us": Meant(False, "US", (1, NO), (1, NO)),
    "vendor-eu-dpa": Meant(False, "EU", (2, GDPR), (2, GDPR), (1, GDPR)),
    "selfhost-eu": Meant(True, "EU", EVERYTHING, EVERYTHING, EVERYTHING),
    "selfhost-us": Meant(True, "US", EVERYTHING, EVERYTHING, EVERYTHING),
    "vendor-baa": Meant(False, "US", (3, HIPAA), (3, NO)),
    "vendor-low": Meant(False, "", (2, NO), (2, NO)),
    "vendor-wide": Meant(False, "", (1, NO), (1, NO)),
    "vendor-pci": Meant(False, "EU", (3, PCI), (2, PCI)),
}
"""`vendor-low` says EU, but what is known of its offering names no such place, so it stands nowhere; and it is known
to train on nothing, but not to keep nothing. `vendor-wide` is cleared for everything by mistake: without papers it
takes no more than what is internal and under no regime."""

FIRST_DAY, LAST_DAY = "2026-01-01", "2026-11-30"
IN_EU = frozenset({"GDPR", "CLASSIFIED"})


class World(NamedTuple):
    """One policy, ready to be asked, and what it says, by hand."""

    name: str
    policy: Policy
    regions: frozenset[str] | None
    air_gapped: bool = False
    closed: bool = False


def may(world: World, target: str, level: int, regimes: frozenset[str], team: str, today: str) -> bool:
    """The oracle: may content at this level under these regimes, from this team, go there on this day?"""
    one = MEANT[target]
    highest, allowed = one.early if today < FIRST_DAY else one.late if today > LAST_DAY else one.now
    if not one.owned and (world.air_gapped or world.closed):
        return False
    if level > highest or (allowed is not None and regimes - allowed):
        return False
    if world.regions is not None and one.region not in world.regions:
        return False
    return not ((regimes & IN_EU or team in ("hr", "*")) and one.region != "EU")


def table() -> RouteTable:
    """The routes as the gateway compiles them."""
    drivers = {one.name: one for one in DRIVERS}
    settings = parse(PROVIDERS.encode(), None, {}).settings
    return compile_routes(1, compiled.routes(settings, ()), drivers, lambda _: "", {}, 0.0)


def world(name: str, regions: Sequence[str] | None, more: str = "", cedar: str = "") -> World:
    """The world whose tenant may use these regions."""
    lines = ["[policy]", *([f"regions = {list(regions)!r}".replace("'", '"')] if regions is not None else []), more]
    settings = parse(f"{chr(10).join(lines)}\n{CONTRACTS}\n{PROVIDERS}".encode(), None, {}).settings
    policy = compiled.policy(settings, ())
    places = None if regions is None else frozenset(regions)
    return World(name, policy, places, settings.policy.air_gapped, bool(settings.policy.closed))
