"""A dossier proves itself: every decision is recomputed from its rows, and whatever is changed is found."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from freehold.core.canonical import exact
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact
from freehold.moves.dossier import Evidence, make
from freehold.moves.machine import apply, due
from freehold.moves.measure import Fold, fold, weigh
from freehold.moves.page import page
from freehold.moves.types import Event, Move, Pair
from freehold.moves.verify import verify
from tests.moves.sample import PLAN, RULE, WINDOW, move


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.load(tmp_path_factory.mktemp("dossier") / "identity.key")


@pytest.fixture(scope="module")
def data(identity: Identity) -> bytes:
    now, events, pairs = history()
    assert now.stage == "owned"
    evidence = Evidence(move=now, workflow_name="intents", events=events, pairs=pairs, artefact={}, savings=None)
    return make(evidence, identity, WINDOW + 5000)


def history(until: int = 700) -> tuple[Move, list[Event], list[Pair]]:
    """A candidate that differs on one call in four hundred, taken as far as its pairs carry it."""
    now = replace(move("observed"), events=1)
    events = [
        Event(0, WINDOW, "began", "ann", {"rule": msgspec.to_builtins(RULE), "plan": msgspec.to_builtins(PLAN)}),
    ]
    now, events = onward(now, events, "stage", {"to": "evaluated"})
    now, events = onward(now, events, "tuned", {"target": "owned-a"})
    now, events = onward(now, events, "stage", {"to": "shadow", "pairs": 0})
    pairs: list[Pair] = []
    weighed = Fold()
    for number in range(until):
        differs = number % 400 == 99
        pairs.append(
            Pair(
                record=number.to_bytes(16, "big"),
                at=WINDOW + 1 + number,
                stage=now.stage,
                served="incumbent",
                candidate=0.0 if differs else 1.0,
                incumbent=1.0,
                valid=True,
            )
        )
        weighed = fold(RULE, weighed, pairs[-1:])
        found = due(now, weigh(RULE, weighed))
        if found is not None:
            now, events = onward(now, events, *found)
    return now, events, pairs


def onward(now: Move, events: list[Event], kind: str, content: dict[str, Any]) -> tuple[Move, list[Event]]:
    event = Event(now.events, WINDOW + 2 + now.events, kind, "rollout", content)
    return apply(now, event), [*events, event]


def changed(data: bytes, identity: Identity, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The dossier with something changed, and signed again by whoever changed it."""
    content = json.loads(data)["content"]
    change(content)
    signature = base64.b64encode(identity.sign(exact(content))).decode()
    return exact({"content": content, "key": identity.public.hex(), "signature": signature})


def failed(data: bytes, key: str = "") -> list[str]:
    return [one.what for one in verify(data, key) if not one.ok]


def test_an_honest_dossier_holds_and_names_what_was_recomputed(data: bytes, identity: Identity) -> None:
    assert failed(data, identity.public.hex()) == []
    told = {one.what: one.detail for one in verify(data)}
    assert "recomputed" in told["canary: evidence"]


def test_any_byte_changed_without_the_key_breaks_the_signature(data: bytes) -> None:
    assert "signature" in failed(data.replace(b'"candidate":0.0', b'"candidate":1.0', 1))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda one: one["rule"].update(margin=0.2), "the rule's digest"),
        (lambda one: one["pairs"].pop(99), "canary: evidence"),
        (lambda one: one["pairs"][0].update(candidate=0.0), "canary: evidence"),
        (lambda one: one["pairs"].append(one["pairs"][0]), "no call was counted twice"),
        (lambda one: one["pairs"][0].update(at=WINDOW - 1), "only calls after the evaluation window were compared"),
        (lambda one: one["events"].pop(2), "events are complete and in order"),
        (lambda one: one.update(stage="shadow"), "the stage is what the events lead to"),
        (lambda one: one.update(candidate="owned-b"), "the candidate is what the events lead to"),
    ],
)
def test_what_the_installation_itself_would_forge_is_found(
    data: bytes, identity: Identity, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    assert what in failed(changed(data, identity, change))


def test_a_cut_over_without_evidence_is_found(data: bytes, identity: Identity) -> None:
    def forge(content: dict[str, Any]) -> None:
        step = next(one for one in content["events"] if one["content"].get("to") == "canary")
        step["content"] |= {"pairs": 20}

    assert "canary: evidence" in failed(changed(data, identity, forge))


def test_another_installations_key_is_not_the_one_asked_for(data: bytes, tmp_path: Path) -> None:
    other = Identity.load(tmp_path / "other.key")
    assert failed(data, other.public.hex()) == ["signed by the key that was asked for"]


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1]", b'{"content": 1, "key": "", "signature": ""}', b"\xff\xfe"])
def test_what_is_no_dossier_is_said_to_be_none(junk: bytes) -> None:
    with pytest.raises(BadArtefact):
        verify(junk)


