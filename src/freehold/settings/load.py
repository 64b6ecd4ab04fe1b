"""Reads `freehold.toml` and the environment into checked settings, or says everything that is wrong at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from freehold.settings import environment
from freehold.settings.checks import check
from freehold.settings.errors import BadSyntax, MissingSetting
from freehold.settings.location import FILE, find
from freehold.settings.mcp import expanded
from freehold.settings.places import Path as Keys
from freehold.settings.places import places
from freehold.settings.problems import Finding, InvalidConfig, Problem, of_validation
from freehold.settings.tree import Settings


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and where each came from."""

    settings: Settings
    file: Path | None
    places: dict[Keys, int]
    variables: dict[tuple[str, str], str]
    home: Path


def load(config: str | None = None, home: str | None = None, *, rules: bool = True) -> Loaded:
    """The settings in force. Raises InvalidConfig with every problem, or MissingConfig.

    Without `rules` the file of the tenants' rules is not read, and nothing is told of it.
    """
    file = find(config)
    return parse(file.read_bytes() if file else b"", file, environment.overrides(), home, rules=rules)


def parse(
    text: bytes,
    file: Path | None,
    variables: Mapping[tuple[str, str], Any],
    home: str | None = None,
    *,
    rules: bool = True,
) -> Loaded:
    """Settings out of a file's bytes and overriding variables. Raises InvalidConfig."""
    name = file.name if file else FILE
    data, where = _decode(text, name)
    names = {pair: environment.override_name(*pair) for pair in variables}
    for (table, key), value in variables.items():
        data.setdefault(table, {})
        if isinstance(data[table], dict):
            data[table][key] = value
    folder = file.parent if file else Path.cwd()
    settings, findings = _validated(data)
    if rules and (settings.policy.cedar or settings.policy.cedar_text):
        from freehold.settings.cedar_file import with_rules  # with its library, where there are rules

        settings, wrong = with_rules(settings, folder)
        findings += wrong
    if findings:
        raise InvalidConfig.of(sorted((_placed(one, name, where, names) for one in findings), key=_order))
    chosen = home or environment.variable(environment.HOME)
    return Loaded(
        settings=expanded(_rooted(settings, folder)),
        file=file,
        places=where,
        variables=names,
        home=Path(chosen).absolute() if chosen else (folder / settings.instance.home).absolute(),
    )


def _decode(text: bytes, name: str) -> tuple[dict[str, Any], dict[Keys, int]]:
    try:
        clear = text.decode()
        data = tomllib.loads(clear, parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidConfig.of([_syntax(error, name)]) from None
    return data, places(clear)


def _syntax(error: ValueError, name: str) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        return Problem(BadSyntax.code, "not TOML: the file is not UTF-8 text", name, "", "save it as UTF-8")
    message, _, place = str(error).partition(" (at ")
    line = place.removeprefix("line ").partition(",")[0]
    where, remark = (f"{name}:{line}", "") if line.isdigit() else (name, "at the end of the file")
    return Problem(BadSyntax.code, f"not TOML: {message}", where, remark, BadSyntax.hint_text)


def _validated(data: dict[str, Any]) -> tuple[Settings, list[Finding]]:
    """Settings and everything wrong with them: what is bad is taken out, so that the rest is checked too."""
    declared = {kind: frozenset(found) for kind, found in data.items() if isinstance(found, dict)}
    findings: list[Finding] = []
    taken: set[Keys] = set()
    rest = data
    while True:
        try:
            settings = Settings.model_validate(rest)
            break
        except ValidationError as error:
            bad = [of_validation(one, rest, Settings) for one in error.errors(include_url=False)]
        findings += [one for one in bad if one.kind is not MissingSetting or one.path not in taken]
        taken |= {one.path[:-1] for one in bad}
        rest = _without(rest, {one.path for one in bad})
    spoilt = {one.path[:2] for one in findings}
    findings += [one for one in check(settings, declared) if one.kind is not MissingSetting or one.path not in spoilt]
    return settings, findings


def _without(data: Any, paths: AbstractSet[Keys]) -> Any:
    """A copy of the data without what stands at these paths."""
    if isinstance(data, dict):
        return {
            key: _without(value, {path[1:] for path in paths if path[0] == key})
            for key, value in data.items()
            if (key,) not in paths
        }
    if isinstance(data, list):
        kept = enumerate(data)
        return [_without(one, {path[1:] for path in paths if path[0] == i}) for i, one in kept if (i,) not in paths]
    return data


def _placed(finding: Finding, name: str, where: Mapping[Keys, int], names: Mapping[tuple[str, str], str]) -> Problem:
    path = finding.path
    variable = names.get((str(path[0]), str(path[1]))) if len(path) == 2 else None
    while path and path not in where:
        path = path[:-1]
    place = variable or (f"{name}:{where[path]}" if path else name)
    return Problem(finding.kind.code, finding.message, place, finding.remark, finding.fix or finding.kind.hint_text)


def _order(problem: Problem) -> tuple[int, str]:
    line = problem.where.rpartition(":")[2]
    return (int(line) if line.isdigit() else 0, problem.message)


def _rooted(settings: Settings, folder: Path) -> Settings:
    """File names in settings are relative to the folder of the file that holds them."""

    def root(name: str) -> str:
        return str(folder / name) if name else name

    def secret(reference: str) -> str:
        path = reference.removeprefix("${file:").removesuffix("}")
        return f"${{file:{folder / path}}}" if reference.startswith("${file:") else reference

    gateway = settings.gateway.model_copy(
        update={
            "tls_certificate": root(settings.gateway.tls_certificate),
            "tls_key": root(settings.gateway.tls_key),
        }
    )
    providers = {
        name: one.model_copy(update={"tls_ca": root(one.tls_ca), "api_key": secret(one.api_key)})
        for name, one in settings.providers.items()
    }
    serving = settings.serving.model_copy(update={"weights": root(settings.serving.weights)})
    oidc = settings.identity.oidc
    if oidc is not None:
        oidc = oidc.model_copy(update={"tls_ca": root(oidc.tls_ca), "client_secret": secret(oidc.client_secret)})
    identity = settings.identity.model_copy(update={"oidc": oidc, "scim_token": secret(settings.identity.scim_token)})
    policy = settings.policy.model_copy(update={"cedar": root(settings.policy.cedar)})
    database = settings.database.model_copy(update={"password": secret(settings.database.password)})
    valkey = settings.valkey.model_copy(
        update={"password": secret(settings.valkey.password), "tls_ca": root(settings.valkey.tls_ca)}
    )
    kept = {name: secret(getattr(settings.bodies, name)) for name in ("access_key", "secret_key")}
    bodies = settings.bodies.model_copy(update={**kept, "tls_ca": root(settings.bodies.tls_ca)})
    rooted = {
        "bodies": bodies,
        "database": database,
        "gateway": gateway,
        "identity": identity,
        "policy": policy,
        "providers": providers,
        "serving": serving,
        "valkey": valkey,
    }
    return settings.model_copy(update=rooted)
