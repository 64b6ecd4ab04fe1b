"""The runner: what passes is waited for, what is killed is gone on with, every line is told of once."""

from __future__ import annotations

import json

import pytest

from freehold.batches.asking import Later
from freehold.batches.types import Outcome
from freehold.ledger.errors import StoreAway
from tests.batches.conftest import Office, heard, line


def ids(lines):
    return [one["custom_id"] for one in lines]


def test_every_line_is_asked_as_the_key_that_made_the_batch(office):
    batch = office.start(line(1), line(2), headers={"x-freehold-workflow": "w", "x-freehold-subject": "Ann"})
    assert office.run() == 1
    assert office.door.texts == ["line 1", "line 2"]
    assert {(one.key_id, one.path, one.headers["x-freehold-workflow"]) for one in office.door.asked} == {
        ("key_a", "/v1/chat/completions", "w")
    }
    assert len({one.mark for one in office.door.asked}) == 2
    found = office.show(batch)
    assert found["status"] == "completed"
    assert found["usage"]["total_tokens"] == 10
    (first, second) = office.lines(found["output_file_id"])
    assert first["response"] == {
        "status_code": 200,
        "request_id": "call_1",
        "body": {"id": "chatcmpl", "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    }
    assert second["id"] != first["id"]
    assert found["error_file_id"] is None


def test_a_body_goes_out_byte_for_byte(office):
    body = b'{ "model":"gpt" , "messages":[{"content":"line 1"}],"n":1.50, "x":"\\u00e9" }'
    office.start(b'{"custom_id":"a","url":"/v1/chat/completions","body":' + body + b"}\r")
    office.run()
    assert office.door.asked[0].body == body


def test_a_batch_whose_file_cannot_be_had_waits_and_holds_up_no_other(office, monkeypatch):
    away = office.start(line(1), line(2))
    (digest,) = (bytes.fromhex(one.name) for one in (office.home / "bodies").glob("??/*"))
    here = office.start(line(3), key="key_b")
    kept = type(office.bodies).open

    def opened(bodies, wanted):
        if wanted == digest:
            raise StoreAway("it does not answer")
        return kept(bodies, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(type(office.bodies), "open", opened)
        assert office.run() == 1
        assert office.show(here, key="key_b")["status"] == "completed"
        assert office.show(away)["status"] == "validating"
        assert office.door.texts == ["line 3"]
    assert office.run() == 1
    assert office.show(away)["request_counts"] == {"total": 2, "completed": 2, "failed": 0}


def test_a_limit_is_waited_for_and_costs_no_line(office):
    batch = office.start(line(1), line(2), line(3))
    refusals = iter(["FH-LIM-002", "FH-LIM-003", "FH-AVA-001", "FH-UP-006"] * 5)

    def play(_asked):
        code = next(refusals, "")
        return heard(429, {"error": {}}, **{"x-freehold-error": code, "retry-after": "7"}) if code else heard()

    office.door.play = play
    office.run()
    assert office.show(batch)["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert office.now >= 1_760_000_000 + 20 * 7


def test_what_fails_again_and_again_is_told_after_three_tries(office):
    batch = office.start(line(1), line(2))
    office.door.play = lambda asked: (
        heard(502, {"error": {"code": "FH-UP-001"}}) if b"line 1" in asked.body else heard()
    )
    office.run()
    found = office.show(batch)
    (bad,) = office.lines(found["error_file_id"])
    assert (bad["custom_id"], bad["response"]["status_code"]) == ("c1", 502)
    assert sorted(office.door.texts) == ["line 1"] * 3 + ["line 2"]


def test_silence_is_told_after_three_tries(office):
    batch = office.start(line(1))

    def play(_asked):
        raise Later(1.0, counts=True, last=Outcome(error="timeout", message="no answer came"))

    office.door.play = play
    office.run()
    (bad,) = office.lines(office.show(batch)["error_file_id"])
    assert bad["response"] is None
    assert bad["error"] == {"code": "timeout", "message": "no answer came"}


def test_a_budget_that_is_used_up_ends_the_line_and_not_the_batch(office):
    batch = office.start(line(1), line(2))
    told = {"x-freehold-error": "FH-LIM-004"}
    office.door.play = lambda asked: heard(429, {"error": {}}, **told) if b"line 1" in asked.body else heard()
    office.run()
    assert office.show(batch)["request_counts"] == {"total": 2, "completed": 1, "failed": 1}


def test_a_key_that_was_revoked_ends_its_batch(office):
    batch = office.start(*(line(number) for number in range(9)))
    told = {"x-freehold-error": "FH-KEY-003"}
    office.door.play = lambda asked: heard(401, {"error": {}}, **told) if len(office.door.asked) > 2 else heard()
    office.run()
    found = office.show(batch)
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "key_ended")
    assert len(office.door.asked) == 3
    assert ids(office.lines(found["output_file_id"])) == ["c0", "c1"]


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 6])
def test_the_next_runner_goes_on_where_one_was_killed(office, after):
    batch = office.start(*(line(number) for number in range(7)))
    left = iter(range(after))

    def beat():
        if next(left, None) is None:
            raise Killed

    with pytest.raises(Killed):
        office.run(beat)
    before = list(office.door.texts)
    assert before
    office.run()
    assert office.door.texts == [f"line {number}" for number in range(7)]
    found = office.show(batch)
    assert ids(office.lines(found["output_file_id"])) == [f"c{number}" for number in range(7)]
    assert found["request_counts"] == {"total": 7, "completed": 7, "failed": 0}


def test_a_cancelled_batch_keeps_what_was_answered(office):
    batch = office.start(*(line(number) for number in range(5)))

    def play(_asked):
        if len(office.door.asked) == 2:
            assert office.ok("POST", f"/v1/batches/{batch}/cancel")["status"] == "cancelling"
        return heard()

    office.door.play = play
    office.run()
    found = office.show(batch)
    assert found["status"] == "cancelled"
    assert ids(office.lines(found["output_file_id"])) == ["c0", "c1"]
    assert [(one["custom_id"], one["error"]["code"]) for one in office.lines(found["error_file_id"])] == [
        (f"c{number}", "batch_cancelled") for number in (2, 3, 4)
    ]
    assert office.tell("POST", f"/v1/batches/{batch}/cancel").status == 409


def test_a_batch_cancelled_before_it_began_asks_nothing(office):
    batch = office.start(line(1))
    office.ok("POST", f"/v1/batches/{batch}/cancel")
    office.run()
    assert office.show(batch)["status"] == "cancelled"
    assert not office.door.asked


def test_a_window_that_is_over_ends_the_batch_with_what_there_is(office):
    batch = office.start(line(1), line(2), line(3), wish={"completion_window": "1h"})

    def play(_asked):
        office.now += 1801
        return heard()

    office.door.play = play
    office.run()
    found = office.show(batch)
    assert found["status"] == "expired"
    assert ids(office.lines(found["output_file_id"])) == ["c1", "c2"]
    assert office.lines(found["error_file_id"])[0]["error"]["code"] == "batch_expired"


def test_keys_take_turns_and_each_has_one_batch_at_a_time(tmp_path):
    office = Office(tmp_path, workers=2)
    office.start(*(line(f"a{number}") for number in range(4)))
    office.start(*(line(f"A{number}") for number in range(4)))
    office.start(*(line(f"b{number}") for number in range(4)), key="key_b")
    assert office.run() == 3
    order = [one[len("line ")] for one in office.door.texts]
    assert order.index("b") < 3
    assert "A" not in order[: order.index("A")]
    assert order[:8].count("A") <= 1
    office.engine.dispose()


def test_input_that_is_deleted_ends_the_batch_and_leaves_nothing(office):
    batch = office.start(*(line(number) for number in range(4)))

    def play(_asked):
        if len(office.door.asked) == 2:
            office.ok("DELETE", f"/v1/files/{office.show(batch)['input_file_id']}")
        return heard()

    office.door.play = play
    office.run()
    found = office.show(batch)
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "input_file_gone")
    assert found["output_file_id"] is None
    assert len(office.door.asked) == 2
    with office.engine.connect() as connection:
        assert not connection.exec_driver_sql("SELECT * FROM batch_lines").all()


