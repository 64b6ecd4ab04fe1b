"""The data plane's state: what the snapshots say, what is under way, and the ports calls act through.

Snapshots are swapped whole between two callbacks of the loop; a call keeps the objects it began with.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol

from freehold.core.crypto import Sealer
from freehold.core.egress import Egress
from freehold.core.errors import FreeholdError, UnknownPath, WrongMethod
from freehold.core.ids import IdMaker
from freehold.core.log import Log
from freehold.gateway.answer_cache import AnswerCache
from freehold.gateway.callers import Callers, Gate
from freehold.gateway.google_key import GOOGLES, take_key
from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection, Handler
from freehold.gateway.local import LOCAL, named_by
from freehold.gateway.ports import Dialect, Peek
from freehold.gateway.reply import error_reply, status_line, without_body
from freehold.gateway.routing.table import RouteTable, Stop
from freehold.gateway.upstream import Pool, Upstream
from freehold.ledger.journal import Journal
from freehold.policy.budgets import Purse
from freehold.policy.permits import Mint

if TYPE_CHECKING:
    from decimal import Decimal

    from freehold.gateway.answer import Answering
    from freehold.gateway.desk import Desk
    from freehold.gateway.failing import Failing
    from freehold.gateway.passing import Passing
    from freehold.gateway.pipeline import Call
    from freehold.gateway.shared.answers import SharedAnswers
    from freehold.gateway.shared.lending import Lending
    from freehold.guard.inspect import Seen


class Leases(Protocol):
    """Asks the budget authority for more."""

    def ask(self, budget: str, amount: Decimal, call: Failing) -> None:
        """Call `call.granted` once the answer is there."""

    def forget(self, call: Failing) -> None:
        """The call no longer waits."""


class Assigner(Protocol):
    """What the `workflows` snapshot is compiled to."""

    def of(self, body: bytes, peek: Peek, key_id: str) -> str:
        """Id of the workflow of a request; empty for none."""

    def named(self, name: str) -> str:
        """Id of the workflow of a name; the name itself where there is none."""


class Sender(Protocol):
    """Whoever wants a connection."""

    def connected(self, upstream: Upstream, attempt: int) -> None:
        """It is there."""

    def unreachable(self, error: FreeholdError, attempt: int) -> None:
        """It did not come about."""

    def crash(self, error: Exception) -> None:
        """A defect of ours came up."""


class Plane:
    """One gateway process."""

    table: RouteTable
    mint: Mint
    leases: Leases
    connect: Callable[[Stop, Sender, int], None]
    """Open a connection and hand it to `connected`, or the failure to `unreachable`, with the number."""
    later: Callable[[float, Callable[[], None]], object]
    aside: Callable[[Callable[[], Seen], Callable[[Seen | BaseException], None]], None] | None = None
    """Has the first called in another thread, then the second here with what came of it. None where there is none."""
    begin: Callable[[Plane, Connection, Inbound, Dialect], Call]

    def __init__(
        self,
        *,
        journal: Journal,
        dialects: tuple[Dialect, ...],
        hosts: tuple[str, ...],
        max_body_bytes: int,
        sealer: Sealer | None,
        clock: Callable[[], float],
        roll: Callable[[], float],
        log: Log,
        receipts: bool = True,
        cache_bytes: int = 64 << 20,
    ) -> None:
        self.journal = journal
        self.dialects: Mapping[str, Dialect] = {one.name: one for one in dialects}
        self.paths: Mapping[bytes, Dialect] = {path.encode(): one for one in dialects for path in one.paths}
        self._in_path = tuple(
            (prefix.encode(), one) for one in dialects if one.in_path for prefix in one.in_path.prefixes
        )
        self.max_body_bytes = max_body_bytes
        self.sealer = sealer
        self.now = clock
        self.began = clock()
        self.roll = roll
        self.log = log
        self.receipts = receipts
        """Are bodies digested, so that a receipt can say what was sent and answered?"""
        self.new_id = IdMaker(clock)
        self.callers: Callers = {}
        self.gate = Gate({})
        self.assigner: Assigner | None = None
        """Tells calls that name no workflow which one they belong to; None where none are known."""
        self.keys_version = 0
        self.purse = Purse()
        self.answers = AnswerCache(cache_bytes)
        """Of routes that serve them again."""
        self.elsewhere: SharedAnswers | None = None
        """Answers that other gateways keep too; None where none are shared."""
        self.lending: Lending | None = None
        """Where units of shared limits are asked for; None where each process has limits of its own."""
        self.rules = b""
        """A digest of policy and routes in force; empty where there is none of both."""
        self.pool = Pool()
        self.egress = Egress()
        self.desk: Desk | None = None
        """Where callers' files and batches are asked for; None where they are not served."""
        self.passing: Passing | None = None
        """Where lines are made ready for vendors' own batches; None where batches are not served."""
        self.calls: set[Answering] = set()
        self.connections: set[Connection] = set()
        self.draining = False
        self.ready = False
        self._hosts = frozenset(hosts)
        self.known_hosts: set[bytes | None] = set()
        self._heads: dict[str, tuple[bytes, bytes]] = {}
        self.coarse = 0.0
        """The time, good to a tenth of a second: for deadlines and idleness."""
        self.tick()

    # The house connections belong to

    def hosted(self, host: bytes | None) -> bool:
        """Is `host` (with or without port) one of our names? What is gets remembered, up to a thousand of them."""
        if host is None:
            return False
        name = host.decode("latin-1").lower()
        if name.rpartition(":")[2].isdigit() and not name.endswith("]"):
            name = name.rpartition(":")[0]
        found = name in self._hosts or "*" in self._hosts
        if found and len(self.known_hosts) < 1000:
            self.known_hosts.add(host)
        return found

    def serve(self, connection: Connection, inbound: Inbound) -> Handler | None:
        """Begin a call, or answer at once what is no call."""
        dialect = self.paths.get(inbound.url) or self.dialect_of(inbound)
        if dialect is None or inbound.method != b"POST":
            desk = self.desk
            if dialect is None and desk is not None and desk.serves(inbound.url):
                return desk.serve(self, connection, inbound)
            passing = self.passing
            if dialect is None and passing is not None and passing.serves(inbound.url):
                return passing.serve(self, connection, inbound)
            self._serve_local(connection, inbound, dialect)
            return None
        call = self.begin(self, connection, inbound, dialect)
        self.calls.add(call)
        try:
            call.begin()
        except Exception as error:  # noqa: BLE001 - the process edge: a defect must not take the connection's other calls along
            call.crash(error)
        return call

    def dialect_of(self, inbound: Inbound) -> Dialect | None:
        """The dialect of a request by its path; a body whose path names the model is placed."""
        path = inbound.url.partition(b"?")[0]
        found = self.paths.get(path)
        if found is not None:
            return found
        if path.startswith(GOOGLES):
            take_key(inbound)
        for prefix, dialect in self._in_path:
            if path.startswith(prefix) and dialect.in_path is not None:
                placed = dialect.in_path.place(inbound.url.decode("latin-1"), inbound.body)
                if placed is not None:
                    inbound.body = placed
                    return dialect
        return None

    def _serve_local(self, connection: Connection, inbound: Inbound, dialect: Dialect | None) -> None:
        path, method = inbound.url.partition(b"?")[0], inbound.method
        try:
            if dialect is not None:
                raise WrongMethod(f"{method.decode('latin-1')} is not served here")
            answer = next((answer for prefix, answer in LOCAL if _matches(path, prefix)), None)
            if answer is None:
                raise UnknownPath(f"nothing is served at {path[:200].decode('latin-1')!r}")
            if method not in (b"GET", b"HEAD"):
                raise WrongMethod(f"{method.decode('latin-1')} is not served here", allow="GET, HEAD")
            data = answer(self, inbound, path)
            connection.write(without_body(data) if method == b"HEAD" else data)
        except FreeholdError as error:
            self.refuse(connection, error, inbound)
        connection.done()

    def refuse(self, connection: Connection, error: FreeholdError, inbound: Inbound | None) -> None:
        """An error without a call, in the form the request calls for."""
        dialect = self.dialects["openai_chat"]
        if inbound is not None:
            found = self.dialect_of(inbound)
            dialect = found or self.dialects[named_by(inbound)]
        more = [(b"allow", error.allow.encode())] if isinstance(error, WrongMethod) else []
        request_id = "call_" + self.new_id().hex()
        keep = inbound is not None and inbound.keep_alive
        data = error_reply(dialect, error, request_id, more, keep=keep)[1]
        connection.write(without_body(data) if inbound is not None and inbound.method == b"HEAD" else data)

    # Heads, cheap

    def tick(self) -> None:
        """Ten times a second: what need not be computed for each answer."""
        self.coarse = self.now()
        self._date = b"date: %b\r\ncontent-type: " % formatdate(self.coarse, usegmt=True).encode()

    def head(self, status: int, kind: bytes, dialect: Dialect, request_id: str, more: bytes) -> bytes:
        """A response head from the status line to just before the framing lines and the empty line."""
        found = self._heads.get(dialect.name)
        if found is None:
            mark = "\x00"
            lines = b"".join(b"%b: %b\r\n" % pair for pair in dialect.headers(mark, [], self.coarse))
            before, _, after = lines.partition(mark.encode())
            found = self._heads[dialect.name] = (b"\r\n" + before, after)
        line = b"HTTP/1.1 200 OK\r\n" if status == 200 else status_line(status)
        return b"".join((line, self._date, kind, found[0], request_id.encode(), found[1], more))

    def log_defect(self, error: Exception, request_id: str, trace: str = "") -> None:
        """A defect, with its trace but without any content of the call."""
        where = traceback.extract_tb(error.__traceback__)
        frames = [f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in where]
        told = {"trace_id": trace.partition("-")[0]} if trace else {}
        where_from = " < ".join(reversed(frames))
        self.log.error("defect", kind=type(error).__name__, call=request_id, trace=where_from, **told)


def _matches(path: bytes, served: bytes) -> bool:
    return path.startswith(served) if served.endswith(b"/") else path == served
