"""Files: whose they are, how long they are kept, and that holds and erasure reach them."""

from __future__ import annotations

import msgspec
import pytest

from freehold.batches import store
from freehold.core.db import writing
from freehold.ledger import capture
from freehold.ledger.errors import Held
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.holds import Hold, Scope
from tests.batches.conftest import FORM, START, Office, form, line
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE


def hold(office, **scope):
    made = Hold(raw=b"h" * 16, made_at=START, made_by="owner", why="court", scope=Scope(**scope))
    with writing(office.engine) as connection:
        keeping.insert_hold(connection, made)


def error(told):
    return msgspec.json.decode(told.body)["error"]


def test_a_file_is_found_by_its_own_key_alone(office):
    name = office.upload(line(1))
    assert office.ok("GET", f"/v1/files/{name}/content") == line(1)
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        told = office.tell(method, f"/v1/files/{name}{path}", key="key_b")
        assert (told.status, told.error) == (404, "FH-NOT-001")
    assert office.ok("GET", "/v1/files", key="key_b")["data"] == []
    made = {"input_file_id": name, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert office.tell("POST", "/v1/batches", made, key="key_b").status == 404


def test_pages_hold_what_was_asked_for(office):
    names = [office.upload(line(number)) for number in range(5)]
    page = office.ok("GET", "/v1/files", query="limit=2")
    assert [one["id"] for one in page["data"]] == names[:2:-1]
    assert page["has_more"]
    page = office.ok("GET", "/v1/files", query=f"limit=4&order=asc&after={names[0]}")
    assert [one["id"] for one in page["data"]] == names[1:]
    assert not page["has_more"]
    assert office.ok("GET", "/v1/files", query="purpose=batch_output")["data"] == []
    for query in ("limit=0", "limit=x", "order=up", "after=1"):
        assert office.tell("GET", "/v1/files", query=query).status in (400, 404)


def test_numbers_of_any_length_are_answered(office):
    long = "9" * 5000
    assert office.tell("GET", "/v1/files", query=f"limit={long}").status == 400
    body = form(line(1), purpose="batch", **{"expires_after[seconds]": long})
    assert office.tell("POST", "/v1/files", body, kind=FORM).status == 400


def test_what_is_said_of_a_batch_is_bounded(office):
    wish = {"input_file_id": office.upload(line(1)), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    told = [
        office.tell("POST", "/v1/batches", {**wish, "metadata": {str(number): "x" for number in range(many)}})
        for many in (16, 17)
    ]
    assert [one.status for one in told] == [200, 400]


def test_a_file_goes_when_its_time_is_over(office):
    short = office.upload(line(1), fields={"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"})
    secret = office.upload(line(2), label="restricted")
    usual = office.upload(line(3))
    for seconds, kept in (
        (3599, {short, secret, usual}),
        (3601, {secret, usual}),
        (86401, {usual}),
        (30 * 86401, set()),
    ):
        capture.expire(office.engine, office.bodies, START + seconds)
        assert {one["id"] for one in office.ok("GET", "/v1/files")["data"]} == kept


def test_what_is_deleted_is_gone_from_the_disk(office):
    name = office.upload(line(1))
    assert list((office.home / "bodies").glob("??/*"))
    assert office.ok("DELETE", f"/v1/files/{name}") == {"id": name, "object": "file", "deleted": True}
    assert not list((office.home / "bodies").glob("??/*"))


@pytest.mark.parametrize("scope", [{"key": "key_a"}, {"team": "red"}, {}, {"key": "key_a", "workflow": "w"}])
def test_a_legal_hold_keeps_files(office, scope):
    name = office.upload(line(1))
    hold(office, **scope)
    told = office.tell("DELETE", f"/v1/files/{name}")
    assert told.status == 409
    assert "court" in error(told)["message"]
    with pytest.raises(Held):
        capture.erase_key(office.engine, office.bodies, "key_a", "asked for", START)
    capture.expire(office.engine, office.bodies, START + 1e9)
    assert office.ok("GET", f"/v1/files/{name}/content") == line(1)


@pytest.mark.parametrize("scope", [{"key": "key_b"}, {"team": "blue"}, {"key": "key_a", "team": "blue"}])
def test_a_hold_on_others_keeps_no_file(office, scope):
    name = office.upload(line(1))
    hold(office, **scope)
    assert office.tell("DELETE", f"/v1/files/{name}").status == 200


def test_erasing_a_key_erases_its_files(office):
    mine, other = office.upload(line(1)), office.upload(line(2), key="key_b")
    capture.erase_key(office.engine, office.bodies, "key_a", "asked for", START)
    assert office.tell("GET", f"/v1/files/{mine}/content").status == 404
    assert office.ok("GET", f"/v1/files/{other}/content", key="key_b") == line(2)


def test_what_is_about_somebody_goes_with_their_key(office):
    name = office.upload(line(1), headers={"x-freehold-subject": "Ann"})
    subjects = office.bodies.subjects
    subject = subjects.name("Ann")
    with subjects.exclusive():
        assert subjects.doom(subject, -1)
        subjects.destroy(subjects.doomed()[0])
    assert office.tell("GET", f"/v1/files/{name}/content").status == 404


def test_a_key_keeps_no_more_than_it_may(tmp_path):
    office = Office(tmp_path, key_mebibytes=1)
    office.upload(b"x" * 600_000)
    told = office.tell("POST", "/v1/files", form(b"y" * 600_000, purpose="batch"), kind=FORM)
    assert (told.status, told.error) == (429, "FH-LIM-001")
    office.upload(b"y" * 600_000, key="key_b")
    office.engine.dispose()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(b"x", purpose="fine-tune"), 400),
        (form(b"x"), 400),
        (form(b"x", purpose="batch").replace(b'; filename="in.jsonl"', b""), 400),
        (form(b"x", purpose="batch", **{"expires_after[seconds]": "5"}), 400),
        (b"--x-x\r\n", 400),
        (b"", 400),
    ],
)
def test_an_upload_that_is_none_is_refused(office, body, status):
    assert office.tell("POST", "/v1/files", body, kind=FORM).status == status


