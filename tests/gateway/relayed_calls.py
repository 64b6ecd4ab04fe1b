"""Calls for pictures, sound and rankings: forms and bodies, a machine whose targets serve them, prices by units."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from freehold.ledger.frames import Close
from freehold.ledger.meter import Price
from tests.gateway import pieces as p
from tests.gateway.guarded_calls import answered, frames
from tests.gateway.machine import Machine

BOUNDARY = "----boundary7MA4"
WAV = (
    b"RIFF"
    + b"\x00" * 4
    + b"WAVEfmt "
    + b"\x10\x00\x00\x00\x01\x00\x01\x00"
    + b"\x40\x1f\x00\x00"
    + b"\x40\x1f\x00\x00"
)
SOUND = WAV + b"\x00" * (8000 * 5 - len(WAV))
"""Five seconds at 8,000 bytes a second."""
ALL = (
    "openai_image_edits", "openai_images", "openai_moderations", "openai_speech", "openai_transcriptions",
    "openai_translations", "rerank",
)  # fmt: skip
IMAGES, SPEECH, RANK, MODERATE = "/v1/images/generations", "/v1/audio/speech", "/v1/rerank", "/v1/moderations"
HEAR, TRANSLATE = "/v1/audio/transcriptions", "/v1/audio/translations"


def price(**units: str) -> Price:
    found = tuple(sorted((name, Decimal(one)) for name, one in units.items()))
    return Price(input=Decimal(0), units=found, source="test", as_of="2026-11-22")


PRICE = price(character="0.000015", image="0.04", search="0.002", second="0.0001")


def machine_of(home: Path, **more) -> Machine:
    more = {"dialects": ALL, "price": PRICE, **more}
    targets = (p.target("vendor", 9001, **more), p.target("other", 9002, **more))
    all_routes = (p.route("rented", "vendor", attempts=1), p.route("both", "vendor", "other"))
    return Machine(home, p.routes(targets, *all_routes), p.keys())


def form(*fields: tuple[str, str | bytes], boundary: str = BOUNDARY, file: bytes = SOUND, name: str = "a.wav") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: audio/wav'
    return b"".join([*parts, head.encode(), b"\r\n\r\n", file, f"\r\n--{boundary}--\r\n".encode()])


def post(path: str, body: bytes, *lines: str, kind: str = "application/json") -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: localhost", f"content-type: {kind}", f"content-length: {len(body)}"]
    head += [f"authorization: Bearer {p.KEY}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def post_form(path: str, body: bytes, boundary: str = BOUNDARY) -> bytes:
    return post(path, body, kind=f"multipart/form-data; boundary={boundary}")


def ask(machine: Machine, path: str, **body):
    connection = machine.caller()
    body.setdefault("model", "rented")
    machine.ask(connection, post(path, json.dumps(body).encode()))
    return connection


def closed(machine: Machine) -> Close:
    (found,) = frames(machine, Close)
    return found


EDITS = "/v1/images/edits"


def edit(*fields: tuple[str, str]) -> bytes:
    return form(*fields, name="a.png", file=b"\x89PNG").replace(b'name="file"', b'name="image[]"')


def refused(machine: Machine, data: bytes) -> str:
    connection = machine.caller()
    machine.ask(connection, data)
    assert not machine.connecting
    found = answered(connection)
    assert json.loads(found.body)["error"]["message"]
    return found.headers["x-freehold-error"]
