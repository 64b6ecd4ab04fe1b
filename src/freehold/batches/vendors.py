"""What vendors say of their batches, one form each: ids, states, answers. Pure; what is not understood is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")
Why = tuple[str, str]
"""Code and message for lines that were not answered."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch stands at its vendor. `files` hold its answers once it is over."""

    over: bool
    files: tuple[str, ...] = ()
    why: Why = ("vendor_lost", "The vendor told nothing of this line.")


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """One line as the vendor answered it; `status` 0 and an error where it did not."""

    mark: str
    status: int = 0
    body: bytes = b""
    error: str = ""
    message: str = ""


class Reading(Protocol):
    """Reads what one kind of vendor says."""

    name: str
    direct: bool
    """Are lines a batch at once, without a file before? Then what nobody told of cannot be taken away."""
    most_pages: int
    """Of a list that are read."""

    def id_of(self, body: bytes) -> str:
        """Of what was made."""

    def next_page(self, body: bytes) -> str:
        """After which id the next page of a list begins; empty at its end."""

    def file_called(self, pages: Sequence[bytes], name: str) -> str:
        """Id of the file by that name; empty for none."""

    def batch_of(self, pages: Sequence[bytes], file: str) -> str:
        """Id of the batch that was made of a file; empty for none."""

    def maybe(self, pages: Sequence[bytes], lines: int, since: float) -> list[str]:
        """Ids of batches that may be one of so many lines, made since then, where none can be told by its file."""

    def state(self, body: bytes) -> State:
        """Of a batch."""

    def answers(self, body: bytes) -> list[Came]:
        """What a file of answers holds."""


class _Made(msgspec.Struct, frozen=True):
    id: str = ""
    filename: str = ""
    input_file_id: str = ""


class _List(msgspec.Struct, frozen=True):
    data: list[_Made] = []
    has_more: bool = False


class _Batch(msgspec.Struct, frozen=True):
    status: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None


class _Response(msgspec.Struct, frozen=True):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class _Line(msgspec.Struct, frozen=True):
    custom_id: str = ""
    response: _Response | None = None
    error: _Error | None = None


_WHY: tuple[tuple[str, Why], ...] = (
    ("cancelled", ("batch_cancelled", "The vendor's batch was cancelled before this line was run.")),
    ("expired", ("batch_expired", "The vendor's window was over before this line was run.")),
    ("failed", ("vendor_refused", "The vendor refused the batch.")),
)


class OpenAiReading:
    """OpenAI's, from its API reference."""

    name = "openai"
    direct = False
    most_pages = 20

    def id_of(self, body: bytes) -> str:
        """`id`."""
        return _decoded(body, _Made()).id

    def next_page(self, body: bytes) -> str:
        """The last id, where there are more."""
        page = _decoded(body, _List())
        return page.data[-1].id if page.has_more and page.data else ""

    def file_called(self, pages: Sequence[bytes], name: str) -> str:
        """By its name."""
        return next((one.id for page in pages for one in _decoded(page, _List()).data if one.filename == name), "")

    def batch_of(self, pages: Sequence[bytes], file: str) -> str:
        """By its input."""
        found = (one for page in pages for one in _decoded(page, _List()).data)
        return next((one.id for one in found if one.input_file_id == file), "")

    def maybe(self, pages: Sequence[bytes], lines: int, since: float) -> list[str]:
        """None: a batch is told by its file."""
        return []

    def state(self, body: bytes) -> State:
        """By its status."""
        batch = _decoded(body, _Batch())
        if batch.status not in ("completed", "failed", "expired", "cancelled"):
            return State(over=False)
        files = tuple(one for one in (batch.output_file_id, batch.error_file_id) if one)
        usual = State(over=True, files=files)
        return State(over=True, files=files, why=dict(_WHY).get(batch.status, usual.why))

    def answers(self, body: bytes) -> list[Came]:
        """A line each."""
        return [_came(_decoded(raw, _Line())) for raw in body.split(b"\n") if raw.strip()]


