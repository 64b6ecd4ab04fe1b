from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import update

from freehold.core.canonical import canonical
from freehold.core.crypto import Identity
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, NotFound, Unavailable
from freehold.core.ids import as_text
from freehold.ledger import receipts
from freehold.ledger.audit import log, merkle, note, store
from freehold.ledger.audit.offline import verify_home
from freehold.ledger.frames import Scan
from freehold.ledger.intake.loader import Loader, Pace
from freehold.ledger.store import call_rows
from freehold.ledger.tables import audit_tiles, calls, checkpoints
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, attempt, call_id, closed, opened, refused, tried


def load(home: Home) -> None:
    load_once(home.path, home.engine, home.keys)


def receipt(home: Home, number: int) -> receipts.Receipt:
    text = as_text("call", call_id(number))
    return log.receipt_of_call(home.engine, home.keys.identity, home.salts, text)


@pytest.fixture
def busy(home: Home) -> Home:
    home.begin("e1")
    both = (tried(1, outcome="failed"), tried(2, "big"))
    home.write("e1", opened(1), attempt(1), closed(1, tried=both, dropped=("seed", "top_k")), refused(2))
    for number in range(3, 300):
        home.write("e1", opened(number), closed(number))
    load(home)
    return home


def test_a_receipt_says_what_happened_and_verifies_offline(busy: Home) -> None:
    found = receipt(busy, 1)
    said = found.statement
    assert [one["target"] for one in said["sent_to"]] == ["small", "big"]
    assert (said["target"], said["owned"], said["region"]) == ("big", False, "us-east")
    assert (said["label"], said["policy_version"], said["cost_usd"]) == ("internal", 1, "0.001")
    assert (said["what_if_usd"], said["dropped"], said["scanned_characters"]) == ("0.00325", ["seed", "top_k"], None)
    through_a_file = msgspec.json.decode(msgspec.json.encode(found), type=receipts.Receipt)
    assert [one.name for one in receipts.verify(through_a_file, busy.keys.identity.public)] == [
        "signature",
        "inclusion",
    ]


def test_refused_calls_have_receipts_too(busy: Home) -> None:
    found = receipt(busy, 2)
    assert (found.statement["sent_to"], found.statement["outcome"]) == ([], "refused")
    receipts.verify(found, busy.keys.identity.public)


@pytest.mark.parametrize(
    ("what", "value"), [("target", "small"), ("cost_usd", "0.0001"), ("label", "public"), ("owned", True), ("x", 1.5)]
)
def test_a_changed_statement_does_not_verify(busy: Home, what: str, value: object) -> None:
    found = receipt(busy, 1)
    with pytest.raises(BadSignature):
        receipts.verify(replace(found, statement={**found.statement, what: value}), busy.keys.identity.public)


def test_nor_do_other_changes(busy: Home) -> None:
    found = receipt(busy, 1)
    other = Identity(bytes(range(32)))
    for changed in (
        replace(found, salt="00" * 16),
        replace(found, salt="no hex"),
        replace(found, leaf=found.leaf + 1),
        replace(found, proof=found.proof[:-1]),
        replace(found, checkpoint=found.checkpoint.replace("\n299\n", "\n298\n")),
    ):
        assert changed != found
        with pytest.raises(BadSignature):
            receipts.verify(changed, busy.keys.identity.public)
    with pytest.raises(BadSignature):
        receipts.verify(found, other.public)


def test_a_row_that_was_changed_behind_the_log_is_found_out(busy: Home) -> None:
    with writing(busy.engine) as connection:
        connection.execute(update(calls).where(calls.c.id == call_id(1)).values(target="small"))
    with pytest.raises(BadSignature, match="was changed after it was logged"):
        receipt(busy, 1)
    receipt(busy, 3)


def test_what_is_not_signed_yet_says_so(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1), closed(1))
    load(home)
    home.write("e1", opened(2), closed(2))
    loader = Loader(home.path, home.engine, home.keys, lambda: START - 1e9, Pace())
    loader.load()
    with pytest.raises(Unavailable) as caught:
        receipt(home, 2)
    assert caught.value.retry_after
    receipt(home, 1)
    loader.tend(final=True)
    receipt(home, 2)


def test_no_receipt_for_what_is_no_ended_call(busy: Home) -> None:
    busy.write("e1", opened(999))
    load(busy)
    for text in ("call_zz", as_text("call", call_id(998))):
        with pytest.raises(NotFound):
            log.receipt_of_call(busy.engine, busy.keys.identity, busy.salts, text)
    with pytest.raises(NotFound) as caught:
        receipt(busy, 999)
    assert "not ended" in caught.value.hint


