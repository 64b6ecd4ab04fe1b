"""Imports put right: other labels, vendors and applications for their records, or all of them gone.

Raising a label is free. What could let records be used for more takes a reason, and each change is audited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from freehold.core.db import reading, writing
from freehold.core.errors import BadRequest
from freehold.core.ids import as_text
from freehold.core.label import Label, parse_label
from freehold.ledger.audit.store import append
from freehold.ledger.capture import Bodies, erase_records
from freehold.workflows import store

ACTOR = "cli"
_AT_ONCE = 1000
Forget = Callable[[Connection, Sequence[bytes]], None]
"""Told the records that go, within the transaction in which they do."""


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an import's records from now on. None leaves it as it is."""

    label: Label | None = None
    vendor: str | None = None
    app: str | None = None
    consent: bool | None = None


class Amended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `raised` and `lowered` count records whose label changed."""

    records: int
    raised: int = 0
    lowered: int = 0


def amend(engine: Engine, import_id: bytes, wanted: Amendment, why: str, now: float) -> Amended:
    """Say it anew of every record of an import, in one transaction.

    Raises NotFound, and BadRequest where a reason is missing: for a label that is not at least the one before, another
    vendor (it decides whose terms hold), or a consent that was not there.
    """
    with writing(engine) as connection:
        store.show_import(connection, import_id)
        before = store.said_of_import(connection, import_id)
        if not why and (loose := _loosened(before, wanted)):
            raise BadRequest(f"{loose} needs a reason", param="why", hint="say it: --why TEXT")
        found = Amended(records=sum(one.calls for one in before))
        for label in sorted({one.label for one in before}):
            values, way = _values(label, wanted)
            count = store.say_of_import(connection, import_id, label, values) if values else 0
            if way:
                found = msgspec.structs.replace(found, **{way: getattr(found, way) + count})
        said = {**msgspec.to_builtins(wanted, enc_hook=str), "label": str(wanted.label) if wanted.label else None}
        content = {"import": as_text("imp", import_id), "said": said, "why": why, **msgspec.structs.asdict(found)}
        append(connection, now, "records.amend", ACTOR, content)
    return found


def erase(engine: Engine, bodies: Bodies, import_id: bytes, why: str, now: float, forget: Forget) -> int:
    """Erase every record of an import, its content first; how many. Safe to run again after any interruption.

    Calls that were known before this import are of the earlier one, and stay. Raises NotFound.
    """
    with reading(engine) as connection:
        row = store.show_import(connection, import_id)
    total = 0
    while True:
        with reading(engine) as connection:
            ids = store.of_import(connection, import_id, _AT_ONCE)
        if not ids:
            break
        erase_records(engine, bodies, ids, why, now)
        with writing(engine) as connection:
            forget(connection, ids)
            store.forget(connection, ids)
        total += len(ids)
    with writing(engine) as connection:
        store.keep_import(connection, msgspec.structs.replace(row, error=f"erased: {why}"))
        content = {"import": as_text("imp", import_id), "records": total, "why": why}
        append(connection, now, "records.erase", ACTOR, content)
    return total


def _loosened(before: Sequence[store.Said], wanted: Amendment) -> str:
    """What of the wish could let records be used for more than before; empty for nothing."""
    if wanted.vendor is not None and any(one.vendor != wanted.vendor for one in before):
        return "another vendor"
    if wanted.consent is True and any(one.consent is not True for one in before):
        return "a consent that was not recorded"
    if wanted.label is not None and any(_way(one.label, wanted.label) == "lowered" for one in before):
        return "a label that is not at least the one before"
    return ""


def _values(label: str, wanted: Amendment) -> tuple[dict[str, Any], str]:
    values: dict[str, Any] = {
        name: value for name in ("vendor", "app", "consent") if (value := getattr(wanted, name)) is not None
    }
    way = _way(label, wanted.label) if wanted.label is not None else ""
    if way:
        values["label"] = str(wanted.label)
    return values, way


def _way(before: str, after: Label) -> str:
    old = parse_label(before)
    if old == after:
        return ""
    return "raised" if old.join(after) == after else "lowered"
