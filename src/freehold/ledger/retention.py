"""How long a captured body is kept, by what its label says. Pure.

The shortest term among the classes that match counts; a body of no named class has the usual one.
"""

from __future__ import annotations

import msgspec

from freehold.core.errors import BadRequest
from freehold.core.label import UNKNOWN, parse_label

DAY = 86400.0


class Retention(msgspec.Struct, frozen=True):
    """Seconds. `classes` are levels (`restricted`) and regimes (`HIPAA`), each with its own term."""

    usual: float = 30 * DAY
    classes: tuple[tuple[str, float], ...] = ()

    def seconds(self, label: str) -> float:
        """For content with this label. One that cannot be read counts as unknown."""
        if not self.classes:
            return self.usual
        try:
            found = parse_label(label)
        except BadRequest:
            found = UNKNOWN
        names = {found.level.name.lower(), *found.regimes}
        return min((term for name, term in self.classes if name in names), default=self.usual)
