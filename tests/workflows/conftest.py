from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freehold.core import db
from freehold.core.crypto import Sealer
from freehold.ledger.capture import Bodies
from freehold.workflows.shelf import Shelf


class Instance:
    """A home with a database, a sealing key and bodies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.sealer = Sealer.load(path / "data.key")
        self.engine = db.connect(db.url_of(path / "freehold.db"))
        db.upgrade(self.engine)
        self.bodies = Bodies(path / "bodies", self.sealer)
        self.shelf = Shelf(self.engine, self.bodies)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "home")
    yield made
    made.engine.dispose()


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Writes a log file."""

    def write(data: bytes, name: str = "log.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
