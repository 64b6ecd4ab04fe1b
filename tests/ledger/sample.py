"""Frames and homes for the ledger's tests."""

from __future__ import annotations

import fcntl
import os
from decimal import Decimal
from pathlib import Path

import msgspec

from freehold.core import db
from freehold.core.crypto import Identity, Sealer
from freehold.core.label import PUBLIC
from freehold.core.permit import Origin
from freehold.core.snapshot import write_snapshot
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.ledger.audit.salts import Salts
from freehold.ledger.frames import Attempt, Body, Close, Frame, Open, Refused, Tried
from freehold.ledger.intake.loader import Keys
from freehold.ledger.journal import pack, segment_name
from freehold.ledger.meter import Price, Usage
from freehold.policy.targets import Target

START = 1_750_000_000.0
RENTED = Price(input=Decimal("2.50"), output=Decimal(10), cached=Decimal("1.25"), source="list", as_of="2026-11-01")
OWNED = Price(input=Decimal("0.05"), output=Decimal("0.08"), source="measured", as_of="2026-11-02")


def call_id(number: int) -> bytes:
    when = START + number * 0.01
    return (int(when * 1000) << 80 | number).to_bytes(16, "big")


def opened(number: int, **changes: object) -> Open:
    base = Open(
        call=call_id(number),
        at=START + number * 0.01,
        key_id=f"key_{number % 3}",
        team=("red", "blue")[number % 2],
        route="assistant",
        dialect="openai_chat",
        stream=number % 2 == 0,
        label="internal",
        workflow=f"w{number % 5}",
        target="small",
        policy_version=1,
        routes_version=1,
        reserved=Decimal("0.01"),
        budgets=("team/red@0",),
        request_sha256=bytes(32),
    )
    return msgspec.structs.replace(base, **changes)


def tried(number: int = 1, target: str = "small", cost: str = "0.001", **changes: object) -> Tried:
    base = Tried(
        number=number,
        target=target,
        started=0.0,
        first_token=0.1,
        ended=0.5,
        outcome="ok",
        status=200,
        usage=Usage(input=1000, output=100, cached=200),
        cost=Decimal(cost),
    )
    return msgspec.structs.replace(base, **changes)


def closed(number: int, **changes: object) -> Close:
    base = Close(
        call=call_id(number),
        at=START + number * 0.01 + 0.5,
        outcome="ok",
        status=200,
        cost=Decimal("0.001"),
        tried=(tried(),),
        response_sha256=bytes(32),
        delivered=321,
    )
    return msgspec.structs.replace(base, **changes)


def attempt(number: int, which: int = 2, target: str = "big", reserved: str = "0.02") -> Attempt:
    return Attempt(call_id(number), START + number * 0.01 + 0.2, which, target, Decimal(reserved))


def refused(number: int, **changes: object) -> Refused:
    base = Refused(
        call=call_id(number),
        at=START + number * 0.01,
        key_id="key_0",
        team="red",
        route="assistant",
        dialect="openai_chat",
        label="restricted",
        workflow="",
        status=403,
        error="FH-POL-002",
        policy_version=1,
        routes_version=1,
    )
    return msgspec.structs.replace(base, **changes)


def body(number: int, side: str, plain: bytes, sealer: Sealer) -> Body:
    call = call_id(number)
    return Body(call, START + number * 0.01, side, sealer.seal(plain, call + side.encode()), "internal")


ROUTES = Routes(
    targets=tuple(
        Target(
            name=name,
            provider=name,
            driver="openai",
            dialects=("openai_chat",),
            model=name,
            origin=Origin("https", "vendor.test", 443),
            owned=name == "small",
            region="eu-central" if name == "small" else "us-east",
            clearance=PUBLIC,
            price=OWNED if name == "small" else RENTED,
        )
        for name in ("big", "small")
    ),
    routes=(Route(name="assistant", tiers=((Arm("small"),),), baseline="big"),),
)


class Home:
    """A home with a database and keys, and journals written by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = Keys(Identity.load(path / "identity.key"), Sealer.load(path / "data.key"))
        self.url = db.url_of(path / "freehold.db")
        self.engine = db.connect(self.url)
        db.upgrade(self.engine)
        write_snapshot(path / "snapshots", "routes", 1, START, ROUTES, self.keys.identity)
        self._locks: dict[str, int] = {}

    @property
    def salts(self) -> Salts:
        return Salts(self.path, self.keys.sealer)

    def begin(self, epoch: str) -> Path:
        folder = self.path / "journal" / epoch
        folder.mkdir(parents=True)
        self._locks[epoch] = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._locks[epoch], fcntl.LOCK_EX)
        return folder

    def end(self, epoch: str) -> None:
        os.close(self._locks.pop(epoch))

    def write(self, epoch: str, *frames: Frame, segment: int = 1) -> None:
        self.write_raw(epoch, b"".join(pack(one) for one in frames), segment)

    def write_raw(self, epoch: str, data: bytes, segment: int = 1) -> None:
        with (self.path / "journal" / epoch / segment_name(segment)).open("ab") as file:
            file.write(data)

    def close(self) -> None:
        for one in self._locks.values():
            os.close(one)
        self.engine.dispose()
