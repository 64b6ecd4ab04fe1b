"""What a guard saw stands in the call's row, in its receipt, and where a call is shown; a killed gateway leaves it."""

from __future__ import annotations

import msgspec

from freehold.core.db import reading
from freehold.core.ids import as_text
from freehold.ledger import receipts
from freehold.ledger.audit import log
from freehold.ledger.frames import Frame, Open, Scan
from freehold.ledger.intake.scans import scan_text
from freehold.ledger.store import show_call
from freehold.ledger.writer import load_once
from tests.ledger.sample import Home, call_id, closed, opened, refused

ASKED = Scan("strict", "ab" * 32, 120, (("pii", "EMAIL", 2),), (), 1, "internal", "internal; declassify: published")
SAID = Scan("strict", "ab" * 32, 80, (("secrets", "KEY", 1),), ("pii",), 0, "restricted")


def load(home: Home) -> None:
    load_once(home.path, home.engine, home.keys)


def test_a_receipt_vouches_for_what_was_scanned_and_found(home: Home) -> None:
    home.begin("e1")
    home.write(
        "e1", opened(1, scan=ASKED), closed(1, scanned=200, scan=SAID), refused(2, scan=ASKED), opened(3), closed(3)
    )
    load(home)
    found = log.receipt_of_call(home.engine, home.keys.identity, home.salts, as_text("call", call_id(1)))
    said = found.statement
    assert said["scanned_characters"] == 200
    assert said["scan"]["guard"] == "strict" and said["scan"]["guard_sha256"] == "ab" * 32
    assert said["scan"]["request"] == {
        "characters": 120, "failed": [], "found": {"pii/EMAIL": 2}, "label_before": "internal", "unread": 1,
    }  # fmt: skip
    assert said["scan"]["answer"] == {
        "characters": 80, "failed": ["pii"], "found": {"secrets/KEY": 1}, "label": "restricted",
    }  # fmt: skip
    assert said["scan"]["lowered"] == {"from": "internal", "to": "internal", "why": "declassify: published"}
    assert receipts.verify(found, home.keys.identity.public)
    with reading(home.engine) as connection:
        shown, turned_away, plain = (show_call(connection, as_text("call", call_id(one))).call for one in (1, 2, 3))
    assert shown.scan == said["scan"] and turned_away.scan["request"]["found"] == {"pii/EMAIL": 2}
    assert turned_away.scanned == 120 and plain.scan is None


def test_a_call_whose_gateway_was_killed_says_what_was_scanned_before_it_left(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1, scan=ASKED))
    home.end("e1")
    load(home)
    with reading(home.engine) as connection:
        found = show_call(connection, as_text("call", call_id(1))).call
    assert found.outcome == "lost" and found.scan["request"]["found"] == {"pii/EMAIL": 2} and "answer" not in found.scan


def test_frames_of_a_journal_from_before_are_read() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(opened(1)))
    old = msgspec.msgpack.encode(fields[:16])
    assert msgspec.msgpack.decode(old, type=Frame) == opened(1)
    assert isinstance(opened(1), Open) and scan_text(None, None) == ""
