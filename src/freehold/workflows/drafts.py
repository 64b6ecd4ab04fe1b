"""A draft as a record: secrets out, keys hashed, an id that the same call gets again. Pure but for the sealing key."""

from __future__ import annotations

import msgspec

from freehold.core.crypto import Sealer, sha256
from freehold.ledger.meter import Usage
from freehold.workflows.formats.chat import usage_of
from freehold.workflows.formats.types import Draft
from freehold.workflows.records import UNTIMED, Record
from freehold.workflows.redaction import redacted_all

_encode = msgspec.json.Encoder().encode
_LONGEST = 200
_BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text; the usage says that it is an estimate."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of all the records of an import."""

    app: str = ""
    label: str = "unknown"
    vendor: str = ""
    consent: bool | None = None


class Drafted(msgspec.Struct, frozen=True):
    """A record but for its caller, whom only the sealing key can name."""

    record: Record
    caller: str
    """The key that called, where nothing else says who did; never stored."""
    timed: bool


def record_of(draft: Draft, options: Options, sealer: Sealer, import_id: bytes) -> Record:
    """The record of a draft."""
    return named(drafted(draft, options, import_id), sealer)


def named(one: Drafted, sealer: Sealer) -> Record:
    """The record with its caller under a name of this installation."""
    return msgspec.structs.replace(one.record, app=caller_of(one.caller, sealer)) if one.caller else one.record


def drafted(draft: Draft, options: Options, import_id: bytes) -> Drafted:
    """What needs no key. Equal calls of a source get equal ids, whatever file and import they come in. Pure."""
    request = _encode(draft.request)
    response = b"" if draft.response is None else _encode(draft.response)
    told = None if draft.at is None else int(draft.at * 1000)
    own = f"{draft.source}\0{draft.external_id}\0{told}".encode()
    digest = sha256(own if draft.external_id else own + sha256(request) + sha256(response))
    at = draft.at
    if told is None or at is None:
        # No time was told: any would do that is the same at every import, and a digest prefers no call to another.
        told = int.from_bytes(digest[16:], "big") % int(UNTIMED * 1000)
        at = told / 1000
    usage = draft.usage or usage_of((draft.response or {}).get("usage"))
    said = (draft.external_id, draft.model, options.app or draft.app, draft.workflow, draft.conversation)
    kept_request, kept_response, *short = redacted_all((request, response, *map(_short, said)))
    external, model, app, workflow, conversation = (one.decode()[:_LONGEST] for one in short)
    record = Record(
        id=told.to_bytes(6, "big") + digest[:10],
        at=at,
        source=draft.source,
        import_id=import_id,
        external_id=external,
        vendor=options.vendor or draft.vendor,
        model=model,
        app=app,
        workflow=workflow,
        conversation=conversation,
        label=options.label,
        consent=options.consent,
        status=max(0, min(draft.status, 999)),
        usage=usage or estimated(request, response),
        latency=draft.latency,
        first_token=draft.first_token,
        request=kept_request,
        response=kept_response,
    )
    return Drafted(record, "" if app else draft.caller, draft.at is not None)


def caller_of(key: str, sealer: Sealer) -> str:
    """A name for whoever holds a key, that only this installation can tell from the key."""
    return f"key_{sealer.digest(b'caller', key.encode('utf-8', 'replace')).hex()[:12]}" if key else ""


def estimated(request: bytes, response: bytes) -> Usage:
    """Tokens counted by length."""
    return Usage(len(request) // _BYTES_PER_TOKEN, len(response) // _BYTES_PER_TOKEN, estimated=True)


def _short(text: str) -> bytes:
    """A name that came from a log, without what a database refuses; cut only once its secrets are out."""
    return text.replace("\0", "")[: 20 * _LONGEST].encode("utf-8", "replace")
