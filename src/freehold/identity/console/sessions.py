"""Signing a browser in at the console, and knowing it again: by a cookie that counts in that browser only.

A link counts once and for minutes. A session ends by itself when it was not used for a while.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec
from sqlalchemy import Connection

from freehold.core.crypto import sha256
from freehold.identity.console import store
from freehold.identity.console.types import Link, Session, Standing
from freehold.identity.errors import LinkOver, SessionOver
from freehold.identity.lifecycle import Random

LINK_SECONDS = 900.0
IDLE_SECONDS = 3600.0
LONGEST_SECONDS = 12 * 3600.0
KEPT_SECONDS = 90 * 86400.0
_SEEN_SECONDS = 60.0


def word(random: Random) -> str:
    """43 characters of URL-safe base64 out of 32 random bytes."""
    return base64.urlsafe_b64encode(random(32)).rstrip(b"=").decode()


def link(connection: Connection, standing: Standing, now: float, random: Random) -> str:
    """A new link's word; it is kept nowhere."""
    made = word(random)
    store.add_link(connection, Link(sha256(made.encode()), standing, now, now + LINK_SECONDS))
    return made


def follow(connection: Connection, given: str, now: float) -> Standing:
    """What a link stands for; it is used up by this. Raises LinkOver."""
    found = store.take_link(connection, sha256(given.encode()))
    if found is None or found.expires_at <= now:
        raise LinkOver("this link was used, or is too old")
    return found.standing


def begin(connection: Connection, standing: Standing, agent: str, now: float, random: Random) -> tuple[str, Session]:
    """A new session, and the token for its cookie."""
    token = word(random)
    made = Session(
        id=f"browser_{random(6).hex()}",
        digest=sha256(token.encode()),
        standing=standing,
        agent=sha256(agent.encode()),
        made_at=now,
        seen_at=now,
        expires_at=now + LONGEST_SECONDS,
    )
    store.forget(connection, now - KEPT_SECONDS)
    store.add(connection, made)
    return token, made


def known(found: Session | None, agent: str, now: float) -> Session:
    """The session a cookie opens in this browser. Raises SessionOver."""
    if found is None or found.ended_at is not None or found.expires_at <= now:
        raise SessionOver("this session is over")
    if found.seen_at + IDLE_SECONDS <= now:
        raise SessionOver("this session was not used for an hour")
    if not hmac.compare_digest(found.agent, sha256(agent.encode())):
        raise SessionOver("this session belongs to another browser")
    return found


def stale(session: Session, now: float) -> bool:
    """True where it is time to write down that the session is in use."""
    return session.seen_at + _SEEN_SECONDS <= now


class Forms(msgspec.Struct, frozen=True):
    """What forms of one session carry, so that no other site can send one. Other in each page: it cannot be guessed
    from the size of compressed pages either.
    """

    token: str

    def word(self, salt: bytes) -> str:
        """For one page; `salt` is 16 random bytes."""
        return (salt + self._sealed(salt)).hex()

    def holds(self, given: str) -> bool:
        """True for a word made for this session."""
        try:
            raw = bytes.fromhex(given)
        except ValueError:
            return False
        return len(raw) == 48 and hmac.compare_digest(raw[16:], self._sealed(raw[:16]))

    def _sealed(self, salt: bytes) -> bytes:
        return hmac.new(self.token.encode(), b"freehold/console/form/v1" + salt, hashlib.sha256).digest()
