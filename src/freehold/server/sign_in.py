"""Sign-in as the admin process sees it: the rules of [identity], the issuer they name, and who a session's token is."""

from __future__ import annotations

import hmac

import msgspec

from freehold.identity.errors import SessionOver, SignInOff
from freehold.identity.oidc.fetch import Fetcher, origin_of
from freehold.identity.oidc.issuer import Client, Issuer
from freehold.identity.people import break_glass, store
from freehold.identity.people.admission import Rules, admit, check_session
from freehold.identity.people.types import Person, Session
from freehold.identity.roles import EMERGENCY
from freehold.identity.settings import IdentitySettings, OidcSettings
from freehold.server.instance import Instance
from freehold.settings.environment import resolve_secret
from freehold.settings.errors import MissingSecret


def oidc_of(instance: Instance) -> OidcSettings:
    """The issuer's settings in force. Raises SignInOff."""
    found = instance.settings.identity.oidc
    if found is None:
        raise SignInOff("nobody signs in here: no issuer is named")
    return found


def rules_of(instance: Instance) -> Rules:
    """The rules in force. Raises SignInOff."""
    oidc = oidc_of(instance)
    return Rules(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        roles=tuple(oidc.roles.items()),
        default_role=oidc.default_role,
        domains=oidc.allowed_domains,
        groups_claim=oidc.groups_claim,
        groups_by_scim=oidc.groups_from == "scim",
        session_seconds=instance.settings.identity.session_hours * 3600,
    )


class Issuers:
    """The issuer of the settings in force; what it keeps of the issuer's answers ends with those settings."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._made: tuple[OidcSettings, Issuer] | None = None

    def current(self) -> Issuer:
        """Raises SignInOff."""
        oidc, made = oidc_of(self._instance), self._made
        if made is None or made[0] != oidc:
            made = self._made = (oidc, self._issuer(oidc))
        return made[1]

    def _issuer(self, oidc: OidcSettings) -> Issuer:
        client = Client(
            issuer=oidc.issuer,
            client_id=oidc.client_id,
            secret=lambda: resolve_secret(oidc.client_secret),
            scopes=oidc.scopes,
            skew=oidc.clock_skew,
        )
        origins = frozenset(origin_of(one) for one in (oidc.issuer, *oidc.origins))
        return Issuer(client, Fetcher(origins, oidc.tls_ca), self._now)

    def _now(self) -> float:
        return self._instance.clock()


class Signed(msgspec.Struct, frozen=True):
    """Who a session's token is."""

    person: Person
    role: str
    """What they are now: with a break-glass for `owner` in force, EMERGENCY."""
    session: Session
    under: str
    """Id of that break-glass; empty where none is in force."""

    @property
    def name(self) -> str:
        """For the audit."""
        return f"person/{self.person.known_as}" + (f" under {self.under}" if self.under else "")


def signed_in(instance: Instance, digest: bytes) -> Signed:
    """Whose session a token of this digest opens. Role and standing are decided anew each time.

    Raises SessionOver, NotAdmitted.
    """
    now = instance.clock()
    try:
        rules = rules_of(instance)
    except SignInOff:
        raise SessionOver("nobody signs in here any more") from None
    with instance.reading() as connection:
        session = check_session(store.session(connection, digest), rules, now)
        person = store.by_id(connection, session.person)
        role = admit(person, store.groups_of(connection, person.id), rules)
        every = store.every_break_glass(connection, now - break_glass.LONGEST_SECONDS)
    glass = break_glass.owner_by(every, person.id, now)
    return Signed(person, EMERGENCY if glass else role, session, glass.id if glass else "")


def is_provisioner(settings: IdentitySettings, token: str) -> bool:
    """True for SCIM's token, where one is set."""
    try:
        wanted = resolve_secret(settings.scim_token)
    except MissingSecret:
        return False
    return bool(wanted) and hmac.compare_digest(wanted.encode(), token.encode())
