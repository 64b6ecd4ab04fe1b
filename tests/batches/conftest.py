"""A desk, a cabinet and a runner over a fresh database, with a clock and a door that the test plays."""

from __future__ import annotations

import itertools
import json
import threading

import msgspec
import pytest

import freehold.batches.tables
import freehold.ledger.tables  # noqa: F401  all tables must be known before they are made
from freehold.batches.asking import outcome_of
from freehold.batches.desk import Desk
from freehold.batches.files import Cabinet, term_of
from freehold.batches.running import Runner
from freehold.batches.sealing import Drawer
from freehold.batches.settings import BatchSettings
from freehold.core.crypto import Sealer
from freehold.core.db import connect, metadata, url_of
from freehold.core.ids import IdMaker
from freehold.evals.wire import Heard
from freehold.gateway.desk import Errand
from freehold.ledger.capture import Bodies

START = 1_760_000_000.0
FORM = 'multipart/form-data; boundary="x-x"'


def heard(status=200, body=None, **headers):
    told = {"id": "chatcmpl", "usage": {"prompt_tokens": 3, "completion_tokens": 2}} if body is None else body
    data = told if isinstance(told, bytes) else json.dumps(told).encode()
    return Heard(status, {"x-request-id": "call_1", **headers}, data)


def line(number, url="/v1/chat/completions", **more):
    body = {"model": "gpt", "messages": [{"role": "user", "content": f"line {number}"}], **more}
    return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": url, "body": body}).encode()


def form(data, filename="in.jsonl", **fields):
    parts = [f'--x-x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    head = f'--x-x\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    return "\r\n".join([*parts, head]).encode() + data + b"\r\n--x-x--\r\n"


class Door:
    """Plays the gateway: `play` gets what is asked and gives what is heard, or raises."""

    def __init__(self):
        self.play = lambda asked: heard()
        self.asked = []
        self._lock = threading.Lock()

    def ask(self, asked):
        with self._lock:
            self.asked.append(asked)
        return outcome_of(self.play(asked))

    @property
    def texts(self):
        return [json.loads(one.body)["messages"][0]["content"] for one in self.asked]


class Office:
    """Everything, for one instance."""

    def __init__(self, home, **settings):
        self.home = home
        self.now = START
        self.engine = connect(url_of(home / "freehold.db"))
        metadata.create_all(self.engine)
        self.settings = BatchSettings(**{"workers": 1, **settings})
        self.sealer = Sealer.load(home / "data.key")
        self.bodies = Bodies(home / "bodies", self.sealer)
        ids = IdMaker(lambda: START)
        term = term_of(self.settings.file_days, (("restricted", 86400.0),))
        self.cabinet = Cabinet(self.engine, self.bodies, term, lambda: self.now, ids)
        self.drawer = Drawer(self.sealer, self.bodies.subjects)
        self.desk = Desk(self.cabinet, self.drawer, self.settings, lambda: self.now, ids)
        self.door = Door()
        self.beats = itertools.count()

    def runner(self):
        return Runner(self.cabinet, self.drawer, self.door, self.settings, lambda: self.now, self.wait)

    def wait(self, seconds):
        """Nothing can be done just now: time goes on."""
        self.now += 1.0

    def run(self, beat=lambda: None):
        return self.runner().run(beat)

    def tell(self, method, path, body=b"", key="key_a", kind="application/json", **more):
        told = {"key_name": f"app/{key}", "team": "red", "label": "internal", "headers": {}, "query": "", **more}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.desk.answer(Errand(method=method, path=path, kind=kind, key_id=key, body=data, **told))

    def ok(self, *words, **more):
        told = self.tell(*words, **more)
        assert told.status == 200, told.body
        return msgspec.json.decode(told.body) if told.kind == "application/json" else told.body

    def upload(self, *lines, fields=None, **more):
        body = form(b"\n".join(lines), purpose="batch", **(fields or {}))
        return self.ok("POST", "/v1/files", body, kind=FORM, **more)["id"]

    def start(self, *lines, wish=None, **more):
        file = self.upload(*lines, **more)
        told = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h", **(wish or {})}
        return self.ok("POST", "/v1/batches", told, **more)["id"]

    def show(self, batch, **more):
        return self.ok("GET", f"/v1/batches/{batch}", **more)

    def lines(self, file, **more):
        return [json.loads(one) for one in self.ok("GET", f"/v1/files/{file}/content", **more).splitlines()]


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def vendor():
    from tests.fakes.fake_batches import FakeOpenAiBatches

    with FakeOpenAiBatches() as made:
        yield made


@pytest.fixture
def house(tmp_path, vendor):
    """An office before a gateway before a vendor that takes batches."""
    from tests.batches.passed_house import House  # which is an office: it is made of what stands here

    made = House(tmp_path, vendor)
    with made.gateway:
        yield made
    made.close()
