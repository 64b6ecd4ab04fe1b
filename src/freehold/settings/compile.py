"""Settings as the data plane's snapshots: pure, so `config check`, `routes explain` and the admin process agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from freehold.core.label import Label, Level, parse_label
from freehold.core.money import MILLION
from freehold.gateway.providers.vendors import Batching, vendor
from freehold.gateway.routing.types import Arm, CacheRule, Composite, HedgeRule, Route, Routes
from freehold.gateway.settings import (
    CacheSettings,
    CompositeSettings,
    HedgeSettings,
    PriceSettings,
    ProviderSettings,
    RouteSettings,
    TargetSettings,
)
from freehold.grading.types import Spec
from freehold.ledger.meter import FREE, Price
from freehold.policy.residency import LOCAL, normal
from freehold.policy.rights import Override, Rules
from freehold.policy.settings import ContractSettings, LimitSettings
from freehold.policy.targets import Target
from freehold.policy.types import Budget, Narrowing, Policy
from freehold.policy.vendors import Fact, packaged
from freehold.settings.addresses import address_of
from freehold.settings.air_gap import without_rented
from freehold.settings.guards import guard_of, in_use
from freehold.settings.owned import OWNED_TARGETS, owned_routes
from freehold.settings.tree import Settings
from freehold.workflows.formats.vendors import vendor_of

RENTED_CLEARANCE = Label(Level.INTERNAL)
OWNED_CLEARANCE = Label(Level.UNKNOWN)


COMPATIBLE = ("openai_chat", "openai_embeddings")
"""What a server counts as speaking that is said to be compatible with OpenAI's, and no more."""
ListPrice = Callable[[str, str], Price | None]
"""The dated list price of a vendor's model."""


def no_price(vendor_name: str, model: str) -> Price | None:
    """Knows no list prices."""
    return None


def routes(settings: Settings, owned: Sequence[Target], list_price: ListPrice = no_price) -> Routes:
    """The `routes` snapshot: configured targets and routes beside the embedded owned ones."""
    targets = [
        _target(name, one, settings.providers[one.provider], list_price) for name, one in settings.targets.items()
    ]
    watched = [replace(one, guard=settings.policy.guard) for one in owned_routes()]
    mine = [one for one in watched if settings.serving.enabled and one.name not in settings.routes]
    configured = [_route(name, one, settings) for name, one in settings.routes.items()]
    aliases = [(alias, name) for name, one in settings.routes.items() for alias in one.aliases]
    found = Routes(
        targets=tuple(sorted([*targets, *_priced(owned, settings)], key=lambda one: one.name)),
        routes=tuple(sorted([*configured, *mine], key=lambda one: one.name)),
        composites=tuple(_composite(name, one) for name, one in sorted(settings.composites.items())),
        aliases=tuple(sorted(aliases)),
        guard=settings.policy.guard,
    )
    return without_rented(found) if settings.policy.air_gapped else found


def policy(settings: Settings, key_budgets: Sequence[Budget]) -> Policy:
    """The `policy` snapshot: configured budgets beside those of keys."""
    told = settings.policy
    return Policy(
        air_gapped=told.air_gapped,
        closed=told.closed,
        guards=in_use(settings),
        rules=narrowings(settings),
        facts=(*packaged(), *(_contract(one) for one in told.contracts)),
        cedar=told.cedar_text,
        budgets=tuple(sorted([*budgets(settings), *key_budgets], key=lambda one: one.id)),
    )


def narrowings(settings: Settings) -> tuple[Narrowing, ...]:
    """Every rule of the owner's, wherever in the file it stands, under the name people find it by."""
    told = settings.policy
    found = [Narrowing(name="[policy] regions", regions=told.regions)] if told.regions is not None else []
    found += [
        Narrowing(name=f"[teams.{name}] regions", teams=(name,), regions=one.regions)
        for name, one in sorted(settings.teams.items())
        if one.regions is not None
    ]
    found += [
        Narrowing(name=f"[routes.{name}] regions", routes=(name,), regions=one.regions)
        for name, one in sorted(settings.routes.items())
        if one.regions is not None
    ]
    found += [
        Narrowing(
            name=f"[[policy.rules]] {number}",
            label=parse_label(one.label),
            teams=one.teams,
            routes=one.routes,
            regions=one.regions,
            needs=one.needs,
            owned=one.owned,
        )
        for number, one in enumerate(told.rules, 1)
    ]
    return tuple(found)