def test_checkpoints_are_made_at_their_pace_and_thinned_by_the_hour(home: Home) -> None:
    home.begin("e1")
    now = 3600.0 * 1000
    loader = Loader(home.path, home.engine, home.keys, lambda: now, Pace(checkpoint_seconds=0.5))
    sizes = []
    for number, step in enumerate((0.0, 0.1, 0.6, 0.6, 3600.0)):
        now += step
        home.write("e1", refused(number))
        loader.load()
        with reading(home.engine) as connection:
            sizes.append(store.last_checkpoint(connection)[0])
    assert sizes == [1, 1, 3, 4, 5]
    with reading(home.engine) as connection:
        from sqlalchemy import select

        from freehold.ledger.tables import checkpoints

        assert list(connection.execute(select(checkpoints.c.size).order_by(checkpoints.c.size)).scalars()) == [4, 5]


def test_the_log_only_grows(busy: Home) -> None:
    identity = busy.keys.identity
    with reading(busy.engine) as connection:
        old = note.read(store.newest_note(connection)[1], identity)
    for number in range(300, 700):
        busy.write("e1", refused(number))
    load(busy)
    with reading(busy.engine) as connection:
        new = note.read(store.newest_note(connection)[1], identity)
    proof = [bytes.fromhex(one) for one in log.consistency_proof(busy.engine, old.size, new.size)]
    merkle.check_consistency(old.size, new.size, proof, old.root, new.root)
    with pytest.raises(NotFound):
        log.consistency_proof(busy.engine, old.size, new.size + 1)


def rolled_back(home: Home) -> None:
    with writing(home.engine) as connection:
        store.append(connection, START, "keys.create", "admin", {"name": "never"})
        raise RuntimeError


def test_changes_by_people_are_leaves_of_the_same_tree(home: Home) -> None:
    home.begin("e1")
    home.write("e1", refused(1))
    load(home)
    with writing(home.engine) as connection:
        store.append(connection, START, "keys.create", "admin", {"name": "app", "team": "red"})
    with pytest.raises(RuntimeError):
        rolled_back(home)
    load(home)
    home.write("e1", refused(2))
    load(home)
    with reading(home.engine) as connection:
        (entry,) = store.entries(connection, "", None, 10)
        assert store.entries(connection, "keys.delete", None, 10) == []
        assert store.queued(connection, 10) == []
    assert (entry["leaf"], entry["content"]) == (1, '{"name":"app","team":"red"}')
    found = log.receipt_of_change(home.engine, home.keys.identity, home.salts, 1)
    assert (found.statement["change"], found.statement["actor"]) == ("keys.create", "admin")
    receipts.verify(found, home.keys.identity.public)
    receipts.verify(receipt(home, 2), home.keys.identity.public)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_the_fast_encoding_is_the_canonical_one(statement: dict[str, object]) -> None:
    assert receipts.entry_of(statement, b"") == canonical(statement)


def test_it_says_what_served_the_call(busy: Home) -> None:
    said = receipt(busy, 1).statement
    assert (said["form"], said["provider"], said["model"], said["model_sha256"]) == (2, "big", "big", "")


def test_what_was_logged_in_an_earlier_form_stays_what_it_was(home: Home) -> None:
    """A log of one call, written as versions before this one did."""
    home.begin("e1")
    home.write("e1", refused(1))
    load(home)
    with writing(home.engine) as connection:
        connection.execute(update(calls).values(form=1, subject="", provider="", model=""))
    with reading(home.engine) as connection:
        row, tried_rows = call_rows(connection, call_id(1))
    statement = receipts.statement_of(row, tried_rows)
    assert (statement["form"], "row_sha256" in statement, "provider" in statement) == (1, False, False)
    leaf = merkle.leaf_hash(receipts.entry_of(statement, receipts.first_call_salt(home.keys.sealer, call_id(1))))
    identity = home.keys.identity
    point = note.Checkpoint(note.origin_of(identity), 1, leaf)
    with writing(home.engine) as connection:
        connection.execute(update(audit_tiles).values(hashes=leaf))
        connection.execute(update(checkpoints).values(root=leaf, note=note.sign(point, identity)))
    receipts.verify(receipt(home, 1), identity.public)
    home.write("e1", refused(2))
    load(home)
    report = verify_home(home.path)
    assert (report.good, report.size) == (True, 2), report.problems


def test_it_says_what_was_scanned_with_what_and_what_that_found(home: Home) -> None:
    home.begin("e1")
    asked = Scan("protect", "ab" * 32, 120, (("pii", "email", 2),), label="public")
    home.write("e1", opened(1, scan=asked), closed(1, scanned=150, scan=Scan("protect", "ab" * 32, 30)))
    home.write("e1", opened(2), closed(2))
    load(home)
    found = receipt(home, 1)
    assert "email" in str(found.statement["scan"])
    assert "ab" * 32 in str(found.statement["scan"])
    receipts.verify(found, home.keys.identity.public)
    assert "scan" not in receipt(home, 2).statement
    assert verify_home(home.path).good
