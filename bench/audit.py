"""`python -m bench.audit [--events N] [--rounds N]`: what the audit costs an event, amortised over group commits.

An event is appended, salted, hashed, put into the tree with its tiles, signed with its group and committed to disk.
Beside it, in the same round, the same rows without any audit, and one commit for each event. Also what the audit adds
to a loaded call, and how fast a whole log is checked. Ends with one JSON line; writes `bench/results/audit.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import event

from freehold.core import db
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import insert_many, writing
from freehold.core.money import ZERO
from freehold.ledger import receipts
from freehold.ledger.audit import note, store, tiles
from freehold.ledger.audit.merkle import leaf_hash
from freehold.ledger.audit.offline import verify_home
from freehold.ledger.frames import Close, Open, Refused, Tried
from freehold.ledger.intake.facts import NO_FACTS
from freehold.ledger.intake.join import Ended
from freehold.ledger.intake.loader import Keys
from freehold.ledger.intake.rows import ended_rows
from freehold.ledger.journal import Journal
from freehold.ledger.meter import Usage
from freehold.ledger.tables import audit_entries
from freehold.ledger.writer import load_once

ROOT = Path(__file__).resolve().parent
GROUPS = (100, 500, 1000)
JUDGED = 500
"""A batch of the writer is half a megabyte of frames, some thousand events; so many are the fewer under load."""
BOUND_US = 50.0
_START = 1_760_000_000.0
_CONTENT = {"name": "assistant", "label": "internal:GDPR", "team": "support", "changed": ["budget", "routes"]}


class Scene:
    """A home of its own for one measurement."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.keys = Keys(Identity.load(folder / "identity.key"), Sealer.load(folder / "data.key"))
        self.engine = db.connect(db.url_of(folder / "freehold.db"))
        db.upgrade(self.engine)
        event.listen(self.engine, "connect", _durable)
        self.engine.dispose()
        self.tree = tiles.Tree()

    def audited(self, events: int, group: int) -> tuple[float, float]:
        """Seconds, and seconds of CPU, for so many events in groups, each on disk before the next begins."""
        identity, sealer = self.keys.identity, self.keys.sealer
        began, worked = time.perf_counter(), time.process_time()
        for first in range(0, events, group):
            rows = _events(self.tree.size, group, first)
            hashes = []
            for leaf, (_, at, kind, actor, content) in enumerate(rows, self.tree.size):
                said = receipts.change_of(at, kind, actor, content)
                hashes.append(leaf_hash(receipts.entry_of(said, receipts.change_salt(sealer, leaf))))
            with writing(self.engine) as connection:
                store.take(connection, self.tree.size, rows)
                self.tree, changed = tiles.grow(self.tree, hashes)
                store.write_tiles(connection, changed)
                root, now = tiles.root(self.tree), _START + first
                point = note.Checkpoint(note.origin_of(identity), self.tree.size, root, now)
                store.write_checkpoint(connection, self.tree.size, now, root, note.sign(point, identity))
        return time.perf_counter() - began, time.process_time() - worked

    def plain(self, events: int, group: int) -> float:
        """The same rows in the same groups, with no audit at all."""
        began = time.perf_counter()
        for first in range(0, events, group):
            rows = [
                {
                    "leaf": 10**9 + first + at,
                    "at": one[1],
                    "kind": one[2],
                    "actor": one[3],
                    "content": one[4],
                    "form": 2,
                }
                for at, one in enumerate(_events(0, group, first))
            ]
            with writing(self.engine) as connection:
                insert_many(connection, audit_entries, rows)
        return time.perf_counter() - began


def _durable(connection: Any, _record: object) -> None:
    """Every commit waits for the disk."""
    connection.execute("PRAGMA synchronous=FULL")


def _events(leaf: int, count: int, salt: int) -> list[tuple[int, float, str, str, str]]:
    return [
        (0, _START + at, "key.update", "key/operator", json.dumps({**_CONTENT, "n": leaf + at + salt}, sort_keys=True))
        for at in range(count)
    ]


def _call(number: int) -> tuple[Open, Close]:
    call = (int((_START + number) * 1000) << 80 | number).to_bytes(16, "big")
    opened = Open(
        call, _START + number, f"key_{number % 7}", "support", "assistant", "openai_chat", False, "internal:GDPR",
        "triage", "small", 3, 4, ZERO, (), bytes(32),
    )  # fmt: skip
    tried = Tried(1, "small", 0.0, 0.2, 0.9, "ok", 200, Usage(input=900, output=80), ZERO)
    return opened, Close(call, _START + number + 1, "ok", 200, ZERO, (tried,), bytes(32), 1234)