class _Message(msgspec.Struct, frozen=True):
    id: str = ""
    processing_status: str = ""
    created_at: str = ""
    request_counts: dict[str, int] = {}


class _Messages(msgspec.Struct, frozen=True):
    data: list[_Message] = []
    has_more: bool = False


class _Kind(msgspec.Struct, frozen=True):
    type: str = ""


class _Failure(msgspec.Struct, frozen=True):
    error: _Kind = _Kind()


class _Result(msgspec.Struct, frozen=True):
    type: str = ""
    message: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(msgspec.Struct, frozen=True):
    custom_id: str = ""
    result: _Result = _Result()


_STATUSES: tuple[tuple[str, int], ...] = (
    ("api_error", 500),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("invalid_request_error", 400),
    ("not_found_error", 404),
    ("overloaded_error", 529),
    ("permission_error", 403),
    ("rate_limit_error", 429),
    ("request_too_large", 413),
    ("timeout_error", 504),
)
"""Status of each kind of error, from Anthropic's reference."""
_CLOCKS_APART = 120.0


class AnthropicReading:
    """Anthropic's, from its API reference."""

    name = "anthropic"
    direct = True
    most_pages = 20

    def id_of(self, body: bytes) -> str:
        """`id`."""
        return _decoded(body, _Message()).id

    def next_page(self, body: bytes) -> str:
        """The last id, where there are more."""
        page = _decoded(body, _Messages())
        return page.data[-1].id if page.has_more and page.data else ""

    def file_called(self, pages: Sequence[bytes], name: str) -> str:
        """There are no files."""
        return ""

    def batch_of(self, pages: Sequence[bytes], file: str) -> str:
        """There are no files."""
        return ""

    def maybe(self, pages: Sequence[bytes], lines: int, since: float) -> list[str]:
        """By their age and size: only their answers name their lines."""
        every = [one for page in pages for one in _decoded(page, _Messages()).data]
        return [
            one.id
            for one in every
            if sum(one.request_counts.values()) == lines and _moment(one.created_at) >= since - _CLOCKS_APART
        ]

    def state(self, body: bytes) -> State:
        """By its status; its answers are asked for by its own id."""
        batch = _decoded(body, _Message())
        return State(over=batch.processing_status == "ended", files=(batch.id,))

    def answers(self, body: bytes) -> list[Came]:
        """A line each."""
        return [_result(_decoded(raw, _Answer())) for raw in body.split(b"\n") if raw.strip()]


READINGS: tuple[Reading, ...] = (AnthropicReading(), OpenAiReading())


def reading_of(form: str) -> Reading:
    """By the form's name. Raises StopIteration for one that was never passed to."""
    return next(one for one in READINGS if one.name == form)


def _came(line: _Line) -> Came:
    if line.response is not None and line.response.status_code:
        return Came(mark=line.custom_id, status=line.response.status_code, body=bytes(line.response.body))
    error = line.error or _Error()
    return Came(mark=line.custom_id, error=error.code or "vendor_failed", message=error.message or "not answered")


def _result(line: _Answer) -> Came:
    match line.result.type:
        case "succeeded":
            return Came(mark=line.custom_id, status=200, body=bytes(line.result.message))
        case "errored":
            error = bytes(line.result.error)
            status = dict(_STATUSES).get(_decoded(error, _Failure()).error.type, 500)
            return Came(mark=line.custom_id, status=status, body=error)
        case "canceled":
            return Came(mark=line.custom_id, error=dict(_WHY)["cancelled"][0], message=dict(_WHY)["cancelled"][1])
        case "expired":
            return Came(mark=line.custom_id, error=dict(_WHY)["expired"][0], message=dict(_WHY)["expired"][1])
    return Came(mark=line.custom_id, error="vendor_failed", message="not answered")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("inf")


def _decoded(body: bytes, otherwise: T) -> T:
    try:
        return msgspec.json.decode(body, type=type(otherwise))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return otherwise
