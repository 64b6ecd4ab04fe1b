"""The log the demo works on: the invented company's, or the user's own in any form that import reads."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from demo.company.log import NOTICE, lines
from demo.recorded import cut, write
from freehold.core.clock import iso
from freehold.core.crypto import Sealer
from freehold.core.db import connect, upgrade, url_of
from freehold.core.ids import IdMaker
from freehold.ledger.capture import Bodies
from freehold.workflows.drafts import Options
from freehold.workflows.imports import Into, import_files
from freehold.workflows.records import Record
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

SEED = 1


class Log(NamedTuple):
    """A log cut in two by time."""

    history: Path
    """Imported."""
    recorded: Path
    """All of it: what the replay vendor answers from."""
    later: Sequence[dict[str, Any]]
    """Sent live, call by call."""
    synthetic: bool
    told: str
    """Where it comes from, for every output."""

    @property
    def models(self) -> list[str]:
        """Every model the log names."""
        return sorted({one["request"]["model"] for one in self.later} | _models(self.history))


def company(folder: Path) -> Log:
    """The invented company's log."""
    return _cut(list(lines(SEED)), folder, synthetic=True, told=f"{NOTICE}, by demo.company.log, seed {SEED}")


def own(file: Path, folder: Path) -> Log:
    """The user's own: read into a shelf of its own first, so that it comes out in one form, secrets stripped."""
    scratch = folder / "scratch"
    scratch.mkdir()
    engine = connect(url_of(scratch / "freehold.db"))
    upgrade(engine)
    sealer = Sealer.load(scratch / "data.key")
    shelf = Shelf(engine, Bodies(scratch / "bodies", sealer))
    into = Into(scratch, engine, shelf, sealer, 86400.0 * 365 * 100)
    import_files([file], into, Options(label="internal"), IdMaker()(), time.time)
    calls = [_plain(one) for one in shelf.records(Which(answered=True))]
    engine.dispose()
    return _cut(
        calls, folder, synthetic=False, told=f"{file.name}, yours; its recorded answers stand in for the vendor"
    )


def _plain(record: Record) -> dict[str, Any]:
    return {
        "id": record.external_id or record.id.hex(),
        "ts": iso(record.at),
        "request": json.loads(record.request),
        "response": json.loads(record.response),
        "metadata": {"app": record.app} if record.app else {},
    }


def _cut(calls: list[dict[str, Any]], folder: Path, *, synthetic: bool, told: str) -> Log:
    history, later = cut(calls)
    write(history, folder / "history.jsonl")
    write(calls, folder / "recorded.jsonl")
    return Log(folder / "history.jsonl", folder / "recorded.jsonl", later, synthetic, told)


def _models(path: Path) -> set[str]:
    with path.open(encoding="utf-8") as file:
        return {json.loads(line)["request"]["model"] for line in file}
