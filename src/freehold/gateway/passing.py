"""The gateway's part in batches that are passed to their vendor: for the process of batches, by Freehold's own key.

Invariant: a file of lines leaves under one permit, for the join of their labels, and holds only lines that went
through the call machine for that key, that target and that label.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.core.errors import BadRequest, Forbidden, FreeholdError, NotFound
from freehold.core.label import PUBLIC, parse_label
from freehold.core.money import ZERO
from freehold.gateway.callers import AS, Caller
from freehold.gateway.exchange import Exchange
from freehold.gateway.exchange import Heard as Came
from freehold.gateway.inbound import Inbound
from freehold.gateway.lanes import scope_of
from freehold.gateway.listener import Connection
from freehold.gateway.outgoing import spoken
from freehold.gateway.passed_lines import (
    PREFIX,
    Answered,
    Ask,
    Deliver,
    Delivered,
    Heard,
    Line,
    NotPassed,
    Prepared,
    Ready,
    Send,
)
from freehold.gateway.rehearsal import Rehearsal, Way
from freehold.gateway.reply import head_of
from freehold.gateway.routing.table import Stop
from freehold.gateway.vendor_batches import Asking, Written, batches_of
from freehold.ledger.frames import Close, Frame, Tried
from freehold.ledger.journal import pack
from freehold.ledger.meter import Usage, charge

if TYPE_CHECKING:
    from freehold.core.permit import Permit
    from freehold.gateway.plane import Plane

PURPOSE = b"passed line"
"""Of the digests that prove a line."""
_TOLD = ("x-freehold-error", "x-request-id", "request-id", "retry-after")
_encode = msgspec.msgpack.Encoder().encode


class Waiting:
    """One of them on its way."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task

    def hung_up(self) -> None:
        """Nobody waits for the answer."""
        self.task.cancel()

    def pause(self) -> None:
        """The answer is written at once."""

    def resume(self) -> None:
        """See above."""


