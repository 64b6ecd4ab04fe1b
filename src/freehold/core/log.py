"""Structured logs: one JSON object a line on standard error. Values that look like secrets are masked."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import TextIO

from freehold.core.clock import iso

_SECRET = re.compile(
    r"(?i)\b(?:fhr?-|sk-|xai-|gsk_|hf_|AIza|AKIA|ghp_|eyJ)[A-Za-z0-9_\-.]{8,}|(?<=bearer )\S+|(?<=x-api-key: )\S+"
)
_NAMED = re.compile(r"(?i)secret|password|token|api_?key|authorization|credential")


def masked(text: str) -> str:
    """`text` without what looks like a secret."""
    return _SECRET.sub("***", text)


class Log:
    """Writes lines for one process; `who` names its role."""

    def __init__(self, who: str, out: TextIO | None = None, clock: Callable[[], float] = time.time) -> None:
        self._who = who
        self._out = out or sys.stderr
        self._clock = clock

    def info(self, event: str, **fields: object) -> None:
        """Something worth knowing."""
        self._line("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that may need a look."""
        self._line("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something that needs a look."""
        self._line("error", event, fields)

    def _line(self, level: str, event: str, fields: dict[str, object]) -> None:
        line: dict[str, object] = {"at": iso(self._clock()), "level": level, "who": self._who, "event": event}
        for name, value in fields.items():
            plain = isinstance(value, int | float | bool) or value is None
            line[name] = "***" if _NAMED.search(name) and not plain else value if plain else masked(str(value))
        print(json.dumps(line, ensure_ascii=False), file=self._out, flush=True)
