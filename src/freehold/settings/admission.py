"""By what rules models are let into the store: the tables [licensee] and [models], with the files they name."""

from __future__ import annotations

from pathlib import Path

from freehold.core.errors import BadConfig
from freehold.registry.admission import Admission, gate
from freehold.registry.artefacts import Store
from freehold.registry.offers import Rules
from freehold.registry.papers.binding import Terms
from freehold.registry.papers.signing import Trust
from freehold.settings.load import Loaded


def admission(loaded: Loaded, store: Store) -> Admission:
    """The way into a store, by the rules in force. Raises as `rules` does."""
    return Admission(store, gate(), rules(loaded))


def rules(loaded: Loaded) -> Rules:
    """The rules in force. Raises BadConfig where a file of [models] cannot be read."""
    settings = loaded.settings
    folder = loaded.file.parent if loaded.file else Path()
    return Rules(
        licensee=settings.licensee.licensee,
        use=settings.licensee.use,
        policy=settings.models.policy,
        trust=Trust(
            keys=tuple(_read(folder, one) for one in settings.models.signers),
            authorities=tuple(_read(folder, one) for one in settings.models.authorities),
        ),
        unsigned=settings.models.unsigned,
    )


def terms(loaded: Loaded) -> Terms:
    """What licences alone are decided by: no file is read."""
    settings = loaded.settings
    return Terms(settings.licensee.licensee, settings.licensee.use, settings.models.policy)


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadConfig(f"[models] names {name}, which cannot be read: {error.strerror}", param=name) from None
