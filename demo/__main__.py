"""`make demo`: starts Freehold, sends real calls to an owned and to a replayed rented model, shows what happened.

Nothing is downloaded; everything runs on this machine and ends with the demo.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.calls import Said, calls
from demo.instance import Instance, instance, vendor

SETTLE_SECONDS = 10
NOTICE = "The rented vendor is a replay on this machine: synthetic answers, the real price list."


def main() -> int:
    """Run the demo; 0 where every call is settled and every receipt verifies."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="freehold-demo-") as folder, vendor() as url:
        console.print("Starting Freehold: gateway, writer, management API, worker, two engines with real weights ...")
        with instance(Path(folder), url) as running:
            console.print(f"Up after {time.monotonic() - began:.1f} s at {running.base}. [dim]{NOTICE}[/]\n")
            told = _send(console, running)
            records = _records(running, {said.call for _, said in told})
            console.print(_table(told, records))
            good = _receipts(console, running, [said.call for _, said in told], Path(folder))
            _summary(console, running, records)
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. Keep one running: [bold]make up[/]")
    return 0 if good and len(records) == len(told) else 1


def _send(console: Console, running: Instance) -> list[tuple[str, Said]]:
    told = []
    for name, send in calls(running):
        at = time.monotonic()
        said = send()
        told.append((name, said))
        text = " ".join(said.text.split())
        console.print(f"  [bold]{name}[/] [dim]({time.monotonic() - at:.2f} s)[/]\n    {text[:150]}", highlight=False)
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
    return verified == len(ids)


def _summary(console: Console, running: Instance, records: dict[str, dict[str, Any]]) -> None:
    sources = {row["what_if_source"] for row in records.values() if row.get("what_if_source")}
    spent = sum((Decimal(str(row["cost"])) for row in records.values()), Decimal(0))
    known = [row["what_if"] for row in records.values() if row.get("what_if") is not None]
    rented = sum((Decimal(str(one)) for one in known), Decimal(0))
    console.print(f"Spent {_money(spent)}; the same tokens at the rented price: {_money(rented)} "
                  f"[dim](measured tokens x {'; '.join(sorted(sources))})[/].")  # fmt: skip
    console.print(
        r"[dim]Owned models cost $0 here because no price of your hardware is set: see \[serving.prices.owned-chat].[/]"
    )


if __name__ == "__main__":
    sys.exit(main())
