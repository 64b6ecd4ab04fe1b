"""`make demo`: starts Freehold, sends real calls, and moves workflows from a rented to an owned model and back.

Nothing is downloaded; everything runs on this machine and ends with the demo.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from demo.first_calls import first_calls
from demo.instance import instance, vendor
from demo.logs import company, own
from demo.move import Act, summary

NOTICE = "The rented vendor is a replay on this machine: recorded or synthetic answers, the real price list."


def main() -> int:
    """Run the demo; 0 where every call is settled, every receipt and every dossier verifies."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="freehold-demo-") as name:
        folder = Path(name)
        log = own(options.log, folder) if options.log else company(folder)
        with vendor(log.recorded) as url:
            console.print("Starting Freehold: gateway, writer, management API, worker, trainer, two engines ...")
            with instance(folder, url, log.models) as running:
                console.print(f"Up after {time.monotonic() - began:.1f} s at {running.base}. [dim]{NOTICE}[/]\n")
                good = first_calls(console, running, folder)
                moved = Act(console, running, log, folder).play(lora=not options.no_lora)
                good = summary(console, moved, running, folder, log.told) and good
    if options.no_lora:
        console.print("[dim]LORA=0: torch was left out, so nothing that writes was trained.[/]")
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. Keep one running: [bold]make up[/]")
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--log", type=Path, help="a log of yours, in any form that import reads")
    parser.add_argument("--no-lora", action="store_true", help="train classifiers only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
