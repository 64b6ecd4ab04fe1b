"""The formats the gate knows, the most telling signatures first: the first that knows a file looks at it.

Invariant: a file that none of them knows is never allowed.
"""

from __future__ import annotations

from freehold.registry.gate.types import Format

FORMATS: tuple[Format, ...] = ()
