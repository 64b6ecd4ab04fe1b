"""One call, from request to settlement. Sans-I/O: it is told what happened, and tells its connection, the pool and
the journal what to do; each of those is a port.

decode -> authenticate -> classify -> authorise -> route -> attempt -> relay -> settle + journal
"""

from __future__ import annotations

from freehold.core.errors import (
    BadRequest,
    FreeholdError,
    JournalUnavailable,
    MissingCredential,
    NotTranslatable,
)
from freehold.core.permit import Permit
from freehold.gateway.account import Account
from freehold.gateway.callers import Caller
from freehold.gateway.hedging import Hedging
from freehold.gateway.inbound import Inbound
from freehold.gateway.lanes import Lane, path_of, scope_of
from freehold.gateway.listener import Connection
from freehold.gateway.media import FORMS, JSON, ODD, check_kind, formed
from freehold.gateway.outgoing import CHATS, Outgoing, check_leaning, prepare
from freehold.gateway.plane import Plane
from freehold.gateway.ports import Dialect, Peek
from freehold.gateway.reply import head_of
from freehold.gateway.rival import Ahead
from freehold.gateway.routing.table import Stop
from freehold.gateway.settlement import MAX_NAME
from freehold.gateway.tools import MCP, check_repeated
from freehold.gateway.tracing import trace_of
from freehold.gateway.upstream import Upstream
from freehold.guard.inspect import Seen
from freehold.ledger.frames import Attempt, Open
from freehold.ledger.meter import Usage
from freehold.policy.budgets import Shortage


