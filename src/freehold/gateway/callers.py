"""Who may call: the `keys` snapshot compiled for the hot path. Buckets outlive the swap where the limit stays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from freehold.core.clock import at
from freehold.core.errors import (
    BadSignature,
    ExpiredKey,
    LimitsUnavailable,
    RequestLimit,
    RevokedKey,
    TokenLimit,
    Unauthenticated,
    UnknownKey,
)
from freehold.identity.passes import MARK, read_pass
from freehold.identity.types import SERVICE, Keys, Principal
from freehold.policy.labelling import DECLASSIFY, OVERRIDE
from freehold.policy.lent import Lender, LentBucket, lent_bucket
from freehold.policy.limits import Bucket

if TYPE_CHECKING:
    from freehold.core.crypto import Verifier
    from freehold.gateway.lanes import Lane

FOREVER = float("inf")
AS = b"~"
"""Stands between the service key's secret and the id of the key it calls for; no secret holds it."""
_PASS = MARK.encode()


class Caller:
    """One key, ready to be checked."""

    __slots__ = ("budgets", "ends", "label", "lanes", "lowers", "principal", "requests", "routes", "service", "tokens")

    def __init__(self, principal: Principal, requests: Bucket | None, tokens: Bucket | None) -> None:
        self.principal = principal
        self.label = principal.label
        self.requests = requests
        self.tokens = tokens
        self.routes = None if "*" in principal.routes else frozenset(principal.routes)
        ends = (principal.expires_at, principal.revoked_at)
        self.ends = min((one for one in ends if one is not None), default=FOREVER)
        self.budgets = principal.budgets
        self.service = principal.role == SERVICE
        held = {*principal.rights, *(one.right for one in principal.grants)}
        self.lowers = not held.isdisjoint((DECLASSIFY, OVERRIDE))
        """May it ask for a lower label, now or for a while? `Principal.holds` says whether now."""
        self.lanes: dict[str, Lane] = {}

    def refuse_ended(self, now: float) -> None:
        """Raises RevokedKey or ExpiredKey."""
        revoked = self.principal.revoked_at
        if revoked is not None and revoked <= now:
            raise RevokedKey("this key was revoked")
        raise ExpiredKey("this key has expired")

    def admit(self, expected_tokens: int, now: float) -> LentBucket | None:
        """Take one request and its expected tokens from the limits, or nothing: then it is told whose units to ask for.

        Raises RequestLimit, TokenLimit, LimitsUnavailable.
        """
        if self.requests is not None:
            wait = self.requests.take(1, now)
            if wait:
                if wait < 0 and isinstance(self.requests, LentBucket):
                    return self.requests
                limit = self.requests.limit
                raise RequestLimit(f"more than {limit} requests a minute", retry_after=wait, reset_at=at(now + wait))
        if self.tokens is not None:
            try:
                wait = self.tokens.take(expected_tokens, now)
            except LimitsUnavailable:
                self._take_back()
                raise
            if wait:
                self._take_back()
                if wait < 0 and isinstance(self.tokens, LentBucket):
                    return self.tokens
                limit = self.tokens.limit
                raise TokenLimit(f"more than {limit} tokens a minute", retry_after=wait, reset_at=at(now + wait))
        return None

    def _take_back(self) -> None:
        if self.requests is not None:
            self.requests.correct(-1)

    def limits(self) -> list[tuple[str, int, int, float]]:
        """(kind, limit, remaining, seconds until reset) for the response headers."""
        found = []
        if self.requests is not None:
            found.append(("requests", *self.requests.state()))
        if self.tokens is not None:
            found.append(("tokens", *self.tokens.state()))
        return found


Callers = Mapping[bytes, Caller]
"""By SHA-256 of the key."""


