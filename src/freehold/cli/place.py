"""Which instance a command is about: the global options, and a client of its management API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import URL

    from freehold.cli.client import Client


class Place(msgspec.Struct, frozen=True):
    """The global options as given."""

    config: str | None
    home_option: str | None

    @property
    def home(self) -> Path:
        """The instance's folder."""
        from freehold.settings.location import home_of

        return home_of(self.config, self.home_option)

    def with_config(self, file: str) -> Place:
        """The same, with another configuration file."""
        return Place(file, self.home_option)

    def with_home(self, folder: str) -> Place:
        """The same, with another folder."""
        return Place(self.config, folder)

    @property
    def database(self) -> URL:
        """Where the instance keeps its state. Raises InvalidConfig, MissingSecret."""
        from freehold.settings.database import database_at

        return database_at(self.config, self.home)

    def client(self) -> Client:
        """A client of the instance that runs here. Raises NotRunning."""
        from freehold.cli.client import Client

        return Client.of(self.home)
