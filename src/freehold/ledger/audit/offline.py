"""The log as it lies in a home folder, checked or written out for others without any process of the instance.

Nothing is changed: keys and database must be there already. One view of the database serves a whole check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from freehold.core import db
from freehold.core.clock import iso
from freehold.core.crypto import Identity, Sealer, Verifier
from freehold.core.errors import BadSignature, NotFound
from freehold.core.ids import as_text
from freehold.ledger.audit import leaves, opens, outside, store, verify
from freehold.ledger.audit.leaves import Leaf
from freehold.ledger.audit.opens import Opens
from freehold.ledger.audit.salts import Salts
from freehold.ledger.audit.verify import Checked, Problem, Signed
from freehold.ledger.errors import Erased


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of a log found. Sizes are counts of leaves, from the first on."""

    good: bool
    identity: str
    size: int
    signed: int
    outside: int
    """Under the newest outside checkpoint: nothing of it can have been taken away unseen."""
    checkpoints: int
    erased: int
    waiting: int
    """Changes that are not in the log yet."""
    under_way: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    """Calls that were begun and never ended: their gateway was killed between intent and outcome."""
    problems: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()


class Log:
    """The log of one home, open for reading."""

    def __init__(self, home: Path, url: URL | None = None) -> None:
        """`url` of its database, where that is no file of its own.

        Raises NotFound where no instance has lived, Unavailable where its database is another version's.
        """
        self.home = home
        database = db.present(home, url)
        self.identity = Identity.load(home / "identity.key")
        self.engine: Engine = db.connect(database)
        self.salts = Salts(home, Sealer.load(home / "data.key"))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of the database. Raises Unavailable where its schema is another version's."""
        db.check(self.engine)
        with db.reading(self.engine) as connection:
            yield connection

    def leaves(self, connection: Connection) -> Iterator[Leaf]:
        """Every leaf, computed anew."""
        taken = {leaf for one in leaves.erasures(connection) for leaf in one.leaves}
        return leaves.read(connection, self.salts, taken)


def verify_home(
    home: Path, folders: Sequence[Path] = (), pinned: bytes | None = None, url: URL | None = None
) -> Report:
    """Check the log of a home, against outside checkpoints in `folders`, by the key `pinned` (else the home's own)."""
    log = Log(home, url)
    verifier = log.identity if pinned is None else Verifier(pinned)
    # Read before the database: what is published meanwhile would be newer than the view of it.
    published, problems = outside.signed_in(folders, verifier)
    try:
        problems += [Problem("database", one) for one in db.damage(log.engine)]
        with log.reading() as connection:
            inside = [
                Signed(f"checkpoint of size {one['size']}", one["note"], one["size"], one["root"], one["at"])
                for one in store.all_checkpoints(connection)
            ]
            stored = store.stored_tiles(connection)
            erased = leaves.erasures(connection)
            checked = verify.check(log.leaves(connection), stored, [*inside, *published], erased, verifier)
            begun = opens.read(home, connection)
            intents = _unanswered(log, connection, begun)
            lost = tuple(as_text("call", one) for one in store.lost_calls(connection))
            waiting = store.waiting(connection)
    except SQLAlchemyError as error:
        problems.append(Problem("database", f"cannot be read: {error.__cause__ or type(error).__name__}"))
        return _unreadable(verifier, problems)
    finally:
        log.engine.dispose()
    problems += [*checked.problems, *intents]
    return Report(
        good=not problems,
        identity=verifier.key_id,
        size=checked.size,
        signed=checked.signed,
        outside=checked.outside,
        checkpoints=checked.checkpoints,
        erased=checked.erased,
        waiting=waiting,
        under_way=begun.under_way,
        cut=(*lost, *begun.cut),
        problems=tuple(problems),
        remarks=_remarks(checked, begun, folders),
    )


def _unanswered(log: Log, connection: Connection, begun: Opens) -> list[Problem]:
    """Intents in the log of calls that nothing tells the outcome of: frames were taken away."""
    return [
        Problem(f"leaf {leaf} (intent of {as_text('call', call)})", "has no outcome, and its frames are gone")
        for leaf, call in store.intents_without_call(connection)
        if call not in begun.known
    ]


def _remarks(checked: Checked, begun: Opens, folders: Sequence[Path]) -> tuple[str, ...]:
    found = []
    if checked.size > checked.signed:
        found.append(f"{checked.size - checked.signed} leaves at the end are not signed yet")
    if not folders:
        found.append("no outside checkpoints were named: what was cut off at the end together with its checkpoints")
        found[-1] += " cannot be seen (set checkpoints in [audit], or give --outside FOLDER)"
    elif checked.size > checked.outside:
        found.append(f"{checked.size - checked.outside} leaves are newer than the newest outside checkpoint")
    found += [f"{one} ends in half a frame" for one in begun.torn]
    return tuple(found)


def _unreadable(verifier: Verifier, problems: list[Problem]) -> Report:
    return Report(
        good=False,
        identity=verifier.key_id,
        size=0,
        signed=0,
        outside=0,
        checkpoints=0,
        erased=0,
        waiting=0,
        problems=tuple(problems),
    )


def statement_at(home: Path, leaf: int, url: URL | None = None) -> dict[str, Any]:
    """What stands at a leaf, with its number. Raises NotFound, Erased, BadSignature."""
    log = Log(home, url)
    try:
        with log.reading() as connection:
            taken = {one for erasure in leaves.erasures(connection) for one in erasure.leaves}
            found = next(leaves.read_span(connection, log.salts, taken, (leaf, leaf + 1)))
    finally:
        log.engine.dispose()
    if found.left:
        raise Erased(f"leaf {leaf} ({found.what}) was erased")
    if found.problem == leaves.MISSING:
        raise NotFound(f"there is no leaf {leaf}")
    if found.statement is None or found.problem:
        raise BadSignature(f"leaf {leaf} {found.problem}", hint="see all that is wrong: freehold audit verify")
    return {"leaf": leaf, **found.statement}


def changes(home: Path, kind: str, limit: int, url: URL | None = None) -> list[dict[str, Any]]:
    """The newest changes, newest first."""
    log = Log(home, url)
    try:
        with log.reading() as connection:
            rows = store.entries(connection, kind, None, limit)
    finally:
        log.engine.dispose()
    return [{**one, "at": iso(float(str(one["at"])))} for one in rows]


def checkpoints(home: Path, url: URL | None = None) -> list[dict[str, Any]]:
    """Every signed checkpoint, oldest first."""
    log = Log(home, url)
    try:
        with log.reading() as connection:
            rows = store.all_checkpoints(connection)
    finally:
        log.engine.dispose()
    return [{"size": one["size"], "at": iso(one["at"]), "root": one["root"].hex(), "note": one["note"]} for one in rows]
