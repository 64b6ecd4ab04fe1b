"""What callers may do with files and batches: one function an endpoint, each for the key that the gateway names.

Errors are answered in OpenAI's form; what is no error of ours raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote

import msgspec

from freehold.batches import store
from freehold.batches.files import Cabinet, Content, Owner
from freehold.batches.operating import cancel
from freehold.batches.sealing import Drawer
from freehold.batches.settings import BatchSettings
from freehold.batches.shapes import batch_object, file_object, listed
from freehold.batches.store import Page
from freehold.batches.types import (
    ENDPOINTS,
    INPUT,
    Batch,
    Said,
    batch_id,
    file_id,
    file_text,
)
from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import (
    BadRequest,
    Exhausted,
    FreeholdError,
    MalformedJson,
    NotFound,
    UnknownPath,
    WrongContentType,
    WrongMethod,
)
from freehold.core.label import parse_label
from freehold.gateway.desk import Errand, Told
from freehold.gateway.dialects.openai_wire import error_body
from freehold.gateway.forms import Form, Part, declared_boundary
from freehold.ledger.audit.store import append

WINDOW = re.compile(r"([1-9][0-9]{0,2})h\Z")
MOST_HOURS = 168
LABEL, SUBJECT = "x-freehold-label", "x-freehold-subject"
_NAME = 256


_Metadata = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=64)], Annotated[str, msgspec.Meta(max_length=512)]],
    msgspec.Meta(max_length=16),
]
_MOST_DIGITS = 9
"""Of a number that a caller names: reading a longer one costs more than it can mean."""


class _Expiry(msgspec.Struct):
    seconds: Annotated[int, msgspec.Meta(ge=3600, le=2592000)]
    anchor: str = "created_at"


class _Wish(msgspec.Struct):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: _Metadata | None = None
    output_expires_after: _Expiry | None = None


class Desk:
    """Serves errands, from several threads."""

    def __init__(
        self, cabinet: Cabinet, drawer: Drawer, settings: BatchSettings, clock: Clock, new_id: Callable[[], bytes]
    ) -> None:
        self.engine = cabinet.engine
        self._cabinet = cabinet
        self._drawer = drawer
        self._settings = settings
        self._clock = clock
        self._new_id = new_id

    def answer(self, errand: Errand) -> Told:
        """What to tell the caller."""
        try:
            return self._serve(errand)
        except FreeholdError as error:
            status, body = error_body(error)
            return Told(status=status, error=error.code, body=body)

    def _serve(self, errand: Errand) -> Told:
        noun, *rest = errand.path.removeprefix("/v1/").split("/")
        table: dict[tuple[str, int, str], dict[str, Callable[[Errand, str], Told]]] = {
            ("files", 0, ""): {"GET": self._list_files, "POST": self._upload},
            ("files", 1, ""): {"GET": self._show_file, "DELETE": self._delete},
            ("files", 2, "content"): {"GET": self._content},
            ("batches", 0, ""): {"GET": self._list_batches, "POST": self._create},
            ("batches", 1, ""): {"GET": self._show_batch},
            ("batches", 2, "cancel"): {"POST": self._cancel},
        }
        found = table.get((noun, len(rest), rest[1] if len(rest) == 2 else ""))
        if found is None:
            raise UnknownPath("nothing is served at this path", hint="see docs/how-to/run-a-batch.md")
        if errand.method not in found:
            raise WrongMethod(f"{errand.method} is not served here", allow=", ".join(sorted(found)))
        return found[errand.method](errand, rest[0] if rest else "")

    # files

    def _upload(self, errand: Errand, _id: str) -> Told:
        form = _form(errand)
        files = form.files(frozenset({"file"}))
        if len(files) != 1:
            raise BadRequest("the form holds one file", param="file")
        if form.one("purpose") != INPUT:
            raise BadRequest("files are kept for batches only", hint="send purpose=batch", param="purpose")
        content = Content(
            name=_named(files[0]),
            data=form.body[files[0].start : files[0].end],
            purpose=INPUT,
            label=errand.label,
            stated=errand.headers.get(LABEL, ""),
            seconds=_seconds(form),
        )
        made = self._cabinet.upload(content, self._owner(errand), self._settings.key_mebibytes << 20)
        return _json(file_object(made))

    def _list_files(self, errand: Errand, _id: str) -> Told:
        query = _query(errand)
        page = _page(query, file_id, 10_000, 10_000)
        with reading(self.engine) as connection:
            found = store.list_files(connection, errand.key_id, page, query.get("purpose", ""))
        return _json(listed([file_object(one) for one in found], page.limit))

    def _show_file(self, errand: Errand, name: str) -> Told:
        return _json(file_object(self._cabinet.find(errand.key_id, name)[0]))

    def _content(self, errand: Errand, name: str) -> Told:
        data = self._cabinet.content(errand.key_id, name)
        return Told(status=200, kind="application/octet-stream", body=data)

    def _delete(self, errand: Errand, name: str) -> Told:
        gone = self._cabinet.delete(self._owner(errand), name)
        return _json({"id": file_text(gone.id), "object": "file", "deleted": True})

    # batches

    def _create(self, errand: Errand, _id: str) -> Told:
        wish = _wish(errand)
        file, _ = self._cabinet.find(errand.key_id, wish.input_file_id)
        if file.purpose != INPUT:
            raise BadRequest("that file was not uploaded for a batch", param="input_file_id")
        if wish.endpoint not in ENDPOINTS:
            raise BadRequest("no batch is run for that endpoint", hint=f"use {', '.join(ENDPOINTS)}", param="endpoint")
        seconds = _window(wish.completion_window)
        said = Said(
            headers=_joined(errand.headers, file.stated),
            subject=self._subject(errand) or file.subject,
            metadata=wish.metadata,
            window=wish.completion_window,
            output_seconds=None if wish.output_expires_after is None else float(wish.output_expires_after.seconds),
        )
        now, raw = self._clock(), self._new_id()
        sealed = self._drawer.put_said(raw, said)
        made = Batch(
            id=raw,
            key_id=errand.key_id,
            team=errand.team,
            endpoint=wish.endpoint,
            label=str(parse_label(errand.label).join(parse_label(file.label))),
            input_file=file.id,
            created_at=now,
            expires_at=now + seconds,
        )
        with writing(self.engine) as connection:
            if store.waiting(connection, errand.key_id) >= self._settings.max_waiting:
                raise Exhausted("this key has too many batches that have not ended", hint="wait, or cancel some")
            store.add_batch(connection, made, sealed)
            told: dict[str, object] = {"batch": raw.hex(), "file": file.id.hex(), "label": made.label}
            append(connection, now, "batch.create", errand.key_name, told)
        return _json(batch_object(made, said))

    def _list_batches(self, errand: Errand, _id: str) -> Told:
        page = _page(_query(errand), batch_id, 20, 100)
        with reading(self.engine) as connection:
            found = store.list_batches(connection, errand.key_id, page)
        return _json(listed([batch_object(one, self._drawer.shown(one, said)) for one, said in found], page.limit))

    def _show_batch(self, errand: Errand, name: str) -> Told:
        with reading(self.engine) as connection:
            found = store.find_batch(connection, errand.key_id, batch_id(name))
        return self._told(found)

    def _cancel(self, errand: Errand, name: str) -> Told:
        """Lines under way are answered; no further one is asked."""
        raw, now = batch_id(name), self._clock()
        with writing(self.engine) as connection:
            found = store.find_batch(connection, errand.key_id, raw)
            if found is not None:
                batch, news = cancel(connection, found[0], now)
                found = batch, found[1]
                if news:
                    append(connection, now, "batch.cancel", errand.key_name, {"batch": raw.hex()})
        return self._told(found)

    def _owner(self, errand: Errand) -> Owner:
        return Owner(errand.key_id, errand.team, errand.key_name, self._subject(errand))

    def _subject(self, errand: Errand) -> str:
        named = errand.headers.get(SUBJECT, "").strip()
        return self._cabinet.bodies.subjects.name(named) if named else ""

    def _told(self, found: tuple[Batch, bytes] | None) -> Told:
        if found is None:
            raise NotFound("none of the batches of this key has that id", hint="list them: GET /v1/batches")
        return _json(batch_object(found[0], self._drawer.shown(*found)))


def _json(value: dict[str, Any]) -> Told:
    return Told(status=200, body=msgspec.json.encode(value))


def _joined(headers: dict[str, str], stated: str) -> dict[str, str]:
    """The label of the batch and that of its file together."""
    if not stated:
        return headers
    label = parse_label(stated)
    if LABEL in headers:
        label = label.join(parse_label(headers[LABEL]))
    return {**headers, LABEL: str(label)}


def _wish(errand: Errand) -> _Wish:
    if errand.kind and not errand.kind.lower().startswith("application/json"):
        raise WrongContentType("a batch is asked for in JSON")
    try:
        return msgspec.json.decode(errand.body, type=_Wish)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedJson("the body is not JSON") from None


def _window(text: str) -> float:
    found = WINDOW.match(text)
    if found is None or int(found[1]) > MOST_HOURS:
        hint = f"use 24h, or another number of hours up to {MOST_HOURS}h"
        raise BadRequest("that is no completion window", hint=hint, param="completion_window")
    return int(found[1]) * 3600.0


def _form(errand: Errand) -> Form:
    boundary = declared_boundary(errand.kind.encode())
    if not boundary:
        raise WrongContentType("a file is sent as multipart/form-data with a boundary", hint="send the field `file`")
    form = Form(errand.body)
    if form.boundary != boundary:
        raise BadRequest("the form's boundary is not the declared one")
    return form


def _named(file: Part) -> str:
    """What its maker calls a file (RFC 8187 where it is encoded), as far as it can be printed."""
    text = file.files[-1]
    if text.lower().startswith("utf-8'"):
        text = unquote(text.rpartition("'")[2])
    return "".join(one for one in text if one.isprintable())[:_NAME] or "file"


def _seconds(form: Form) -> float | None:
    given = form.one("expires_after[seconds]").strip()
    if not given:
        return None
    if not _is_number(given) or not 3600 <= int(given) <= 2592000:
        raise BadRequest("a file is kept for 3600 to 2592000 seconds", param="expires_after[seconds]")
    return float(given)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS


def _query(errand: Errand) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(errand.query).items()}


def _page(query: dict[str, str], parse: Callable[[str], bytes], usual: int, most: int) -> Page:
    given = query.get("limit", str(usual))
    if not _is_number(given) or not 1 <= int(given) <= most:
        raise BadRequest(f"a page holds 1 to {most}", param="limit")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("the order is asc or desc", param="order")
    after = parse(query["after"]) if "after" in query else None
    return Page(int(given), after, ascending=order == "asc")
