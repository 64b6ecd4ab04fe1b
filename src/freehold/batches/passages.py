"""A batch on its way to its vendor and back: made ready, money held, sent, asked after, delivered line by line.

Invariant: each step is written down before it is taken and after, so whoever is killed, no line is submitted twice:
where nobody knows whether a batch was made, it is looked for, and its file taken away before it is sent again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from freehold.batches import store
from freehold.batches.asking import KeyEnded
from freehold.batches.lines import Lines
from freehold.batches.money import Holds
from freehold.batches.passed import Refused, Unclear
from freehold.batches.returning import KEY_ENDED, Home, Returning, line_of, number_of
from freehold.batches.types import (
    CREATING,
    DECLINED,
    GATHERING,
    HELD,
    SETTLED,
    SUBMITTED,
    UPLOADED,
    Batch,
    Outcome,
    Passage,
    Problem,
    Said,
    Task,
    batch_text,
)
from freehold.batches.vendors import Reading, reading_of
from freehold.core.db import reading, writing
from freehold.core.errors import BudgetUnavailable, JournalUnavailable
from freehold.core.money import ZERO
from freehold.gateway.passed_lines import Ask, Heard, NotPassed, Ready, Send
from freehold.ledger.audit.store import append
from freehold.ledger.errors import StoreAway
from freehold.ledger.frames import Open
from freehold.ledger.journal import unpack
from freehold.ledger.standing import PASSED, Standing

MOST_BYTES = 20 << 20
"""Largest input that is passed: the gateway takes all of it in one request."""
DAY = 86400.0
"""A vendor's window: batches that must be over sooner are not passed."""
UNCLEAR_SECONDS = 120.0
"""After which a batch that no answer told of is in the vendor's list, if it is there at all."""
SOON, LATER, LATEST = 5.0, 30.0, 300.0
PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that pass."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What came of going on. `over`: nothing is left to do; `again`: its lines are to be asked like any calls."""

    seconds: float = 0.0
    over: bool = False
    again: bool = False
    problem: Problem | None = None


