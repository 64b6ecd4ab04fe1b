"""Captured live calls as records, each once: any dialect in canonical form, streams put together, tools and all.

Run again after any interruption: how far it came is written down with the records themselves at the latest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Engine

from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, FreeholdError, NotFound
from freehold.core.label import parse_label
from freehold.gateway.dialects.registry import dialect
from freehold.gateway.outgoing import CHATS
from freehold.ledger.capture import Bodies
from freehold.ledger.errors import StoreAway
from freehold.ledger.meter import Usage
from freehold.workflows import store
from freehold.workflows.errors import NotACall, Unreadable
from freehold.workflows.formats import streams
from freehold.workflows.formats.chat import request_of, response_of
from freehold.workflows.formats.fields import text
from freehold.workflows.formats.types import Json
from freehold.workflows.formats.vendors import vendor_of
from freehold.workflows.records import LIVE, Record
from freehold.workflows.redaction import redacted_all
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Captured

ID = re.compile(r"wf_[0-9a-f]{12}\Z")
"""Of a workflow that the gateway assigned the call to; anything else is a name its caller gave."""
_CURSOR = "records"
_BATCH = 500
_DEFAULT_SECONDS = 30 * 86400.0

_encode = msgspec.json.Encoder().encode


def _nobody(_target: str) -> str:
    return ""


def collect(engine: Engine, bodies: Bodies, now: float, vendors: Callable[[str], str] = _nobody) -> int:
    """Make records of what was captured since the last time; how many are new.

    Records keep their content as long as the captured bodies, under the same label. `vendors` names the offering
    behind a target, as `policy` does; where it says nothing, the model's name tells. Calls of Freehold's own key, calls
    that failed and what is no chat are passed over. Calls that end meanwhile are for the next time: under traffic this
    would never end, and keep other work from its turn. Raises FileRefused where the disk is full: run it again.
    """
    shelf = Shelf(engine, bodies)
    total = 0
    with reading(engine) as connection:
        end = store.last_leaf(connection)
    while True:
        with reading(engine) as connection:
            before = store.collected_to(connection, _CURSOR)
            if before >= end:
                return total
            found = store.captured_calls(connection, before, _BATCH)
            last = found[-1].row["leaf"] if len(found) == _BATCH else store.last_leaf(connection)
        records = [record for one in found if (record := record_of(one, bodies, vendors)) is not None]
        ends = {one.row["id"]: one.until for one in found if one.until is not None}
        total += shelf.put(records, now, _DEFAULT_SECONDS, ends)
        with writing(engine) as connection:
            store.keep_collected(connection, _CURSOR, last)


def record_of(call: Captured, bodies: Bodies, vendors: Callable[[str], str] = _nobody) -> Record | None:
    """One captured call as a record; None where it is none, or its content is gone or cannot be told as a chat.

    None too where stand-ins went out: the request is kept as it left and the answer with the values, so the two are no
    pair to learn from, and a rented judge or candidate must not be told the values by way of it.
    """
    row = call.row
    if _has_stand_ins(row):
        return None
    if row["outcome"] != "ok" or row["dialect"] not in CHATS or call.asked is None or call.answered is None:
        return None
    try:
        asked, answered = bodies.open(call.asked), bodies.open(call.answered)
        request, conversation = canonical_request(row["dialect"], asked)
        response = canonical_response(row["dialect"], answered, stream=row["stream"])
    except StoreAway:
        raise  # it is kept: collected once its store answers
    except (BadSignature, NotFound, NotACall, Unreadable):
        return None
    except FreeholdError:
        return None  # a body that its own dialect does not read any more
    kept_request, kept_response = redacted_all((_encode(request), _encode(response)))
    model = text(response, "model") or text(request, "model")
    found = row["workflow"] if ID.match(row["workflow"]) else ""
    tokens = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
    return Record(
        id=row["id"],
        at=row["at"],
        source=LIVE,
        external_id=text(response, "id")[:200],
        vendor=vendors(row["target"]) or ("" if row["owned"] else vendor_of(model=model)),
        model=model,
        target=row["target"],
        route=row["route"],
        owned=row["owned"],
        app=row["key_id"],
        workflow="" if found else row["workflow"],
        assigned=found,
        conversation=conversation[:200],
        label=label_of(row),
        status=row["status"],
        usage=Usage(**{name: row[name] for name in tokens}, estimated=row["estimated"]),
        latency=row["latency"],
        first_token=row["first_token"],
        request=kept_request,
        response=kept_response,
    )


def _has_stand_ins(row: Mapping[str, Any]) -> bool:
    return bool(row["scan"]) and bool(msgspec.json.decode(row["scan"]).get("request", {}).get("stand_ins"))


def label_of(row: Mapping[str, Any]) -> str:
    """Label of a call and its answer: what was found in the answer joins what was asked with."""
    answer = msgspec.json.decode(row["scan"]).get("answer") if row["scan"] else None
    return row["label"] if answer is None else str(parse_label(row["label"]).join(parse_label(answer["label"])))


def canonical_request(name: str, body: bytes) -> tuple[Json, str]:
    """A captured request in canonical form, and its conversation. Raises Unreadable, NotACall, BadRequest."""
    speaks = dialect(name)
    peek = speaks.peek(body)
    if name == "openai_chat":
        return request_of(msgspec.json.decode(body)), peek.conversation
    sent, _ = dialect("openai_chat").encode_request(speaks.decode_request(body), peek.model)
    found: Json = msgspec.json.decode(sent)
    limit = found.pop("max_completion_tokens", None)
    if limit is not None:
        found["max_tokens"] = limit
    return request_of(found), peek.conversation


def canonical_response(name: str, body: bytes, *, stream: bool) -> Json:
    """A captured answer in canonical form. Raises Unreadable where it is not whole."""
    if stream:
        found = response_of(streams.answer_of(body, name))
    elif name == "openai_chat":
        found = response_of(body.decode())
    else:
        encoded, _ = dialect("openai_chat").encode_answer(dialect(name).decode_answer(body))
        found = response_of(msgspec.json.decode(encoded))
    if found is None:
        raise Unreadable("there is no answer")
    return {key: one for key, one in found.items() if one not in ("", 0)}
