"""A call that is gone through with nothing sent: the call machine as it is, against a wire that leads nowhere.

Its label, guard, decision, permit, money and translation are those of any call, so what it would have sent is what
may be passed to a vendor's batch; fed with an answer, it tells what its caller gets and what it cost.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from freehold.gateway.account import Account
from freehold.gateway.callers import Caller, Gate
from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection
from freehold.gateway.notebook import Notebook
from freehold.gateway.pipeline import Call
from freehold.gateway.plane import Plane, Sender
from freehold.gateway.ports import Dialect
from freehold.gateway.routing.table import Path, RouteTable, Stop
from freehold.gateway.routing.types import Arm
from freehold.gateway.upstream import Upstream
from freehold.ledger.frames import Body, Close, Frame, Open
from freehold.policy.budgets import Purse, Slice
from freehold.policy.periods import period_start, resets_at

PLENTY = Decimal(10) ** 12
"""Dollars: what a line may cost is set aside for the whole batch, before it leaves."""
_BEARER = b"rehearsal"


class Wire(asyncio.Transport):
    """Where bytes go that leave for nowhere. `then` is called once there are some."""

    def __init__(self, then: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.data = b""
        self._then = then

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.data += bytes(data)
        then, self._then = self._then, None
        if then is not None:
            then()

    def close(self) -> None:
        """Nothing to close."""

    def abort(self) -> None:
        """Nothing to close."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""


class Way:
    """Where lines of a route are passed to: its only target, as it is in batches."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        """`path` leads to one target."""
        before = path.tiers[0][0]
        assert isinstance(before, Stop)
        self.stop = before.in_batches()
        route = replace(path.route, tiers=((Arm(before.name),),), attempts=1, cache=None, hedge=None)
        self.path = Path(route, ((self.stop,),), 0.0)
        self.path.watch = path.watch
        self.dialect = dialect


class Rehearsal:
    """One line, gone through. `over` is called once: what was to leave is in `sent`, or the answer in `told`."""

    def __init__(self, plane: Plane, way: Way, caller: Caller, over: Callable[[Rehearsal], None]) -> None:
        self._plane = plane
        self._way = way
        self._over: Callable[[Rehearsal], None] | None = over
        self._answer: bytes | None = None
        self._out = Wire(lambda: self._soon(self._left))
        self._back = Wire()
        self._notebook = Notebook(lambda: self._soon(self._end))
        self._caller = caller
        self.sent = b""
        self.call: Call

    @property
    def frames(self) -> list[Frame]:
        """What was written down."""
        return self._notebook.frames

    @property
    def told(self) -> bytes:
        """The whole HTTP answer to the caller; empty where there is none yet."""
        return self._back.data

    @property
    def opened(self) -> Open | None:
        """The frame that opened the call."""
        return next((one for one in self.frames if isinstance(one, Open)), None)

    @property
    def close(self) -> Close | None:
        """The frame that settled it."""
        return next((one for one in self.frames if isinstance(one, Close)), None)

    def kept(self, side: str) -> list[Body]:
        """Captured bodies of one side."""
        return [one for one in self.frames if isinstance(one, Body) and one.side == side]

    def begin(self, inbound: Inbound, call: bytes = b"", answer: tuple[int, bytes] | None = None) -> None:
        """Go through it; with an `answer` (status, JSON) to its end, as the call by that id."""
        if answer is not None:
            status, body = answer
            head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            self._answer = head.encode() + body
        view = self._view()
        inbound.headers[b"authorization"] = b"Bearer " + _BEARER
        connection = Connection(view)
        connection.transport = self._back
        connection.busy = True
        self.call = found = Call(view, connection, inbound, self._way.dialect)
        if answer is not None:
            found.id = call
            found.request_id = "call_" + call.hex()
            found.account = Account(call, found.at, view.purse)
        view.calls.add(found)
        try:
            found.begin()
        except Exception as error:  # noqa: BLE001 - the process edge: the line must still end
            found.crash(error)

    def hung_up(self) -> None:
        """Nobody waits for it."""
        self._over = None
        self.call.hung_up()

    def _view(self) -> Plane:
        """The plane as this call sees it: one route with one target, money enough, nowhere to write and to send."""
        plane, way = self._plane, self._way
        view = Plane(
            journal=self._notebook,
            dialects=tuple(plane.dialects.values()),
            hosts=("*",),
            max_body_bytes=plane.max_body_bytes,
            sealer=plane.sealer,
            clock=plane.now,
            roll=plane.roll,
            log=plane.log,
            receipts=plane.receipts,
            cache_bytes=0,
        )
        view.new_id = plane.new_id
        view.table = RouteTable(plane.table.version, _named(plane.table, way.path), {way.stop.name: way.stop})
        view.mint = plane.mint
        view.assigner = plane.assigner
        view.aside = plane.aside
        view.later = plane.later
        view.leases = plane.leases
        view.lending = plane.lending
        view.calls = plane.calls
        view.connect = self._connect
        one, again = self._caller, self._answer is not None
        # What is answered was counted for the limits when it was asked.
        mine = Caller(one.principal, None if again else one.requests, None if again else one.tokens)
        view.gate = Gate({hashlib.sha256(_BEARER).digest(): mine})
        view.purse = _plenty(plane)
        return view

    def _connect(self, stop: Stop, sender: Sender, attempt: int) -> None:
        upstream = Upstream(stop.origin)
        upstream.connection_made(self._out)
        self._upstream = upstream
        try:
            sender.connected(upstream, attempt)
        except Exception as error:  # noqa: BLE001 - the process edge: the line must still end
            sender.crash(error)

    def _left(self) -> None:
        """The request is on the wire: that is all of it, or the answer comes."""
        if self._answer is not None:
            self._upstream.data_received(self._answer)
            return
        if not self.call.over:
            self.sent = self.call.permit.body
            self.call.hung_up()

    def _end(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(self)

    def _soon(self, what: Callable[[], None]) -> None:
        self._plane.later(0.0, what)


def _named(table: RouteTable, path: Path) -> dict[str, Path]:
    """The one route under all its names."""
    return {name: path for name, one in table.paths.items() if one.name == path.name}


def _plenty(plane: Plane) -> Purse:
    """A slice of each budget that is never short; nothing is spent from it."""
    purse, now = Purse(), plane.now()
    for one in plane.mint.policy.budgets:
        slice_ = Slice(one.id, period_start(one.period, now), resets_at(one.period, now), one.limit)
        purse.grant(slice_, PLENTY, exhausted=False)
    return purse
