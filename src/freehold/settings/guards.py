"""The guard's tables beside routes and policy: which profile each route has, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from freehold.core.errors import BadConfig
from freehold.guard.built_in import NAMES
from freehold.guard.profile import compile_profile
from freehold.guard.settings import profile, profiles
from freehold.guard.types import Profile
from freehold.settings.errors import BadSetting, DanglingName
from freehold.settings.problems import Finding, suggestion
from freehold.settings.tree import Settings


def guard_of(settings: Settings, own: str | None) -> str:
    """Name of the profile that holds where a route says `own`; empty for none."""
    return settings.policy.guard if own is None else own


def in_use(settings: Settings) -> tuple[Profile, ...]:
    """The profiles that some route has, sorted by name: content of the `policy` snapshot."""
    named = {settings.policy.guard, *(guard_of(settings, one.guard) for one in settings.routes.values())}
    return tuple(one for one in profiles(settings.guard) if one.name in named)


def guard_problems(settings: Settings, declared: Mapping[str, AbstractSet[str]]) -> Iterator[Finding]:
    """Profiles that name what does not exist, and routes that name no profile."""
    for name, one in settings.guard.items():
        try:
            compile_profile(profile(name, one))
        except BadConfig as error:
            path: tuple[str | int, ...] = ("guard", name)
            part, _, index = (error.param or "").partition(".")
            if index.isdecimal() and int(index) < len(getattr(one, part, ())):
                path = (*path, part, int(index))
            yield Finding(BadSetting, path, error.message, fix=error.hint)
    known = sorted({*declared.get("guard", ()), *NAMES})
    named: list[tuple[tuple[str, ...], str]] = [(("policy", "guard"), settings.policy.guard)]
    named += [(("routes", name, "guard"), one.guard or "") for name, one in settings.routes.items()]
    for where, name in named:
        if name and name not in known:
            fix = f"declare [guard.{name}] or name one of: {', '.join(known)}"
            yield Finding(DanglingName, where, f'there is no guard "{name}"', suggestion(name, known), fix)