class Passages:
    """Those of an instance. `advance` is called by one thread at a time for each batch."""

    def __init__(self, journal: Path, lines: Lines, returning: Returning, till: Holds, poll: float) -> None:
        """`poll` is how often a vendor is asked, in seconds."""
        self._journal = journal
        self._engine = lines.engine
        self._drawer = lines.drawer
        self._returning = returning
        self._door = returning.door
        self._clock = returning.clock
        self._till = till
        self._poll = poll
        self.stopping = threading.Event()
        """Set where the process is to end: what takes long is left."""

    # lines made ready

    def find(self, batch: bytes) -> Passage | None:
        """How a batch stands."""
        with reading(self._engine) as connection:
            return store.passage_of(connection, batch)

    def may_pass(self, batch: Batch, size: int) -> bool:
        """Is it worth to ask whether its lines go to a vendor?"""
        found = self.find(batch.id)
        if found is not None:
            return found.status == GATHERING
        return size <= MOST_BYTES and batch.expires_at - batch.created_at >= DAY

    def known(self, batch: bytes) -> bool:
        """Was it ever to be passed? Then `advance` says whether anything is left to do."""
        return self.find(batch) is not None

    def under_way(self, batch: bytes) -> bool:
        """Is it on its way?"""
        found = self.find(batch)
        return found is not None and found.under_way

    def ready(self, batch: bytes) -> set[int]:
        """Numbers of its lines that need not be asked."""
        with reading(self._engine) as connection:
            found = store.passage_of(connection, batch)
            return store.passed_numbers(connection, found.id) if found is not None and found.under_way else set()

    def prepare(self, batch: Batch, said: Said, task: Task) -> Ready | NotPassed | Outcome:
        """See `Passes.prepare`."""
        return self._door.prepare(line_of(batch, said, task))

    def gathered(self, batch: Batch, task: Task, ready: Ready) -> None:
        """Keep a line that may leave."""
        sealed = self._drawer.put_line(batch.id, task.number, msgspec.msgpack.encode(ready))
        with writing(self._engine) as connection:
            found = store.passage_of(connection, batch.id)
            if found is None:
                found = Passage(id=batch.id, batch=batch.id, target=ready.target, form=ready.form)
                store.save_passage(connection, found)
            store.add_passed(connection, found.id, task.number, sealed)

    # from step to step

    def advance(self, batch: Batch, said: Said, *, stop: bool) -> Step:
        """Go on as far as it goes without waiting. `stop` where no more is wanted than what is answered already."""
        try:
            while not self.stopping.is_set():
                found = self.find(batch.id)
                if found is None:
                    return Step(over=True)
                if not found.under_way:
                    self._standing(found).end()
                    return Step(over=True)
                step = self._step(batch, said, found, stop=stop)
                if step is not None:
                    return step
        except (BudgetUnavailable, JournalUnavailable, StoreAway, Unclear):
            return Step(seconds=SOON)
        except KeyEnded:
            return self._key_ended(batch)
        return Step(seconds=SOON)

    def _step(self, batch: Batch, said: Said, found: Passage, *, stop: bool) -> Step | None:
        """One step; None where the next can follow at once."""
        if stop and found.status in (GATHERING, HELD, UPLOADED):
            return self._give_up(batch, found, SETTLED)
        match found.status:
            case "gathering":
                return self._hold(batch, found)
            case "held":
                return self._upload(batch, found)
            case "uploaded":
                return self._create(batch, found)
            case "creating":
                return self._look(batch, found)
        return self._follow(batch, said, found, stop=stop)

    def _hold(self, batch: Batch, found: Passage) -> Step | None:
        """Money for all of it, then the openings of its calls, then it may leave."""
        lines = self._lines(batch, found)
        openings = [one.opening for one in lines.values()]
        standing = self._standing(found)
        standing.begin()
        needs: dict[str, Decimal] = {}
        for frame in (frame for data in openings for frame in unpack(data)[0]):
            for name in frame.budgets if isinstance(frame, Open) else ():
                needs[name] = needs.get(name, ZERO) + frame.reserved  # type: ignore[union-attr]  # an Open
        if not self._till.hold(standing.folder.name, needs):
            return self._give_up(batch, found, DECLINED)
        with standing:
            standing.add(openings)
        told: dict[str, object] = {"batch": batch.id.hex(), "target": found.target, "lines": len(lines)}
        told["label"] = batch.label
        self._save(replace(found, status=HELD), "batch.pass", told)
        return None

    def _upload(self, batch: Batch, found: Passage) -> Step | None:
        mine = self._reading(found)
        file = ""
        if found.attempted_at and not mine.direct:
            file = mine.file_called(self._pages(found, "files", mine), f"{_name(found)}.jsonl")
        if not file:
            found = replace(found, attempted_at=self._clock())
            self._save(replace(found, status=CREATING) if mine.direct else found)
            lines = tuple(replace(one, opening=b"") for one in self._lines(batch, found).values())
            try:
                heard = self._door.send(Send(key_id=batch.key_id, name=_name(found), lines=lines))
            except Refused:  # it may not leave by now: its lines are asked one by one, and told why
                return self._give_up(batch, found, DECLINED)
            if heard.status != 200:
                if mine.direct and not 400 <= heard.status < 500:
                    raise Unclear(heard.error)
                self._save(found)
                return self._refused(batch, found, heard)
            file = mine.id_of(heard.body)
            if mine.direct:
                return self._taken(batch, found, file)
        self._save(replace(found, status=UPLOADED, file=file, attempted_at=0.0, tries=0))
        return None

    def _create(self, batch: Batch, found: Passage) -> Step | None:
        creating = replace(found, status=CREATING, attempted_at=self._clock())
        self._save(creating)
        path = next(iter(self._lines(batch, found).values())).path
        name = f"{path} {batch_text(batch.id)}"
        heard = self._ask(found, "create", found.file, name)
        if heard.status == 200:
            return self._taken(batch, creating, self._reading(found).id_of(heard.body))
        if heard.status and heard.status < 500:  # said, and so not made
            self._save(found)
            return self._refused(batch, found, heard)
        raise Unclear(heard.error)

    def _look(self, batch: Batch, found: Passage) -> Step | None:
        """Nobody told whether the batch was made: the vendor's list does."""
        mine = self._reading(found)
        if mine.direct:
            return self._look_among(batch, found, mine)
        remote = mine.batch_of(self._pages(found, "batches", mine), found.file)
        if remote:
            return self._taken(batch, found, remote)
        if self._clock() - found.attempted_at < UNCLEAR_SECONDS:
            return Step(seconds=SOON)
        gone = self._ask(found, "forget", found.file)
        if gone.status not in (200, 404):
            return Step(seconds=LATER)
        remote = mine.batch_of(self._pages(found, "batches", mine), found.file)
        if remote:
            return self._taken(batch, found, remote)
        # Of a file that is gone nothing can be made any more.
        self._save(replace(found, status=HELD, file="", attempted_at=0.0))
        return None

    def _look_among(self, batch: Batch, found: Passage, mine: Reading) -> Step | None:
        """The same where a batch has no file: its answers tell whose it is. What is not found is not sent again."""
        lines = len(self._lines(batch, found))
        running = False
        for one in mine.maybe(self._pages(found, "batches", mine), lines, found.attempted_at):
            shown = self._ask(found, "show", one)
            if shown.status != 200 or not mine.state(shown.body).over:
                running = True
                continue
            content = self._ask(found, "content", one)
            if content.status != 200:
                running = True
            elif any(number_of(batch, came.mark) for came in mine.answers(content.body)):
                return self._taken(batch, found, one)
        if running or self._clock() - found.attempted_at < 5 * UNCLEAR_SECONDS:
            return Step(seconds=max(self._poll, SOON))
        # Its calls end at what they reserved: perhaps the vendor ran them after all.
        why = ("vendor_unclear", "Nobody knows whether the vendor took this line.")
        self._returning.not_run(batch, found, why, tell=True)
        return self._settled(batch, found)

    def _taken(self, batch: Batch, found: Passage, remote: str) -> Step | None:
        told: dict[str, object] = {"batch": batch.id.hex(), "target": found.target, "vendor_batch": remote}
        self._save(replace(found, status=SUBMITTED, remote=remote, tries=0), "batch.submit", told)
        return Step(seconds=self._poll)

    def _follow(self, batch: Batch, said: Said, found: Passage, *, stop: bool) -> Step | None:
        """Ask after it; take home what there is once it has ended."""
        heard = self._ask(found, "show", found.remote)
        if heard.status != 200:
            if heard.status == 404 and stop:  # it is gone, and what it cost is not known
                return self._settled(batch, found)
            return Step(seconds=max(self._poll, LATER))
        state = self._reading(found).state(heard.body)
        if not state.over:
            if stop and not found.cancelled:
                self._ask(found, "cancel", found.remote)
                self._save(replace(found, cancelled=True))
            return Step(seconds=self._poll)
        answers = []
        for file in state.files:
            content = self._ask(found, "content", file)
            if content.status != 200:
                return Step(seconds=LATER)
            answers += self._reading(found).answers(content.body)
        with self._standing(found) as standing:
            left = self._returning.take(Home(batch, said, standing), found, answers, self.stopping)
            if left.waits:
                return Step(seconds=LATER)
            standing.add(self._returning.not_run(batch, found, state.why, tell=not stop and left.problem is None))
        step = self._settled(batch, found, left.problem)
        self._forget(found, (found.file, *state.files))
        return step

    # endings

    def _refused(self, batch: Batch, found: Passage, heard: Heard) -> Step | None:
        """The vendor would not have it: for good, or for now."""
        if not heard.status or heard.status >= 500 or heard.status in PASSING:
            now = replace(found, tries=found.tries + 1, attempted_at=self._clock())
            self._save(now)
            return Step(seconds=min(SOON * 2**found.tries, LATEST))
        why = ("vendor_refused", f"The vendor refused the batch with status {heard.status}.")
        self._returning.not_run(batch, found, why, tell=True)
        return self._give_up(batch, found, SETTLED)

    def _give_up(self, batch: Batch, found: Passage, status: str) -> Step:
        """Nothing was submitted: its calls cost nothing, and what was held is free."""
        standing = self._standing(found)
        if standing.stands and standing.written:
            with standing:
                why = ("not_passed", "The batch was not passed.")
                standing.add(self._returning.not_run(batch, found, why, tell=False))
        self._forget(found, (found.file,))
        return self._settled(batch, found, status=status)

    def _forget(self, found: Passage, files: Sequence[str]) -> None:
        """Have the vendor delete files, if it listens: else they go when their time there is over."""
        for file in filter(None, files):
            with suppress(Unclear):
                self._ask(found, "forget", file)

    def _key_ended(self, batch: Batch) -> Step:
        found = self.find(batch.id)
        assert found is not None
        return replace(self._give_up(batch, found, SETTLED), problem=KEY_ENDED)

    def _settled(self, batch: Batch, found: Passage, problem: Problem | None = None, *, status: str = SETTLED) -> Step:
        told: dict[str, object] = {"batch": batch.id.hex(), "vendor_batch": found.remote, "status": status}
        with writing(self._engine) as connection:
            store.save_passage(connection, replace(found, status=status))
            store.drop_passed(connection, found.id)
            append(connection, self._clock(), "batch.return", "batches", told)
        self._standing(found).end()
        return Step(over=True, again=status == DECLINED, problem=problem)

    # what they are made of

    def _lines(self, batch: Batch, found: Passage) -> dict[int, Ready]:
        return self._returning.ready(batch, found)

    def _standing(self, found: Passage) -> Standing:
        return Standing(self._journal, PASSED + found.id.hex())

    def _reading(self, found: Passage) -> Reading:
        return reading_of(found.form)

    def _ask(self, found: Passage, what: str, one: str = "", name: str = "") -> Heard:
        try:
            return self._door.ask(Ask(target=found.target, form=found.form, what=what, one=one, name=name))
        except Refused as refused:
            return Heard(error=refused.code)

    def _pages(self, found: Passage, what: str, mine: Reading) -> list[bytes]:
        """All pages of a list. Raises Unclear where one is not to be had."""
        pages: list[bytes] = []
        after = ""
        while len(pages) < mine.most_pages:
            heard = self._ask(found, what, after)
            if heard.status != 200:
                raise Unclear(heard.error)
            pages.append(heard.body)
            after = mine.next_page(heard.body)
            if not after:
                break
        return pages

    def _save(self, found: Passage, kind: str = "", told: Mapping[str, object] | None = None) -> None:
        with writing(self._engine) as connection:
            store.save_passage(connection, found)
            if kind:
                self._note(connection, kind, told or {})

    def _note(self, connection: Connection, kind: str, told: Mapping[str, object]) -> None:
        append(connection, self._clock(), kind, "batches", dict(told))


def _name(found: Passage) -> str:
    return f"freehold-{found.id.hex()}"
