"""The only reader of environment variables, and of the secrets that settings refer to."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from freehold.settings.errors import MissingSecret

HOME = "FREEHOLD_HOME"
CONFIG = "FREEHOLD_CONFIG"
KEY = "FREEHOLD_KEY"
OVERRIDE = "FREEHOLD__"
PATH = "PYTHONPATH"


def variable(name: str) -> str:
    """The variable's value, empty where it is not set."""
    return os.environ.get(name, "")


def overrides() -> dict[tuple[str, str], Any]:
    """`FREEHOLD__TABLE__KEY=VALUE` as (table, key) -> value; values are TOML where they parse, text otherwise."""
    found: dict[tuple[str, str], Any] = {}
    for name in sorted(os.environ):
        parts = name.removeprefix(OVERRIDE).lower().split("__")
        if name.startswith(OVERRIDE) and len(parts) == 2:
            found[parts[0], parts[1]] = _value(os.environ[name])
    return found


def override_name(table: str, key: str) -> str:
    """The variable that overrides a setting."""
    return f"{OVERRIDE}{table}__{key}".upper()


def impose(table: str, key: str, value: str) -> None:
    """Override a setting for this process and whatever it starts."""
    os.environ[override_name(table, key)] = value


def with_overrides(settings: Mapping[tuple[str, str], object]) -> tuple[tuple[str, str], ...]:
    """This process's environment with overrides of its own, for a child."""
    return tuple({**os.environ, **{override_name(*pair): str(value) for pair, value in settings.items()}}.items())


def with_path(variables: Mapping[str, str], folder: Path, *, first: bool) -> dict[str, str]:
    """A child's environment in which Python looks for modules in `folder` first, or does not look there at all."""
    kept = [one for one in variables.get(PATH, "").split(os.pathsep) if one and Path(one).absolute() != folder]
    return {**variables, PATH: os.pathsep.join([str(folder), *kept] if first else kept)}


def silence_ray() -> None:
    """Have Ray tell its makers nothing. Before Ray is loaded."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def enclose_ray() -> None:
    """Have what this process begins of Ray listen on loopback, and take work from this process alone. Before Ray is
    loaded: it reads the token once, so the first one stays.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # its word for: other machines may join
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}", parse_float=Decimal)["x"]
    except tomllib.TOMLDecodeError:
        return text


def resolve_secret(reference: str) -> str:
    """The secret behind `${env:NAME}` or `${file:PATH}`; empty for an empty reference.

    Raises MissingSecret, which says where it was looked for, and names the reference and never a value.
    """
    if not reference:
        return ""
    kind, _, where = reference.removeprefix("${").removesuffix("}").partition(":")
    if kind == "env":
        found, why = os.environ.get(where, ""), f"the variable {where} is not set"
        hint = f"set {where} where the instance runs, and start it anew"
    elif kind == "file":
        found, why = "", f"the file {where} is empty"
        hint = f"write the secret into {where}, readable by the instance"
        try:
            found = Path(where).read_text().strip()
        except UnicodeDecodeError:
            why = f"the file {where} holds no text"
        except OSError as error:
            why = f"the file {where} cannot be read ({error.strerror})"
    else:
        raise MissingSecret(f"{kind!r} is no kind of secret reference", param="api_key")
    if not found:
        raise MissingSecret(why, hint=hint, param=reference)
    if not found.isprintable():
        raise MissingSecret(f"{reference} holds more than one line, or bytes that are no text", param=reference)
    return found
