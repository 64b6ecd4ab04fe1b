"""What the process of batches and the gateway say to each other of lines that are passed to a vendor. Values.

Invariant: `proof` is made by the gateway alone, for a line that went through its call machine; without it none leaves.
"""

from __future__ import annotations

import msgspec

PREFIX = b"/freehold/batches/"
"""Paths for Freehold's own key alone: `prepare`, `deliver`, `send`, `ask`."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a caller's batch."""

    key_id: str
    path: str
    headers: dict[str, str]
    body: bytes
    mark: str
    """Its name at the vendor."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag="answered", array_like=True):
    """What a caller is answered. Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class NotPassed(msgspec.Struct, frozen=True, tag="not_passed", array_like=True):
    """This line leads to no vendor's batches: it is to be asked like any call."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready", array_like=True):
    """A line as it may leave, to `target` and in the words of `form`."""

    call: bytes
    route: str
    target: str
    form: str
    mark: str
    path: str
    label: str
    body: bytes
    """What the vendor would be sent for this line alone."""
    opening: bytes
    """Packed frames: how the call opens, and its captured request."""
    proof: bytes


class Deliver(msgspec.Struct, frozen=True, kw_only=True):
    """A line whose answer has come: `status` and `answer` are the vendor's."""

    line: Line
    call: bytes
    target: str
    status: int
    answer: bytes


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What its caller gets, and how the call ends (packed frames)."""

    answered: Answered
    closing: bytes


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one key on one route, to be uploaded to their target as a file called `name`."""

    key_id: str
    name: str
    lines: tuple[Ready, ...]
    """Without their openings."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor is asked of a batch: see `vendor_batches.VendorBatches.ask`."""

    target: str
    form: str
    what: str
    one: str = ""
    name: str = ""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor answered; `error` is the code of ours where it did not, or nothing was sent."""

    status: int = 0
    body: bytes = b""
    error: str = ""
    message: str = ""


Prepared = Ready | NotPassed | Answered
