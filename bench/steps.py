"""`python -m bench.steps`: microseconds of each feature on the hot path, timed on the real functions of the code.

The kernel's part is left out: transports only keep what is written to them. Best of several repeats, so that
others on the machine matter little.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import tempfile
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench import rig as rigs
from bench.homes import PROFILES, drawn_on, write_home
from bench.load import KEY
from bench.pinning import LOAD_CORE, pin_self
from bench.rig import ANSWER, BODY, Rig

Step = tuple[str, Callable[[], object]]
REPEATS = 7
_ORIGIN = ("http", "127.0.0.1", 9)


def measure() -> list[tuple[str, float]]:
    """Feature and its microseconds."""
    from freehold.core.permit import Origin

    found: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES:
            if profile.tls:
                continue
            home = Path(folder) / profile.name
            write_home(profile, home, Origin(*_ORIGIN))
            with _rig(home, receipts=profile.everything) as rig:
                if profile.everything:
                    rig.fund(drawn_on())
                found += [(f"{profile.name}: {name}", value) for name, value in _calls(rig)]
                if profile.everything:
                    found += _features(rig)
    return found


@contextlib.contextmanager
def _rig(home: Path, *, receipts: bool) -> Iterator[Rig]:
    rig = Rig(home, receipts=receipts)
    gc.collect()
    gc.freeze()
    try:
        yield rig
    finally:
        rig.close()
        gc.unfreeze()


def best(step: Callable[[], object], number: int = 2000) -> float:
    """Microseconds of one run of `step`: the best of several repeats."""
    step()
    return min(timeit.repeat(step, number=number, repeat=REPEATS)) / number * 1e6


def _calls(rig: Rig) -> list[tuple[str, float]]:
    """A whole call and a streamed one, from bytes in to bytes out."""
    asked, told = rigs.request(BODY), rigs.response(ANSWER)

    def call() -> None:
        rig.ask(asked)
        rig.tell(told)

    call()
    if not rig.wire.last.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the rig's call failed: {rig.wire.last[:300]!r}")
    streamed = rigs.request(rigs.STREAM_BODY)

    def stream(events: int) -> Callable[[], None]:
        def run() -> None:
            rig.ask(streamed)
            rig.tell(rigs.STREAM_HEAD)
            for _ in range(events):
                rig.tell(rigs.STREAM_EVENT)
            rig.tell(rigs.STREAM_END)

        return run

    few, many = best(stream(1), 500), best(stream(101), 100)
    return [
        ("whole call, without the kernel", best(call)),
        ("streamed call of one event", few),
        ("one more event of a stream", (many - few) / 100),
    ]


def _features(rig: Rig) -> list[tuple[str, float]]:
    """The parts of a call with everything on."""
    parts = [(name, best(step)) for name, step in [*_way_in(rig), *_policy(rig), *_way_out(rig)]]
    return [*parts, ("whole call answered from the response cache", _served_again(rig))]


def _served_again(rig: Rig) -> float:
    """Microseconds of the same call again on a route with a cache."""
    from freehold.gateway.routing.types import CacheRule

    asked, told, path = rigs.request(BODY), rigs.response(ANSWER), rig.plane.table.paths["mock"]
    before = path.route
    path.route = msgspec.structs.replace(before, cache=CacheRule(3600.0))
    try:
        rig.ask(asked)
        rig.tell(told)
        found = best(lambda: rig.ask(asked))
    finally:
        path.route = before
    if b"x-freehold-cache: hit" not in rig.wire.last:
        raise RuntimeError(f"the rig's call was not answered from the cache: {rig.wire.last[:300]!r}")
    return found


def _way_in(rig: Rig) -> list[Step]:
    from freehold.gateway.dialects.openai_chat import OpenAiChat
    from freehold.gateway.inbound import Inbound
    from freehold.gateway.listener import Connection

    plane = rig.plane
    came: list[Inbound] = []

    class Nobody:
        """The plane but for serving: what is left is the listener's own work."""

        max_body_bytes, coarse, known_hosts = plane.max_body_bytes, plane.coarse, plane.known_hosts
        connections, hosted, refuse = plane.connections, plane.hosted, plane.refuse

        def serve(self, connection: Connection, inbound: Inbound) -> None:
            came[:] = [inbound]
            connection.done()

    connection = Connection(Nobody())
    connection.connection_made(rigs.Wire())  # type: ignore[arg-type]
    asked, dialect = rigs.request(BODY), OpenAiChat()
    connection.data_received(asked)
    headers, now = came[0].headers, rig.plane.now()
    peek = dialect.peek(BODY)
    return [
        ("HTTP request parsed and framed", lambda: connection.data_received(asked)),
        ("key hashed and looked up", lambda: rig.plane.gate.admit(headers, now)),
        ("model, stream and limits read off the body", lambda: dialect.peek(BODY)),
        ("model name spliced in place", lambda: dialect.with_model(BODY, peek, "other", add_usage=False)),
        ("call id", rig.plane.new_id),
    ]


