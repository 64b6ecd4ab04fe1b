"""Whole moves in whole instances: to owned by proof and back, whoever is killed and whatever is away meanwhile.

The rules are small, so that a move takes seconds. Vendor and log are synthetic; models, proof and roll-out are real.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator

import pytest

from demo.breaking import release_a_bad_one
from demo.company import intents
from freehold.core.ids import from_text
from tests.e2e.instance import Vendors, until
from tests.e2e.moving import CONFIG as MOVING
from tests.e2e.moving import Office, Rented, Task, exploring, mail, writing
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.fakes.wire import Fault

CONFIG = MOVING
CALLS = 300
GOOD = ("kills", "holds", "slow", "away")


@pytest.fixture(scope="module")
def module_vendors() -> Iterator[Vendors]:
    with Rented() as openai, FakeAnthropic() as anthropic:
        yield Vendors(openai, anthropic)


@pytest.fixture(scope="module")
def remembered(module_instance, module_vendors, tmp_path_factory) -> Office:
    made = Office(module_instance, module_vendors.openai, tmp_path_factory.mktemp("office"))
    parts = [(mail(), CALLS, 28.0), *((Task(name), CALLS, 28.0) for name in GOOD)]
    parts += [(exploring(), 250, 28.0), (writing("letters"), 250, 28.0), (Task("restless"), CALLS, 28.0)]
    parts += [(Task("few"), 30, 28.0), (Task("fresh"), CALLS, 2.0)]
    made.remember(parts)
    return made


@pytest.fixture
def office(remembered, instance) -> Office:
    remembered.vendor.wrong.clear()
    return remembered


def rows(office: Office, query: str) -> list[tuple]:
    path = office.instance.home / "freehold.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def pairs_of(office: Office, name: str) -> list[tuple[bytes, float, int]]:
    move = office.move(name)["id"]
    return rows(office, f"SELECT record, at, number FROM pairs WHERE move = '{move}' ORDER BY number")


def ledger_of(office: Office, calls: list[str]) -> Counter[str]:
    """How often each of these calls is in the ledger as well answered."""
    found = Counter("call_" + bytes(one).hex() for (one,) in rows(office, "SELECT id FROM calls WHERE outcome = 'ok'"))
    return Counter({one: found[one] for one in calls})


def begin(office: Office, name: str, **rule: object) -> dict:
    made = office.instance.api("/api/moves", {"workflow": office.ids[name], "recipe": "classifier", "rule": rule})
    assert made.status == 201, made.body
    return made.json


def test_a_workflow_is_moved_by_proof_and_given_back_by_a_word(office, tmp_path):
    begun = office.start("mail", "--recipe", "classifier")
    assert (begun["incumbent"], begun["rule"]["grader"]["kind"]) == ("rented", "label")
    office.reaches("mail", "shadow")
    with office.busy("mail") as callers:
        office.reaches("mail", "owned")
        until(lambda: callers.good[-1][1].startswith("owned-"), "live calls reach the owned model")
    assert office.steps("mail") == ["evaluated", "tuned", "shadow", "canary", "owned"]
    move = office.move("mail")
    asked = lambda number: office.ask("mail", number)  # noqa: E731
    served_by = lambda one: one.headers["x-freehold-target"]  # noqa: E731
    owned = until(lambda: [one for one in map(asked, range(8)) if served_by(one) == move["candidate"]][5:], "it serves")
    assert owned[0].json["choices"][0]["message"]["content"] in [name for name, _ in intents.CORES[:5]]

    path = tmp_path / "mail.json"
    office.act("dossier", "mail", "--out", str(path), "--html")
    assert all(one["ok"] for one in office.instance.freehold("moves", "verify", str(path)))
    assert office.events("mail", "maturity")[0]["content"]["verdict"] == "mature"

    office.act("rollback", "mail", "--why", "a rehearsal")
    until(lambda: {served_by(asked(number)) for number in range(8)} == {"rented"}, "the incumbent serves", 1.0)
    last = office.events("mail")[-1]
    assert (last["content"]["to"], last["content"]["verdict"]) == ("rolled_back", "a rehearsal")
    wish = office.instance.home / "deployments" / f"{move['candidate']}.json"
    until(lambda: not wish.exists(), "its engine is let go", 40)
    assert [one["name"] for one in office.instance.api(f"/api/models/{move['artefact']}").json["files"]], (
        "but not its model"
    )


def test_whoever_is_killed_the_move_ends_where_it_should_and_nothing_is_lost_or_doubled(office):
    begin(office, "kills", approvals=["canary", "owned"])
    until(lambda: office.phase("kills") == "training", "it trains")
    office.killed("trainer")
    until(lambda: office.phase("kills").startswith("evaluating owned"), "the candidate is evaluated")
    office.killed("trainer")
    office.reaches("kills", "shadow")
    seen: list[str] = []
    with office.busy("kills", callers=2) as callers:
        callers.more(20)
        office.killed("worker")
        office.waits("kills", "canary")
        office.act("approve", "kills")
        office.reaches("kills", "canary")
        until(lambda: callers.good[-1][1].startswith("owned-"), "the candidate serves some")
        office.killed("worker")
        assert not callers.broken and not callers.refused, (
            "neither worker nor trainer stands between callers and models"
        )
        office.killed("gateway")
        callers.more(20)
        office.struck()
        callers.more(20)
        until(lambda: callers.good[-1][1].startswith("owned-"), "the engine that is wanted came back", 180)
        office.waits("kills", "owned")
        office.act("approve", "kills")
        office.reaches("kills", "owned")
        seen += [one for one, _ in callers.good]
        assert {status for status, _ in callers.refused} <= {429, 502, 503, 504}

        bad = office.move("kills")
        release_a_bad_one(office.instance.home, bad["candidate"], bad["artefact"])
        office.reaches("kills", "rolled_back")
        until(lambda: callers.good[-1][1] == "rented", "the incumbent serves again")
    # Its engine answers nothing while it restarts with the bad one, and wrongly afterwards.
    assert office.events("kills")[-1]["content"]["metric"] in {"validity", "harm"}
    assert office.steps("kills") == ["evaluated", "tuned", "shadow", "canary", "owned", "rolled_back"]
    assert [one["number"] for one in office.events("kills")] == list(range(len(office.events("kills"))))
    for kind in ("began", "data", "tuned"):
        assert len(office.events("kills", kind)) == 1
    assert len(office.events("kills", "approved")) == 2
    found = pairs_of(office, "kills")
    assert len({one for one, _, _ in found}) == len(found) > 100
    assert [one for one, _, _ in found] == sorted(one for one, _, _ in found)
    assert [number for _, _, number in found] == list(range(len(found)))
    until(lambda: set(ledger_of(office, seen).values()) == {1}, "each call that was seen to succeed is there, once")


def test_a_person_holds_approves_and_ends_a_move_while_it_is_prepared(office):
    begin(office, "holds", approvals=["shadow", "canary"])
    until(lambda: office.phase("holds") == "training", "it trains")
    office.act("hold", "holds", "--why", "not today")
    idle = lambda: not [one for one in office.instance.api("/api/jobs?state=running").json if "move" in one["payload"]]  # noqa: E731
    until(idle, "the trainer lets go of it")
    assert office.events("holds")[-1]["kind"] == "held"
    assert office.move("holds")["stage"] == "evaluated"
    office.act("promote", "holds", "--why", "now")
    office.waits("holds", "shadow")
    assert office.refused("promote", office.ids["holds"])
    office.act("approve", "holds")
    office.reaches("holds", "shadow")
    office.act("hold", "holds")
    with office.busy("holds") as callers:
        callers.more(20)
        assert office.move("holds")["measured"]["pairs"] == 0
        office.act("promote", "holds")
        until(lambda: office.move("holds")["measured"]["pairs"] > 0, "it is compared")
    office.act("rollback", "holds", "--why", "enough")
    assert office.move("holds")["stage"] == "refused"

    begin(office, "holds")
    until(lambda: office.phase("holds") == "training", "it trains again")
    office.act("rollback", "holds")
    count = len(office.events("holds"))
    until(idle, "the trainer lets go of it")
    assert (office.move("holds")["stage"], len(office.events("holds"))) == ("refused", count)


def test_a_candidate_that_times_out_is_refused_in_shadow_and_no_caller_waits(office):
    office.start("slow", "--recipe", "none", "--candidate", "hosted")
    office.reaches("slow", "shadow")
    text = office.instance.config.read_text()
    office.instance.write(text.replace('model = "hosted"', 'model = "fault-status-504"'))
    with office.busy("slow") as callers:
        office.reaches("slow", "refused")
    office.instance.write(text)
    assert {target for _, target in callers.good} == {"rented"}
    assert not callers.refused and not callers.broken
    last = office.events("slow")[-1]["content"]
    assert last["metric"] == "futility" and last["value"] >= last["bound"]


def test_calls_wait_for_a_vendor_that_is_away_and_a_dead_engine_is_taken_out(office):
    begin(office, "away", approvals=["owned"])
    office.reaches("away", "shadow")
    with office.busy("away") as callers:
        office.reaches("away", "canary")
        until(lambda: callers.good[-1][1].startswith("owned-"), "the candidate serves some")
        before = len(callers.good)
        office.vendor.always = Fault("status", status=503)
        until(
            lambda: len([1 for _, target in callers.good[before:] if target.startswith("owned-")]) > 30, "it serves on"
        )
        assert not office.move("away")["held"]
        office.vendor.calm()
        served = [from_text(one) for one, target in callers.good[before:] if target.startswith("owned-")]
        until(lambda: {bytes(one) for one, _, _ in pairs_of(office, "away")} >= set(served), "each is paired after all")
        office.act("approve", "away")
        office.reaches("away", "owned")

        name = next(one for one in office.instance.processes() if office.move("away")["candidate"] in one)
        refused = len(callers.refused)
        for blob in (office.instance.home / "store").rglob("*"):
            if blob.is_file() and blob.stat().st_size > 50_000:
                blob.rename(blob.with_name(blob.name + ".gone"))
        office.instance.kill(name)
        office.reaches("away", "rolled_back")
        assert len(callers.refused) == refused, "the incumbent stood behind it"
    # Whichever detector looked first: calls without an answer are both unusable and worse than the incumbent's.
    assert office.events("away")[-1]["content"]["metric"] in {"validity", "harm"}


def test_what_cannot_be_moved_is_refused_with_the_reason(office):
    assert "30 answered calls of the 50" in office.refused("start", office.ids["few"])
    assert "there is no workflow 'nothing'" in office.refused("start", "nothing")
    assert "no target 'nobody'" in office.refused("start", office.ids["mail"], "--incumbent", "nobody")
    told = office.refused(
        "start", office.ids["chat"], "--despite-immaturity", "--recipe", "none", "--candidate", "hosted"
    )
    assert "FH-CON-012" in told and "exploratory" in told
    with contextlib.closing(sqlite3.connect(office.instance.home / "freehold.db")) as connection, connection:
        connection.execute(
            """UPDATE workflows SET maturity = replace(maturity, '"mature"', '"immature"') WHERE id = ?""",
            (office.ids["restless"],),
        )
    told = office.refused("start", office.ids["restless"])
    assert "restless is immature" in told and "--despite-immaturity" in told
    office.start("restless", "--despite-immaturity", "--recipe", "classifier")
    assert office.events("restless", "maturity")[0]["content"]["despite"] is True
    office.act("rollback", "restless")
    office.start("fresh", "--recipe", "classifier")
    assert "2.0 days of the 7" in office.events("fresh", "maturity")[0]["content"]["why"]
    office.act("rollback", "fresh")

    office.start("letters", "--recipe", "classifier")
    office.reaches("letters", "refused")
    last = office.events("letters")[-1]["content"]
    assert last["why"].startswith("FH-CON-010")
    assert last["hint"] == "use the recipe lora or prompt, or a cascade"
