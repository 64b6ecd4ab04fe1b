"""One limit a minute, several gateways: what they let through together is what one would."""

from __future__ import annotations

import hashlib
import json
import signal
import time

import msgspec
import pytest

from tests.gateway import pieces as p
from tests.gateway.instance import until
from tests.gateway.shared.replicas import ask, replicas


def test_two_gateways_let_through_together_what_one_would(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=30))
    with replicas(tmp_path, valkey.url, fake_openai, keys) as (first, second):
        began = time.monotonic()
        one = [ask(first)[0] for _ in range(20)]
        assert one == [200] * 20, "more than half is there for who comes first"
        other = [ask(second)[0] for _ in range(30)]
        most = 30 * (1 + (time.monotonic() - began) / 60)
        assert 28 <= (one + other).count(200) <= most
        status, headers, _ = ask(second)
        assert status == 429 and int(headers["retry-after"]) >= 1


def test_tokens_are_shared_and_what_was_not_used_comes_back(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(tokens_per_minute=6000))
    with replicas(tmp_path, valkey.url, fake_openai, keys) as both:
        for number in range(20):
            assert ask(both[number % 2], max_tokens=2000)[0] == 200, "each expects a third, and uses next to nothing"
        assert ask(both[0], max_tokens=100_000)[0] in (200, 429)


def test_what_a_gateway_held_is_there_for_others_once_it_has_ended(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=600))
    with replicas(tmp_path / "a", valkey.url, fake_openai, keys, count=1) as (first,):
        assert ask(first)[0] == 200
    with valkey.client() as client:
        (name,) = client.keys("freehold:*:limit:*")
        fields = client.hgetall(name)
        assert int(fields.pop(b"level")) // 60_000_000 >= 599
        fields.pop(b"at")
        assert {one.split()[0] for one in fields.values()} == {b"0"}


def test_names_and_figures_are_all_the_server_sees_of_keys(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=600, team="planted-team"))
    with replicas(tmp_path, valkey.url, fake_openai, keys) as (first, _):
        assert ask(first)[0] == 200
        with valkey.client() as client:
            seen = b"".join(one + repr(_whole(client, one)).encode() for one in client.keys("*"))
    digest = hashlib.sha256(p.KEY.encode()).digest()
    for planted in (p.KEY.encode(), digest, digest.hex().encode(), b"key_app", b"planted", p.SECRET.encode()):
        assert planted not in seen


def _whole(client, name: bytes) -> object:
    kind = client.type(name)
    return {b"hash": client.hgetall, b"zset": lambda one: client.zrange(one, 0, -1)}.get(kind, client.get)(name)


def test_while_it_is_away_each_spends_its_part_and_all_is_told_when_it_is_back(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=20))
    with replicas(tmp_path, valkey.url, fake_openai, keys) as both:
        assert [ask(one)[0] for one in both] == [200, 200]
        valkey.kill()
        began = time.monotonic()
        away = [[ask(one)[0] for _ in range(25)].count(200) for one in both]
        most = 10 * (1 + (time.monotonic() - began) / 60) + 2
        assert all(9 <= one <= most for one in away), "half each, and what was held"
        assert all("valkey is away" in one.log.getvalue() for one in both)
        valkey.start()
        until(lambda: not any(one.plane.lending.lender.away for one in both))
        until(lambda: _told(valkey))
        back = [ask(both[number % 2])[0] for number in range(10)].count(200)
        most = 20 * (1 + (time.monotonic() - began) / 60) + 4
        assert sum(away) + back <= most, "what was spent without it counts, though the server has forgotten all"
        assert all("valkey is back" in one.log.getvalue() for one in both)


def _told(valkey) -> bool:
    with valkey.client() as client:
        names = client.keys("freehold:*:limit:*")
        return bool(names) and len(client.hgetall(names[0])) == 4


@pytest.mark.parametrize("path", [p.CHAT, p.MESSAGES])
def test_who_will_not_go_on_without_it_refuses_in_the_callers_dialect(tmp_path, valkey, fake_openai, path) -> None:
    keys = p.keys(p.principal(requests_per_minute=6), p.principal("fh-free", name="free"))
    with replicas(tmp_path, valkey.url, fake_openai, keys, refuses=True) as (one, other):
        assert ask(one)[0] == 200
        valkey.kill()
        status, headers, body = ask(one, path=path)
        assert (status, headers["x-freehold-error"], headers["retry-after"]) == (503, "FH-AVA-008", "1")
        told = json.loads(body)
        assert told["type"] == "error" if path == p.MESSAGES else told["error"]["code"] == "FH-AVA-008"
        assert ask(other, key="fh-free")[0] == 200, "who has no limits notices nothing"
        valkey.start()
        until(lambda: not one.plane.lending.lender.away)
        assert ask(one, path=path)[0] == 200


def test_a_server_that_stalls_holds_nobody_up_for_long(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=6))
    with replicas(tmp_path, valkey.url, fake_openai, keys, answer_seconds=0.5) as (one, _):
        assert ask(one)[0] == 200
        valkey.process.send_signal(signal.SIGSTOP)
        try:
            assert ask(one)[0] == 200, "from its own part"
            assert one.plane.lending.lender.away
        finally:
            valkey.process.send_signal(signal.SIGCONT)
        until(lambda: not one.plane.lending.lender.away)


def test_it_need_not_be_there_at_the_start(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=30))
    valkey.kill()
    with replicas(tmp_path, valkey.url, fake_openai, keys) as both:
        assert [ask(both[0])[0] for _ in range(20)].count(200) in (15, 16)
        valkey.start()
        until(lambda: not any(one.plane.lending.lender.away for one in both))
        assert ask(both[1])[0] == 200


def test_machines_that_the_keys_name_have_their_part_though_nobody_saw_them(tmp_path, valkey, fake_openai) -> None:
    keys = msgspec.structs.replace(p.keys(p.principal(requests_per_minute=30)), machines=3)
    valkey.kill()
    with replicas(tmp_path, valkey.url, fake_openai, keys, count=1) as (one,):
        assert [ask(one)[0] for _ in range(15)].count(200) in (10, 11)
        valkey.start()
        until(lambda: not one.plane.lending.lender.away)
        assert one.plane.lending.lender.share == 3, "also after the server has counted one"


def test_a_limit_that_is_changed_holds_at_once_for_both(tmp_path, valkey, fake_openai) -> None:
    with replicas(tmp_path, valkey.url, fake_openai, p.keys(p.principal(requests_per_minute=30))) as both:
        assert ask(both[0])[0] == 200
        for one in both:
            one.home.publish(keys=p.keys(p.principal(requests_per_minute=5)))
            until(lambda one=one: one.plane.keys_version == one.home.version)
        assert [ask(both[number % 2])[0] for number in range(20)].count(200) <= 6
