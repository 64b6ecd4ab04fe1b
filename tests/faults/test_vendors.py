"""Vendors that fail in every way there is: callers get an honest end, vendors a bounded load, and the books are right."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import told
from tests.e2e.instance import running
from tests.fakes.wire import Fault
from tests.faults.books import audit, lives

STORMS = (429, 529)
NAMES = (
    "asked", "cut", "cut_politely", "no_end", "bad_chunk", "stall_first", "stall_mid", "reset_mid", "slow",
    *(f"storm-{one}" for one in STORMS),
)  # fmt: skip
CONFIG = "\n".join(
    [
        *(
            f'[targets.t-{one}]\nprovider = "openai"\nmodel = "m-{one}"\nfirst_token_seconds = 2\nidle_seconds = 2\n'
            f'price = {{ input = 1, output = 2, as_of = 2026-11-01 }}\n[routes.{one}]\ntargets = ["t-{one}"]'
            for one in NAMES
        ),
        '[providers.nowhere]\nbase_url = "https://vendor.invalid/v1"\n[targets.nowhere]\nprovider = "nowhere"',
        '[routes.nowhere]\ntargets = ["nowhere"]\nattempts = 1',
        '[routes.backed-nowhere]\ntargets = ["nowhere", "claude"]',
        '[routes.backed-cipher]\ntargets = ["cipher", "claude"]\n[targets.cipher]\nprovider = "cipher"',
        '[providers.cipher]\nbase_url = "@openai/v1"',
        '[routes.deaf]\ntargets = ["deaf", "claude"]\n[targets.deaf]\nprovider = "deaf"\nfirst_token_seconds = 1',
        '[providers.deaf]\nbase_url = "http://127.0.0.1:@deaf/v1"',
    ]
)
LIMIT_ATTEMPTS = 3
BROKEN = ("cut", "cut_politely", "no_end", "bad_chunk", "stall_mid", "reset_mid")


@pytest.fixture(scope="module")
def deaf():
    """A port that accepts and never answers: what a dead peer behind a living address looks like."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def module_instance(request, tmp_path_factory, module_vendors, deaf):
    text = CONFIG.replace("@deaf", str(deaf))
    for name in ("cipher",):  # the fake speaks in the clear: a handshake with it fails
        at = text.index(f"[providers.{name}]")
        text = text[:at] + text[at:].replace('"@openai/v1"', f'"https://localhost:{module_vendors.openai.port}/v1"', 1)
    with running(tmp_path_factory.mktemp("vendors"), text, module_vendors) as made, told(request, made):
        yield made


@pytest.fixture(scope="module")
def good():
    """Ids of every call whose caller holds a whole answer."""
    return []


def sent_to(fakes, name):
    return sum(one.json["model"] == f"m-{name}" for one in fakes.openai.requests)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_short_retry_after_is_kept_in_either_form(instance, fakes, good, form):
    now, ahead = (formatdate(time.time() + one, usegmt=True) for one in (0, 1))
    headers = (("retry-after", "1"),) if form == "seconds" else (("date", now), ("retry-after", ahead))
    fakes.openai.fail(Fault("status", status=429, headers=headers))
    got = instance.chat("asked")
    assert got.status == 200
    first, second = instance.call(got.call)["attempts"]
    assert second["started"] - first["ended"] >= 1.0
    good.append(got.call)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_stream_that_breaks_never_looks_whole_and_is_settled_once(instance, fakes, kind):
    """What broke before a byte of it went on may be asked for again; what had begun is not."""
    fakes.openai.fail(Fault(kind, after=2))
    got = instance.chat(kind, stream=True)
    kept = instance.call(got.call)
    whole = got.whole and got.body.endswith(b"data: [DONE]\n\n") and b'"error"' not in got.body
    outcomes = [one["outcome"] for one in kept["attempts"]]
    assert outcomes[0] != "ok" and len(outcomes) == len(fakes.openai.requests)
    assert kept["call"]["outcome"] == ("ok" if whole else "broken")
    assert len(outcomes) == (2 if whole else 1) and outcomes.count("ok") == whole


def test_a_vendor_that_says_nothing_is_given_up(instance, fakes):
    fakes.openai.always = Fault("stall_first")
    got = instance.chat("stall_first", stream=True)
    assert got.status == 504 and sent_to(fakes, "stall_first") <= LIMIT_ATTEMPTS


def test_a_vendor_that_sends_byte_by_byte_is_read_to_its_end(instance, fakes, good):
    fakes.openai.fail(Fault("slow"))
    got = instance.chat("slow", stream=True)
    assert got.body.endswith(b"data: [DONE]\n\n")
    good.append(got.call)


@pytest.mark.parametrize("status", STORMS)
def test_a_storm_is_not_multiplied(instance, fakes, status):
    """Every call fails: the vendor gets no more than each call's first attempt and what the retry budget gives."""
    fakes.openai.always = Fault("status", status=status)
    calls, name = 60, f"storm-{status}"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: instance.chat(name), range(calls)))
    assert {one.status for one in answers} <= {429, 503, 529}
    reached = sent_to(fakes, name)
    most = calls + 10 + 0.1 * calls + 2
    assert reached <= most, "a tenth of the calls, and ten a minute"
    attempts = sum(len(instance.call(one.call)["attempts"]) for one in answers)
    assert attempts >= reached, "each request that the vendor saw stands in the ledger"
    assert sum(float(instance.call(one.call)["call"]["cost"]) for one in answers) == 0


@pytest.mark.parametrize("name", ["nowhere", "cipher", "deaf"])
def test_who_cannot_be_reached_is_passed_over(instance, fakes, good, name):
    """No such name; no TLS where it should be; a peer that accepts and never answers."""
    route = name if name == "deaf" else f"backed-{name}"
    got = instance.chat(route, stream=True)
    assert got.status == 200 and got.headers["x-freehold-target"] == "claude"
    kept = instance.call(got.call)["attempts"]
    assert [one["outcome"] for one in kept] == ["timeout" if name == "deaf" else "unreachable", "ok"]
    assert float(kept[0]["cost"]) == 0 or name == "deaf"
    good.append(got.call)


def test_a_name_that_is_nowhere_is_told_as_such(instance):
    got = instance.chat("nowhere")
    assert got.status in {502, 503} and b"vendor.invalid" in got.body


def test_callers_that_dribble_do_not_keep_others_waiting(instance, fakes, good):
    """Two hundred of them send half a head and a byte now and then; calls beside them are answered."""
    port = urlsplit(instance.base).port
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(200)]
        for one in slow:
            one.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n")
        for at in range(10):
            for one in slow:
                one.sendall(b"x")
            got = instance.chat("slow", str(at))
            assert got.status == 200
            good.append(got.call)


def test_the_books_are_right_and_nothing_had_to_be_restarted(instance, fakes, good):
    audit(instance, good)
    assert not [one for one in instance.calls() if one["call"]["outcome"] == "lost"]
    assert len(good) >= 15
    lives(instance, instance.processes()["gateway"]["pid"])
    assert instance.processes()["gateway"]["restarts"] == 0
