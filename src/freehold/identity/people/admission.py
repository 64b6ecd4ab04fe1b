"""Who may come in, and as what: pure decisions of what the issuer said, what is kept, and the rules in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.core.crypto import sha256
from freehold.identity.errors import NotAdmitted, SessionOver
from freehold.identity.people.types import Person, Session
from freehold.identity.roles import strongest


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What [identity] says, as values."""

    issuer: str
    client_id: str
    roles: tuple[tuple[str, str], ...] = ()
    """Pairs of group and role."""
    default_role: str = ""
    domains: tuple[str, ...] = ()
    groups_claim: str = "groups"
    groups_by_scim: bool = False
    session_seconds: float = 8 * 3600.0

    @property
    def bound(self) -> bytes:
        """What sessions are bound to."""
        return sha256(f"{self.issuer}\0{self.client_id}".encode())


class Told(msgspec.Struct, frozen=True):
    """What an ID token says of a person."""

    subject: str
    email: str
    """Empty unless the issuer verified it."""
    name: str
    groups: tuple[str, ...]


def told_by(claims: Mapping[str, Any], rules: Rules) -> Told:
    """What validated claims say. Raises NotAdmitted where the e-mail's domain is not an allowed one."""
    email = str(claims.get("email") or "")
    if claims.get("email_verified") is not True or email.count("@") != 1 or not email.isprintable():
        email = ""
    domain = email.partition("@")[2].lower()
    if rules.domains and domain not in {one.lower() for one in rules.domains}:
        raise NotAdmitted(
            "the issuer vouches for no e-mail address of an allowed domain",
            hint="add the domain to [identity.oidc] allowed_domains, or have the address verified at the issuer",
        )
    found = claims.get(rules.groups_claim)
    groups = found if isinstance(found, list) else [found] if isinstance(found, str) else []
    names = tuple(sorted({one for one in groups if isinstance(one, str)}))
    return Told(str(claims["sub"]), email[:320], str(claims.get("name") or "")[:256], names)


def role_of(person: Person, scim_groups: Sequence[str], rules: Rules) -> str:
    """The person's role under the rules in force: an owner's word, else the groups', else the default. May be empty."""
    if person.pinned:
        return person.pinned
    mine = set(scim_groups if rules.groups_by_scim else person.groups)
    return strongest(frozenset(role for group, role in rules.roles if group in mine)) or rules.default_role


def admit(person: Person, scim_groups: Sequence[str], rules: Rules) -> str:
    """The role that a person has here. Raises NotAdmitted."""
    if person.revoked_at is not None:
        raise NotAdmitted(
            "an owner took this person's access away", hint="an owner gives it back: freehold people restore NAME"
        )
    if not person.active:
        raise NotAdmitted("this person was deactivated by the directory", hint="activate them there")
    role = role_of(person, scim_groups, rules)
    if not role:
        raise NotAdmitted("none of this person's groups has a role here")
    return role


def check_session(session: Session | None, rules: Rules, now: float) -> Session:
    """The session where it counts at `now`. Raises SessionOver."""
    if session is None:
        raise SessionOver("there is no such session")
    if session.ended_at is not None:
        raise SessionOver("this session was ended")
    if now >= session.expires_at:
        raise SessionOver("this session has expired")
    if session.bound != rules.bound:
        raise SessionOver("this session was made under another issuer")
    return session