def test_the_page_says_the_verdict_and_lets_no_content_become_markup(data: bytes, identity: Identity) -> None:
    content = json.loads(data)["content"]
    content["workflow"]["name"] = "<script>alert(1)</script>"
    text = page(content, identity.public.hex())
    assert "moved: an owned model serves it" in text
    assert "<script>" not in text
    assert "<svg" in text
    assert content["rule_sha256"] in text


@pytest.mark.parametrize(
    "other",
    [
        b"[" * 5000,
        b'{"content":' + b"[" * 5000,
        b"\x1f\x8b" + bytes(range(256)) * 1000,
        b"[]",
        b'"text"',
        b"",
        b'{"content": {}, "key": "", "signature": 1}',
        b'{"content": {}, "key": "", "signature": "\\u00e9"}',
    ],
)
def test_what_is_no_dossier_is_refused_in_a_few_words(other: bytes) -> None:
    with pytest.raises(BadArtefact) as told:
        verify(other)
    assert len(str(told.value)) < 300
    assert "moves dossier" in (told.value.hint or "") or "version" in (told.value.hint or "")


def test_a_dossier_nested_too_deep_is_refused_wherever_it_is_noticed(data: bytes) -> None:
    for depth in (200, 900, 960, 990, 2000):
        nested = data.replace(b'"artefact":{}', b'"artefact":' + b"[" * depth + b"]" * depth)
        assert nested != data
        try:
            found = verify(nested)
        except BadArtefact:
            continue
        assert not all(one.ok for one in found)


def test_a_member_beside_what_is_signed_is_refused(data: bytes) -> None:
    with pytest.raises(BadArtefact, match="alone"):
        verify(exact({**json.loads(data), "note": "approved by the board"}))


def test_what_a_sweep_tried_stands_in_the_dossier_and_on_its_page(identity: Identity) -> None:
    had = {"loss_before": 2.0, "loss_after": 0.5, "seconds": 3.0, "sha256": "ab" * 32}
    swept = [
        {"options": {"rank": 4, "rate": 0.001}, **had},
        {"options": {"rank": 8, "rate": 0.001}, **had, "loss_after": 0.25, "chosen": True},
        {"options": {"rank": 8, "rate": 9.0}, "error": "FH-REQ-010 the loss is <no> number"},
    ]
    metrics = {"held_out": 12, "loss_after": 0.25, "sweep": swept}
    tuned = {"recipe": "lora", "seconds": 3.0, "bytes": 10, "target": "owned-a", "metrics": metrics}
    now, events = onward(replace(move("evaluated"), events=0), [], "tuned", tuned)
    evidence = Evidence(move=now, workflow_name="intents", events=events, pairs=[], artefact={}, savings=None)
    content = json.loads(make(evidence, identity, WINDOW + 5000))["content"]
    assert content["events"][0]["content"]["metrics"]["sweep"] == swept
    drawn = page(content, identity.public.hex())
    assert "best of 3 variants: rank=8 rate=0.001, loss 0.25 on 12 lessons held out" in drawn
    assert "loss 2 before, 0.5 after, in 3 s" in drawn and "left out: FH-REQ-010 the loss is &lt;no&gt; number" in drawn
