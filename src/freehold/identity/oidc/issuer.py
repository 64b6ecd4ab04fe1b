"""The issuer as this instance knows it: its metadata, its keys, and the exchange of a code for an ID token.

Metadata is believed only where it names the very issuer that was asked (OpenID Connect Discovery 1.0, section 4.3).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from freehold.core.clock import Clock
from freehold.core.crypto import sha256
from freehold.identity.errors import IssuerFailed, UnknownSigner
from freehold.identity.oidc.fetch import Asked, Fetch, origin_of
from freehold.identity.oidc.token import Expected, claims_of

FRESH_SECONDS = 3600.0
"""How long metadata and keys are kept; an unknown key has them asked for at once."""


PAUSE_SECONDS = 5.0
"""An issuer that failed is not asked again at once: anybody may begin a sign-in, and each would wait for it."""


class Client(msgspec.Struct, frozen=True):
    """What this instance is to the issuer. `secret` reads the secret when it is needed; empty for a public client."""

    issuer: str
    client_id: str
    secret: Callable[[], str]
    scopes: tuple[str, ...] = ("openid",)
    skew: float = 60.0


class Metadata(msgspec.Struct, frozen=True):
    """What the issuer says of itself; the fields are named by OpenID Connect Discovery 1.0 and RFC 9207."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


class Issuer:
    """One issuer, asked over `fetch`. What it keeps of the answers it replaces whole."""

    def __init__(self, client: Client, fetch: Fetch, clock: Clock) -> None:
        self.client = client
        self._fetch = fetch
        self._clock = clock
        self._metadata: tuple[float, Metadata] | None = None
        self._failed: tuple[float, str] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None

    def metadata(self) -> Metadata:
        """Raises IssuerFailed."""
        kept, failed, now = self._metadata, self._failed, self._clock()
        if kept is not None and now - kept[0] <= FRESH_SECONDS:
            return kept[1]
        if failed is not None and 0 <= now - failed[0] < PAUSE_SECONDS:
            raise IssuerFailed(failed[1])
        try:
            found = self._described()
        except IssuerFailed as error:
            self._failed = (self._clock(), error.message)
            raise
        self._metadata = (now, found)
        return found

    def _described(self) -> Metadata:
        url = self.client.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found: Metadata = self._asked(Asked(url), Metadata)
        if found.issuer != self.client.issuer:
            raise IssuerFailed("the issuer calls itself otherwise: write [identity.oidc] issuer exactly as it does")
        return found

    def address(self, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Where a browser begins: the authorisation endpoint, with PKCE's S256 (RFC 7636)."""
        endpoint = self.metadata().authorization_endpoint
        origin_of(endpoint)
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode())).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.client.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def claims(self, code: str, nonce: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """What the issuer says of who signed in. Raises IssuerFailed, BadIdToken."""
        token = self._exchanged(code, verifier, redirect_uri)
        expected = Expected(self.client.issuer, self.client.client_id, nonce, self.client.skew)
        kept = self._keys
        try:
            return claims_of(token, self._known_keys(), expected, self._clock())
        except UnknownSigner:
            if kept is None:
                raise
            self._keys = None  # it may have changed its keys since we asked
            return claims_of(token, self._known_keys(), expected, self._clock())

    def _exchanged(self, code: str, verifier: str, redirect_uri: str) -> str:
        metadata = self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers, more = self._shown(metadata.token_endpoint_auth_methods_supported)
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode({**form, **more}).encode()
        tokens: _Tokens = self._asked(Asked(metadata.token_endpoint, headers, body), _Tokens)
        return tokens.id_token

    def _shown(self, methods: Sequence[str]) -> tuple[dict[str, str], Mapping[str, str]]:
        """How the client says who it is: headers, and fields of the form (RFC 6749, section 2.3.1)."""
        client, secret = self.client.client_id, self.client.secret()
        if not secret:
            return {}, {"client_id": client}
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}, {}
        return {}, {"client_id": client, "client_secret": secret}

    def _known_keys(self) -> list[dict[str, Any]]:
        kept = self._keys
        if kept is None or self._clock() - kept[0] > FRESH_SECONDS:
            found = self._asked(Asked(self.metadata().jwks_uri), _Keys)
            kept = self._keys = (self._clock(), found.keys)
        return kept[1]

    def _asked(self, asked: Asked, form: type[Any]) -> Any:
        try:
            return msgspec.json.decode(self._fetch(asked), type=form)
        except msgspec.MsgspecError as error:
            where = asked.url.partition("?")[0]
            raise IssuerFailed(f"the issuer's answer at {where} is not what it must be: {error}") from None
