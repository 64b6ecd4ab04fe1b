"""A database with recorded calls of one workflow, and a gateway that a test scripts."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import freehold.evals.tables
import freehold.ledger.tables
import freehold.workflows.tables  # noqa: F401  all tables must be known before they are made
from freehold.core.crypto import Sealer
from freehold.core.db import connect, metadata, url_of, writing
from freehold.evals.annotations import Annotations
from freehold.evals.contents import Contents
from freehold.evals.door import Door, Manner
from freehold.evals.runs import Parts
from freehold.ledger.capture import Bodies
from freehold.workflows import store as records
from freehold.workflows.records import Record
from freehold.workflows.shelf import Shelf

START = 1_760_000_000.0
WORKFLOW = "wf_0123456789ab"
FOREVER = 1e9


def completion(text="", calls=(), **more):
    message = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (name, arguments) in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **more}


def number_of(index):
    return int(START * 1000 + index * 60_000).to_bytes(6, "big") + index.to_bytes(10, "big")


def question(index):
    """Words that no other number shares."""
    letters = "abcdefghijklmnop"
    digest = hashlib.sha256(str(index).encode()).hexdigest()
    return " ".join("".join(letters[int(one, 16)] for one in digest[at : at + 6]) for at in range(0, 36, 6))


def record(index, answer="yes", asked=None, **more):
    body = {"model": "gpt", "messages": [{"role": "user", "content": asked or question(index)}]}
    values = {
        "id": number_of(index),
        "at": START + index * 60.0,
        "source": "openai_batch",
        "external_id": f"req_{index}",
        "vendor": "openai-api",
        "model": "gpt",
        "label": "internal",
        "assigned": WORKFLOW,
        "request": json.dumps(body).encode(),
        "response": json.dumps(completion(answer)).encode(),
    }
    return Record(**{**values, **more})


class Gateway:
    """An HTTP server in a thread: `play` gets the target's name and the request, and says what comes back.

    It returns (status, body, headers), or None to say nothing until `release` is set.
    """

    def __init__(self):
        self.play: Callable = lambda target, request: (200, completion("yes"), {})
        self.asked: list[tuple[str, dict, dict]] = []
        self.release = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                target = str(body["model"]).removeprefix("target:")
                with outer._lock:
                    outer.asked.append((target, body, {k.lower(): v for k, v in self.headers.items()}))
                told = outer.play(target, body)
                if told is None:
                    outer.release.wait(30)
                    self.close_connection = True
                    return
                status, answer, headers = told
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), "x-freehold-target": target, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, address: None  # clients that hang up are part of the play
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def gateway():
    made = Gateway()
    yield made
    made.close()


@pytest.fixture
def door(gateway):
    with Door(gateway.url, "fh-key", manner=Manner(workers=4), pause=lambda _: None) as made:
        yield made


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch):
    """Nothing here is about power cuts, and flushing the whole machine for each test would take its time."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def engine(tmp_path):
    made = connect(url_of(tmp_path / "freehold.db"))
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def bodies(tmp_path):
    return Bodies(tmp_path / "bodies", Sealer.load(tmp_path / "data.key"))


@pytest.fixture
def shelf(engine, bodies):
    return Shelf(engine, bodies)


@pytest.fixture
def fill(engine, shelf):
    """Put records on the shelf; they are of the workflow."""

    def put(found):
        found = list(found)
        shelf.put(found, START, FOREVER)
        with writing(engine) as connection:
            records.assign(connection, [(one.id, one.assigned) for one in found])
        return found

    return put


@pytest.fixture
def contents(engine, bodies):
    return Contents(engine, bodies)


@pytest.fixture
def people(engine, contents):
    return Annotations(engine, contents)


@pytest.fixture
def parts(engine, shelf, contents, door, people):
    return Parts(engine, shelf, contents, door, people.gold, lambda: START + 1e6)
