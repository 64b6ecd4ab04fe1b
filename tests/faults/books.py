"""What must be true after any fault: every call a caller saw is in the ledger once, money adds up, the log verifies."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tests.e2e.instance import Instance, until


def ids(instance: Instance) -> set[str]:
    """Of the calls in the ledger."""
    return {one["call"]["id"] for one in instance.calls()}


def audit(instance: Instance, good: list[str], limit: Decimal | None = None, route: str = "") -> None:
    """`good`: ids of calls whose callers hold a whole answer. `limit`: the budget of `route`, which holds."""
    # A call that ended this moment is in the journal, and not in the ledger yet, not even as pending.
    until(lambda: not instance.pending() and not set(good) - ids(instance), "every call is settled", within=60)
    rows = [one["call"] for one in instance.calls()]
    seen = Counter(one["id"] for one in rows)
    assert set(seen.values()) <= {1}, "no call stands in the ledger twice"
    outcome = {one["id"]: one["outcome"] for one in rows}
    assert not [one for one in good if outcome.get(one) != "ok"], "what a caller holds whole is settled as such"
    if limit is not None:
        assert sum((Decimal(one["cost"]) for one in rows if one["route"] == route), Decimal(0)) <= limit
    verified = instance.freehold("audit", "verify")
    assert verified, "the audit log verifies from its first leaf to its last"


def lives(instance: Instance, pid: int) -> None:
    """The gateway is the process that it was: nothing had to be restarted."""
    assert instance.processes()["gateway"]["pid"] == pid
    assert "defect" not in (instance.home / "logs" / "gateway.log").read_text()
