"""Answers that gateways share: the same law as in memory, sealed, bounded, and never waited for long."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from decimal import Decimal

import msgspec
import pytest

from freehold.core.crypto import Sealer
from freehold.core.label import parse_label
from freehold.gateway.answer_cache import KeptAnswer
from freehold.gateway.routing.types import CacheRule
from freehold.gateway.shared.answers import SharedAnswers
from freehold.gateway.shared.line import Shared
from freehold.ledger.meter import Usage
from freehold.policy.types import Budget, Policy
from tests.gateway import pieces as p
from tests.gateway.instance import until
from tests.gateway.shared.replicas import PATIENT, ask, replicas

ROUTES = (p.route("gpt", "gpt", attempts=1, cache=CacheRule(600.0)),)
PUBLIC = parse_label("public")
KEYS = p.keys(
    p.principal(team="red", label=PUBLIC),
    p.principal("fh-blue", name="blue", team="blue", label=PUBLIC),
    p.principal("fh-secret", name="secret", team="red", label=parse_label("internal")),
)


def kept_there(valkey) -> int:
    with valkey.client() as client:
        return len(client.keys("freehold:*:answer:*"))


@pytest.fixture
def both(tmp_path, valkey, fake_openai):
    with replicas(tmp_path, valkey.url, fake_openai, KEYS, routes=ROUTES) as made:
        yield made


@pytest.mark.parametrize("stream", [False, True])
def test_what_one_gateway_was_told_another_serves_again(both, valkey, fake_openai, stream) -> None:
    status, headers, body = ask(both[0], stream=stream)
    assert (status, headers["x-freehold-cache"]) == (200, "miss")
    until(lambda: kept_there(valkey) == 1)
    status, headers, again = ask(both[1], stream=stream)
    assert (status, headers["x-freehold-cache"]) == (200, "hit")
    assert again == body and len(fake_openai.requests) == 1
    valkey.kill()
    assert ask(both[1], stream=stream)[1]["x-freehold-cache"] == "hit", "it has it in memory now"


def test_the_label_law_holds_between_gateways(both, valkey, fake_openai) -> None:
    ask(both[0])
    until(lambda: kept_there(valkey) == 1)
    assert ask(both[1], key="fh-blue")[1]["x-freehold-cache"] == "miss", "another team's"
    assert ask(both[1], key="fh-secret")[1]["x-freehold-cache"] == "miss", "of another label"
    internal = {"x-freehold-label": "internal"}
    until(lambda: kept_there(valkey) == 3)
    assert ask(both[0], headers=internal)[1]["x-freehold-cache"] == "hit", "of the same team and label"
    refused = ask(both[1], headers={"x-freehold-label": "restricted"})
    assert refused[0] == 403, "whatever is kept"
    assert len(fake_openai.requests) == 3


def test_other_rules_find_nothing_that_came_under_those_before(both, valkey) -> None:
    ask(both[0])
    until(lambda: kept_there(valkey) == 1)
    other = both[1]
    before = other.plane.rules
    # The same version number of other content: what a database that began anew would publish.
    other.home.version -= 1
    other.home.publish(policy=Policy(budgets=(Budget(id="team/x", limit=Decimal(1)),)))
    other.do(other.snapshots.check)
    assert other.plane.rules != before and other.plane.mint.version == both[0].plane.mint.version
    assert ask(other)[1]["x-freehold-cache"] == "miss"


def test_a_new_answer_takes_the_place_of_the_old_for_all(both, valkey, fake_openai) -> None:
    ask(both[0])
    until(lambda: kept_there(valkey) == 1)
    with valkey.client() as client:
        (name,) = client.keys("freehold:*:answer:*")
        before = client.get(name)
        assert ask(both[0], headers={"x-freehold-cache": "refresh"})[1]["x-freehold-cache"] == "miss"
        until(lambda: client.get(name) != before)
    assert ask(both[1])[1]["x-freehold-cache"] == "hit" and len(fake_openai.requests) == 2


def test_nothing_stands_there_in_clear(both, valkey, fake_openai) -> None:
    body = ask(both[0])[2]
    until(lambda: kept_there(valkey) == 1)
    with valkey.client() as client:
        names = client.keys("*")
        seen = b"".join(names)
        for one in names:
            kind = client.type(one)
            seen += repr(client.zrange(one, 0, -1) if kind == b"zset" else client.dump(one)).encode()
            seen += client.get(one) if kind == b"string" else b""
    text = msgspec.json.decode(body)["choices"][0]["message"]["content"]
    for planted in (p.PROMPT.encode(), text.encode(), p.KEY.encode(), p.SECRET.encode(), b"gpt", b"public", b"red"):
        assert planted not in seen
    for data in (p.chat_body("gpt"), p.KEY.encode(), p.PROMPT.encode()):
        assert hashlib.sha256(data).digest() not in seen and hashlib.sha256(data).hexdigest().encode() not in seen


def test_a_server_that_stalls_is_a_miss(tmp_path, valkey, fake_openai) -> None:
    with replicas(tmp_path, valkey.url, fake_openai, KEYS, routes=ROUTES, lookup_seconds=0.2) as (one, _):
        ask(one)
        until(lambda: kept_there(valkey) == 1)
        valkey.process.send_signal(signal.SIGSTOP)
        try:
            status, headers, _ = ask(one, max_tokens=7)
            assert (status, headers["x-freehold-cache"]) == (200, "miss")
        finally:
            valkey.process.send_signal(signal.SIGCONT)


def test_what_was_changed_there_is_not_served(both, valkey) -> None:
    ask(both[0])
    until(lambda: kept_there(valkey) == 1)
    with valkey.client() as client:
        (name,) = client.keys("freehold:*:answer:*")
        sealed = client.get(name)
        client.set(name, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert ask(both[1])[1]["x-freehold-cache"] == "miss"


# The bound


def answer(size: int, until_: float = 2_000_000_000.0) -> KeptAnswer:
    return KeptAnswer(b"x" * size, "gpt", Usage(1, 1), Decimal(1), (), 0.0, until_)


async def filled(url: str, sizes: list[int], room: int) -> tuple[int, int]:
    """Bytes of answers there are after each was put, and how many of them are found."""
    from valkey.asyncio import Valkey

    made = SharedAnswers(
        Shared(url=url, password=lambda: "", cache_bytes=room, **PATIENT), b"t:", Sealer(b"0" * 32), lambda: 1.0e9
    )
    found: list[KeptAnswer] = []
    for number, size in enumerate(sizes):
        await made._put(b"%d" % number, answer(size, 1.0e9 + 1000 + number))
    for number in range(len(sizes)):
        await made._look(b"%d" % number, lambda one: found.append(one) if one is not None else None)
    async with Valkey.from_url(url) as client:
        total = sum([await client.strlen(name) for name in await client.keys("t:answer:*")])
        counted = int(await client.get("t:bytes") or 0)
        assert counted == total
        assert await client.zcard("t:answers") == len(found)
    await made.end()
    return total, len(found)


def test_answers_there_never_take_more_than_their_room(valkey) -> None:
    total, found = asyncio.run(filled(valkey.url, [500] * 100, 10_000))
    assert 8_000 < total <= 10_000 and 12 < found < 20


def test_one_that_would_fill_much_of_it_is_not_kept(valkey) -> None:
    assert asyncio.run(filled(valkey.url, [2000, 100], 10_000))[1] == 1


def test_an_answer_put_twice_counts_once(valkey) -> None:
    async def twice() -> None:
        made = SharedAnswers(
            Shared(url=valkey.url, password=lambda: "", **PATIENT), b"t:", Sealer(b"0" * 32), lambda: 1.0e9
        )
        await made._put(b"a", answer(100))
        await made._put(b"a", answer(300))
        await made.end()

    asyncio.run(twice())
    with valkey.client() as client:
        (name,) = client.keys("t:answer:*")
        assert int(client.get("t:bytes")) == client.strlen(name) and client.zcard("t:answers") == 1


def test_they_end_with_their_time(valkey) -> None:
    async def short() -> None:
        made = SharedAnswers(
            Shared(url=valkey.url, password=lambda: "", **PATIENT), b"t:", Sealer(b"0" * 32), lambda: 1.0e9
        )
        await made._put(b"a", answer(100, 1.0e9 + 0.05))
        await made.end()

    asyncio.run(short())
    with valkey.client() as client:
        until(lambda: not client.keys("t:answer:*"))