def test_what_waits_for_the_end_is_sealed(office):
    office.start(line(1), line(2))
    office.door.play = lambda asked: heard(200, {"secret": "hidden word"})

    def beat():
        raise Killed

    with pytest.raises(Killed):
        office.run(beat)
    with office.engine.connect() as connection:
        (sealed,) = connection.exec_driver_sql("SELECT sealed FROM batch_lines").scalars()
    assert b"hidden" not in sealed
    assert b"line 1" not in b"".join(path.read_bytes() for path in office.home.rglob("*") if path.is_file())


def test_an_answer_that_is_no_json_is_told_as_text(office):
    batch = office.start(line(1))
    office.door.play = lambda asked: heard(200, b"\xffplain")
    office.run()
    found = office.show(batch)
    assert office.lines(found["output_file_id"])[0]["response"]["body"] == "\ufffdplain"


def test_an_answer_in_many_lines_stays_one_line_of_the_file(office):
    batch = office.start(line(1))
    office.door.play = lambda asked: heard(200, json.dumps({"a": "b\n"}, indent=1).encode())
    office.run()
    assert office.lines(office.show(batch)["output_file_id"])[0]["response"]["body"] == {"a": "b\n"}


@pytest.mark.parametrize("by", ["upload", "batch"])
def test_what_is_about_somebody_ends_with_their_key(office, by):
    ann = {"x-freehold-subject": "Ann"}
    file = office.upload(line(1), line(2), line(3), headers=ann if by == "upload" else {})
    told = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = office.ok("POST", "/v1/batches", {**told, "metadata": {"who": "Ann"}}, headers=ann if by == "batch" else {})
    subjects = office.bodies.subjects

    def play(_asked):
        if len(office.door.asked) == 2:
            with subjects.exclusive():
                assert subjects.doom(subjects.name("Ann"), -1)
                subjects.destroy(subjects.doomed()[0])
        return heard()

    office.door.play = play
    office.run()
    found = office.show(made["id"])
    assert (found["status"], found["errors"]["data"][0]["code"]) == ("failed", "input_file_gone")
    assert found["metadata"] is None
    assert len(office.door.asked) == 2


def test_output_about_somebody_is_sealed_with_their_key(office):
    batch = office.start(line(1), headers={"x-freehold-subject": "Ann"})
    office.run()
    found = office.show(batch)
    subjects = office.bodies.subjects
    with subjects.exclusive():
        subjects.doom(subjects.name("Ann"), -1)
    assert office.tell("GET", f"/v1/files/{found['output_file_id']}/content").status == 404


def test_a_batch_whose_window_was_over_before_its_turn_tells_of_every_line(office):
    batch = office.start(line(1), line(2), wish={"completion_window": "1h"})
    office.now += 3601
    office.run()
    found = office.show(batch)
    assert found["status"] == "expired"
    assert [one["error"]["code"] for one in office.lines(found["error_file_id"])] == ["batch_expired"] * 2
    assert not office.door.asked
