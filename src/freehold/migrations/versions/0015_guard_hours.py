"""Findings of guards by the hour, with those of the calls that are stored."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

_KEYS = ("hour", "guard", "digest", "route", "side", "detector", "kind")
_SUMS = ("calls", "findings", "failed", "refused")
_REFUSED = {"FH-POL-030": "request", "FH-POL-031": "answer"}
_PAGE = 5000


def upgrade() -> None:
    """Add the table, and count what the calls of before say."""
    made = op.create_table(
        "guard_hours",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _KEYS[1:]),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint(*_KEYS, name=op.f("pk_guard_hours")),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    found: dict[tuple[Any, ...], list[int]] = {}
    query = sa.text(
        "SELECT leaf, id, route, error, scan FROM calls WHERE leaf > :after AND scan <> '' ORDER BY leaf LIMIT :page"
    )
    after = -1
    while rows := connection.execute(query, {"after": after, "page": _PAGE}).all():
        for one in rows:
            _count(found, one)
        after = rows[-1].leaf
    values = [dict(zip(_KEYS + _SUMS, (*key, *sums), strict=True)) for key, sums in found.items()]
    for at in range(0, len(values), _PAGE):
        connection.execute(sa.insert(made), values[at : at + _PAGE])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("guard_hours")


def _count(found: dict[tuple[Any, ...], list[int]], call: Any) -> None:
    scan = json.loads(call.scan)
    if not scan.get("guard"):
        return
    hour = int.from_bytes(call.id[:6], "big") // 3_600_000
    for side in ("request", "answer"):
        if side not in scan:
            continue
        about = (hour, scan["guard"], scan["guard_sha256"], call.route, side)
        seen, refused = scan[side], int(_REFUSED.get(call.error) == side)
        counts = [(("", ""), (1, sum(seen["found"].values()), int(bool(seen["failed"])), refused))]
        counts += [(tuple(name.split("/", 1)), (1, count, 0, refused)) for name, count in seen["found"].items()]
        counts += [((detector, ""), (1, 0, 1, refused)) for detector in seen["failed"]]
        for what, more in counts:
            sums = found.setdefault((*about, *what), [0, 0, 0, 0])
            sums[:] = [a + b for a, b in zip(sums, more, strict=True)]
