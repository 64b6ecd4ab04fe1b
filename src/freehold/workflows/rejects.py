"""The reject file: a JSON line for each thing that was not imported: where it stood and why, never its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from freehold.workflows.pieces import Piece
from freehold.workflows.redaction import redacted


class Rejects:
    """A file that is made when the first line comes, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, file: str, piece: Piece, reason: str, form: str = "") -> None:
        """One line. Raises OSError where it cannot be written."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(handle, "ab")
        self.count += 1
        told: dict[str, object] = {"file": file}
        if piece.kind:
            told[piece.kind] = piece.place
        if form:
            told["format"] = form
        told["reason"] = reason
        self._file.write(redacted(msgspec.json.encode(told)) + b"\n")

    def flush(self) -> None:
        """Everything said so far is in the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """No more lines come."""
        if self._file is not None:
            self._file.close()
            self._file = None