class Passing:
    """Serves the paths under `PREFIX`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def serves(self, url: bytes) -> bool:
        """Is this path one of them?"""
        return url.startswith(PREFIX)

    def serve(self, plane: Plane, connection: Connection, inbound: Inbound) -> Waiting | None:
        """Check that it is our own key, do it, answer."""
        try:
            caller = plane.gate.admit(inbound.headers, plane.now())
            if not caller.service or caller.routes is not None:  # a pass is for some models
                raise Forbidden("only Freehold's own key is served here")
        except FreeholdError as error:
            plane.refuse(connection, error, inbound)
            connection.done()
            return None
        task = asyncio.get_running_loop().create_task(self._run(plane, connection, inbound))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Waiting(task)

    async def _run(self, plane: Plane, connection: Connection, inbound: Inbound) -> None:
        try:
            data = _encode(await _do(plane, inbound))
        except FreeholdError as error:
            plane.refuse(connection, error, inbound)
        except Exception as error:  # noqa: BLE001 - the process edge: who asks must be answered
            plane.log_defect(error, "")
            connection.close()
        else:
            kind = [(b"content-type", b"application/msgpack")]
            connection.write(head_of(200, kind, len(data), keep=inbound.keep_alive) + data)
        connection.done()


async def _do(plane: Plane, inbound: Inbound) -> Prepared | Delivered | Heard:
    """Raises FreeholdError."""
    what = inbound.url[len(PREFIX) :].decode("latin-1")
    kinds: dict[str, Any] = {"prepare": Line, "deliver": Deliver, "send": Send, "ask": Ask}
    if what not in kinds:
        raise NotFound("nothing is served at this path")
    try:
        asked = msgspec.msgpack.decode(inbound.body, type=kinds[what])
    except msgspec.DecodeError as error:
        raise BadRequest(str(error)) from None
    match asked:
        case Line():
            return await prepare(plane, inbound, asked)
        case Deliver():
            return await deliver(plane, inbound, asked)
        case Send():
            return await send(plane, inbound, asked)
    return await ask(plane, asked)


async def prepare(plane: Plane, inbound: Inbound, line: Line) -> Prepared:
    """A line as it may leave; what its caller is told where it may not; or that it is none to be passed.

    Raises the Unauthenticated errors.
    """
    caller = _caller(plane, inbound, line.key_id)
    way = _way(plane, line)
    if way is None or plane.sealer is None:
        return NotPassed()
    done = await _gone_through(plane, way, caller, line)
    opened, stop = done.opened, way.stop
    moves = plane.table.moves
    if opened is not None and moves and moves.get(opened.workflow) is not None:
        return NotPassed()
    if opened is None or not done.sent:
        return _answered(done.told)
    found = Ready(
        call=opened.call,
        route=way.path.name,
        target=stop.name,
        form=stop.target.batches,
        mark=line.mark,
        path=stop.target.path + (done.call.out.path or done.call.out.dialect.upstream_path),
        label=opened.label,
        body=done.sent,
        opening=_packed([opened, *done.kept("request")]),
        proof=b"",
    )
    return msgspec.structs.replace(found, proof=_proof(plane, line.key_id, found))


async def deliver(plane: Plane, inbound: Inbound, told: Deliver) -> Delivered:
    """The vendor's answer to a line, as its caller gets it: looked at, translated, metered at the batches' price.

    Where the machine refuses the line by now, it is paid for all the same. Raises NotFound where its target is gone.
    """
    found = plane.table.stops.get(told.target)
    if found is None:
        raise NotFound("the target of that line is gone")
    stop = found.in_batches()
    way = _way(plane, told.line)
    try:
        caller = _caller(plane, inbound, told.line.key_id)
        if way is None or way.stop.name != stop.name:
            raise NotFound("the route of that line leads elsewhere by now")
    except FreeholdError as error:
        status, body = plane.dialects["openai_chat"].error(error, "call_" + told.call.hex())
        return Delivered(
            answered=Answered(status=status, headers={"x-freehold-error": error.code}, body=body),
            closing=pack(_paid(plane, stop, told, error.code)),
        )
    done = await _gone_through(plane, way, caller, told.line, told)
    answered = _answered(done.told)
    close = done.close or _paid(plane, stop, told, answered.headers.get("x-freehold-error", ""))
    return Delivered(answered=answered, closing=_packed([*done.kept("response"), close]))


async def send(plane: Plane, inbound: Inbound, sent: Send) -> Heard:
    """Upload lines as one file. Raises what keeps it from leaving."""
    caller = _caller(plane, inbound, sent.key_id)
    first = sent.lines[0]
    stop, form = plane.table.stops.get(first.target), batches_of(first.form)
    path = plane.table.paths.get(first.route)
    if stop is None or form is None or path is None or stop.target.batches != form.name:
        raise NotFound("where these lines were to go is gone")
    boundary = "freehold-" + plane.new_id().hex()

    def written() -> Asking:
        for one in sent.lines:
            if one.proof != _proof(plane, sent.key_id, one) or (one.target, one.route) != (stop.name, path.name):
                raise Forbidden("a line that did not go through the gateway")
        return form.upload(sent.name, [Written(one.mark, one.path, one.body) for one in sent.lines], boundary)

    asking = await asyncio.get_running_loop().run_in_executor(None, written)
    label = parse_label(first.label)
    for text in {one.label for one in sent.lines}:
        label = label.join(parse_label(text))
    mint = scope_of(caller, path, plane.mint)
    permit = mint.permit(plane.new_id(), label, stop.target, asking.body, plane.now())
    return await _exchanged(plane, stop, permit, asking)


async def ask(plane: Plane, asked: Ask) -> Heard:
    """What has become of a batch. Raises what keeps us from asking."""
    stop, form = plane.table.stops.get(asked.target), batches_of(asked.form)
    if stop is None or form is None:
        raise NotFound("there is no such target any more")
    asking = form.ask(asked.what, asked.one, asked.name)
    if asking is None:
        raise BadRequest("that is nothing to ask a vendor")
    permit = plane.mint.permit(plane.new_id(), PUBLIC, stop.target, asking.body, plane.now())
    return await _exchanged(plane, stop, permit, asking)


async def _exchanged(plane: Plane, stop: Stop, permit: Permit, asking: Asking) -> Heard:
    future: asyncio.Future[Came | FreeholdError] = asyncio.get_running_loop().create_future()
    exchange = Exchange(plane, stop, future.set_result)
    exchange.begin(permit, stop.plain_head(asking.method, asking.path, len(asking.body), *asking.lines))
    try:
        came = await future
    finally:
        exchange.hung_up()
    if isinstance(came, FreeholdError):
        return Heard(error=came.code, message=came.message)
    return Heard(status=came[0], body=came[1])


async def _gone_through(plane: Plane, way: Way, caller: Caller, line: Line, told: Deliver | None = None) -> Rehearsal:
    future: asyncio.Future[Rehearsal] = asyncio.get_running_loop().create_future()
    rehearsal = Rehearsal(plane, way, caller, future.set_result)
    headers = {name.encode(): value.encode() for name, value in line.headers.items()}
    headers[b"content-type"] = b"application/json"
    inbound = Inbound(b"POST", line.path.encode(), headers, line.body, True, True)
    if told is None:
        rehearsal.begin(inbound)
    else:
        rehearsal.begin(inbound, told.call, (told.status, told.answer))
    try:
        return await future
    except asyncio.CancelledError:
        rehearsal.hung_up()
        raise


def _packed(frames: Sequence[Frame]) -> bytes:
    return b"".join(pack(one) for one in frames)


def _caller(plane: Plane, inbound: Inbound, key_id: str) -> Caller:
    """Who made the batch. Raises the Unauthenticated errors."""
    secret = inbound.headers.get(b"authorization", b"").partition(AS)[0]
    return plane.gate.admit({b"authorization": secret + AS + key_id.encode()}, plane.now())


def _way(plane: Plane, line: Line) -> Way | None:
    """Where lines like this one are passed to; None where its route leads to anything but one target that has it."""
    dialect = plane.paths.get(line.path.encode())
    if dialect is None:
        return None
    try:
        path = plane.table.path(dialect.peek(line.body).model)
    except FreeholdError:
        return None
    if path.joint or [len(tier) for tier in path.tiers] != [1]:
        return None
    stop = path.tiers[0][0]
    if not isinstance(stop, Stop) or stop.fault or stop.owned:
        return None
    form = batches_of(stop.target.batches)
    if form is None or spoken(dialect.name, stop) not in form.dialects:
        return None
    return Way(path, dialect)


def _proof(plane: Plane, key_id: str, line: Ready) -> bytes:
    assert plane.sealer is not None
    said = (key_id, line.call, line.route, line.target, line.form, line.mark, line.path, line.label, line.body)
    return plane.sealer.digest(PURPOSE, _encode(said))


def _paid(plane: Plane, stop: Stop, told: Deliver, error: str) -> Close:
    """The end of a call whose answer nobody gets: what the vendor says it used is owed to it."""
    dialect = plane.paths.get(told.line.path.encode())
    name = "" if dialect is None else spoken(dialect.name, stop)
    usage: Usage | None = None
    if name and told.status == 200:
        try:
            usage = plane.dialects[name].usage(told.answer)
        except FreeholdError:
            usage = None
    usage = usage or Usage(estimated=True)
    cost = charge(usage, stop.rate) if told.status == 200 else ZERO
    tried = Tried(1, stop.name, 0.0, None, 0.0, "ok" if told.status == 200 else "refused", told.status, usage, cost)
    return Close(told.call, plane.now(), "failed", told.status, cost, (tried,), b"", 0, error=error)


def _answered(data: bytes) -> Answered:
    """A whole HTTP answer, as the machine writes it."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (one.partition(": ") for one in lines)
    headers = {name.lower(): value for name, _, value in pairs if name.lower() in _TOLD}
    return Answered(status=int(first.split(" ")[1]), headers=headers, body=body)
