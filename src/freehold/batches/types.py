"""Files and batches as values. Times are Unix seconds; ids are 16 bytes inside and OpenAI's text outside."""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.core.errors import NotFound

VALIDATING, IN_PROGRESS, CANCELLING = "validating", "in_progress", "cancelling"
FINALIZING, COMPLETED, FAILED = "finalizing", "completed", "failed"
EXPIRED, CANCELLED = "expired", "cancelled"
OPEN = (VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING)
"""Statuses of a batch that has not ended."""

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/messages",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/responses",
)
"""What lines may ask. Not all are among OpenAI's own: the gateway serves them alike."""

INPUT, OUTPUT = "batch", "batch_output"
"""Purposes of files."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of one key."""

    id: bytes
    key_id: str
    purpose: str
    name: str
    bytes: int
    label: str
    stated: str = ""
    """The label its upload stated: each of its lines is sent with it."""
    subject: str = ""
    """Name in rows of whom it is about, under whose key it is sealed; empty for nobody."""
    created_at: float
    expires_at: float


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a batch cannot be run. `line` counts from 1; the message quotes no content."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """What answers said they used."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Both together."""
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What its maker said of a batch, kept sealed."""

    headers: dict[str, str] = {}
    """Of Freehold's own, that go along with each line: label, subject, workflow, strict."""
    subject: str = ""
    """Name in rows of whom it is about: by the header, else by its input file."""
    metadata: dict[str, str] | None = None
    window: str = "24h"
    output_seconds: float | None = None
    """After which its output is to be erased; None for the instance's own term."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of one key."""

    id: bytes
    key_id: str
    team: str
    status: str = VALIDATING
    endpoint: str
    model: str = ""
    label: str
    input_file: bytes
    output_file: bytes | None = None
    error_file: bytes | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    created_at: float
    expires_at: float
    times: dict[str, float] = {}
    """When it came to each status."""
    usage: Tokens = Tokens()
    problems: tuple[Problem, ...] = ()
    said: Said = Said()


class Task(msgspec.Struct, frozen=True):
    """One line of an input file: what is asked, as it stood there."""

    number: int
    custom_id: str
    body: bytes


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an output or error file, before it is written."""

    status: int = 0
    """Of HTTP; 0 where nothing came back."""
    request_id: str = ""
    body: Any = None
    """`msgspec.Raw` where the answer is JSON, else its text."""
    error: str = ""
    """Code, where there is no answer."""
    message: str = ""
    usage: Tokens = Tokens()

    @property
    def good(self) -> bool:
        """Is it for the output file?"""
        return self.status == 200 and not self.error


GATHERING, HELD, UPLOADED, CREATING = "gathering", "held", "uploaded", "creating"
SUBMITTED, SETTLED, DECLINED = "submitted", "settled", "declined"
"""Where a batch stands on its way to its vendor: lines made ready; money held and calls opened; the file there; a batch
of it asked for; taken. Then all of it is settled, or it was not passed and its lines are asked like any calls.
"""


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One batch on its way to its vendor and back."""

    id: bytes
    batch: bytes
    target: str
    form: str
    status: str = GATHERING
    file: str = ""
    remote: str = ""
    attempted_at: float = 0.0
    tries: int = 0
    cancelled: bool = False

    @property
    def under_way(self) -> bool:
        """Is there more to do?"""
        return self.status not in (SETTLED, DECLINED)


def file_text(raw: bytes) -> str:
    """A file's id as callers see it."""
    return f"file-{raw.hex()}"


def batch_text(raw: bytes) -> str:
    """A batch's id as callers see it."""
    return f"batch_{raw.hex()}"


def file_id(text: str) -> bytes:
    """The 16 bytes of a file's id. Raises NotFound where it is none."""
    return _raw(text, "file-", "files")


def batch_id(text: str) -> bytes:
    """The 16 bytes of a batch's id. Raises NotFound where it is none."""
    return _raw(text, "batch_", "batches")


def _raw(text: str, prefix: str, plural: str) -> bytes:
    try:
        raw = bytes.fromhex(text.removeprefix(prefix))
    except ValueError:
        raw = b""
    if len(raw) != 16 or not text.startswith(prefix):
        raise NotFound(f"none of the {plural} of this key has that id", hint=f"list them: GET /v1/{plural}")
    return raw
