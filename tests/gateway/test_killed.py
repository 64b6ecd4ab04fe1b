"""A gateway process that is killed or stopped: what it answered is written down, what it sent was written down before,
and the next one goes on.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from freehold.ledger.frames import Attempt, Close, Open
from freehold.ledger.journal import epoch_over
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.answers import read_answers
from tests.gateway.instance import Child, Client, Home, until

ASKS = (
    p.request(p.CHAT, p.chat_body("gpt")),
    p.request(p.CHAT, p.chat_body("gpt", stream=True)),
    p.request(p.CHAT, p.chat_body("gpt", stream=True, stream_options={"include_usage": True})),
    p.request(p.MESSAGES, p.messages_body("gpt", stream=True)),
)


@pytest.fixture
def home(tmp_path: Path, fake_openai) -> Home:
    return Home(
        tmp_path, p.routes((p.target("gpt", fake_openai.port, model="gpt-fake"),), p.route("gpt", "gpt")), p.keys()
    )


class Caller(threading.Thread):
    """Asks one request after the other on one connection until that ends."""

    def __init__(self, child: Child, first: int, answered: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self.client = child.client()
        self.first = first
        self.answered = answered
        self.methods: list[str] = []

    def run(self) -> None:
        with self.client:
            self.ask_on()

    def ask_on(self) -> None:
        while not self.client.ended:
            self.client.send(ASKS[(self.first + len(self.methods)) % len(ASKS)])
            self.methods.append("POST")
            while not self.client.ended:
                found = read_answers(self.client.got, self.methods, ended=False)
                if len(found) == len(self.methods) and found[-1].complete:
                    self.answered.release()
                    break
                self.client.more()


@pytest.mark.parametrize("after", [1, 7, 40])
def test_killed_at_any_time_nothing_is_lost_or_doubled(home: Home, fake_openai, after: int) -> None:
    child = Child(home, fake_openai.key)
    answered = threading.Semaphore(0)
    callers = [Caller(child, number, answered) for number in range(4)]
    for one in callers:
        one.start()
    for _ in range(after):
        assert answered.acquire(timeout=20)
    child.kill()
    for one in callers:
        one.join(20)
        assert not one.is_alive()
    frames = home.frames()
    opened = {one.call for one in frames if isinstance(one, Open)}
    closed = [one.call for one in frames if isinstance(one, Close)]
    assert len(closed) == len(set(closed)) and set(closed) <= opened
    whole = []
    for one in callers:
        whole += [found.call for found in read_answers(one.client.got, one.methods, ended=True) if found.complete]
    assert len(whole) >= after and set(whole) <= set(closed)  # what a caller holds whole is written down as ended
    sent = len([one for one in frames if isinstance(one, Open | Attempt)])
    assert len(fake_openai.requests) <= sent  # what a target got was written down before
    (epoch,) = (home.path / "journal").glob("[!.]*")
    assert epoch_over(epoch)


def test_the_next_process_goes_on_in_an_epoch_of_its_own(home: Home, fake_openai) -> None:
    for _ in range(2):
        child = Child(home, fake_openai.key)
        with child.client() as client:
            client.send(ASKS[0])
            assert client.read("POST").status == 200
        child.kill()
    assert [one.outcome for one in home.ends()] == ["ok", "ok"]
    assert len(list((home.path / "journal").glob("[!.]*"))) == 2


def test_a_stopped_process_finishes_what_is_under_way_and_takes_nothing_new(home: Home, fake_openai) -> None:
    fake_openai.fail(Fault("stall_mid", after=3))
    child = Child(home, fake_openai.key)
    with child.client() as idle, child.client() as busy:
        busy.send(ASKS[2])
        busy.read_until(b"data:")
        child.process.terminate()
        assert idle.read_to_end() == b""
        until(lambda: refuses(child))
        fake_openai.release()
        answer = busy.read("POST")
    assert answer.complete and b"[DONE]" in answer.body
    assert child.stop() == 0
    assert [one.outcome for one in home.ends()] == ["ok"]
    log = (home.path / "errors.log").read_text()
    assert '"stopped"' in log and p.KEY not in log and p.PROMPT not in log and fake_openai.key not in log


def refuses(child: Child) -> bool:
    try:
        with Client(child.port):
            return False
    except ConnectionRefusedError:
        return True
