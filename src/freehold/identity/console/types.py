"""Browsers that are signed in at the console, and the links that sign one in. Times are Unix seconds."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["key", "owner", "person"]


class Standing(msgspec.Struct, frozen=True):
    """By what somebody is let in; looked at anew on every request, so what ends it ends the session too."""

    kind: Kind
    subject: bytes
    """Digest of the instance's own token, of the key's secret, or of the person's session."""


class Link(msgspec.Struct, frozen=True):
    """A word that signs one browser in, once. Only its digest is kept."""

    digest: bytes
    standing: Standing
    made_at: float
    expires_at: float


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser. Its token is in its cookie and nowhere else; `digest` is the token's SHA-256."""

    id: str
    digest: bytes
    standing: Standing
    agent: bytes
    """SHA-256 of the User-Agent it signed in with: a cookie that turns up in another browser opens nothing."""
    made_at: float
    seen_at: float
    """Of some request not long ago: written at most once a minute."""
    expires_at: float
    ended_at: float | None = None
