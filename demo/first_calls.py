"""The first act: an application's own calls, through the door, to an owned and to a rented model, with receipts."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.calls import Said, calls
from demo.instance import Instance

SETTLE_SECONDS = 60


def first_calls(console: Console, running: Instance, folder: Path) -> bool:
    """Send them, show what was written down; True where all are settled and every receipt verifies."""
    told = _send(console, running)
    records = _records(running, {said.call for _, said in told})
    console.print(_table(told, records))
    good = _receipts(console, running, [said.call for _, said in told], folder)
    _summary(console, records)
    return good and len(records) == len(told)


def _send(console: Console, running: Instance) -> list[tuple[str, Said]]:
    told = []
    for name, send in calls(running):
        at = time.monotonic()
        said = send()
        told.append((name, said))
        console.print(f"  [bold]{name}[/] [dim]({time.monotonic() - at:.2f} s)[/]")
        for line in said.text.strip().splitlines():
            console.print(f"    {line[:150]}", highlight=False, markup=False)
    console.print()
    return told


def _records(running: Instance, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """What the ledger says of these calls, once the writer has loaded them (well under a second)."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = running.freehold("calls", "tail", "--last", "100")
        found = {row["id"]: row for row in rows if row["id"] in wanted}
        if len(found) == len(wanted) or time.monotonic() > end:
            return found
        time.sleep(0.2)


def _money(value: Any) -> str:
    return "-" if value is None else f"${Decimal(str(value)):.7f}".rstrip("0").rstrip(".")


def _table(told: list[tuple[str, Said]], records: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="What the ledger wrote down", title_justify="left")
    for name in ("call", "target", "outcome"):
        table.add_column(name)
    for name in ("tokens in", "out", "cost", "rented price"):
        table.add_column(name, justify="right")
    for name, said in told:
        row = records.get(said.call)
        if row is None:
            table.add_row(name, "not settled", "", "", "", "", "")
            continue
        usage = row["usage"]
        table.add_row(name, row["target"] or "(nowhere)", row["outcome"], str(usage["input"]), str(usage["output"]),
                      _money(row["cost"]), _money(row.get("what_if")))  # fmt: skip
    return table


def _receipts(console: Console, running: Instance, ids: list[str], folder: Path) -> bool:
    """Fetch each call's receipt and verify it with the offline command."""
    verified = 0
    for call in ids:
        path = folder / f"{call}.json"
        path.write_text(json.dumps(running.freehold("receipts", "show", call)))
        running.freehold("receipts", "verify", str(path))
        verified += 1
    console.print(f"\nReceipts: {verified} of {len(ids)} verified offline (signature of the checkpoint, inclusion).")
    log = running.freehold("audit", "verify")
    console.print(f"The audit log: {log['size']} leaves and {log['checkpoints']} checkpoints computed anew, offline.")
    return verified == len(ids)


def _summary(console: Console, records: dict[str, dict[str, Any]]) -> None:
    sources = {row["what_if_source"] for row in records.values() if row.get("what_if_source")}
    spent = sum((Decimal(str(row["cost"])) for row in records.values()), Decimal(0))
    known = [row["what_if"] for row in records.values() if row.get("what_if") is not None]
    rented = sum((Decimal(str(one)) for one in known), Decimal(0))
    console.print(f"Spent {_money(spent)}; the same tokens at the rented price: {_money(rented)} "
                  f"[dim](measured tokens x {'; '.join(sorted(sources))})[/].")  # fmt: skip
    console.print(
        r"[dim]Owned models cost $0 here because no price of your hardware is set: see \[serving.prices.owned-chat].[/]"
    )
