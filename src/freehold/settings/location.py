"""Where an instance lives and where its parts listen, found without reading the whole configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from freehold.core.crypto import write_private
from freehold.settings import environment
from freehold.settings.errors import MissingConfig

FILE = "freehold.toml"
HOME = ".freehold"


class Endpoints(msgspec.Struct, frozen=True):
    """Base addresses of a running instance, as it tells its own clients."""

    gateway: str
    admin: str
    certificate: str = ""
    """PEM file with the gateway's own certificate; empty where it speaks plain HTTP."""
    dock: str = ""
    """HOST:PORT by which replicas reach the instance; empty where it has no dock."""


def find(config: str | None = None) -> Path | None:
    """The configuration file: as named, as `FREEHOLD_CONFIG` says, or `freehold.toml` here; None for defaults.

    Raises MissingConfig where a named file is not there.
    """
    named = config or environment.variable(environment.CONFIG)
    path = Path(named or FILE).absolute()
    if path.is_file():
        return path
    if named:
        raise MissingConfig(f"there is no file {named}")
    return None


def home_of(config: str | None, home: str | None) -> Path:
    """The instance's folder: as named, as `FREEHOLD_HOME` says, or as the file says. A bad file means the default."""
    chosen = home or environment.variable(environment.HOME)
    if chosen:
        return Path(chosen).absolute()
    file = find(config)
    if file is None:
        return Path(HOME).absolute()
    try:
        named = tomllib.loads(file.read_text()).get("instance", {}).get("home", HOME)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
        named = HOME
    return (file.parent / str(named)).absolute()


def write_endpoints(home: Path, endpoints: Endpoints) -> None:
    """Leave word of where the instance listens."""
    write_private(home / "run" / "endpoints.json", msgspec.json.encode(endpoints))


def read_endpoints(home: Path) -> Endpoints | None:
    """Where the instance listens; None where none was started here."""
    try:
        return msgspec.json.decode((home / "run" / "endpoints.json").read_bytes(), type=Endpoints)
    except (OSError, msgspec.MsgspecError):
        return None
