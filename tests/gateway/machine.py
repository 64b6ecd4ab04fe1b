"""The whole data plane without a socket: real machine, parsers, journal and purse; transports, clock, timers and the
budget authority are played, and everything that crosses a border is written down in order in `trace`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from freehold.core.crypto import Sealer
from freehold.core.errors import FreeholdError, JournalUnavailable, UpstreamUnreachable
from freehold.core.log import Log
from freehold.gateway.callers import compile_keys
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.leases import LeaseClient
from freehold.gateway.listener import Connection
from freehold.gateway.pipeline import Call
from freehold.gateway.plane import Plane
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.table import Health, Stop, compile_routes
from freehold.gateway.routing.types import Routes
from freehold.gateway.serve import sweep
from freehold.gateway.upstream import Upstream
from freehold.identity.types import Keys
from freehold.ledger.frames import Close, Frame, Refused
from freehold.ledger.journal import Journal, unpack
from freehold.policy.leases import Grant, Hello, Lease
from freehold.policy.permits import Mint
from freehold.policy.types import Policy
from tests.gateway.pieces import SECRET

START = 1_795_000_000.0
_ask = msgspec.msgpack.Decoder(Hello | Lease)


class Wire:
    """A transport that writes down. `peer` is the protocol on our side."""

    def __init__(self, trace: list, name: str) -> None:
        self.trace = trace
        self.name = name
        self.sent = b""
        self.closed = False
        self.aborted = False
        self.reading = True
        self.peer = None

    def write(self, data: bytes) -> None:
        assert not self.aborted, "written after abort"
        self.sent += data
        self.trace.append((self.name, data, getattr(self.peer, "receiver", None)))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class TracedJournal(Journal):
    """The journal, writing down what truly reached the file; `full` makes each write fail."""

    trace: list
    full = False

    def _write(self, data: bytes) -> JournalUnavailable | None:
        if self.full:
            self.broken = True
            return JournalUnavailable("the journal cannot be written: full", retry_after=5)
        failed = super()._write(data)
        if failed is None:
            self.trace.extend(("frame", one) for one in unpack(data)[0])
        return failed


class Machine:
    """One plane and its played surroundings."""

    def __init__(
        self, home: Path, routes: Routes, keys: Keys, policy: Policy | None = None, *, max_body: int = 1 << 20
    ) -> None:
        self.trace: list = []
        self.time = START
        self.soon: list[Callable[[], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.connecting: list[tuple[Stop, Call]] = []
        self.upstreams: list[Upstream] = []
        self.connections: list[Connection] = []
        self.granted: dict[str, Decimal] = {}
        self.answered = 0
        self.log = io.StringIO()
        self.journal = TracedJournal(home / "journal", "epoch", self.soon.append, self.defect)
        self.journal.trace = self.trace
        self.plane = plane = Plane(
            journal=self.journal, dialects=DIALECTS, hosts=("localhost",), max_body_bytes=max_body,
            sealer=Sealer(b"k" * 32), clock=lambda: self.time, roll=lambda: 0.5, log=Log("test", self.log),
        )  # fmt: skip
        policy = policy or Policy()
        self.leases = LeaseClient(plane.purse, "epoch", lambda: self.time)
        plane.leases = self.leases
        plane.begin = Call
        plane.later = lambda seconds, what: self.timers.append((self.time + seconds, what))
        plane.connect = lambda stop, call: self.connecting.append((stop, call))
        self.health: dict[str, Health] = {}
        plane.table = compile_routes(
            1, routes, {one.name: one for one in DRIVERS}, lambda _: SECRET, self.health, START
        )
        plane.egress.allowed = plane.table.origins
        plane.mint = Mint(1, policy)
        plane.callers = compile_keys(keys, {}, START)
        plane.ready = True
        self.leases.budgets = {one.id: one for one in policy.budgets}
        self.authority = Wire(self.trace, "authority")
        if policy.budgets:
            self.leases.connection_made(self.authority)
            self.authority.sent = b""

    def defect(self, error: Exception) -> None:
        raise error

    # Time

    def turn(self) -> None:
        """What the event loop does between two reads."""
        while self.soon:
            self.soon.pop(0)()

    def wait(self, seconds: float) -> None:
        self.time += seconds
        for due in [one for one in self.timers if one[0] <= self.time]:
            self.timers.remove(due)
            due[1]()
        self.plane.tick()
        sweep(self.plane, self.time)
        self.turn()

    # The caller's side

    def caller(self) -> Connection:
        connection = Connection(self.plane)
        wire = Wire(self.trace, f"caller{len(self.connections)}")
        connection.connection_made(wire)
        self.connections.append(connection)
        return connection

    def ask(self, connection: Connection, data: bytes) -> None:
        connection.data_received(data)
        self.turn()

    # The target's side

    def connect(self, at: int = 0) -> Upstream:
        """A pending connection comes about."""
        stop, call = self.connecting.pop(at)
        upstream = Upstream(stop.origin)
        wire = Wire(self.trace, f"upstream{len(self.upstreams)}")
        wire.peer = upstream
        upstream.connection_made(wire)
        self.upstreams.append(upstream)
        call.connected(upstream)
        self.turn()
        return upstream

    def refuse_connection(self, at: int = 0, error: FreeholdError | None = None) -> None:
        _, call = self.connecting.pop(at)
        call.answer_failed(error or UpstreamUnreachable("cannot be reached"), stale=False)
        self.turn()

    def answer(self, upstream: Upstream, data: bytes) -> None:
        if not upstream.closed:
            upstream.data_received(data)
        self.turn()

    def lose(self, upstream: Upstream, error: Exception | None = None) -> None:
        upstream.connection_lost(error)
        self.turn()

    def busy(self) -> list[Upstream]:
        return [one for one in self.upstreams if one.receiver is not None and not one.closed]

    # The budget authority

    def asked(self) -> list[Lease]:
        """What is asked and not answered yet."""
        found, data = [], self.authority.sent
        while data:
            (length,) = struct.unpack_from("<I", data)
            message = _ask.decode(data[4 : 4 + length])
            data = data[4 + length :]
            if isinstance(message, Lease):
                found.append(message)
        return found[self.answered :]

    def grant(self, amount: Decimal | str | None) -> None:
        """Answer the oldest question; None grants nothing."""
        lease = self.asked()[0]
        self.answered += 1
        given = Decimal(0) if amount is None else max(Decimal(amount), lease.need)
        limit = self.leases.budgets[lease.budget].limit
        self.granted[lease.budget] = self.granted.get(lease.budget, Decimal(0)) + given
        grant = Grant(lease.budget, lease.period_start, given, Decimal(1), limit, int(self.time) + 3600)
        data = msgspec.msgpack.encode(grant)
        self.leases.data_received(struct.pack("<I", len(data)) + data)
        self.turn()

    # What is left

    def frames(self) -> list[Frame]:
        return [one[1] for one in self.trace if one[0] == "frame"]

    def ends(self) -> list[Close | Refused]:
        return [one for one in self.frames() if isinstance(one, Close | Refused)]

    def sent(self, connection: Connection) -> bytes:
        return connection.transport.sent