def _contract(one: ContractSettings) -> Fact:
    return Fact(
        party=one.party,
        attribute=one.attribute,
        values=one.value,
        certainty="contract",
        source=one.reason,
        as_of=one.since.isoformat(),
        until=one.until.isoformat() if one.until else "",
        by=one.by,
    )


def rights(settings: Settings) -> Rules:
    """What recorded calls may be used for: the owner's words beside the table of terms."""
    told = settings.rights
    return Rules(
        most_sensitive=parse_label(told.most_sensitive),
        unlabelled=parse_label(told.unlabelled) if told.unlabelled else None,
        consent_required=told.consent_required,
        overrides=tuple(
            Override(
                party=one.party,
                purpose=one.purpose,
                allowed=one.allowed,
                reason=one.reason,
                by=one.by,
                since=one.since.isoformat(),
                until=one.until.isoformat() if one.until else "",
            )
            for one in told.overrides
        ),
    )


def offerings(settings: Settings) -> dict[str, str]:
    """Of each rented target whose terms apply to its answers: a known offering, else `own:PROVIDER`.

    The second is a party of a contract of the owner's: until `[[rights.overrides]]` names it, it allows nothing.
    """
    found = {}
    for name, one in settings.targets.items():
        provider = settings.providers[one.provider]
        if not provider.owned:
            told = vendor_of(provider.vendor or one.provider, one.model or name, provider.base_url)
            found[name] = told or f"own:{one.provider}"
    return found


def budgets(settings: Settings) -> list[Budget]:
    """Every configured budget. The first of an owner has the owner's name as id, others end in their period."""
    fields: list[tuple[str, LimitSettings]] = []
    fields += [(f"team/{name}", one.budget) for name, one in sorted(settings.teams.items()) if one.budget]
    fields += [(f"route/{name}", one.budget) for name, one in sorted(settings.routes.items()) if one.budget]
    fields += [(one.owner, one) for one in settings.budgets]
    found: dict[str, Budget] = {}
    for owner, one in fields:
        name = owner if owner not in found else f"{owner}/{one.period}"
        found[name] = Budget(id=name, limit=one.limit, period=one.period)
    return list(found.values())


