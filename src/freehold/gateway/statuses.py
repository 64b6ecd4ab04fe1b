"""The HTTP status of each error, the same in every dialect. First match counts: subclasses first."""

from __future__ import annotations

from freehold.core.errors import (
    BadRequest,
    Conflict,
    Exhausted,
    Forbidden,
    FreeholdError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamFailed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamTimeout,
    WrongContentType,
    WrongHost,
    WrongMethod,
)

STATUSES: tuple[tuple[type[FreeholdError], int], ...] = (
    (WrongContentType, 415),
    (WrongHost, 421),
    (WrongMethod, 405),
    (BadRequest, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (Exhausted, 429),
    (UpstreamOverloaded, 429),
    (UpstreamTimeout, 504),
    (UpstreamFailed, 502),
    (Unavailable, 503),
)

OURS = frozenset({401, 402, 403, 407})
"""A target's refusals that concern the key this instance holds there: the caller must not read them as its own."""


def status_of(error: FreeholdError) -> int:
    """The status to answer with: a target's own refusal passes through where it is about the request."""
    if isinstance(error, UpstreamRefused) and error.status is not None and 400 <= error.status < 500:
        return 502 if error.status in OURS else error.status
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def told(error: FreeholdError) -> str:
    """What a person reads: the message, then how to fix it."""
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message
