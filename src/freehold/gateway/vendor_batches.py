"""Vendors' own batches, one form each: what is sent to put lines into their hands, and to ask for them back. Pure.

A line is a body that a call to the vendor would have had; `mark` names it there, and nothing of the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

import msgspec

JSON = "content-type: application/json"


class Written(msgspec.Struct, frozen=True):
    """One line as it goes out: its name at the vendor, the path it asks, the body."""

    mark: str
    path: str
    body: bytes


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the vendor. `lines` are header lines."""

    method: str = "GET"
    path: str
    body: bytes = b""
    lines: tuple[str, ...] = ()


class VendorBatches(Protocol):
    """How one kind of vendor takes batches. Ids are the vendor's."""

    name: str
    dialects: frozenset[str]
    """What its lines may be asked in."""

    def upload(self, name: str, lines: Sequence[Written], boundary: str) -> Asking:
        """Lines as a file by that name. Any `boundary` of a form will do: each line begins with a brace."""

    def ask(self, what: str, one: str, name: str = "") -> Asking | None:
        """`create` (of a file, called `name`), `show`, `cancel` or `files` and `batches` after an id; `content` or
        `forget` of a file. None for what it does not know.
        """


class OpenAiBatches:
    """OpenAI's: a file of lines, then a batch of it. From its API reference, `/v1/files` and `/v1/batches`."""

    name = "openai"
    dialects = frozenset({"openai_chat", "openai_completions", "openai_embeddings", "openai_responses"})

    def upload(self, name: str, lines: Sequence[Written], boundary: str) -> Asking:
        """As multipart/form-data, with `purpose=batch`."""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}.jsonl"\r\n'
        head += "Content-Type: application/jsonl\r\n\r\n"
        file = b"\n".join(_line(one) for one in lines)
        body = head.encode() + file + f"\r\n--{boundary}--\r\n".encode()
        return Asking(method="POST", path="/files", body=body, lines=(_form(boundary),))

    def ask(self, what: str, one: str, name: str = "") -> Asking | None:
        """As the protocol says. A batch carries `name` in its metadata."""
        own, after = quote(one, safe=""), f"&after={quote(one, safe='')}" if one else ""
        match what:
            case "create":
                return _create(one, name)
            case "show":
                return Asking(path=f"/batches/{own}")
            case "cancel":
                return Asking(method="POST", path=f"/batches/{own}/cancel", lines=(JSON,))
            case "batches":
                return Asking(path=f"/batches?limit=100{after}")
            case "files":
                return Asking(path=f"/files?purpose=batch&limit=1000&order=desc{after}")
            case "content":
                return Asking(path=f"/files/{own}/content")
            case "forget":
                return Asking(method="DELETE", path=f"/files/{own}")
        return None


class AnthropicBatches:
    """Anthropic's: lines are a batch at once, and its answers are asked for by its own id. From its API reference,
    `/v1/messages/batches`.
    """

    name = "anthropic"
    dialects = frozenset({"anthropic_messages"})

    def upload(self, name: str, lines: Sequence[Written], boundary: str) -> Asking:
        """The batch itself; it can carry no name."""
        requests = [{"custom_id": one.mark, "params": msgspec.Raw(one.body)} for one in lines]
        return Asking(method="POST", path=_MESSAGES, body=msgspec.json.encode({"requests": requests}), lines=(JSON,))

    def ask(self, what: str, one: str, name: str = "") -> Asking | None:
        """As the protocol says."""
        own, after = quote(one, safe=""), f"&after_id={quote(one, safe='')}" if one else ""
        match what:
            case "show":
                return Asking(path=f"{_MESSAGES}/{own}")
            case "cancel":
                return Asking(method="POST", path=f"{_MESSAGES}/{own}/cancel", lines=(JSON,))
            case "batches":
                return Asking(path=f"{_MESSAGES}?limit=100{after}")
            case "content":
                return Asking(path=f"{_MESSAGES}/{own}/results")
            case "forget":
                return Asking(method="DELETE", path=f"{_MESSAGES}/{own}")
        return None


_MESSAGES = "/messages/batches"
VENDOR_BATCHES: tuple[VendorBatches, ...] = (AnthropicBatches(), OpenAiBatches())


def batches_of(name: str) -> VendorBatches | None:
    """The form by its name."""
    return next((one for one in VENDOR_BATCHES if one.name == name), None)


def _create(file: str, name: str) -> Asking:
    endpoint, _, mark = name.partition(" ")
    told = {
        "input_file_id": file,
        "endpoint": endpoint,
        "completion_window": "24h",
        "metadata": {"freehold": mark},
    }
    lines = (JSON, f"idempotency-key: {mark}-{file}")
    return Asking(method="POST", path="/batches", body=msgspec.json.encode(told), lines=lines)


def _form(boundary: str) -> str:
    return f"content-type: multipart/form-data; boundary={boundary}"


def _line(one: Written) -> bytes:
    body = msgspec.Raw(one.body.replace(b"\r", b" ").replace(b"\n", b" "))  # these stand between tokens
    return msgspec.json.encode({"custom_id": one.mark, "method": "POST", "url": one.path, "body": body})
