"""Channels: the way back leads to the same digests, whatever happened; nothing gets in that needs a person's word."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadRequest, BadSignature, Conflict, FreeholdError, NotFound
from freehold.registry import channel_files, channels
from freehold.registry.channels import Act, Channel, Coming, Facts, Release
from freehold.registry.errors import NotAdmitted, ReviewNeeded

GOOD = Facts(signed=True, scan="allow")
ACT = Act("ada", "2026-11-23T04:00:00.000Z")
WORD = Act("ada", "2026-11-23T04:00:00.000Z", "I have looked")
BAD = (
    Facts(scan="allow"),
    Facts(signed=True),
    Facts(signed=True, scan="review"),
    Facts(signed=True, scan="allow", affected=("CVE-2026-1",)),
)


def release(number):
    return Release(f"m-{number}", hashlib.sha256(str(number).encode()).hexdigest())


def coming(number, facts=GOOD, kind="model", name="tickets"):
    return Coming(kind, name, release(number), facts)


def built(*numbers):
    found = Channel(stage="stable")
    for number in numbers:
        found = channels.promote(found, coming(number), ACT)
    return found


OPERATIONS = st.one_of(
    st.tuples(st.just("promote"), st.integers(0, 6), st.integers(1, 100)),
    st.tuples(st.just("back"), st.just(0), st.just(0)),
    st.tuples(st.just("pin"), st.integers(0, 6), st.just(0)),
    st.tuples(st.just("unpin"), st.just(0), st.just(0)),
    st.tuples(st.just("freeze"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("stage"), st.just(0), st.integers(1, 100)),
)


def done(channel, operation):
    """After one operation, or as it was where that is refused."""
    verb, number, percent = operation
    try:
        match verb:
            case "promote":
                return channels.promote(channel, coming(number), ACT, percent)
            case "back":
                return channels.back(channel, "tickets", ACT, GOOD)
            case "pin":
                return channels.pin(channel, "tickets", release(number).digest, ACT, GOOD)
            case "unpin":
                return channels.unpin(channel, "tickets")
            case "freeze":
                return channels.freeze(channel, "tickets", on=bool(number))
            case _:
                return channels.stage(channel, "tickets", percent, ACT, GOOD)
    except FreeholdError:
        return channel


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=30), st.integers(50, 60))
def test_after_any_history_the_way_back_from_a_promotion_leads_to_the_very_same_release(history, fresh):
    channel = built(0, 1)
    for one in history:
        channel = done(channel, one)
    channel = channels.unpin(channels.freeze(channel, "tickets", on=False), "tickets")
    channel = channels.stage(channel, "tickets", 100, ACT, GOOD) if channel.entry("tickets").before else channel
    before = channel.entry("tickets")
    went = channels.promote(channel, coming(fresh), ACT, percent=10)
    again = channels.back(went, "tickets", ACT, GOOD).entry("tickets")
    assert (again.release, again.before, again.percent) == (before.release, before.before, 100)


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=30))
def test_a_whole_history_is_walked_back_release_by_release(history):
    channel, stack = built(0), [release(0)]
    for one in history:
        before, channel = channel, done(channel, one)
        if channel is before:
            continue
        if one[0] == "promote" or (one[0] == "pin" and stack[-1] != channel.entry("tickets").release):
            stack.append(channel.entry("tickets").release)
        elif one[0] == "back":
            stack.pop()
        assert channel.version == before.version + 1
    channel = channels.unpin(channels.freeze(channel, "tickets", on=False), "tickets")
    while len(stack) > 1:
        assert channel.entry("tickets").release == stack.pop()
        channel = channels.back(channel, "tickets", ACT, GOOD)
    assert channel.entry("tickets").release == stack[0]
    with pytest.raises(Conflict):
        channels.back(channel, "tickets", ACT, GOOD)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20), st.integers(1, 100), st.integers(1, 100))
def test_a_growing_share_takes_nobody_back_and_all_get_one_of_the_two(follower, one, other):
    low, high = sorted((one, other))
    channel = built(0, 1)
    first = channels.given(channels.stage(channel, "tickets", low, ACT, GOOD).entry("tickets"), follower)
    then = channels.given(channels.stage(channel, "tickets", high, ACT, GOOD).entry("tickets"), follower)
    assert {first, then} <= {release(0), release(1)}
    assert first == release(0) or then == release(1)
    assert channels.given(channel.entry("tickets"), follower) == release(1)


def test_a_share_is_about_that_share_of_the_followers():
    entry = channels.stage(built(0, 1), "tickets", 30, ACT, GOOD).entry("tickets")
    count = sum(channels.given(entry, f"owned-{number}") == release(1) for number in range(2000))
    assert 500 < count < 700


@pytest.mark.parametrize("facts", BAD)
def test_what_speaks_against_a_release_asks_for_a_persons_word_on_every_way_in(facts):
    channel = channels.stage(built(0, 1, 2), "tickets", 99, ACT, GOOD)
    assert channels.stage(channel, "tickets", 5, ACT, facts).entry("tickets").percent == 5
    whole = built(0, 1, 2)
    for refused in (
        lambda act: channels.stage(channel, "tickets", 100, act, facts),
        lambda act: channels.promote(whole, coming(3, facts), act),
        lambda act: channels.back(channel, "tickets", act, facts),
        lambda act: channels.pin(channel, "tickets", release(0).digest, act, facts),
    ):
        with pytest.raises(ReviewNeeded):
            refused(ACT)
        with pytest.raises(ReviewNeeded):
            refused(Act("ada", ACT.at, "  "))
        assert refused(WORD).entry("tickets").word == "I have looked"


def test_what_the_gate_blocks_takes_nobodys_word():
    with pytest.raises(NotAdmitted):
        channels.promote(built(), coming(0, Facts(signed=True, scan="block")), WORD)


def test_frozen_nothing_changes_and_pinned_only_the_pin_goes():
    frozen = channels.freeze(built(0, 1), "tickets")
    for operation in (("promote", 3, 100), ("back", 0, 0), ("pin", 0, 0), ("unpin", 0, 0), ("stage", 0, 5)):
        assert done(frozen, operation) is frozen
    pinned = channels.pin(built(0, 1), "tickets", release(0).digest[:12], ACT, GOOD)
    assert (pinned.entry("tickets").release, pinned.entry("tickets").pinned) == (release(0), True)
    for operation in (("promote", 3, 100), ("back", 0, 0), ("pin", 1, 0), ("stage", 0, 5)):
        assert done(pinned, operation) is pinned
    loose = channels.unpin(pinned, "tickets")
    assert channels.back(loose, "tickets", ACT, GOOD).entry("tickets").release == release(1)


def test_a_channel_takes_only_what_stands_for_all_in_the_one_before():
    first = channels.promote(Channel(stage="candidate"), coming(0), ACT)
    found = {"candidate": first, "stable": Channel(stage="stable"), "lts": Channel(stage="lts")}
    assert channels.source(found, "stable", "tickets").release == release(0)
    with pytest.raises(NotFound):
        channels.source(found, "lts", "tickets")
    with pytest.raises(BadRequest):
        channels.source(found, "candidate", "tickets")
    partly = channels.promote(first, coming(1), ACT, percent=20)
    with pytest.raises(Conflict, match="20 %"):
        channels.source({**found, "candidate": partly}, "stable", "tickets")
    with pytest.raises(Conflict, match="20 %"):
        channels.promote(partly, coming(2), ACT)


def test_a_name_keeps_its_kind_and_a_first_release_has_no_share():
    with pytest.raises(Conflict, match="not guard"):
        channels.promote(built(0), coming(1, kind="guard"), ACT)
    with pytest.raises(Conflict, match="already"):
        channels.promote(built(0), coming(0), ACT)
    for percent in (0, 50, 101):
        with pytest.raises(BadRequest):
            channels.promote(built(), coming(0), ACT, percent)


def test_a_channels_file_is_signed_and_another_channels_or_identitys_does_not_pass(tmp_path):
    identity = Identity.load(tmp_path / "identity.key")
    made = channel_files.change(tmp_path, "stable", identity, lambda one: channels.promote(one, coming(0), ACT))
    assert channel_files.read(tmp_path, "stable", identity) == made
    assert channel_files.everything(tmp_path, identity)["lts"] == Channel(stage="lts")
    with pytest.raises(Conflict):
        channel_files.change(tmp_path, "stable", identity, lambda one: channels.promote(one, coming(0), ACT))
    assert channel_files.read(tmp_path, "stable", identity) == made
    path = tmp_path / "channels" / "stable.json"
    (tmp_path / "channels" / "lts.json").write_bytes(path.read_bytes())
    with pytest.raises(BadArtefact):
        channel_files.read(tmp_path, "lts", identity)
    with pytest.raises(BadSignature):
        channel_files.read(tmp_path, "stable", Identity.load(tmp_path / "other.key"))


def test_files_come_back_byte_for_byte_or_not_at_all(tmp_path):
    digest = channel_files.put(tmp_path, b"[guards]\n")
    assert channel_files.get(tmp_path, channel_files.put(tmp_path, b"[guards]\n")) == b"[guards]\n"
    path = tmp_path / "channels" / "files" / digest
    path.chmod(0o600)
    path.write_bytes(b"[guard!]\n")
    with pytest.raises(BadArtefact):
        channel_files.get(tmp_path, digest)
    with pytest.raises(NotFound):
        channel_files.get(tmp_path, "0" * 64)
