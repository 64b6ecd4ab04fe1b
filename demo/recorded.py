"""Recorded calls for the demo: a log of any kind that import reads, cut in two by time.

The older part is imported; the newer one is sent again, call by call, and answered by the replay vendor out of the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HISTORY = 0.6
"""Share of a log that counts as history, where it does not say itself which calls are later."""


def key_of(request: dict[str, Any]) -> str:
    """What a recorded answer is found by: everything that was asked, but for how it was to be delivered."""
    asked = {name: request.get(name) for name in ("messages", "tools", "response_format", "tool_choice")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def cut(calls: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """History and what came later, both in order of time."""
    if any("later" in one for one in calls):
        return [one for one in calls if not one["later"]], [one for one in calls if one["later"]]
    at = int(len(calls) * HISTORY)
    return list(calls[:at]), list(calls[at:])


def write(calls: Sequence[dict[str, Any]], path: Path) -> None:
    """As JSON lines, in the plain form that import knows; what only the demo knows is left out."""
    hidden = ("later", "gold")
    with path.open("w", encoding="utf-8") as file:
        for one in calls:
            file.write(json.dumps({name: value for name, value in one.items() if name not in hidden}) + "\n")


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """Recorded answers by what was asked."""
    with path.open(encoding="utf-8") as file:
        calls = [json.loads(line) for line in file]
    return {key_of(one["request"]): one["response"] for one in calls if one.get("response")}
