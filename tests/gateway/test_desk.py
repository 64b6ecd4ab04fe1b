"""Files and batches at the door: who may ask the desk, what it is told of them, and lines asked in a key's name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from freehold.batches.asking import Asked, Door, KeyEnded, Later
from freehold.batches.serve import Counter
from freehold.core.label import parse_label
from freehold.gateway.desk import Told
from freehold.identity.types import SERVICE
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance

SERVICE_KEY = "fh-service-key"
SLOW = "fh-slow-key"


class Played:
    """A desk that writes down what it is asked."""

    def __init__(self) -> None:
        self.errands: list = []
        self.told = Told(status=200, body=b"{}")

    def answer(self, errand):
        self.errands.append(errand)
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Played]:
    played = Played()
    (tmp_path / "run").mkdir(exist_ok=True)
    counter = Counter(tmp_path / "run" / "desk.sock", played)
    thread = threading.Thread(target=counter.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield played
    counter.shutdown()
    counter.server_close()
    thread.join(10)


KEYS = p.keys(
    p.principal(),
    p.principal("fh-old-secret", name="app", revoked_at=1.0),
    p.principal("fh-revoked-key", name="revoked", revoked_at=1.0),
    p.principal(SLOW, name="slow", requests_per_minute=1),
    p.principal("fh-narrow-key", name="narrow", routes=("other",)),
    p.principal(SERVICE_KEY, name="rooms", role=SERVICE, label=parse_label("public")),
)


@pytest.fixture
def gateway(tmp_path: Path, fake_openai) -> Iterator[Instance]:
    table = p.routes((p.target("gpt", fake_openai.port, model="gpt-fake", **p.LIMITS),), p.route("assistant", "gpt"))
    home = Home(tmp_path, table, KEYS)
    with Instance(home, secret=fake_openai.key, desk=tmp_path / "run" / "desk.sock") as instance:
        yield instance


def get(path: str, *lines: str, key: str = p.KEY, method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {key}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


def code(answer) -> str:
    return json.loads(answer.body)["error"]["code"]


def test_the_desk_is_told_whose_key_it_is_and_what_was_sent(gateway, desk) -> None:
    desk.told = Told(status=201, kind="text/x", error="FH-X", body=b"\x00\xff")
    head = "POST /v1/files?a=b HTTP/1.1\r\nhost: localhost\r\nx-freehold-label: restricted:HIPAA\r\n"
    more = "x-freehold-workflow: w\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 3\r\n"
    answer = gateway.ask(f"{head}{more}authorization: Bearer {p.KEY}\r\n\r\n".encode() + b"\x00\x01\x02")
    (errand,) = desk.errands
    assert (errand.method, errand.path, errand.query, errand.body) == ("POST", "/v1/files", "a=b", b"\x00\x01\x02")
    assert (errand.key_id, errand.team, errand.label) == ("key_app", "default", "restricted:HIPAA")
    assert errand.headers == {"x-freehold-label": "restricted:HIPAA", "x-freehold-workflow": "w"}
    assert (answer.status, answer.body) == (201, b"\x00\xff")
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers["x-freehold-error"] == "FH-X"


@pytest.mark.parametrize(("key", "expected"), [("fh-nobody", "FH-KEY-002"), ("fh-revoked-key", "FH-KEY-003")])
def test_without_a_key_nothing_reaches_the_desk(gateway, desk, key, expected) -> None:
    answer = gateway.ask(get("/v1/batches", key=key), method="GET")
    assert (answer.status, code(answer)) == (401, expected)
    assert not desk.errands


def test_our_own_key_makes_no_files(gateway, desk) -> None:
    assert code(gateway.ask(get("/v1/files", key=SERVICE_KEY), method="GET")) == "FH-POL-001"
    assert not desk.errands


def test_requests_of_files_count_for_the_limit(gateway, desk) -> None:
    assert gateway.ask(get("/v1/files", key=SLOW), method="GET").status == 200
    assert gateway.ask(get("/v1/files", key=SLOW), method="GET").status == 429


def test_answers_come_in_the_order_of_the_requests(gateway, desk) -> None:
    with gateway.client() as client:
        client.send(get("/v1/files/a") + get("/healthz") + get("/v1/files/b", method="DELETE"))
        client.read("GET", "GET", "DELETE")
    assert [(one.method, one.path) for one in desk.errands] == [("GET", "/v1/files/a"), ("DELETE", "/v1/files/b")]


def test_a_desk_that_is_away_or_fails_is_told_as_that(gateway, desk, tmp_path, capfd) -> None:
    desk.told = ValueError("content of a file")
    answer = gateway.ask(get("/v1/files"), method="GET")
    assert (answer.status, code(answer)) == (500, "FH-INT-001")
    assert "content of a file" not in capfd.readouterr().err + answer.body.decode()
    (tmp_path / "run" / "desk.sock").unlink()
    answer = gateway.ask(get("/v1/files"), method="GET")
    assert (answer.status, code(answer)) == (503, "FH-AVA-001")
    assert answer.headers["retry-after"] == "5"


def test_other_paths_are_not_the_desks(gateway, desk) -> None:
    for path in ("/v1/filesystem", "/v1/batch", "/v2/files"):
        assert gateway.ask(get(path), method="GET").status == 404
    assert not desk.errands


# In a key's name


def ask(gateway: Instance, key_id: str, secret: str = SERVICE_KEY, **headers: str):
    door = Door(f"http://127.0.0.1:{gateway.port}", "", lambda: secret, 20.0)
    try:
        return door.ask(Asked(key_id=key_id, path=p.CHAT, body=p.chat_body(), headers=headers, mark="m-1"))
    finally:
        door.close()


def test_a_line_is_a_call_of_the_key_that_made_the_batch(gateway, fake_openai) -> None:
    assert ask(gateway, "key_app", **{"x-freehold-workflow": "night"}).good
    end = gateway.home.end()
    opened = next(one for one in gateway.home.frames() if hasattr(one, "key_id"))
    assert (opened.key_id, opened.label, opened.workflow) == ("key_app", "internal", "night")
    assert end.outcome == "ok"
    assert fake_openai.last.headers["idempotency-key"] == "m-1"


def test_a_line_has_the_scope_and_limits_of_its_key(gateway) -> None:
    assert ask(gateway, "key_narrow").status == 403
    assert ask(gateway, "key_slow").good
    with pytest.raises(Later) as later:
        ask(gateway, "key_slow")
    assert not later.value.counts


def test_a_key_that_ended_asks_nothing_more(gateway) -> None:
    with pytest.raises(KeyEnded):
        ask(gateway, "key_revoked")


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [
        ("key_nobody", SERVICE_KEY),
        ("key_rooms", SERVICE_KEY),
        ("", SERVICE_KEY),
        ("key_narrow", p.KEY),
        ("key_narrow", "fh-nobody"),
    ],
)
def test_nobody_else_calls_in_a_keys_name(gateway, fake_openai, key_id, secret) -> None:
    with pytest.raises(Later):
        ask(gateway, key_id, secret)
    assert not fake_openai.requests
    assert {one.error for one in gateway.home.ends()} == {"FH-KEY-002"}


def test_an_ended_service_key_calls_for_nobody(gateway) -> None:
    assert ask(gateway, "key_app").good
    ended = [
        one if one.role != SERVICE else p.principal(SERVICE_KEY, name="rooms", role=SERVICE, revoked_at=1.0)
        for one in KEYS.principals
    ]
    gateway.reload(keys=p.keys(*ended))
    with pytest.raises(Later):
        ask(gateway, "key_app")


def test_a_gateway_that_is_away_is_waited_for() -> None:
    door = Door("http://127.0.0.1:9", "", lambda: SERVICE_KEY, 5.0)
    with pytest.raises(Later) as later:
        door.ask(Asked(key_id="key_app", path=p.CHAT, body=b"{}", headers={}, mark="m"))
    assert not later.value.counts
