"""What vendors say of their batches, one form each: ids, states, answers. Pure; what is not understood is nothing."""

from __future__ import annotations

from collections.abc import Sequence
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

    def state(self, body: bytes) -> State:
        """Of a batch."""

    def answers(self, body: bytes) -> list[Came]:
        """What a file of answers holds."""


class _Made(msgspec.Struct):
    id: str = ""
    filename: str = ""
    input_file_id: str = ""


class _List(msgspec.Struct):
    data: list[_Made] = []
    has_more: bool = False


class _Batch(msgspec.Struct):
    status: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None


class _Response(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Line(msgspec.Struct):
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


READINGS: tuple[Reading, ...] = (OpenAiReading(),)


def reading_of(form: str) -> Reading:
    """By the form's name. Raises StopIteration for one that was never passed to."""
    return next(one for one in READINGS if one.name == form)


def _came(line: _Line) -> Came:
    if line.response is not None and line.response.status_code:
        return Came(mark=line.custom_id, status=line.response.status_code, body=bytes(line.response.body))
    error = line.error or _Error()
    return Came(mark=line.custom_id, error=error.code or "vendor_failed", message=error.message or "not answered")


def _decoded(body: bytes, otherwise: T) -> T:
    try:
        return msgspec.json.decode(body, type=type(otherwise))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return otherwise
