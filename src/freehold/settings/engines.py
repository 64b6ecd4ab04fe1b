"""The tables `[engines.NAME]`: checked, and made into what `up` looks after."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from freehold.core.crypto import write_private
from freehold.core.label import UNKNOWN, parse_label
from freehold.core.ports import free_port
from freehold.serving.attachments import Attachment
from freehold.serving.engines.registry import driver
from freehold.serving.engines.types import Address
from freehold.serving.loopback import LOOPBACK
from freehold.serving.settings import EngineSettings
from freehold.settings.addresses import split_url
from freehold.settings.errors import MissingSecret
from freehold.settings.tree import Settings

SECRETS = "engine-secrets"
"""In the folder `run`: keys of the engines that are started here."""
_BASE = "/v1"


def attachments(settings: Settings, run: Path, resolve: Callable[[str], str]) -> tuple[Attachment, ...]:
    """Every configured engine, with a port and a key of its own where it is started here."""
    return tuple(_attachment(name, one, run, resolve) for name, one in sorted(settings.engines.items()))


def _attachment(name: str, one: EngineSettings, run: Path, resolve: Callable[[str], str]) -> Attachment:
    place, credential, file = _place(name, one, run, resolve)
    return Attachment(
        name=name,
        driver=driver(one.kind),
        address=place,
        credential=credential,
        model=one.model,
        served=one.model,
        command=one.command,
        arguments=one.arguments,
        environment=tuple(sorted(one.environment.items())),
        secret_file=file,
        adapters=tuple(sorted(one.adapters.items())),
        adapters_allowed=one.hot_load,
        adapters_at=one.adapters_at,
        region=one.region,
        clearance=parse_label(one.clearance) if one.clearance else UNKNOWN,
        context_tokens=one.context_tokens,
        max_output_tokens=one.max_output_tokens,
        most_in_flight=one.most_in_flight,
    )


def _place(name: str, one: EngineSettings, run: Path, resolve: Callable[[str], str]) -> tuple[Address, str, str]:
    """Where it answers, the reference to its key, and the file an engine may read that key from."""
    if one.url:
        origin, path = split_url(one.url)
        try:
            secret = resolve(one.api_key)
        except MissingSecret:  # the engine refuses us and says so; everything else is served
            secret = ""
        found = Address(
            scheme="https" if origin.scheme == "https" else "http",
            host=origin.host,
            port=origin.port,
            path=path or _BASE,
            secret=secret,
            tls_ca=one.tls_ca,
        )
        return found, one.api_key, ""
    secret = secrets.token_hex(32)
    held, told = run / SECRETS / name, run / SECRETS / f"{name}.json"
    write_private(held, secret.encode())
    write_private(told, json.dumps({"api-key": secret}).encode())
    made = Address(scheme="http", host=LOOPBACK, port=free_port(), path=_BASE, secret=secret)
    return made, f"${{file:{held}}}", str(told)
