"""What is being written: tables of `freehold.toml`, each name given once."""

from __future__ import annotations

import re
from typing import Any

from freehold.core.section import SECRET
from freehold.gateway.providers.vendors import vendor
from freehold.settings.foreign.document import Document, Path, written
from freehold.settings.foreign.vendors import identifier, variable

_ENVIRONMENT = re.compile(r"(?:os\.environ/|env\.)([A-Za-z_][A-Za-z0-9_]*)\Z")


class Draft:
    """Tables by kind and name, in the order they came."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.budgets: list[dict[str, Any]] = []
        self._known: dict[tuple[Any, ...], str] = {}

    def add(self, kind: str, wanted: str, content: dict[str, Any], *, again: tuple[Any, ...] = ()) -> str:
        """Put a table under a name like `wanted` and return the name. Equal `again` means the same table."""
        if again and (found := self._known.get((kind, *again))):
            return found
        table = self.tables.setdefault(kind, {})
        base = identifier(wanted)
        name, number = base, 1
        while name in table:
            number += 1
            name = f"{base}-{number}"
        table[name] = content
        if again:
            self._known[(kind, *again)] = name
        return name

    def provider(self, wanted: str, content: dict[str, Any]) -> str:
        """A provider; one with the same content is the same."""
        return self.add("providers", wanted, content, again=tuple(sorted((k, str(v)) for k, v in content.items())))

    def settings(self) -> dict[str, Any]:
        """Everything, as the file has it."""
        found: dict[str, Any] = {kind: table for kind, table in self.tables.items() if table}
        return found | ({"budgets": self.budgets} if self.budgets else {})


def compact(steps: list[list[dict[str, Any]]]) -> list[Any]:
    """Steps as the file has them at their shortest: names where none is shared."""
    if all(len(step) == 1 for step in steps):
        return [step[0]["target"] for step in steps]
    return steps


def credential(document: Document, path: Path, row: str, to: str, host: str = "") -> str:
    """A reference to the key at `path`. The key itself is never copied.

    `host` is a server's that is not the vendor's: what the vendor's variable holds must not be sent there.
    """
    value = document.get(*path)
    known = vendor(row) if row and not host else None
    if not isinstance(value, str) or not value:
        return f"${{env:{known.key_env}}}" if known else ""
    found = _ENVIRONMENT.match(value)
    if found:
        document.say(path, "exact", to)
        return f"${{env:{found[1]}}}"
    if SECRET.match(value):
        document.say(path, "exact", to)
        return value
    name = known.key_env if known else f"{variable(host or written(path[:1]))}_API_KEY"
    document.say(path, "approximated", to, f"the key was not copied: put it into the environment variable {name}")
    return f"${{env:{name}}}"
