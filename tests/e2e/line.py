"""One end of a replica's line as a process of its own, so that it can be killed: `python -m tests.e2e.line ...`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from freehold.core.crypto import Verifier
from freehold.core.log import Log
from freehold.ledger.shipping.courier import Courier, Primary
from freehold.ledger.shipping.dock import Dock

TOKENS = {"token-of-r1": "r1", "token-of-r2": "r2"}


async def dock(home: Path, port: int) -> None:
    """The primary's end."""
    server = await Dock(home, TOKENS.get, Log("dock")).listen("127.0.0.1", port, None)
    await server.serve_forever()


async def courier(home: Path, port: int, token: str, public: str) -> None:
    """A replica's end; `public` is the primary's public key in hexadecimal."""
    primary = Primary(host="127.0.0.1", port=port, token=token)
    await Courier(home, primary, Verifier(bytes.fromhex(public)), Log("courier")).run()


if __name__ == "__main__":
    what, folder, number, *more = sys.argv[1:]
    asyncio.run(dock(Path(folder), int(number)) if what == "dock" else courier(Path(folder), int(number), *more))