def owned_by(owner: str, all_budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Ids of the budgets of an owner such as `team/search`."""
    return tuple(one.id for one in all_budgets if one.id in (owner, f"{owner}/{one.period}"))


def _target(name: str, one: TargetSettings, provider: ProviderSettings, list_price: ListPrice) -> Target:
    row = vendor(provider.vendor) if provider.vendor else None
    driver = provider.driver or (row.driver if row else "openai")
    kin = row or (None if driver == "openai" else vendor(driver))
    origin, path, query = address_of(provider.base_url or (row.base_url if row else ""), one.model or name)
    default = OWNED_CLEARANCE if provider.owned else RENTED_CLEARANCE
    stated = provider.region if provider.region or row is None else row.region
    price = _price(one.price) if one.price else (list_price(row.name, one.model or name) if row else None) or FREE
    batching = row.batching if row and one.batches else None
    return Target(
        name=name,
        provider=one.provider,
        driver=driver,
        dialects=provider.dialects or (kin.dialects if kin else COMPATIBLE),
        model=one.model or name,
        origin=origin,
        path=path,
        query=query,
        credential=provider.api_key,
        headers=tuple(sorted(provider.headers.items())),
        owned=provider.owned,
        offering=provider.offering or (row.offering if row else ""),
        region=one.region or stated or "unknown",
        clearance=parse_label(one.clearance) if one.clearance else default,
        price=price,
        batches=batching.form if batching else "",
        batch_price=_batch_price(one, price, batching) if batching else None,
        context_tokens=one.context_tokens,
        max_output_tokens=one.max_output_tokens,
        connect_seconds=one.connect_seconds,
        first_token_seconds=one.first_token_seconds,
        idle_seconds=one.idle_seconds,
        quirks=tuple(sorted({*(row.quirks if row else ()), *provider.quirks, *one.quirks})),
        prompt_cache=one.prompt_cache,
        most_in_flight=one.most_in_flight,
        most_waiting=one.most_waiting,
        tls_ca=provider.tls_ca,
    )


def _priced(owned: Sequence[Target], settings: Settings) -> list[Target]:
    """Owned models with what they cost here, nothing where nobody said; a target of the file goes before one's name."""
    serving = settings.serving
    prices: dict[str, Price] = {name: _price(one) for name, one in serving.prices.items()}
    trained = _price(serving.trained_price) if serving.trained_price else None
    found = []
    for one in owned:
        embedded = one.name in OWNED_TARGETS
        if one.name not in settings.targets and (serving.enabled or not embedded):
            price = prices.get(one.name) if embedded else trained
            here = settings.policy.home if normal(one.region) == LOCAL else ""
            found.append(replace(one, price=price or one.price, region=here or one.region))
    return found


def _price(one: PriceSettings) -> Price:
    return Price(
        input=one.input,
        output=one.output,
        cached=one.cached,
        cache_write=one.cache_write,
        cache_write_1h=one.cache_write_1h,
        units=_per_unit(one),
        source=one.source,
        as_of=one.as_of.isoformat(),
    )


def _batch_price(one: TargetSettings, price: Price, batching: Batching) -> Price:
    """What a line of a passed batch costs: as the file says, else the vendor's share of the ordinary price."""
    if one.batch_price is not None:
        return _price(one.batch_price)

    def part(each: Decimal | None) -> Decimal | None:
        return None if each is None else each * batching.share

    return replace(
        price,
        input=price.input * batching.share,
        output=price.output * batching.share,
        cached=part(price.cached),
        cache_write=part(price.cache_write),
        cache_write_1h=part(price.cache_write_1h),
        units=tuple((name, each * batching.share) for name, each in price.units),
        source=f"{price.source}, times {batching.share} in batches ({batching.source}, {batching.as_of})",
    )


_LEAST = Decimal("1E-12")
"""Money is kept to the trillionth of a dollar."""


def _per_unit(one: PriceSettings) -> tuple[tuple[str, Decimal], ...]:
    """Dollars for one of each unit, by its name."""
    prices = (
        ("character", one.per_million_characters, MILLION),
        ("image", one.per_image, 1),
        ("call", one.per_call, 1),
        ("search", one.per_search, 1),
        ("second", one.per_minute, 60),
    )
    return tuple((name, (price / many).quantize(_LEAST)) for name, price, many in prices if price)


def _composite(name: str, one: CompositeSettings) -> Composite:
    return Composite(
        name=name,
        kind=one.kind,
        members=one.members,
        escalate=one.escalate,
        grader=Spec(one.grader, _plain(one.options)) if one.grader else None,
        threshold=one.threshold,
        member_seconds=one.member_seconds,
    )


def _plain(value: Any) -> Any:
    """What a TOML file says as JSON has it: its decimals are numbers of the grader's."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def _route(name: str, one: RouteSettings, settings: Settings) -> Route:
    return Route(
        name=name,
        tiers=tuple(tuple(Arm(arm.target, arm.weight) for arm in step) for step in one.targets),
        choose=one.choose,
        sticky=one.sticky,
        attempts=one.attempts,
        retry_ratio=one.retry_ratio,
        first_token_seconds=one.first_token_seconds,
        strict=one.strict,
        baseline=one.baseline,
        budgets=owned_by(f"route/{name}", budgets(settings)),
        label=one.label,
        capture=settings.capture.bodies if one.capture is None else one.capture,
        guard=guard_of(settings, one.guard),
        priority=one.priority,
        cache=_cache_rule(one.cache),
        hedge=_hedge_rule(one.hedge),
    )


def _cache_rule(one: CacheSettings | None) -> CacheRule | None:
    return None if one is None else CacheRule(one.seconds, one.share, one.tools)


def _hedge_rule(one: HedgeSettings | None) -> HedgeRule | None:
    return None if one is None else HedgeRule(one.after_seconds, one.most_dollars, one.ratio, one.whole)