class Call(Hedging):
    """The call machine: its way in, and out to a target. `over` is set exactly once, by `settle`."""

    permit: Permit
    opened = False
    subject = ""
    """Whom the call is about, as its caller names them."""

    def __init__(self, plane: Plane, connection: Connection, inbound: Inbound, dialect: Dialect) -> None:
        self.plane = plane
        self.connection = connection
        self.inbound = inbound
        self.dialect = dialect
        self.odd = dialect.name in ODD
        self.at = at = plane.now()
        self.id = plane.new_id(at)
        self.request_id = "call_" + self.id.hex()
        self.deadline = at + 3600.0
        self.account = Account(self.id, at, plane.purse)
        if b"traceparent" in inbound.headers:
            self.trace = trace_of(inbound.headers[b"traceparent"])

    # The way in

    def begin(self) -> None:
        """Everything up to the first attempt; what goes wrong is answered in the caller's dialect."""
        try:
            self.caller = self.plane.gate.admit(self.inbound.headers, self.at)
            self.decode()
            if self.authorise():
                self.proceed()
        except FreeholdError as error:
            self.turn_away(error)

    def proceed(self) -> None:
        """From a label that is final to the first attempt, or to an answer that is there already."""
        lane = self.lane  # the guard may have put one of a higher label there
        assert lane is not None
        rule = lane.path.route.cache
        if rule is not None and self.replay(lane, rule):
            return
        self.send_out()

    def send_out(self) -> None:
        """To the first target that can take it."""
        self.route()
        self.attempt()

    def looked_aside(self, seen: Seen | BaseException) -> None:
        """Another thread has looked at the request, or failed to: go on."""
        if self.over:
            return
        if isinstance(seen, BaseException):
            self.crash(seen if isinstance(seen, Exception) else RuntimeError(type(seen).__name__))
            return
        try:
            self.judge_seen(seen)
            self.proceed()
        except FreeholdError as error:
            self.turn_away(error)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def turn_away(self, error: FreeholdError) -> None:
        """Refuse, or answer by rule of thumb what no target can answer."""
        estimate = self.dialect.estimate(self.inbound.body) if isinstance(error, NotTranslatable) else None
        if estimate is None:
            self.refuse(error)
        else:
            self.estimated(estimate)

    def estimated(self, body: bytes) -> None:
        """Answer by rule of thumb what no target of the route can answer, and say so in a header."""
        headers = [(b"content-type", b"application/json"), (b"x-freehold-estimated", b"input_tokens")]
        headers += self.dialect.headers(self.request_id, [], self.plane.now())
        data = head_of(200, headers, len(body), keep=self.inbound.keep_alive) + body
        self.reply(data, "ok", 200, body)

    def decode(self) -> None:
        """What is asked, as far as routing must know."""
        headers = self.inbound.headers
        kind = headers.get(b"content-type")
        if self.odd or kind != JSON:
            check_kind(self.dialect.name, kind, self.inbound.body)
        self.peek = peek = self.dialect.peek(self.inbound.body)
        if self.odd and self.dialect.name == MCP:
            check_repeated(headers, peek.tool)
        if peek.units:
            given = len(self.inbound.body) // 4 if peek.given is None else peek.given
            made = (peek.max_output or 0) * peek.choices
            self.account.asked = Usage(given, made, units=peek.units, unit=peek.unit, estimated=True)
        named = headers.get(b"x-freehold-workflow")
        workflow = named.decode("latin-1").strip() if named is not None else peek.workflow
        self.subject = _subject(headers.get(b"x-freehold-subject", b""))
        assigner = self.plane.assigner
        if workflow:
            if len(workflow) > MAX_NAME or not workflow.isprintable():
                raise BadRequest(f"a workflow is named by at most {MAX_NAME} printable characters", param="workflow")
            self.workflow = workflow if assigner is None else assigner.named(workflow)
        elif assigner is not None and self.caller is not None and self.dialect.name in CHATS:
            self.workflow = assigner.of(self.inbound.body, peek, self.caller.principal.key_id)

    def authorise(self) -> bool:
        """Scope, label (the join of the key's, the route's and the header's), permitted targets, limits.

        False where the call goes on once its content was looked at.
        """
        caller, plane, peek = self.caller, self.plane, self.peek
        assert caller is not None and peek is not None
        table, mint = plane.table, plane.mint
        self.path = path = table.paths.get(peek.model) or path_of(table, caller, peek.model, self.at)
        header = self.inbound.headers.get(b"x-freehold-label")
        if header is not None:
            lane = self.lane_for(caller, path, mint, header)
        else:
            known = caller.lanes.get(path.name)
            lane = (
                known
                if known and known.path is path and known.mint.base is mint
                else self.lane_for(caller, path, mint, None)
            )
        self.lane = lane
        if peek.leans_on:
            check_leaning(peek, path)
        if lane.limited and not self.within_limits(caller, peek):
            return False
        return path.watch is None or self.guard(path.watch)

    def within_limits(self, caller: Caller, peek: Peek) -> bool:
        """False where the call waits for units of a limit that gateways share. Raises RequestLimit, TokenLimit."""
        given = len(self.inbound.body) // 4 if peek.given is None else peek.given
        expected = given + (peek.max_output or 0)
        short = caller.admit(expected, self.at)
        if short is None:
            self.account.expected_tokens = expected
            return True
        lending = self.plane.lending
        assert lending is not None
        lending.ask(short, expected if short is caller.tokens else 1, self)
        return False

    def lent(self) -> None:
        """There is word of the limit this call waits for: try again."""
        caller, peek, path = self.caller, self.peek, self.path
        if self.over or caller is None or peek is None or path is None:
            return
        try:
            if self.within_limits(caller, peek) and (path.watch is None or self.guard(path.watch)):
                self.proceed()
        except FreeholdError as error:
            self.turn_away(error)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def route(self) -> None:
        """The targets to try, in order."""
        lane, peek = self.lane, self.peek
        assert lane is not None and peek is not None
        plane, path = self.plane, lane.path
        path.retries.calls += 1
        moves = plane.table.moves
        move = moves.get(self.workflow) if moves else None
        if lane.only is not None and move is None:
            self.plan = lane.only
            return
        header = self.inbound.headers.get(b"x-freehold-conversation")
        conversation = header.decode("latin-1") if header is not None else peek.conversation
        ways = path.plan(lane.label, lane.mint, conversation, self.at, plane.roll)
        if move is None and not path.joint:
            self.plan = ways  # type: ignore[assignment]  # a path without joints leads to stops alone
            if path.queued:
                self.plan = self.with_room(self.plan)
        else:
            self.steer(ways, move, conversation)

    # Out to a target

    def attempt(self) -> None:
        """Prepare the body for the next target that can take it, get leave and money for it, write it down.

        Raises what refuses the call before anything was sent.
        """
        plane, lane, account = self.plane, self.lane, self.account
        assert lane is not None
        self.out = out = self._prepared(lane)
        stop = self.plan[self.position]
        now = plane.now()
        if stop.health.queue is not None and not self.enter(stop, now):
            return
        # Under the policy in force now, not the one the call came in under: a retry must not outlive a change.
        assert self.caller is not None
        mint = scope_of(self.caller, lane.path, plane.mint)
        self.permit = mint.permit(self.id, lane.label, stop.target, out.body, now)
        if not stop.free and (lane.budgets or plane.journal.strict) and not self._reserve(lane, stop, out, now):
            return
        account.begin(stop, len(out.body), now)
        # How long silence is borne before the answer begins.
        target, limit = stop.target, lane.path.route.first_token_seconds
        streams = self.peek is not None and self.peek.stream
        self.deadline = now + (target.whole_seconds if not streams else limit or target.first_token_seconds)
        if self.steps is not None:
            self.bear(now)
        if (rule := lane.path.route.hedge) is not None:
            self.arm(lane, rule, stop)
        if self.opened:
            number = len(account.tried) + 1
            reserved = account.reservation.amount
            frame: Open | Attempt = Attempt(self.id, now, number, stop.name, reserved, account.drawn())
        else:
            frame = self.opening(lane, stop, self.permit.body_sha256)
            self.opened = True
            if (lane.path.route.capture or self.watched) and plane.sealer is not None:
                self.capturing = True
                self.capture("request", self.inbound.body)
        plane.journal.add(frame, self.dispatch, exact=bool(account.reservation.slices))

    def _prepared(self, lane: Lane) -> Outgoing:
        peek = self.peek
        assert peek is not None
        strict = lane.path.route.strict or b"x-freehold-strict" in self.inbound.headers
        if self.steps is not None:
            return self.prepare_step(strict=strict)
        while True:
            stop = self.plan[self.position]
            try:
                return prepare(self.dialect, self.inbound.body, peek, stop, self.plane.dialects, strict=strict)
            except (MissingCredential, NotTranslatable):
                if self.position + 1 >= len(self.plan):
                    raise
                self.position += 1

    def _reserve(self, lane: Lane, stop: Stop, out: Outgoing, now: float) -> bool:
        """Set the money aside; False where the call has to wait for the budget authority."""
        peek, account = self.peek, self.account
        assert peek is not None
        amount = stop.bound(out.body, peek, images=bool(lane.budgets))
        if account.tried:  # what earlier attempts cost stays set aside beside what this one may cost
            amount += account.spent
        purse = self.plane.purse
        if account.reservation.slices:
            if purse.widen(account.reservation, amount):
                return True
            short = account.reservation.slices[0].budget
        else:
            found = purse.reserve(lane.budgets, amount, now)
            if not isinstance(found, Shortage):
                account.reservation = found
                return True
            short = found.budget
        self.parked = short
        self.plane.leases.ask(short, amount, self)
        return False

    def granted(self, error: FreeholdError | None) -> None:
        """The budget authority answered: go on, or refuse."""
        if self.over or not self.parked:
            return
        self.parked = ""
        try:
            if error is not None:
                raise error
            self.attempt()
        except FreeholdError as problem:
            self.refuse(problem)

    def opening(self, lane: Lane, stop: Stop, sha256: bytes) -> Open:
        """The frame that opens the call."""
        peek, plane = self.peek, self.plane
        assert peek is not None
        return Open(
            self.id, self.at, lane.key_id, lane.team, lane.path.name, self.dialect.name, peek.stream,
            lane.label_text, self.workflow, stop.name, plane.mint.version, plane.table.version,
            self.account.reservation.amount,
            self.account.drawn() if self.account.reservation.slices else (), sha256,
            self.subject, self.scan, self.trace,
        )  # fmt: skip

    def dispatch(self, failed: JournalUnavailable | None) -> None:
        """The frame is written: now, and only now, may bytes leave."""
        if self.over:
            return
        if failed is not None:
            self.fail(failed)
            return
        stop = self.plan[self.position]
        plane, idle, attempt = self.plane, stop.idle, len(self.account.tried)
        if idle is None:
            idle = stop.idle = plane.pool.bucket(stop.origin, stop.target.tls_ca)
        upstream = plane.pool.take(idle, plane.coarse) if idle else None
        if upstream is None:
            plane.connect(stop, self, attempt)
            return
        try:
            self.connected(upstream, attempt)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def connected(self, upstream: Upstream, attempt: int) -> None:
        """A connection is there, asked for by the attempt after so many; that one may be over by now."""
        if self.over or attempt != len(self.account.tried) or self.account.stop is None:
            upstream.abort()
            return
        head = self.head_for(self.out, self.plan[self.position])
        self.upstream = upstream
        try:
            upstream.request(self, self.permit, head, self.plane.coarse)
            if self.race is not None:
                upstream.receiver = Ahead(self)
        except FreeholdError as error:
            self.upstream = None
            upstream.abort()
            self.fail(error)

    def head_for(self, out: Outgoing, stop: Stop) -> bytes:
        """The head of the request to a target."""
        dialect = out.dialect
        path = out.path or dialect.upstream_path
        head = stop.heads.get(path) or stop.head(dialect.name, path)
        if self.odd and dialect.name in FORMS:
            head = formed(head, out.body)
        if stop.driver.signer is not None:
            head = stop.signed(head, stop.driver.signer, path, out.body, self.plane.now())
        headers = self.inbound.headers
        if out.decoded or stop.forwards.isdisjoint(headers):
            return b"%b%d\r\n\r\n" % (head, len(out.body))
        extra = b"".join([b"%b: %b\r\n" % (n, headers[n]) for n in stop.forwards if n in headers])
        return b"%b%d\r\n%b\r\n" % (head, len(out.body), extra)

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """The target gave no (more) answer. A stale pooled connection is replaced once, silently."""
        self.upstream = None
        if self.over:
            return
        if stale and not self.committed:
            self.plane.connect(self.plan[self.position], self, len(self.account.tried))
            return
        self.fail(error)


def _subject(header: bytes) -> str:
    """Whom a caller names; clients send UTF-8 or Latin-1. Raises BadRequest."""
    if not header:
        return ""
    try:
        named = header.decode().strip()
    except UnicodeDecodeError:
        named = header.decode("latin-1").strip()
    if len(named) > MAX_NAME or not named.isprintable():
        raise BadRequest(f"a subject is named by at most {MAX_NAME} printable characters", param="subject")
    return named
