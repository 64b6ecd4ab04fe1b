"""`make demo`: starts Freehold, sends real calls, and moves workflows from a rented to an owned model and back.

Nothing is downloaded; everything runs on this machine and ends with the demo.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from demo.instance import Instance
from demo.logs import company, own
from demo.playing import played


def main() -> int:
    """Run the demo; 0 where every call is settled, every receipt and every dossier verifies."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="freehold-demo-") as name:
        folder = Path(name)
        log = own(options.log, folder) if options.log else company(folder)
        with played(console, folder, log, lora=not options.no_lora) as (running, good):
            _stay(console, running, time.monotonic() - began)
    if options.no_lora:
        console.print("[dim]LORA=0: torch was left out, so nothing that writes was trained.[/]")
    return 0 if good else 1


def _stay(console: Console, running: Instance, took: float) -> None:
    """Leave the gateway serving, for as long as somebody looks; where nobody does, the demo ends."""
    console.print(f"\nDone in {took:.0f} s.", end=" ")
    if not sys.stdin.isatty():
        console.print("Run it in a terminal and it goes on serving. Keep one of your own: [bold]make up[/]")
        return
    console.print(f"It goes on serving at {running.base}/v1, key {running.key}. Ctrl-C ends it.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--log", type=Path, help="a log of yours, in any form that import reads")
    parser.add_argument("--no-lora", action="store_true", help="train classifiers only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
