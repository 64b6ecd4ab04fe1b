"""An ID token is believed only when everything about it is right: OpenID Connect Core 1.0, section 3.1.3.7.

The key is chosen here, among the issuer's published ones, by the algorithm's own kind; nothing in the token itself
can bring a key along, name none, or turn a public key into a shared secret (RFC 8725).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from freehold.identity.errors import BadIdToken, UnknownSigner

ALGORITHMS: tuple[tuple[str, str], ...] = (
    ("ES256", "EC"),
    ("ES384", "EC"),
    ("ES512", "EC"),
    ("Ed25519", "OKP"),
    ("PS256", "RSA"),
    ("PS384", "RSA"),
    ("PS512", "RSA"),
    ("RS256", "RSA"),
    ("RS384", "RSA"),
    ("RS512", "RSA"),
)
"""Algorithm of a signature (RFC 7518, RFC 9864) and the kind of key it takes. No shared secrets, and never `none`."""
MOST_BYTES = 32 * 1024
LEAST_RSA_BITS = 2048
OLDEST_SECONDS = 600.0
"""An ID token is used at once: one made longer ago is a replay."""


class Expected(msgspec.Struct, frozen=True):
    """What a token must say. `skew`: seconds by which the issuer's clock may differ."""

    issuer: str
    client_id: str
    nonce: str
    skew: float = 60.0


def claims_of(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now: float) -> dict[str, Any]:
    """The claims of a token that holds at `now` (Unix seconds); `keys` are the issuer's JWKs.

    Raises UnknownSigner where no key of the issuer's fits or made the signature, BadIdToken for everything else.
    """
    from joserfc import jwt
    from joserfc.errors import BadSignatureError, JoseError
    from joserfc.jwk import import_key

    if len(token) > MOST_BYTES:
        raise BadIdToken("the issuer's token is too long")
    header = _header(token)
    algorithm = str(header.get("alg", ""))
    key = _chosen(header, algorithm, keys)
    try:
        claims = jwt.decode(token, import_key(dict(key), key["kty"]), algorithms=[algorithm]).claims
    except BadSignatureError:
        raise UnknownSigner("the issuer's token is not signed with a key that it publishes") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise BadIdToken(f"the issuer's token is not signed as it says ({type(error).__name__})") from None
    _check_words(claims, expected)
    _check_times(claims, expected.skew, now)
    return claims


def _header(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or not all(one.isascii() for one in parts):
        raise BadIdToken("the issuer sent no signed token")
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, msgspec.MsgspecError):
        header = None
    if not isinstance(header, dict):
        raise BadIdToken("the issuer's token has no header")
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise BadIdToken("the issuer's token is of another kind than an ID token")
    return header


def _chosen(header: Mapping[str, Any], algorithm: str, keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one key that may have made the signature."""
    kind = dict(ALGORITHMS).get(algorithm)
    if kind is None:
        raise BadIdToken("the issuer's token is unsigned, or signed in a way that is not taken here")
    named = header.get("kid")
    fitting = [
        one
        for one in keys
        if one.get("kty") == kind
        and one.get("use", "sig") == "sig"
        and one.get("alg", algorithm) == algorithm
        and (named is None or one.get("kid") == named)
    ]
    if len(fitting) != 1:
        raise UnknownSigner("the issuer publishes no such key" if not fitting else "the issuer's token names no key")
    if kind == "RSA" and _bits(fitting[0].get("n")) < LEAST_RSA_BITS:
        raise BadIdToken(f"the issuer's RSA key has less than {LEAST_RSA_BITS} bits")
    return fitting[0]


def _bits(number: object) -> int:
    if not isinstance(number, str):
        return 0
    try:
        raw = base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))
    except ValueError:
        return 0
    return int.from_bytes(raw, "big").bit_length()


def _check_words(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadIdToken("the token is another issuer's")
    told = claims.get("aud")
    audiences = [told] if isinstance(told, str) else told
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise BadIdToken("the token is for another client")
    if claims.get("azp", expected.client_id) != expected.client_id or (len(audiences) > 1 and "azp" not in claims):
        raise BadIdToken("the token was made for another client's use")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise BadIdToken("the token is of another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise BadIdToken("the token says of nobody")


def _check_times(claims: Mapping[str, Any], skew: float, now: float) -> None:
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf")}
    for name, value in times.items():
        if value is None and name == "nbf":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadIdToken(f"the token has no time in {name}")
    if now >= claims["exp"] + skew:
        raise BadIdToken("the token has expired")
    if claims["iat"] > now + skew or claims.get("nbf", 0) > now + skew:
        raise BadIdToken("the token is of a time to come: compare the clocks")
    if claims["iat"] < now - OLDEST_SECONDS - skew:
        raise BadIdToken("the token was made too long ago")
