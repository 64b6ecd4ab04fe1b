"""Files of rows for the guard's benches, found by what their names begin with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read(folder: Path, prefix: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each row of `PREFIX*.jsonl` and `PREFIX*.jsonl.gz`, with its file."""
    for path in sorted(folder.glob(f"{prefix}*")):
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for line in data.decode().split("\n"):
                if line.strip():
                    yield path, json.loads(line)
