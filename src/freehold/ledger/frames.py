"""The journal's frames: what the data plane writes down about a call, and what the writer turns into rows.

A call is `Open`, perhaps further `Attempt`s, and `Close`; or one `Refused`, where nothing was sent.
An `Open` without a `Close` (the gateway was killed) settles at what it reserved.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from freehold.ledger.meter import Usage


class Scan(msgspec.Struct, frozen=True, array_like=True):
    """What a guard saw of one side of a call. Of a request also what its label was before, and why it was lowered."""

    guard: str
    """Name of the profile; empty where a label was lowered and nothing scanned."""
    digest: str
    """Of its rules and its detectors' versions."""
    characters: int = 0
    found: tuple[tuple[str, str, int], ...] = ()
    """Detector, kind, how often."""
    failed: tuple[str, ...] = ()
    """Detectors that raised or ran out of time."""
    unread: int = 0
    """Images, sound and files that no detector of texts can look at."""
    label: str = ""
    """Of a request: before the guard looked. Of an answer: what it bears."""
    lowered: str = ""
    """`LABEL; REASON` where the caller used its right to lower the label."""
    stand_ins: int = 0
    """Values of a request in whose places stand-ins went out; the answer has the values."""


class Open(msgspec.Struct, frozen=True, tag="open", array_like=True):
    """Written before the first byte leaves for a target."""

    call: bytes
    at: float
    key_id: str
    team: str
    route: str
    dialect: str
    stream: bool
    label: str
    workflow: str
    target: str
    policy_version: int
    routes_version: int
    reserved: Decimal
    budgets: tuple[str, ...]
    """Leases drawn on, as `budget@period_start` (period start in whole Unix seconds)."""
    request_sha256: bytes
    subject: str = ""
    """Whom the call is about, as its caller named them; empty where nobody was named."""
    scan: Scan | None = None
    """What the guard saw of the request."""
    trace: str = ""
    """Trace and span the caller says it belongs to: 32 and 16 hexadecimal digits, joined by `-`; empty for none."""


class Attempt(msgspec.Struct, frozen=True, tag="attempt", array_like=True):
    """Written before bytes leave for a second or later target."""

    call: bytes
    at: float
    number: int
    target: str
    reserved: Decimal
    """The whole call's reservation from now on."""
    budgets: tuple[str, ...] = ()
    """Leases drawn on from now on, as in `Open`: a free first target draws on none, its fallback may."""


class Tried(msgspec.Struct, frozen=True, array_like=True):
    """How one attempt went. Times in seconds from the call's start."""

    number: int
    target: str
    started: float
    first_token: float | None
    """Of a composite's member that was served: when that was decided."""
    ended: float
    outcome: str
    """`ok`, `failed`, `timeout`, `refused`, `unreachable`, `lied`, `cancelled`, `lost`; `cached` where nothing was sent
    and what the target once answered was served again, at no cost; `overtaken` where another target, asked as well,
    began to answer first.

    Of a composite's member whose answer was not passed on: `agreed` (with the one that was), `disagreed`, `unsure`, or
    `held` where nobody could judge it.
    """
    status: int
    usage: Usage
    cost: Decimal
    error: str = ""
    """Our error code, where it failed."""


class Close(msgspec.Struct, frozen=True, tag="close", array_like=True):
    """Written before the last byte of the answer goes to the caller; settles the call."""

    call: bytes
    at: float
    outcome: str
    """`ok`, `failed` (an honest error went out), `cancelled` (the caller hung up), `broken` (cut after it began)."""
    status: int
    cost: Decimal
    tried: tuple[Tried, ...]
    response_sha256: bytes
    delivered: int
    """Bytes of body that went to the caller."""
    dropped: tuple[str, ...] = ()
    """Fields lost in translation, as named in the response header."""
    error: str = ""
    scanned: int = -1
    """Characters a scanner looked at, both ways; -1 where no scanner was configured."""
    scan: Scan | None = None
    """What the guard saw of the answer."""


class Refused(msgspec.Struct, frozen=True, tag="refused", array_like=True):
    """A call that was answered without sending anything anywhere."""

    call: bytes
    at: float
    key_id: str
    team: str
    route: str
    dialect: str
    label: str
    workflow: str
    status: int
    error: str
    policy_version: int
    routes_version: int
    scan: Scan | None = None
    trace: str = ""


class Body(msgspec.Struct, frozen=True, tag="body", array_like=True):
    """A captured body, sealed with the instance's data key and bound to `call + side`."""

    call: bytes
    at: float
    side: str
    """`request` or `response`."""
    sealed: bytes
    label: str


Frame = Open | Attempt | Close | Refused | Body
