"""People who sign in: who they are, their sessions, and the sign-ins that are under way. Times are Unix seconds."""

from __future__ import annotations

import msgspec

PREFIX = "fs-"
"""How a session's token begins."""
MOST_NAME = 90


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody an issuer vouches for. `issuer` and `subject` say who; everything else may change."""

    id: str
    issuer: str = ""
    subject: str = ""
    """Both empty where SCIM told of a person who has not signed in yet."""
    user_name: str = ""
    """SCIM's; empty where SCIM does not know this person."""
    external_id: str = ""
    email: str = ""
    """Only where the issuer, or SCIM, says it is theirs."""
    name: str = ""
    groups: tuple[str, ...] = ()
    """As the issuer told at the last sign-in."""
    pinned: str = ""
    """A role that an owner gave, whatever the groups say."""
    active: bool = True
    """False where SCIM took the person out."""
    created_at: float = 0.0
    signed_in_at: float | None = None
    revoked_at: float | None = None

    @property
    def known_as(self) -> str:
        """What people and the audit call them: short enough for every place where an actor is written."""
        return next((one for one in (self.email, self.user_name) if 0 < len(one) <= MOST_NAME), self.id)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in that counts for a while. Its token exists nowhere; `digest` is its SHA-256."""

    digest: bytes
    person: str
    bound: bytes
    """Digest of the issuer and the client it was made under: under others it does not count."""
    made_at: float
    expires_at: float
    ended_at: float | None = None


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that was begun. Whoever finishes it must show the state and the ticket; each counts once."""

    state: bytes
    """SHA-256 of the state."""
    ticket: bytes
    """SHA-256 of what only the beginner was told."""
    sealed: bytes
    """Nonce, PKCE verifier and redirect address, sealed with the instance's key."""
    made_at: float
    expires_at: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group that SCIM told of, with the ids of its people."""

    id: str
    name: str
    external_id: str = ""
    members: tuple[str, ...] = ()
    made_at: float = 0.0


class BreakGlass(msgspec.Struct, frozen=True, kw_only=True):
    """A right that one person asks for, another approves, and that ends by itself."""

    id: str
    right: str
    """`owner`, or a named right of a key."""
    key: str = ""
    """Id of the key that gets a named right; empty for `owner`, which its asker gets."""
    why: str
    seconds: float
    asked_by: str
    asked_at: float
    approved_by: str = ""
    approved_at: float | None = None
    ended_by: str = ""
    ended_at: float | None = None

    @property
    def until(self) -> float | None:
        """When it ends by itself; None before it is approved."""
        return None if self.approved_at is None else self.approved_at + self.seconds
