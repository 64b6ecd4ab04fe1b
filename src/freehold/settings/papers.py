"""What [licensee] and [models] say, as admission and the decision on licences take it."""

from __future__ import annotations

from pathlib import Path

from freehold.core.errors import FileRefused
from freehold.registry.papers.binding import Terms
from freehold.registry.papers.signing import Trust
from freehold.settings.load import Loaded


def terms(loaded: Loaded) -> Terms:
    """What licences are decided by."""
    settings = loaded.settings
    return Terms(settings.licensee.licensee, settings.licensee.use, settings.models.policy)


def trust(loaded: Loaded) -> Trust:
    """Whose signatures over models count. Raises FileRefused where a PEM file cannot be read.

    Paths are relative to the folder of the settings' file.
    """
    folder = loaded.file.parent if loaded.file else Path()
    models = loaded.settings.models
    return Trust(
        keys=tuple(_read(folder / one) for one in models.signers),
        authorities=tuple(_read(folder / one) for one in models.authorities),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileRefused.of(error) from None
