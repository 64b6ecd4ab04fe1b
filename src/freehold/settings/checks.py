"""What no single table can see: names that lead nowhere, addresses that are not safe, owners that do not exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet

from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.providers.vendors import VENDORS, vendor, vendor_names
from freehold.gateway.routing.joints import KINDS
from freehold.gateway.settings import ProviderSettings
from freehold.grading.registry import GRADERS
from freehold.policy.vendors import packaged
from freehold.settings.addresses import address_of, is_loopback, split_url
from freehold.settings.engine_checks import engine_problems, engine_targets
from freehold.settings.errors import BadSetting, DanglingName, MissingSetting, UnsafeUrl
from freehold.settings.guards import guard_problems
from freehold.settings.mcp import PREFIX
from freehold.settings.owned import OWNED_ROUTES, OWNED_TARGETS
from freehold.settings.problems import Finding, suggestion
from freehold.settings.tree import Settings

Declared = Mapping[str, AbstractSet[str]]
"""Names by table as the file has them, also those whose tables are not valid themselves."""


def check(settings: Settings, declared: Declared) -> list[Finding]:
    """Every cross-table problem of settings that are valid table by table."""
    return [
        *_providers(settings),
        *_targets(settings, declared),
        *engine_problems(settings),
        *_composites(settings, declared),
        *_routes(settings, declared),
        *_owners(settings, declared),
        *_policy(settings, declared),
        *_listeners(settings),
        *_identity(settings),
        *_telemetry(settings),
        *guard_problems(settings, declared),
    ]


def _dangling(path: tuple[str | int, ...], kind: str, name: str, known: Collection[str]) -> Finding:
    fix = f"declare [{kind}s.{name}] or name one of: {', '.join(sorted(known)) or '(none yet)'}"
    return Finding(DanglingName, path, f'there is no {kind} "{name}"', suggestion(name, known), fix)


def _providers(settings: Settings) -> Iterator[Finding]:
    for name, one in settings.providers.items():
        path = ("providers", name)
        row = vendor(one.vendor) if one.vendor else None
        if one.vendor and row is None:
            remark = suggestion(one.vendor, vendor_names())
            fix = f"name one of {', '.join(vendor_names())}, or leave vendor out and give base_url"
            yield Finding(BadSetting, (*path, "vendor"), f'"{one.vendor}" is no vendor Freehold knows', remark, fix)
            continue
        url = one.base_url or (row.base_url if row else "")
        if not url:
            remark = row.note if row else ""
            yield Finding(MissingSetting, path, f'[providers.{name}] lacks "base_url"', remark)
            continue
        try:
            address_of(url, "model")
        except ValueError as error:
            yield Finding(UnsafeUrl, (*path, "base_url"), f'"base_url" in [providers.{name}] {error}')
        yield from _spoken(name, one)


def _spoken(name: str, one: ProviderSettings) -> Iterator[Finding]:
    """Drivers and dialects that do not exist."""
    drivers = [each.name for each in DRIVERS]
    if one.driver and one.driver not in drivers:
        message = f'there is no driver "{one.driver}"'
        fix = f"name one of: {', '.join(drivers)}"
        yield Finding(DanglingName, ("providers", name, "driver"), message, suggestion(one.driver, drivers), fix)
    dialects = [each.name for each in DIALECTS]
    for each in one.dialects:
        if each not in dialects:
            fix = f"name some of: {', '.join(dialects)}"
            path = ("providers", name, "dialects")
            yield Finding(DanglingName, path, f'there is no dialect "{each}"', suggestion(each, dialects), fix)


def _targets(settings: Settings, declared: Declared) -> Iterator[Finding]:
    for name, one in settings.targets.items():
        if name in OWNED_TARGETS:
            yield Finding(BadSetting, ("targets", name), f'"{name}" is the name of an embedded owned model')
        if one.provider not in declared.get("providers", ()):
            yield _dangling(("targets", name, "provider"), "provider", one.provider, declared.get("providers", ()))
        provider = settings.providers.get(one.provider)
        row = vendor(provider.vendor) if provider and provider.vendor else None
        if one.batches and provider and (row is None or row.batching is None):
            message = f'batches cannot be passed on by target "{name}": its vendor has none that Freehold speaks to'
            yield Finding(BadSetting, ("targets", name, "batches"), message, fix="leave batches out")


def _telemetry(settings: Settings) -> Iterator[Finding]:
    """A collector hears of calls: it is asked for as safely as a provider, and not at all over an air gap."""
    address = settings.telemetry.otlp
    if not address:
        return
    path = ("telemetry", "otlp")
    try:
        origin, _ = split_url(address)
    except ValueError as error:
        yield Finding(UnsafeUrl, path, f'"otlp" in [telemetry] {error}')
        return
    if settings.policy.air_gapped and not is_loopback(origin.host):
        yield Finding(BadSetting, path, '"otlp" in [telemetry] leads away from this machine, which is air-gapped')


def _known_targets(settings: Settings, declared: Declared) -> list[str]:
    embedded = OWNED_TARGETS if settings.serving.enabled else ()
    return [*declared.get("targets", ()), *embedded, *engine_targets(settings)]


def _known_routes(declared: Declared) -> list[str]:
    return [*declared.get("routes", ()), *OWNED_ROUTES, *(PREFIX + name for name in declared.get("mcp", ()))]


def _composites(settings: Settings, declared: Declared) -> Iterator[Finding]:
    targets = _known_targets(settings, declared)
    kinds = [one.name for one in GRADERS]
    for name, one in settings.composites.items():
        path = ("composites", name)
        if name in targets:
            yield Finding(BadSetting, path, f'"{name}" is the name of a target as well')
        for field, each in (*(("members", member) for member in one.members), ("escalate", one.escalate)):
            if each not in targets:
                yield _dangling((*path, field), "target", each, targets)
        wanted = dict(KINDS)[one.kind]
        if len(one.members) != wanted:
            message = f'composite "{name}" of the kind {one.kind} has {len(one.members)} members'
            yield Finding(BadSetting, (*path, "members"), message, fix=f"name {wanted}")
        if one.kind == "agreement" and one.grader not in kinds:
            message = f'there is no grader "{one.grader}"' if one.grader else f'[composites.{name}] lacks "grader"'
            fix = f"name one of: {', '.join(kinds)}"
            yield Finding(DanglingName, (*path, "grader"), message, suggestion(one.grader, kinds), fix)


def _routes(settings: Settings, declared: Declared) -> Iterator[Finding]:
    targets = _known_targets(settings, declared)
    ways = [*targets, *declared.get("composites", ())]
    names = {name: name for name in settings.routes}
    for name, one in settings.routes.items():
        path = ("routes", name)
        for step in one.targets:
            for arm in step:
                if arm.target not in ways:
                    yield _dangling((*path, "targets"), "target", arm.target, ways)
            if not any(arm.weight > 0 for arm in step):
                yield Finding(BadSetting, (*path, "targets"), f'a step of route "{name}" has no target with a weight')
        if one.hedge is not None and sum(map(len, one.targets)) == 1:
            message = f'route "{name}" has no second target to hedge with'
            yield Finding(BadSetting, (*path, "hedge"), message, fix="name another target, or leave hedge out")
        if one.baseline and one.baseline not in targets:
            yield _dangling((*path, "baseline"), "target", one.baseline, targets)
        for alias in one.aliases:
            if names.setdefault(alias, name) != name or alias in OWNED_ROUTES:
                yield Finding(BadSetting, (*path, "aliases"), f'"{alias}" already leads to another route')


def _owners(settings: Settings, declared: Declared) -> Iterator[Finding]:
    routes = _known_routes(declared)
    seen = {(f"team/{name}", one.budget.period) for name, one in settings.teams.items() if one.budget}
    seen |= {(f"route/{name}", one.budget.period) for name, one in settings.routes.items() if one.budget}
    for index, one in enumerate(settings.budgets):
        kind, _, name = one.owner.partition("/")
        if kind == "route" and name not in routes:
            yield _dangling(("budgets", index, "owner"), "route", name, routes)
        if (one.owner, one.period) in seen:
            message = f'"{one.owner}" has two budgets for the same period ({one.period})'
            yield Finding(BadSetting, ("budgets", index), message, fix="keep one of them")
        seen.add((one.owner, one.period))


def _identity(settings: Settings) -> Iterator[Finding]:
    """Addresses of the issuer that are not safe; people whom nothing gives a role."""
    oidc = settings.identity.oidc
    if oidc is None:
        return
    path = ("identity", "oidc")
    for field, url in (("issuer", oidc.issuer), *(("origins", one) for one in oidc.origins)):
        try:
            split_url(url)
        except ValueError as error:
            yield Finding(UnsafeUrl, (*path, field), f'"{field}" in [identity.oidc] {error}')
    if "openid" not in oidc.scopes:
        yield Finding(BadSetting, (*path, "scopes"), 'the scopes lack "openid"', fix='add "openid"')
    if oidc.groups_from == "scim" and not settings.identity.scim_token:
        message = 'groups are taken from SCIM, and [identity] lacks "scim_token"'
        yield Finding(MissingSetting, (*path, "groups_from"), message)


def _policy(settings: Settings, declared: Declared) -> Iterator[Finding]:
    """Rules about routes that are not there, contracts with parties that nobody calls."""
    routes = _known_routes(declared)
    for index, rule in enumerate(settings.policy.rules):
        for name in rule.routes:
            if name not in routes:
                yield _dangling(("policy", "rules", index, "routes"), "route", name, routes)
    if not settings.policy.contracts:
        return
    offerings = {one.party for one in packaged()} | {one.offering for one in VENDORS if one.offering}
    offerings |= {one.offering for one in settings.providers.values() if one.offering}
    servers = [PREFIX + name for name in declared.get("mcp", ())]
    known = [f"{kind}/{name}" for kind in ("provider", "target") for name in (*declared.get(f"{kind}s", ()), *servers)]
    for index, contract in enumerate(settings.policy.contracts):
        party = contract.party
        if party not in offerings and party not in known:
            message = f'there is no party "{party}"'
            fix = f"name an offering, provider/NAME or target/NAME: {', '.join(sorted([*offerings, *known]))}"
            path = ("policy", "contracts", index, "party")
            yield Finding(DanglingName, path, message, suggestion(party, [*offerings, *known]), fix)


def _listeners(settings: Settings) -> Iterator[Finding]:
    gateway, admin = settings.gateway, settings.admin
    if gateway.port and (gateway.host, gateway.port) == (admin.host, admin.port):
        yield Finding(BadSetting, ("admin", "port"), "[gateway] and [admin] listen on the same port")
    if bool(gateway.tls_certificate) != bool(gateway.tls_key):
        lacking = "tls_key" if gateway.tls_certificate else "tls_certificate"
        yield Finding(MissingSetting, ("gateway",), f'[gateway] lacks "{lacking}"')
    fields = (*(one.budget for one in settings.teams.values()), *(one.budget for one in settings.routes.values()))
    limited = settings.budgets or any(fields)
    if gateway.journal != "strict" and limited:
        message = f'[gateway] journal = "{gateway.journal}" cannot keep the money budgets of this file'
        yield Finding(BadSetting, ("gateway", "journal"), message, fix='set it to "strict", or drop the budgets')
    if not is_loopback(admin.host):
        message = f"the management API would listen on {admin.host}, and it speaks plain http"
        fix = "keep it on 127.0.0.1; reach it through an ssh tunnel or a proxy that ends TLS"
        yield Finding(BadSetting, ("admin", "host"), message, fix=fix)
