"""The whole data plane without a socket: real machine, parsers, journal and purse; transports, clock, timers and the
budget authority are played, and everything that crosses a border is written down in order in `trace`.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from freehold.core.crypto import Identity, Sealer
from freehold.core.errors import FreeholdError, JournalUnavailable, UpstreamUnreachable
from freehold.core.log import Log
from freehold.core.snapshot import write_snapshot
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.leases import LeaseClient
from freehold.gateway.listener import Connection
from freehold.gateway.pipeline import Call
from freehold.gateway.plane import Plane
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.routing.table import Health, Stop
from freehold.gateway.routing.types import Routes
from freehold.gateway.serve import sweep
from freehold.gateway.snapshots import Snapshots
from freehold.gateway.upstream import Upstream
from freehold.identity.types import Keys
from freehold.ledger.frames import Close, Frame, Refused
from freehold.ledger.journal import Journal, unpack
from freehold.policy.leases import Grant, Hello, Lease
from freehold.policy.types import Policy
from tests.gateway.pieces import SECRET

IDENTITY = Identity(bytes(32))
START = 1_795_000_000.0
_ask = msgspec.msgpack.Decoder(Hello | Lease)


class Wire:
    """A transport that writes down. Like a true one, it tells its protocol of its end in a later turn, once."""

    def __init__(self, trace: list, name: str, soon: list[Callable[[], None]], peer=None) -> None:
        self.trace = trace
        self.name = name
        self.soon = soon
        self.peer = peer
        self.sent = b""
        self.closed = False
        self.aborted = False
        self.lost = False
        self.reading = True

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        self.sent += data
        call = getattr(self.peer, "receiver", None)
        self.trace.append((self.name, data, call, len(call.account.tried) + 1 if call is not None else 0))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.soon.append(lambda: self.lose(None))

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def lose(self, error: Exception | None) -> None:
        """The connection is gone, from whichever side."""
        self.closed = True
        if not self.lost and self.peer is not None:
            self.lost = True
            self.peer.connection_lost(error)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class TracedJournal(Journal):
    """The journal, writing down what truly reached the file before anyone is told; `full` fills its disk."""

    trace: list
    full = False

    def flush(self) -> None:
        written = unpack(b"".join(self._frames))[0]
        if not written:
            return

        def note(failed: JournalUnavailable | None) -> None:
            if failed is None:
                self.trace.extend(("frame", one) for one in written)

        self._then.insert(0, note)
        if self.full:
            os.close(self._handle)
            self._handle, self._size = os.open("/dev/full", os.O_WRONLY), 0
        super().flush()


class Machine:
    """One plane and its played surroundings."""

    def __init__(
        self,
        home: Path,
        routes: Routes,
        keys: Keys,
        policy: Policy | None = None,
        *,
        max_body: int = 1 << 20,
        strict: bool = True,
    ) -> None:
        self.trace: list = []
        self.time = START
        self.soon: list[Callable[[], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.connecting: list[tuple[Stop, Call, int]] = []
        self.upstreams: list[Upstream] = []
        self.connections: list[Connection] = []
        self.calls: list[Call] = []
        self.granted: dict[str, Decimal] = {}
        self.answered = 0
        self.log = io.StringIO()
        self.journal = TracedJournal(home / "journal", "epoch", self.soon.append, self.defect, strict=strict)
        self.journal.trace = self.trace
        self.plane = plane = Plane(
            journal=self.journal, dialects=DIALECTS, hosts=("localhost",), max_body_bytes=max_body,
            sealer=Sealer(b"k" * 32), clock=lambda: self.time, roll=lambda: 0.5, log=Log("test", self.log),
        )  # fmt: skip
        policy = policy or Policy()
        self.leases = LeaseClient(plane.purse, "epoch", lambda: self.time)
        plane.leases = self.leases
        plane.begin = self.begin
        plane.later = lambda seconds, what: self.timers.append((self.time + seconds, what))
        plane.connect = lambda stop, call, attempt: self.connecting.append((stop, call, attempt))
        self.folder = home / "snapshots"
        drivers = {one.name: one for one in DRIVERS}
        self.snapshots = Snapshots(plane, self.leases, self.folder, IDENTITY, drivers, lambda _: SECRET, 1)
        self.version = 0
        self.publish(keys=keys, routes=routes, policy=policy)
        assert plane.ready, self.log.getvalue()
        self.authority = Wire(self.trace, "authority", self.soon)
        if policy.budgets:
            self.leases.connection_made(self.authority)
            self.authority.sent = b""

    def publish(self, **contents: object) -> None:
        """New signed snapshots, loaded at once."""
        self.version += 1
        for kind, content in contents.items():
            write_snapshot(self.folder, kind, self.version, self.time, content, IDENTITY)
        self.snapshots.check()

    @property
    def health(self) -> dict[str, Health]:
        return {name: stop.health for name, stop in self.plane.table.stops.items()}

    def begin(self, *given) -> Call:
        call = Call(*given)
        self.calls.append(call)
        return call

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
        self.journal.flush()
        sweep(self.plane, self.time)
        self.turn()

    # The caller's side

    def caller(self) -> Connection:
        connection = Connection(self.plane)
        connection.connection_made(Wire(self.trace, f"caller{len(self.connections)}", self.soon, connection))
        self.connections.append(connection)
        return connection

    def ask(self, connection: Connection, data: bytes) -> None:
        connection.data_received(data)
        self.turn()

    # The target's side

    def connect(self, at: int = 0) -> Upstream:
        """A pending connection comes about."""
        stop, call, attempt = self.connecting.pop(at)
        upstream = Upstream(stop.origin)
        upstream.connection_made(Wire(self.trace, f"upstream{len(self.upstreams)}", self.soon, upstream))
        self.upstreams.append(upstream)
        call.connected(upstream, attempt)
        self.turn()
        return upstream

    def refuse_connection(self, at: int = 0, error: FreeholdError | None = None) -> None:
        _, call, attempt = self.connecting.pop(at)
        call.unreachable(error or UpstreamUnreachable("cannot be reached"), attempt)
        self.turn()

    def answer(self, upstream: Upstream, data: bytes) -> None:
        if not upstream.closed:
            upstream.data_received(data)
        self.turn()

    def lose(self, protocol: Upstream | Connection, error: Exception | None = None) -> None:
        """The other side of `protocol` is gone."""
        protocol.transport.lose(error)
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