def _policy(rig: Rig) -> list[Step]:
    from freehold.gateway.dialects.openai_chat import OpenAiChat
    from freehold.gateway.lanes import lane_of
    from freehold.policy.budgets import Purse

    plane, dialect = rig.plane, OpenAiChat()
    peek = dialect.peek(BODY)
    now, call = plane.now(), plane.new_id()
    caller = plane.gate.admit({b"authorization": b"Bearer " + KEY.encode()}, now)
    path = plane.table.path("mock")
    stop = path.tiers[0][0]
    budgets, purse = drawn_on(), plane.purse
    amount = stop.bound(BODY, peek)

    def reserve_and_settle() -> None:
        Purse.settle(purse.reserve(budgets, amount, now), amount / 2)  # type: ignore[arg-type]

    def permit() -> object:
        return plane.mint.permit(call, caller.label, stop.target, BODY, now)

    def limits_told() -> bytes:
        return dialect.limit_lines(caller.limits(), now)

    return [
        ("route found, label, scope and targets", lambda: lane_of(caller, plane.table.path("mock"), plane.mint)),
        ("request and token limits taken", lambda: caller.admit(500, now)),
        ("request and token limits told in headers", limits_told),
        (
            "policy decided, body hashed, permit made",
            lambda: plane.mint.permit(call, caller.label, stop.target, BODY, now),
        ),
        ("bound of the cost", lambda: stop.bound(BODY, peek)),
        ("three budgets reserved and settled", reserve_and_settle),
    ]


def _way_out(rig: Rig) -> list[Step]:
    from freehold.gateway.dialects.openai_chat import OpenAiChat
    from freehold.ledger.frames import Close, Open, Tried
    from freehold.ledger.meter import charge

    plane, dialect = rig.plane, OpenAiChat()
    usage = dialect.usage(ANSWER)
    assert usage is not None
    rate = plane.table.path("mock").tiers[0][0].rate
    spent, call, digest, now = charge(usage, rate), plane.new_id(), hashlib.sha256(ANSWER).digest(), plane.now()
    tried = Tried(1, "mock", 0.0, 0.01, 0.02, "ok", 200, usage, spent)
    opened = Open(
        call, now, "key_0000", "bench", "mock", "openai_chat", False, "confidential:GDPR", "", "mock", 1, 1, spent,
        tuple(f"{one}@0" for one in drawn_on()), digest,
    )  # fmt: skip
    closed = Close(call, now, "ok", 200, spent, (tried,), digest, len(ANSWER))

    def journal() -> None:
        plane.journal.add(opened)
        plane.journal.add(closed)

    def written() -> None:
        journal()
        rig.loop.turn()

    # The queue must not grow while only encoding is timed.
    def encoded() -> tuple[bytes, bytes]:
        return msgspec.msgpack.encode(opened), msgspec.msgpack.encode(closed)

    return [
        ("usage read off the answer", lambda: dialect.usage(ANSWER)),
        ("cost", lambda: charge(usage, rate)),
        ("answer hashed for the receipt", lambda: hashlib.sha256(ANSWER).digest()),
        ("journal: open and close encoded", encoded),
        ("journal: both written to the file, a turn each pair", written),
    ]


def main() -> None:
    import json

    pin_self(LOAD_CORE, first=True)
    found = measure()
    for name, value in found:
        print(f"{value:9.2f}  {name}")
    print(json.dumps({name: round(value, 2) for name, value in found}))


if __name__ == "__main__":
    main()
