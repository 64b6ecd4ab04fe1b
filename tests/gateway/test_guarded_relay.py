"""The suites of relayed answers, lying targets and attempts, once more, behind a guard that finds nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway import guards as g
from tests.gateway import pieces as p
from tests.gateway import test_relay as relay
from tests.gateway.guarded_calls import streamed
from tests.gateway.machine import Machine

LEFT_OUT = frozenset(
    {
        "test_a_broken_stream_says_so_where_its_framing_is_ours",
        "test_a_stream_cut_anywhere_never_looks_whole",
        "test_a_stream_split_anywhere_and_chunked_anyhow_is_the_same_stream",
        "test_a_stream_without_its_end_is_broken_off",
        "test_http_1_0_callers_get_streams_without_chunks",
    }
)
"""They look at bytes of streams that go on as they came, or at when they begin to: behind a guard streams are written
anew, and begin later. What stands below asks the same of them."""

globals().update({name: one for name, one in vars(relay).items() if name.startswith("test_") and name not in LEFT_OUT})


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    home: Path = tmp_path_factory.mktemp("guarded")
    made = Machine(home, p.routes((p.target("a", 9001),), p.route("solo", "a", attempts=1)), p.keys())
    g.arm(made, g.rule("redact"), g.rule("block", "words", "OFFENDS"))
    return made


@given(
    cuts=relay.CUTS,
    ask=st.sampled_from(["raw", "filtered", "translated"]),
    sizes=st.lists(st.integers(1, 9), max_size=8),
)
def test_a_stream_split_anywhere_is_the_same_text(machine, cuts, ask, sizes) -> None:
    text = f"It is {g.EMAIL}, and it was shame and nothing but shame."
    words, rest = [], text
    for size in sizes:
        words.append(rest[:size])
        rest = rest[size:]
    data = p.chunked(*p.chat_stream(*[one for one in (*words, rest) if one]))
    found, end = relay.relayed(machine, ask, *relay.split(data, cuts))
    assert found.complete and end.outcome == "ok" and end.tried[0].usage.output == 3
    assert hashlib.sha256(found.body).digest() == end.response_sha256 and end.delivered == len(found.body)
    told = streamed(found) if ask != "translated" else spoken(found.body)
    assert told == text.replace(g.EMAIL, "[EMAIL]") and end.scan.characters == len(text)


def spoken(body: bytes) -> str:
    lines = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]
    return "".join(one["delta"]["text"] for one in lines if one["type"] == "content_block_delta")


LONG = p.chunked(*p.chat_stream(*["all is well and nobody is here, "] * 20))


@given(cut=st.integers(0, len(LONG) - 1), ask=st.sampled_from(["raw", "filtered", "translated"]), cuts=relay.CUTS)
def test_a_stream_cut_anywhere_never_looks_whole(machine, cut: int, ask: str, cuts) -> None:
    data = LONG[:cut]
    reads = relay.split(data, cuts) if data else []
    found, end = relay.relayed(machine, ask, *reads, lost=True)
    assert end.outcome == ("broken" if found.status == 200 else "failed")
    assert not found.complete if found.status == 200 else found.status == 502


@pytest.mark.parametrize("how", relay.BROKEN_ENDS)
@pytest.mark.parametrize("ask", ["raw", "filtered", "translated"])
def test_a_stream_without_its_end_is_no_answer(machine, ask: str, how: str) -> None:
    found, end = relay.relayed(machine, ask, relay.BROKEN_ENDS[how], lost=True)
    assert end.outcome in {"broken", "failed"} and b"[DONE]" not in found.body and b"message_stop" not in found.body
