"""The connection to Valkey: over TLS to whom it says it is, remade when it breaks, and within its time."""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
from contextlib import asynccontextmanager

import pytest
import trustme

from freehold.core.errors import NotRunning
from freehold.gateway.shared.line import Away, Line, Shared
from freehold.gateway.shared.looking import look
from freehold.gateway.shared.scripts import CENSUS, KEEP, LEND
from tests.house.sources import ROOT


def shared(url: str, **more) -> Shared:
    return Shared(url=url, **{"password": lambda: "", **more})


def run(coroutine):
    return asyncio.run(coroutine)


async def once(given: Shared, *commands, seconds: float = 60.0) -> list:
    line = Line(given)
    try:
        return await line.run(list(commands), seconds)
    finally:
        await line.close()


@asynccontextmanager
async def over_tls(port: int, context: ssl.SSLContext):
    """A port that speaks TLS, before one that does not."""

    async def pipe(reader, writer) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def relay(reader, writer) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, forth), pipe(back, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)


@pytest.fixture
def authority(tmp_path):
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made, str(tmp_path / "ca.pem")


def certified(authority, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("scheme", ["valkeys", "rediss"])
def test_it_speaks_over_tls_to_a_server_that_proves_its_name(valkey, authority, scheme) -> None:
    async def there() -> list:
        async with over_tls(valkey.port, certified(authority, "localhost")) as port:
            return await once(shared(f"{scheme}://localhost:{port}/0", tls_ca=authority[1]), ("PING",))

    assert run(there()) == [b"PONG"]


@pytest.mark.parametrize("how", ["another name", "another issuer"])
def test_it_does_not_speak_to_another(valkey, authority, how) -> None:
    async def there() -> list:
        name = "elsewhere.example" if how == "another name" else "localhost"
        async with over_tls(valkey.port, certified(authority, name)) as port:
            ca = authority[1] if how == "another name" else ""
            return await once(shared(f"valkeys://localhost:{port}/0", tls_ca=ca), ("PING",))

    with pytest.raises(Away):
        run(there())


def test_a_password_is_asked_for_and_a_wrong_one_is_told_without_it(valkey) -> None:
    valkey.restart("--requirepass", "planted-password")
    try:
        assert run(once(shared(valkey.url, password=lambda: "planted-password"), ("PING",))) == [b"PONG"]
        for wrong in ("", "planted-wrong"):
            with pytest.raises(Away) as told:
                run(once(shared(valkey.url, password=lambda wrong=wrong: wrong), ("PING",)))
            assert "planted" not in told.value.message and told.value.message
    finally:
        valkey.restart()


def test_a_password_that_cannot_be_found_is_a_server_that_is_away(valkey) -> None:
    def missing() -> str:
        raise NotRunning("the variable X is not set")

    with pytest.raises(Away, match="the variable X is not set"):
        run(once(shared(valkey.url, password=missing), ("PING",)))


def test_the_number_in_the_url_is_the_database(valkey) -> None:
    run(once(shared(valkey.url.replace("/0", "/3")), ("SET", "here", "1")))
    with valkey.client() as client:
        assert client.get("here") is None
        client.select(3)
        assert client.get("here") == b"1"


def test_a_server_that_was_restarted_is_spoken_to_again_with_its_scripts(valkey) -> None:
    async def twice() -> list:
        line, found = Line(shared(valkey.url)), []
        try:
            for step in (lambda: None, valkey.restart, lambda: valkey.ask("SCRIPT FLUSH")):
                step()
                found += await line.script(CENSUS, [([b"k"], ("me", 20)), ([b"k"], ("you", 20))], 60.0)
        finally:
            await line.close()
        return found

    assert run(twice()) == [1, 2, 1, 2, 2, 2]


def test_one_that_does_not_answer_is_away_within_the_time_and_its_late_answer_is_nobodys(valkey) -> None:
    async def stalled() -> list:
        line = Line(shared(valkey.url))
        try:
            await line.run([("SET", "a", "first")], 60.0)
            valkey.process.send_signal(signal.SIGSTOP)
            with pytest.raises(Away, match="in time"):
                await line.run([("GET", "a")], 0.2)
            valkey.process.send_signal(signal.SIGCONT)
            return await line.run([("PING",)], 60.0)
        finally:
            valkey.process.send_signal(signal.SIGCONT)
            await line.close()

    assert run(stalled()) == [b"PONG"]


def test_an_error_of_the_server_is_told_by_its_word_alone(valkey) -> None:
    with pytest.raises(Away, match="WRONGTYPE") as told:
        run(once(shared(valkey.url), ("SET", "planted", "1"), ("HGETALL", "planted")))
    assert "planted" not in told.value.message


def test_what_it_is_and_how_it_makes_room_is_seen(valkey) -> None:
    assert look(shared(valkey.url)).evicts == ""
    with valkey.client() as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = look(shared(valkey.url))
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")
    assert found.evicts == "allkeys-lru" and found.version.partition(".")[0].isdigit()
    valkey.kill()
    with pytest.raises(Away):
        look(shared(valkey.url))


def test_a_user_needs_what_the_page_says_and_no_more(valkey) -> None:
    page = (ROOT / "docs/how-to/share-limits-with-valkey.md").read_text()
    (rules,) = re.findall(r"needs\s+`(~freehold:[^`]*)`", page)
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "gateway", "on", ">planted", *rules.split())
        try:
            given = shared(valkey.url.replace("//", "//gateway@"), password=lambda: "planted")

            async def all_of_it() -> None:
                line = Line(given)
                try:
                    assert await line.script(CENSUS, [([b"freehold:t:gateways"], ("me", 20))], 60.0) == [1]
                    word = (100, "me", 1, 0, 0, 0, 1, 0, 0, 10_000)
                    assert (await line.script(LEND, [([b"freehold:t:limit:x"], word)], 60.0))[0][1] == 1
                    keys = (b"freehold:t:answer:" + b"n" * 32, b"freehold:t:answers", b"freehold:t:bytes")
                    kept = (b"n" * 32, b"sealed", 10_000, 10_000, b"freehold:t:answer:")
                    assert await line.script(KEEP, [(keys, kept)], 60.0) == [1]
                    assert await line.run([("GET", keys[0])], 60.0) == [b"sealed"]
                finally:
                    await line.close()

            run(all_of_it())
            assert look(given).version
            with pytest.raises(Away, match="NoPermission"):
                run(once(given, ("GET", "somebody-elses")))
            with pytest.raises(Away, match="NoPermission"):
                run(once(given, ("FLUSHALL",)))
        finally:
            client.execute_command("ACL", "DELUSER", "gateway")
