"""What evidence is asked with: of the settings, what no record of the instance holds. Pure."""

from __future__ import annotations

from pathlib import Path

from freehold.assurance.errata.inventory import SERVERS, Attached
from freehold.assurance.evidence.facts import SetFact
from freehold.assurance.evidence.gather import DAY, Asked
from freehold.settings.database import database_of
from freehold.settings.tree import Settings


def asked(home: Path, settings: Settings | None, now: float, days: int, *, bytes_too: bool = True) -> Asked:
    """`settings` None where the configuration cannot be read: what it would have said is then unknown."""
    since = now - days * DAY
    if settings is None:
        return Asked(home=home, now=now, since=since, bytes_too=bytes_too)
    return Asked(
        database=database_of(settings, home),
        home=home,
        now=now,
        since=since,
        outside=settings.audit.folders(),
        settings=SetFact(
            sign_in=settings.identity.oidc is not None,
            outside=len(settings.audit.checkpoints),
            consent_required=settings.rights.consent_required,
            most_sensitive=str(settings.rights.most_sensitive),
        ),
        engines=attached(settings),
        bytes_too=bytes_too,
    )


def attached(settings: Settings) -> dict[str, Attached]:
    """Engines that the settings name, and servers of one's own among the providers; none of them is asked here."""
    found = {name: Attached(one.vendor) for name, one in settings.providers.items() if one.vendor in SERVERS}
    return found | {name: Attached(one.kind, ours=not one.url) for name, one in settings.engines.items()}
