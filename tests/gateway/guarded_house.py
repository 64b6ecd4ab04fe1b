"""The house of the SDK suites with a guard on every route: real vendors' fakes, real detectors, bodies kept.

After each test: no character of an answer was delivered that was not scanned.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from freehold.core.crypto import Sealer
from freehold.gateway.assemble import events_of
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.json_texts import is_long
from freehold.gateway.messages import Aside, Grown, Opaque, Opened, Started, Stopped, Text, Thinking, ToolCall
from freehold.guard.built_in import built_in
from freehold.ledger.frames import Body, Close, Open
from freehold.policy.types import Policy
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.fake_openai import FakeOpenAi
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance

DIALECT = {one.name: one for one in DIALECTS}
WATCH = built_in("watch")
"""Every detector there is, on every text."""
NOT_HERE = (
    "owned",
    "text_alone",
    "counting_tokens",
    "cached_and_reasoning",
    "cache_usage",
    "headers_name_the_call",
    "models_are_the_routes",
    "charged",
    "leans_on",
    "lone_target",
)
"""Tests that need owned engines, other routes, or the management API; what is kept elsewhere no guard can look at."""


@dataclass
class Vendors:
    openai: FakeOpenAi
    anthropic: FakeAnthropic


@dataclass
class House:
    """What the suites know of an instance."""

    instance: Instance
    key: str = p.KEY

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.instance.port}"

    def ask(self, path: str, body: bytes, headers: dict[str, str]):
        lines = [f"{name}: {value}" for name, value in headers.items() if name != "anthropic-version"]
        return self.instance.ask(p.request(path, body, *lines))


def suite_of(suite: ModuleType) -> dict[str, object]:
    """The suite's tests and fixtures, but for those that cannot run here."""
    kept = {
        name: one
        for name, one in vars(suite).items()
        if name.startswith("test_") or name in {"alone", "chat", "messages", "responses", "sent"}
    }
    return {name: one for name, one in kept.items() if not any(word in name for word in NOT_HERE)}


@pytest.fixture(scope="session")
def house_vendors() -> Iterator[Vendors]:
    with FakeOpenAi() as one, FakeAnthropic() as other:
        yield Vendors(one, other)


@pytest.fixture(scope="session")
def guarded_instance(tmp_path_factory, house_vendors) -> Iterator[Instance]:
    openai, anthropic = house_vendors.openai, house_vendors.anthropic
    targets = (
        p.target("gpt", openai.port, model="gpt-fake", dialects=("openai_chat", "openai_responses"), **p.LIMITS),
        p.target("gpt-embed", openai.port, model="embed-fake", **p.LIMITS),
        p.claude("claude", anthropic.port, model="claude-fake", **p.LIMITS),
    )
    more = {"guard": "watch", "capture": True}
    routes = (
        p.route("gpt", "gpt", **more),
        p.route("claude", "claude", **more),
        p.route("gpt-strict", "gpt", strict=True, **more),
        p.route("claude-strict", "claude", strict=True, **more),
        p.route("embed", "gpt-embed", **more),
    )
    home = Home(tmp_path_factory.mktemp("guarded"), p.routes(targets, *routes), p.keys(), Policy(guards=(WATCH,)))
    with Instance(home, secret=openai.key) as instance:
        yield instance


@pytest.fixture
def house(request, guarded_instance, house_vendors) -> Iterator[House]:
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and "owned" in str(callspec.params.get("route")):
        pytest.skip("its engines run in the suite without a guard")
    for one in (house_vendors.openai, house_vendors.anthropic):
        one.calm()
    before = len(guarded_instance.home.frames())
    yield House(guarded_instance)
    check(guarded_instance.home, before)


def check(home: Home, before: int) -> None:
    """What was delivered since was scanned: in its own dialect exactly that, in another at least that."""
    sealer = Sealer.load(home.path / "data.key")
    calls: dict[bytes, dict[type, object]] = defaultdict(dict)
    for frame in home.frames()[before:]:
        if not isinstance(frame, Body) or frame.side == "response":
            calls[frame.call][type(frame)] = frame
    for call, found in calls.items():
        opened, close, body = found.get(Open), found.get(Close), found.get(Body)
        if opened is None or close is None or body is None:
            continue
        assert close.scan is not None and close.scanned >= close.scan.characters
        if opened.dialect == "openai_embeddings" or opened.dialect.endswith("tokens"):
            continue
        same = (opened.dialect != "anthropic_messages") == opened.target.startswith("gpt")
        told = delivered(opened, sealer.open(body.sealed, call + b"response"), same=same)
        assert close.scan.characters == told if same else close.scan.characters >= told


def delivered(opened: Open, body: bytes, *, same: bool) -> int:
    """Characters of all texts of an answer, counted by other means than the guard's.

    Ids of items are the target's where it speaks the same dialect, else the gateway's.
    """

    def extras(extra) -> int:
        return sum(_json(value) for _, name, value in extra if same or not name.startswith("own."))

    dialect = DIALECT[opened.dialect]
    if opened.stream:
        decoder = dialect.stream_decoder()
        events = decoder.feed(body) + decoder.end()
    else:
        events = events_of(dialect.decode_answer(body))
    count = 0
    arguments: dict[tuple[int, int], str] = {}
    for event in events:
        match event:
            case Started() | Stopped():
                count += extras(event.extra)
            case Opened(part=ToolCall()):
                arguments[event.choice, event.block] = ""
                count += len(event.part.name) + extras(event.part.extra)
            case Opened(part=Opaque()):
                count += _json(event.part.raw)
            case Opened(part=Text() | Thinking()):
                count += extras(event.part.extra)
            case Grown():
                if (event.choice, event.block) in arguments:
                    arguments[event.choice, event.block] += event.text
                else:
                    count += len(event.text)
                count += _json(event.citation or b"null")
            case Aside():
                count += _json(event.raw)
    return count + sum(_json(one or "{}") for one in arguments.values())


def _json(raw) -> int:
    return _texts(json.loads(bytes(raw) if not isinstance(raw, str) else raw, parse_float=str, parse_int=Number))


class Number(str):
    """A number as it is spelled."""

    __slots__ = ()


def _texts(value) -> int:
    match value:
        case Number():
            return len(value) if is_long(value) else 0
        case str():
            return len(value)
        case list():
            return sum(map(_texts, value))
        case dict():
            return sum(_texts(key) + _texts(one) for key, one in value.items())
    return 0