def call_parts(count: int) -> float:
    """CPU seconds that statement, row digest, salt, hash and tree take of so many calls."""
    loadable = [
        ended_rows(Ended([opened], close), "e", lambda _: NO_FACTS) for opened, close in map(_call, range(count))
    ]
    secret, tree = bytes(32), tiles.Tree()
    began = time.process_time()
    for first in range(0, count, 500):
        hashes = [
            leaf_hash(
                receipts.entry_of(
                    receipts.statement_of(one.call, one.attempts), receipts.call_salt(secret, one.call["id"])
                )
            )
            for one in loadable[first : first + 500]
        ]
        tree, _ = tiles.grow(tree, hashes)
    return time.process_time() - began


def loaded(folder: Path, count: int) -> tuple[float, float]:
    """Seconds to load so many journalled calls into SQL with everything on, and to check their log."""
    scene = Scene(folder)
    journal = Journal(folder / "journal", "e", lambda run: None)
    for opened, close in map(_call, range(count)):
        journal.add(opened)
        journal.add(close)
    journal.add(Refused(bytes(16), _START, "", "", "", "", "unknown", "", 403, "FH-POL-002", 0, 0))
    journal.close()
    began = time.perf_counter()
    load_once(folder, scene.engine, scene.keys)
    middle = time.perf_counter()
    report = verify_home(folder)
    assert report.good, report.problems
    return middle - began, time.perf_counter() - middle


def _rounds(count: int, measure: Callable[[int], float], events: int) -> float:
    """Microseconds an event, the median of the rounds."""
    return round(1e6 * median(measure(number) for number in range(count)) / events, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    figures: dict[str, object] = {"events": given.events, "rounds": given.rounds}
    figures["load_average"] = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-audit-") as name:
        folder = Path(name)
        for group in GROUPS:
            pairs = []
            for number in range(given.rounds):
                scene = Scene(folder / f"{group}-{number}")
                pairs.append((scene.audited(given.events, group), scene.plain(given.events, group)))
                scene.engine.dispose()
            # The best round: what others do to the disk meanwhile is no cost of the audit. Ratios are of one round.
            whole, work = (1e6 * min(one[place] for one, _ in pairs) / given.events for place in (0, 1))
            usual = 1e6 * median(one[0] for one, _ in pairs) / given.events
            bare = 1e6 * min(one for _, one in pairs) / given.events
            ratio = median(one[0] / other for one, other in pairs)
            told = (
                f"{whole:6.1f} us an event, of which {work:5.1f} of CPU; without audit {bare:5.1f}; ratio {ratio:.2f}"
            )
            print(f"groups of {group:4}: {told}")
            figures |= {f"event_us_group_{group}": round(whole, 1), f"event_cpu_us_group_{group}": round(work, 1)}
            figures[f"event_us_median_group_{group}"] = round(usual, 1)
            figures[f"ratio_over_plain_group_{group}"] = round(ratio, 2)
        alone = Scene(folder / "alone")
        single = _rounds(3, lambda _: alone.audited(100, 1)[0], 100)
        parts = _rounds(given.rounds, lambda _: call_parts(given.events), given.events)
        load, check = loaded(folder / "calls", given.events)
    print(f"each event on disk by itself: {single:.0f} us")
    print(f"of a call: {parts:.1f} us for the audit, of {1e6 * load / given.events:.1f} us to load it")
    print(f"checking a whole log: {given.events / check:,.0f} calls a second")
    figures |= {
        "event_us_alone": single,
        "call_audit_us": parts,
        "call_load_us": round(1e6 * load / given.events, 1),
        "verify_calls_per_s": round(given.events / check),
        "bound_us": BOUND_US,
        "within": float(str(figures[f"event_us_group_{JUDGED}"])) < BOUND_US,
    }
    (ROOT / "results").mkdir(exist_ok=True)
    result = {"at": datetime.now(UTC).strftime("%Y-%m-%d"), **figures}
    (ROOT / "results" / "audit.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({"bench": "audit", **figures}))
    return 0 if figures["within"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
