"""Where gateways share limits a minute and kept answers: a Valkey server, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from freehold.core.section import Seconds, Secret, Section
from freehold.settings.environment import resolve_secret

if TYPE_CHECKING:
    from freehold.gateway.shared.line import Shared
    from freehold.settings.tree import Settings

SCHEMES = ("redis", "rediss", "valkey", "valkeys")
PORT = 6379


class ValkeySettings(Section):
    """What gateways of several machines share. Read when an instance starts."""

    url: str = Field(
        "",
        description="`valkey://HOST:PORT/NUMBER`, or `valkeys://` over TLS (`redis://`, `rediss://` say the same), "
        "with `USER@` where it has users, without the password; empty where nothing is shared.",
    )
    password: Secret = Field("", description="Reference to the password.")
    tls_ca: str = Field(
        "", description="PEM file of the authorities its certificate is checked against, instead of the system's."
    )
    when_away: Literal["share", "refuse"] = Field(
        "share",
        description="What limits a minute do while it does not answer. `share`: each process allows its part of them. "
        "`refuse`: calls of keys with limits are refused once what was lent is spent.",
    )
    answer_seconds: Seconds = Field(1.0, description="Longest wait for its answer about a limit; then it is away.")
    lookup_seconds: Seconds = Field(0.05, description="Longest wait for an answer it may keep; then it is a miss.")
    cache_bytes: Annotated[int, Field(strict=True, ge=0)] = Field(
        256 * 1024 * 1024,
        description="Room there for sealed answers of routes that have a `cache`; 0 to share limits alone.",
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        from urllib.parse import urlsplit

        if not url:
            return url
        try:
            parts = urlsplit(url)
            number = parts.path[1:] or "0"
            known = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0 and not parts.query
            known = known and number.isascii() and number.isdigit() and len(number) <= 4
        except ValueError:
            known = False
        if not known:
            raise PydanticCustomError("valkey", "must read valkey://HOST:PORT/NUMBER")
        if parts.password:
            raise PydanticCustomError("valkey", "must not hold the password: put a reference to it into `password`")
        return url


def shared_of(settings: Settings) -> Shared | None:
    """What the data plane is told; None where nothing is shared. Raises MissingSecret where there is no password."""
    found = settings.valkey
    if not found.url:
        return None
    from freehold.gateway.shared.line import Shared

    resolve_secret(found.password)
    return Shared(
        url=found.url,
        password=lambda: resolve_secret(found.password),
        tls_ca=found.tls_ca,
        refuses=found.when_away == "refuse",
        share=settings.gateway.processes,
        answer_seconds=found.answer_seconds,
        lookup_seconds=found.lookup_seconds,
        cache_bytes=found.cache_bytes,
    )
