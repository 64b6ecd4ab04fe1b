"""How the bench starts Freehold's own processes on a home it wrote: the gateway directly, the writer by its role.

Run as `python -m bench.launch HOME PORT RECEIPTS` it is the gateway, which then needs no configuration file.
"""

from __future__ import annotations

import sys
from pathlib import Path


def gateway_command(home: Path, port: int, *, receipts: bool) -> list[str]:
    """One data-plane process."""
    return [sys.executable, "-m", "bench.launch", str(home), str(port), str(int(receipts))]


def writer_command(home: Path) -> list[str]:
    """The writer with the budget authority."""
    return [sys.executable, "-m", "freehold.app", "writer", "--home", str(home)]


def compiled() -> bool:
    """Is it the compiled copy (`make compiled`) that runs here? Children inherit the path it was found by."""
    from freehold.gateway import pipeline

    return not str(pipeline.__file__).endswith(".py")


def _no_secret(reference: str) -> str:
    return reference


def _gateway(home: Path, port: int, *, receipts: bool) -> None:
    from freehold.gateway.serve import GatewayConfig, run

    run(GatewayConfig(home=home, port=port, strict=receipts, receipts=receipts, resolve=_no_secret))


if __name__ == "__main__":
    _gateway(Path(sys.argv[1]), int(sys.argv[2]), receipts=sys.argv[3] == "1")