def test_changes_are_audited(office):
    name = office.upload(line(1))
    office.ok("DELETE", f"/v1/files/{name}")
    batch = office.start(line(1))
    office.ok("POST", f"/v1/batches/{batch}/cancel")
    office.run()
    with office.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT kind, actor FROM audit_queue ORDER BY id").all()
    assert [one for one in found if one[0] != "bodies.erase"] == [
        ("file.create", "app/key_a"),
        ("file.delete", "app/key_a"),
        ("file.create", "app/key_a"),
        ("batch.create", "app/key_a"),
        ("batch.cancel", "app/key_a"),
        ("batch.end", "batches"),
    ]


def test_rows_of_what_is_long_over_are_dropped(office):
    old = office.start(line(1))
    office.run()
    capture.expire(office.engine, office.bodies, START + 31 * 86400)
    office.now = START + 32 * 86400
    young = office.start(line(2))
    office.run()
    assert [one["id"] for one in office.ok("GET", "/v1/batches")["data"]] == [young]
    assert office.tell("GET", f"/v1/batches/{old}").status == 404
    with office.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM batch_files").scalar() == 2


def test_what_is_known_of_an_erased_keys_batches_goes_too(office):
    mine, other = office.start(line(1)), office.start(line(2), key="key_b")
    office.run()
    capture.erase_key(office.engine, office.bodies, "key_a", "asked for", START)
    with writing(office.engine) as connection:
        store.forget_key(connection, "key_a")
        assert connection.exec_driver_sql("SELECT DISTINCT key_id FROM batch_files").scalars().all() == ["key_b"]
    assert office.tell("GET", f"/v1/batches/{mine}").status == 404
    assert office.show(other, key="key_b")["status"] == "completed"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ('name="file"; filename="a b.jsonl"', "a b.jsonl"),
        ('name="file"; filename=""', "file"),
        ("name=\"file\"; filename*=UTF-8''%C3%BC.jsonl", "ü.jsonl"),
        ('name="file"; filename="u"; filename*=utf-8\'en\'%C3%BC', "ü"),
    ],
)
def test_files_are_called_as_their_maker_calls_them(office, told, name):
    body = form(b"x", purpose="batch").replace(b'name="file"; filename="in.jsonl"', told.encode())
    assert office.ok("POST", "/v1/files", body, kind=FORM)["filename"] == name


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=y"])
def test_a_body_that_is_no_declared_form_is_refused(office, kind):
    assert office.tell("POST", "/v1/files", form(b"x", purpose="batch"), kind=kind).status in (400, 415)
