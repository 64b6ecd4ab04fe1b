"""Drives a machine through one random history: callers ask, read slowly and leave; targets answer well, badly, in
pieces or not at all; the disk fills; money runs out; time passes. `check` then holds what must hold after any history.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

from freehold.gateway.routing.types import CacheRule, Composite, HedgeRule, Overlay, Routes, Watch
from freehold.grading.types import Spec
from freehold.ledger.frames import Attempt, Close, Open, Refused
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.answers import Answer, read_answers
from tests.gateway.machine import Machine

BUDGET = "team/spend"
OPTIONS = {"stream_options": {"include_usage": True}}
REQUESTS = (
    p.request(p.CHAT, p.chat_body()),
    p.request(p.CHAT, p.chat_body(stream=True, **OPTIONS)),
    p.request(p.CHAT, p.chat_body(stream=True)),
    p.request(p.MESSAGES, p.messages_body()),
    p.request(p.MESSAGES, p.messages_body(stream=True)),
    p.request(p.CHAT, p.chat_body("own-first", stream=True)),
    p.request(p.CHAT, p.chat_body("solo")),
    p.request(p.CHAT, p.chat_body("solo", stream=True), "connection: close"),
    p.request(p.CHAT, p.chat_body(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    p.request(p.MESSAGES, p.messages_body("claude", stream=True)),
    p.request(p.CHAT, p.chat_body("claude", stream=True)),
    p.request(p.CHAT, p.chat_body("nowhere")),
    p.request(p.CHAT, b"{"),
    p.request(p.CHAT, p.chat_body(), key="fh-unknown"),
    b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
)
MOVING = (
    *(p.request(p.CHAT, p.chat_body(name, stream=stream)) for name in ("pair", "sure") for stream in (False, True)),
    p.request(p.MESSAGES, p.messages_body("pair", stream=True)),
    p.request(p.MESSAGES, p.messages_body("sure")),
    p.request(p.CHAT, p.chat_body(stream=True), "x-freehold-workflow: wf_1"),
    p.request(p.CHAT, p.chat_body("solo"), "x-freehold-workflow: wf_1"),
    p.request(p.MESSAGES, p.messages_body(stream=True), "x-freehold-workflow: wf_2"),
    p.request(p.CHAT, p.chat_body("pair", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
)
"""Calls that moves and composites have a say in."""
RACING = (
    *(p.request(p.CHAT, p.chat_body("raced", stream=stream, seed=seed)) for stream in (False, True) for seed in (1, 2)),
    p.request(p.CHAT, p.chat_body("raced", stream=True, **OPTIONS)),
    p.request(p.MESSAGES, p.messages_body("raced", stream=True)),
    p.request(p.CHAT, p.chat_body("raced", stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    p.request(p.CHAT, p.chat_body("free-first", stream=True)),
    p.request(p.CHAT, p.chat_body("kept")),
    p.request(p.CHAT, p.chat_body("kept", stream=True)),
    p.request(p.MESSAGES, p.messages_body("kept", stream=True)),
    p.request(p.CHAT, p.chat_body("full"), "x-freehold-priority: batch"),
    p.request(p.CHAT, p.chat_body("full", stream=True)),
    p.request(p.CHAT, p.chat_body("full", stream=True), "x-freehold-priority: normal"),
)
"""Calls that are hedged, answered from memory, or wait for their turn."""
FULL = {"most_in_flight": 2, "most_waiting": 2, "first_token_seconds": 30.0}
ERROR_EVENT = b'data: {"error":{"message":"broken","type":"server_error"}}\n\n'
WHOLE = p.chat_answer()
ANSWERS = (
    p.response(WHOLE),
    p.response(WHOLE),
    p.chunked(WHOLE[:40], WHOLE[40:], kind="application/json"),
    p.response(b'{"error":{"message":"inside"}}'),
    p.response(WHOLE[:-5]),
    p.response(b'{"error":{"message":"no","type":"server_error"}}', 500),
    p.response(b'{"error":{"message":"wait"}}', 429, "retry-after: 1"),
    p.response(b'{"error":{"message":"your fault"}}', 400),
    p.response(b"", 302, "location: http://169.254.169.254/"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + p.response(WHOLE),
    p.response(WHOLE) + p.response(WHOLE),
    b"what is this",
)
STREAMS = (
    p.chunked(*p.chat_stream()),
    p.chunked(*p.chat_stream()),
    p.chunked(*p.chat_stream()),
    p.chunked(b"".join(p.chat_stream())),
    p.chunked(*p.chat_stream(usage=False)),
    p.chunked(*p.chat_stream(done=False)),
    p.chunked(ERROR_EVENT),
    p.chunked(*p.chat_stream(done=False, usage=False), ERROR_EVENT),
    p.chunked(),
    p.chunked(*p.chat_stream(), end=b"0\r\nx-trailer: 1\r\n\r\n"),
    p.chunked(*p.chat_stream()) + p.chunked(*p.chat_stream()),
    p.response(b"".join(p.chat_stream()), kind="text/event-stream"),
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(p.chat_stream()),
    p.chunked(*p.chat_stream())[:-9],
    p.chunked(p.chat_event("x"), end=b"zz\r\n"),
    *ANSWERS[3:8],
)

MESSAGES = (
    p.chunked(*p.message_stream()),
    p.chunked(*p.message_stream()),
    p.chunked(b"".join(p.message_stream())),
    p.chunked(*p.message_stream(stop=False)),
    p.chunked(*p.message_stream(stop=False), p.event("error", error={"type": "overloaded_error", "message": "x"})),
    p.chunked(p.event("error", error={"type": "overloaded_error", "message": "x"})),
    p.chunked(*p.message_stream()) * 2,
    p.response(b"".join(p.message_stream()), kind="text/event-stream"),
    *ANSWERS[3:8],
)


WEIGHED = (
    *[p.response(p.chat_answer(freehold={"confidence": 0.95}))] * 3,
    *[p.response(p.chat_answer("other", freehold={"confidence": 0.2}))] * 2,
    p.response(WHOLE, 200, "connection: close"),
    p.response(p.chat_answer()),
)
"""What members may say: the same, something else, with and without confidence."""


def racing() -> Routes:
    """Three targets, one of which takes two calls at once, under routes that hedge, keep answers, and choose."""
    targets = (p.target("a", 9001), p.free("own", 9003), p.claude("c", 9004), p.target("f", 9005, **FULL))
    hedge = HedgeRule(1.0, ratio=1.0, whole=True)
    return p.routes(
        targets,
        p.route("raced", "a", "c", "own", hedge=hedge, attempts=4),
        p.route("free-first", "own", "a", hedge=hedge),
        p.route("kept", "a", "f", hedge=hedge, cache=CacheRule(90.0)),
        p.route("full", ("f", "a"), "c", hedge=hedge, choose="fastest"),
    )


def routes(*, moves: bool) -> Routes:
    """Four targets under four routes; with `moves` composites, overlays and a watch as well."""
    targets = (p.target("a", 9001), p.target("b", 9002), p.free("own", 9003), p.claude("c", 9004))
    made = [
        p.route("assistant", "a", "b"),
        p.route("own-first", "own", "b"),
        p.route("solo", "a"),
        p.route("claude", "c", "b"),
    ]
    if not moves:
        return p.routes(targets, *made)
    pair = Composite(
        name="pair", kind="agreement", members=("own", "a"), escalate="c", grader=Spec("label"), member_seconds=20.0
    )
    sure = Composite(name="sure", kind="confidence", members=("own",), escalate="b", threshold=0.9)
    return p.routes(
        targets, *made, p.route("pair", "pair", "b"), p.route("sure", "sure"), composites=(pair, sure),
        overlays=(Overlay(workflow="wf_1", target="own", share=0.6), Overlay(workflow="wf_2", target="pair", share=0.7)),
        watches=(Watch(workflow="wf_1", share=0.5),),
    )  # fmt: skip


class Explorer:
    """One history, determined by its seed."""

    def __init__(
        self, home: Path, seed: int, *, steps: int = 40, disk: bool = False, money: bool = True, strict: bool = True,
        moves: bool = False, races: bool = False,
    ) -> None:  # fmt: skip
        self.dice = random.Random(seed)
        self.log: list[str] = []
        self.disk = disk
        self.strict = strict
        table = racing() if races else routes(moves=moves)
        self.requests, self.whole = (MOVING, (*ANSWERS, *WEIGHED)) if moves else (REQUESTS, ANSWERS)
        if races:
            self.requests = RACING
        who = p.principal(budgets=(BUDGET,) if money else (), tokens_per_minute=100_000)
        policy = Policy(budgets=(Budget(id=BUDGET, limit=Decimal(100)),) if money else ())
        self.machine = Machine(home, table, p.keys(who), policy, strict=strict)
        self.asked: dict[int, list[str]] = {}
        self.answers: dict[int, list[bytes]] = {}
        self.served: dict[int, int] = {}
        self.left: set[int] = set()
        self.ever_full = False
        for _ in range(steps):
            self.step()
        self.settle_down()
        self.machine.journal.flush()

    # One step

    def step(self) -> None:
        events = [(3, self.new_request), (1, self.time)]
        machine = self.machine
        if machine.connecting:
            events += [(10, self.connect), (1, self.no_connection)]
        if machine.busy():
            events += [(20, self.answer), (1, self.lose)]
        if machine.asked():
            events.append((4, self.money))
        if self.open():
            events += [(1, self.hang_up), (1, self.slow)]
        if self.disk:
            events.append((1, self.fill_disk))
        what = self.dice.choices([one for _, one in events], [weight for weight, _ in events])[0]
        self.log.append(what.__name__)
        what()
        for name, stop in machine.plane.table.stops.items():
            most = stop.target.most_in_flight
            assert not most or stop.health.in_flight <= most, f"{name} has more calls at once than it takes"

    def open(self) -> list[int]:
        return [at for at, one in enumerate(self.machine.connections) if not one.transport.closed]

    def new_request(self) -> None:
        machine, dice = self.machine, self.dice
        free = self.open()
        if len(free) < 3 or dice.random() < 0.2:
            machine.caller()
            free = [len(machine.connections) - 1]
        at = dice.choice(free)
        data = dice.choice(self.requests)
        self.log[-1] += f" {at} {data[:30]!r} {data[-60:]!r}"
        self.asked.setdefault(at, []).append(data.split(b" ")[0].decode())
        cut = dice.randrange(len(data)) if dice.random() < 0.3 else len(data)
        machine.ask(machine.connections[at], data[:cut])
        if not machine.connections[at].transport.closed:
            machine.ask(machine.connections[at], data[cut:])

    def time(self) -> None:
        seconds = self.dice.choice([0.1, 1.0, 3.0, 61.0, 400.0])
        self.log[-1] += f" {seconds}"
        self.machine.wait(seconds)

    def connect(self) -> None:
        self.machine.connect(self.dice.randrange(len(self.machine.connecting)))

    def no_connection(self) -> None:
        self.machine.refuse_connection(self.dice.randrange(len(self.machine.connecting)))

    def answer(self) -> None:
        machine, dice = self.machine, self.dice
        upstream = dice.choice(machine.busy())
        at = machine.upstreams.index(upstream)
        if self.served.get(at) != upstream.used:  # its next request: choose how this one will be answered
            self.served[at] = upstream.used
            asked = upstream.transport.sent[-500:]
            kinds = MESSAGES if b"POST /v1/messages" in asked else STREAMS if b'"stream":true' in asked else self.whole
            data = dice.choice(kinds)
            cuts = sorted(dice.randrange(len(data)) for _ in range(dice.choice([0, 0, 1, 2, 5])))
            self.answers[at] = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a != b]
        left = self.answers[at]
        if not left:
            machine.lose(upstream)
        elif upstream.transport.reading:
            self.log[-1] += f" {at} {left[0][-60:]!r}"
            machine.answer(upstream, left.pop(0))

    def lose(self) -> None:
        error = self.dice.choice([None, ConnectionResetError()])
        self.machine.lose(self.dice.choice(self.machine.busy()), error)

    def money(self) -> None:
        self.machine.grant(self.dice.choice(["0.5", "0.01", "0.01", None]))

    def hang_up(self) -> None:
        at = self.dice.choice(self.open())
        self.left.add(at)
        self.log[-1] += f" {at}"
        self.machine.lose(self.machine.connections[at])

    def slow(self) -> None:
        connection = self.machine.connections[self.dice.choice(self.open())]
        self.dice.choice([connection.pause_writing, connection.resume_writing])()

    def fill_disk(self) -> None:
        self.ever_full = True
        self.machine.journal.full = not self.machine.journal.full

    def settle_down(self) -> None:
        """Everything that is under way comes to its end, without a caller leaving."""
        machine = self.machine
        machine.journal.full = False
        for _ in range(30):
            while machine.connecting:
                machine.refuse_connection()
            for upstream in machine.busy():
                machine.lose(upstream)
            while machine.asked():
                machine.grant(None)
            machine.wait(3.0)
            if not machine.plane.calls:
                return

    # What must hold

    def check(self) -> None:
        machine = self.machine
        self.check_settlement()
        if self.strict:
            self.check_order()
        for at, connection in enumerate(machine.connections):
            if at not in self.left:
                self.check_caller(at, connection)
        for upstream in machine.upstreams:
            assert upstream.receiver is None, "a target's connection still belongs to a call"
        assert '"error"' not in machine.log.getvalue(), "a defect was logged"

    def check_settlement(self) -> None:
        machine = self.machine
        assert not machine.plane.calls, "a call never ended"
        ends = Counter(one.call for one in machine.ends())
        for one in machine.ends():
            if isinstance(one, Close):
                assert [each.number for each in one.tried] == list(range(1, len(one.tried) + 1))
                assert one.cost == sum((each.cost for each in one.tried), Decimal(0))
        for call in machine.calls:
            assert call.race is None and call.queue is None, "something is under way beside a call that is over"
            assert call.over and call.account.reservation.settled
            assert ends[call.id] == 1 or (self.ever_full and ends[call.id] == 0), f"{ends[call.id]} ends"
        assert not set(ends) - {one.id for one in machine.calls}
        assert all(one.in_flight == 0 for one in machine.health.values())
        assert all(one.queue is None or not len(one.queue) for one in machine.health.values()), "somebody waits yet"
        spent = sum((one.account.spent for one in machine.calls), Decimal(0))
        held = machine.plane.purse.slices.get(BUDGET)
        if held is not None:
            assert held.left == machine.granted[BUDGET] - spent
            assert held.left >= 0
        level = next(iter(machine.plane.callers.values())).tokens
        used = sum(one.account.tokens for one in machine.calls if one.caller is not None)
        assert level is not None and level.level >= level.per_minute - used - 1e-6, "tokens were not given back"

    def check_order(self) -> None:
        begun: Counter[bytes] = Counter()
        for name, *entry in self.machine.trace:
            if name == "frame":
                frame = entry[0]
                if isinstance(frame, Open):
                    assert not begun[frame.call], "opened twice"
                if isinstance(frame, Open | Attempt):
                    begun[frame.call] += 1
                elif isinstance(frame, Close):
                    assert begun[frame.call] or self.ever_full, "closed but never opened"
                elif isinstance(frame, Refused):
                    assert not begun[frame.call], "refused after it was opened"
            elif name.startswith("upstream"):
                _, call, number = entry
                assert call is not None and (begun[call.id] >= number or self.ever_full), (
                    "sent before it was written down"
                )
                assert begun[call.id], "sent before it was written down"

    def check_caller(self, at: int, connection) -> None:
        wire = connection.transport
        answers = read_answers(wire.sent, self.asked.get(at, []), ended=wire.closed)
        if not wire.closed:
            assert not connection.busy, "stuck"
            assert len(answers) == len(self.asked.get(at, [])), "a request was never answered"
        for answer in answers:
            self.check_answer(answer, wire.name)

    def check_answer(self, answer: Answer, name: str) -> None:
        if not answer.call:
            return
        ends = [one for one in self.machine.ends() if one.call == answer.call]
        if not ends:
            assert self.ever_full or not answer.complete
            return
        end = ends[0]
        if isinstance(end, Refused) or end.outcome == "failed":
            assert answer.complete and answer.status == end.status >= 400
        elif end.outcome == "ok":
            assert answer.complete and answer.status == 200
            assert hashlib.sha256(answer.body).digest() == end.response_sha256
            assert len(answer.body) == end.delivered
        elif end.outcome == "broken":
            assert not answer.complete or (answer.closes and b'"error"' in answer.body), "a cut answer looks whole"
        else:
            # Without chunks only the dialect's end mark tells: whoever sends on after such a request is cut off.
            assert not answer.complete or answer.closes, f"{end.outcome}, and yet the caller has a whole answer"
        if answer.complete and not answer.closes and self.strict and not self.ever_full:
            self.check_written_first(answer, name)

    def check_written_first(self, answer: Answer, name: str) -> None:
        """The frame that ends the call stands before the last byte of its answer."""
        sent, closed = 0, False
        for kind, *entry in self.machine.trace:
            closed = closed or (
                kind == "frame" and isinstance(entry[0], Close | Refused) and entry[0].call == answer.call
            )
            if kind == name:
                sent += len(entry[0])
                if sent >= answer.end:
                    assert closed, "the last byte went out before the close was written"
                    return
