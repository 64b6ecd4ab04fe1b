"""A sign-in, begun and finished: state, nonce, PKCE verifier and ticket are random, count once and for minutes.

The ticket is told only to who began; a code that somebody else brings, or plants, opens nothing (RFC 9700).
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from freehold.core.crypto import Sealer, sha256
from freehold.core.errors import BadRequest
from freehold.identity.errors import SignInRefused, TooManySignIns
from freehold.identity.lifecycle import Random
from freehold.identity.people import store
from freehold.identity.people.admission import Rules, Told, admit
from freehold.identity.people.types import PREFIX, Pending, Person, Session

PENDING_SECONDS = 600.0
MOST_PENDING = 200
KEPT_SECONDS = 90 * 86400.0
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}/(console/)?callback\Z")
_PURPOSE = b"freehold/sign-in/v1"


class Secrets(msgspec.Struct, frozen=True):
    """What only this instance knows of a sign-in under way."""

    nonce: str
    verifier: str
    redirect_uri: str


class Begun(msgspec.Struct, frozen=True):
    """A sign-in as its beginner is told of it."""

    address: str
    state: str
    ticket: str


class Addresses(Protocol):
    """Makes the address at which a browser begins."""

    def __call__(self, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Of the issuer's authorisation endpoint."""


def word(random: Random) -> str:
    """43 characters of URL-safe base64 out of 32 random bytes; what RFC 7636 asks of a verifier."""
    return base64.urlsafe_b64encode(random(32)).rstrip(b"=").decode()


def checked_redirect(redirect_uri: str) -> str:
    """Raises BadRequest unless it is a loopback address of this machine (RFC 8252, section 7.3)."""
    if not LOOPBACK.match(redirect_uri):
        hint = "use http://127.0.0.1:PORT/callback"
        raise BadRequest("a sign-in returns to this machine only", hint=hint, param="redirect_uri")
    return redirect_uri


def begin(
    connection: Connection, redirect_uri: str, addresses: Addresses, sealer: Sealer, now: float, random: Random
) -> Begun:
    """Begin a sign-in. Raises TooManySignIns, and what `addresses` raises."""
    state, ticket = word(random), word(random)
    secret = Secrets(word(random), word(random), checked_redirect(redirect_uri))
    address = addresses(state, secret.nonce, secret.verifier, secret.redirect_uri)
    pending = Pending(
        state=sha256(state.encode()),
        ticket=sha256(ticket.encode()),
        sealed=sealer.seal(msgspec.json.encode(secret), _PURPOSE),
        made_at=now,
        expires_at=now + PENDING_SECONDS,
    )
    if store.begin(connection, pending, now) > MOST_PENDING:
        raise TooManySignIns(f"more than {MOST_PENDING} sign-ins are under way")
    return Begun(address, state, ticket)


def opened(pending: Pending | None, ticket: str, sealer: Sealer, now: float) -> Secrets:
    """What a sign-in that was taken holds. Raises SignInRefused: unknown, used, too late, or begun by somebody else.

    The caller has committed by now that it is used up: it counts no second time, also where it is refused.
    """
    if pending is None or pending.expires_at <= now:
        raise SignInRefused("no sign-in of this state is under way")
    if not hmac.compare_digest(pending.ticket, sha256(ticket.encode())):
        raise SignInRefused("this sign-in was begun by somebody else")
    return msgspec.json.decode(sealer.open(pending.sealed, _PURPOSE), type=Secrets)


class Entered(msgspec.Struct, frozen=True):
    """A finished sign-in; the token is kept nowhere."""

    role: str
    token: str
    session: Session


def enter(connection: Connection, person: Person, rules: Rules, now: float, random: Random) -> Entered:
    """A new session of a person in their role. Raises NotAdmitted."""
    role = admit(person, store.groups_of(connection, person.id), rules)
    token = PREFIX + word(random)
    session = Session(
        digest=sha256(token.encode()),
        person=person.id,
        bound=rules.bound,
        made_at=now,
        expires_at=now + rules.session_seconds,
    )
    store.forget_sessions(connection, now - KEPT_SECONDS)
    store.add_session(connection, session)
    return Entered(role, token, session)


def meet(connection: Connection, told: Told, rules: Rules, now: float, random: Random) -> Person:
    """The person an ID token tells of, stored: also who is not admitted, so that an owner can give them a role."""
    found = store.by_subject(connection, rules.issuer, told.subject)
    if found is None:
        found = store.awaited(connection, told.subject, told.email)
    if found is None:
        found = Person(id=f"person_{random(8).hex()}", created_at=now)
    person = msgspec.structs.replace(
        found,
        issuer=rules.issuer,
        subject=told.subject,
        email=told.email or (found.email if found.user_name else ""),
        name=told.name or found.name,
        groups=told.groups,
        signed_in_at=now,
    )
    store.put(connection, person)
    return person


def refusal(error: str) -> str:
    """What the issuer said where it refused: a short word of its own (RFC 6749, section 4.1.2.1), and no more."""
    return error if re.fullmatch(r"[a-z_]{1,64}", error) else "refused"
