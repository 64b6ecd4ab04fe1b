"""How the bench starts Freehold's own processes on a home it wrote: the gateway directly, the writer by its role.

Run as `python -m bench.launch HOME PORT RECEIPTS` it is the gateway, which then needs no configuration file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def gateway_command(home: Path, port: int, *, receipts: bool) -> list[str]:
    """One data-plane process."""
    return [sys.executable, "-m", "bench.launch", str(home), str(port), str(int(receipts))]


def writer_command(home: Path) -> list[str]:
    """The writer with the budget authority."""
    return [sys.executable, "-m", "freehold.app", "writer", "--home", str(home)]


def compiled() -> bool:
    """Is it the compiled copy (`make compiled`) that runs here? Children inherit the path it was found by."""
    from freehold.gateway.serve import compiled as runs_compiled

    return runs_compiled()


def prepare(*, interpreted: bool) -> None:
    """Have this process, and so its children, run what is to be measured: the compiled copy where it can be built.

    Starts this program anew with its arguments where it runs something else; says so where it cannot be compiled.
    """
    from freehold.settings.data_plane import checkout, chosen, interpreter
    from freehold.settings.environment import with_path

    if not interpreted and subprocess.run([sys.executable, "-m", "native"], cwd=ROOT, check=False).returncode:
        print("measured interpreted: the data plane could not be compiled", flush=True)
    plane = chosen(checkout(), interpreter())
    wanted = plane.compiled and not interpreted
    if plane.copy is None or wanted == compiled():
        return
    env = with_path(os.environ, plane.copy, first=wanted)
    if env != dict(os.environ):
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, env)


def _no_secret(reference: str) -> str:
    return reference


def _gateway(home: Path, port: int, *, receipts: bool) -> None:
    from freehold.gateway.serve import GatewayConfig, run

    run(GatewayConfig(home=home, port=port, strict=receipts, receipts=receipts, resolve=_no_secret))


if __name__ == "__main__":
    _gateway(Path(sys.argv[1]), int(sys.argv[2]), receipts=sys.argv[3] == "1")