def compile_keys(
    keys: Keys, before: Callers, now: float, share: int = 1, lender: Lender | None = None
) -> dict[bytes, Caller]:
    """Callers by digest. `share` gateways share each limit, so each takes its part of it, or what it is lent."""
    found: dict[bytes, Caller] = {}
    for principal in keys.principals:
        old = before.get(principal.digest)
        requests, tokens = old.requests if old else None, old.tokens if old else None
        most_requests, most_tokens = principal.requests_per_minute, principal.tokens_per_minute
        if lender is None:
            requests = _bucket(most_requests, requests, now, share)
            tokens = _bucket(most_tokens, tokens, now, share)
        else:
            requests = lent_bucket(b"requests" + principal.digest, most_requests, requests, now, lender)
            tokens = lent_bucket(b"tokens" + principal.digest, most_tokens, tokens, now, lender)
        found[principal.digest] = Caller(principal, requests, tokens)
    return found


def _bucket(per_minute: int | None, old: Bucket | None, now: float, share: int) -> Bucket | None:
    if per_minute is None:
        return None
    mine = max(per_minute // share, 1)
    return old if old is not None and old.per_minute == mine else Bucket(mine, now)


class Gate:
    """Finds the caller whose key the headers carry.

    A header that was recognised is remembered, so that the next call with it costs one look-up and no hash; nothing
    is remembered of keys that do not exist. Made anew with each `keys` snapshot.
    """

    __slots__ = ("_callers", "_known", "_verifier")

    def __init__(self, callers: Callers, verifier: Verifier | None = None) -> None:
        """Passes are those that `verifier` knows; without one there are none."""
        self._callers = callers
        self._verifier = verifier
        self._known: dict[bytes, Caller] = {}

    def admit(self, headers: Mapping[bytes, bytes], now: float) -> Caller:
        """Raises the Unauthenticated errors; the key itself goes nowhere."""
        bearer = headers.get(b"authorization")
        if bearer is None:
            bearer = b"Bearer " + (headers.get(b"x-api-key") or headers.get(b"x-goog-api-key", b""))
        caller = self._known.get(bearer)
        if caller is None:
            caller = self._recognise(bearer, now)
        if caller.ends <= now:
            caller.refuse_ended(now)
        return caller

    def _recognise(self, bearer: bytes, now: float) -> Caller:
        token = bearer[7:] if bearer[:7].lower() == b"bearer " else b""
        if bearer.startswith(b"AWS4-"):
            hint = "give the key as AWS_BEARER_TOKEN_BEDROCK: it goes out as a bearer token then"
            raise Unauthenticated("this request is signed with AWS credentials, which mean nothing here", hint=hint)
        if not token:
            raise Unauthenticated("this request carries no key")
        caller = self._callers.get(hashlib.sha256(token).digest())
        if caller is None:
            if token.startswith(_PASS):
                self._known = {key: known for key, known in self._known.items() if known.ends > now}
                self._known[bearer] = caller = self._passed(token, now)
                return caller
            behalf = self._on_behalf(token, now) if AS in token else None
            if behalf is None:
                raise UnknownKey("this key does not exist here")
            return behalf
        if bearer[:7] == b"Bearer ":  # other spellings are served, not remembered: there are too many of them
            self._known[bearer] = caller
        return caller

    def _passed(self, token: bytes, now: float) -> Caller:
        """The service key, for what a pass allows alone. Raises UnknownKey where it is none, or the key has ended."""
        service = next((one for one in self._callers.values() if one.service and one.ends > now), None)
        try:
            allowed = None if self._verifier is None else read_pass(token, self._verifier)
        except BadSignature:
            allowed = None
        if allowed is None or service is None:
            raise UnknownKey("this pass does not count here")
        ends = min(allowed.until, service.ends)
        principal = replace(service.principal, routes=allowed.models, expires_at=ends)
        return Caller(principal, service.requests, service.tokens)

    def _on_behalf(self, token: bytes, now: float) -> Caller | None:
        """`SECRET~KEY_ID`: the service key calls as another key, with that one's scope, label, limits and budgets.

        Not remembered: the service key must be good each time.
        """
        secret, _, key_id = token.partition(AS)
        service = self._callers.get(hashlib.sha256(secret).digest())
        if service is None or not service.service or service.ends <= now:
            return None
        name = key_id.decode("latin-1")
        mine = [one for one in self._callers.values() if one.principal.key_id == name and not one.service]
        return max(mine, key=lambda one: one.ends, default=None)
