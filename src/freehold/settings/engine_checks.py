"""What no single table of `[engines]` can see: names that are taken, addresses that are not safe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freehold.settings.addresses import split_url
from freehold.settings.errors import BadSetting, UnsafeUrl
from freehold.settings.owned import OWNED_TARGETS
from freehold.settings.problems import Finding
from freehold.settings.tree import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,56}\Z")
_TARGET = re.compile(r"owned-[a-z0-9][a-z0-9._-]{0,56}\Z")


def engine_targets(settings: Settings) -> tuple[str, ...]:
    """Targets that the configured engines give, ready or not."""
    return tuple(each for name, one in settings.engines.items() for each in (f"owned-{name}", *one.adapters))


def engine_problems(settings: Settings) -> Iterator[Finding]:
    """Every problem of the engines' tables beside one another and beside `[targets]`."""
    found = engine_targets(settings)
    taken = {*settings.targets, *OWNED_TARGETS}
    for name, one in settings.engines.items():
        path = ("engines", name)
        if not _NAME.match(name):
            fix = "name it with up to 57 of a-z, 0-9, dot, dash and underscore"
            yield Finding(BadSetting, path, f'"{name}" cannot be the name of an engine', fix=fix)
        for target in (f"owned-{name}", *one.adapters):
            if target in taken or found.count(target) > 1:
                yield Finding(BadSetting, path, f'engine "{name}" gives a target "{target}", and so does another table')
        for target in one.adapters:
            if not _TARGET.match(target):
                yield Finding(
                    BadSetting, (*path, "adapters"), f'"{target}" cannot be an adapter\'s target', fix="owned-NAME"
                )
        if one.url:
            try:
                split_url(one.url)
            except ValueError as error:
                yield Finding(UnsafeUrl, (*path, "url"), f'"url" in [engines.{name}] {error}')
