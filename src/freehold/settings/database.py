"""Where an instance keeps its state: a SQLite file in its home, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from freehold.core.section import Secret, Section
from freehold.settings.environment import resolve_secret

if TYPE_CHECKING:
    from sqlalchemy import URL

    from freehold.settings.tree import Settings


PORT = 5432


class DatabaseSettings(Section):
    """Where state is kept. Read when an instance starts."""

    url: str = Field(
        "", description="`postgresql://USER@HOST:PORT/NAME`, without the password; empty for a SQLite file in the home."
    )
    password: Secret = Field("", description="Reference to the password of the URL's user.")

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        from urllib.parse import urlsplit

        if not url:
            return url
        try:
            parts = urlsplit(url)
            known = parts.scheme == "postgresql" and len(parts.path) > 1 and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise PydanticCustomError("database", "must read postgresql://USER@HOST:PORT/NAME")
        if parts.password:
            raise PydanticCustomError("database", "must not hold the password: put a reference to it into `password`")
        return url


def database_of(settings: Settings, home: Path) -> URL:
    """The database of the instance in `home`. Raises MissingSecret where the password cannot be found."""
    from sqlalchemy.engine import make_url

    from freehold.core.db import url_of

    if not settings.database.url:
        return make_url(url_of(home / "freehold.db"))
    url = make_url(settings.database.url)
    password = resolve_secret(settings.database.password)
    return url.set(password=password) if password else url


def database_at(config: str | None, home: Path) -> URL:
    """The same by the settings in force. Raises InvalidConfig, MissingSecret."""
    from freehold.settings.last_good import in_force

    return database_of(in_force(config, home).settings, home)
