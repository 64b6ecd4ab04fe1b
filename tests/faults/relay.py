"""`python -m tests.faults.relay FROM TO`: hands bytes on between a port of this machine and a socket's path, either way.

Paths know no network namespaces, so two of these lead a connection into one, past the link that a test cuts.
"""

from __future__ import annotations

import asyncio
import sys


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def relay(place: str, to: str) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opening = asyncio.open_connection("127.0.0.1", int(to)) if to.isdigit() else asyncio.open_unix_connection(to)
        try:
            there, back = await opening
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    if place.isdigit():
        server = await asyncio.start_server(client, "127.0.0.1", int(place))
    else:
        server = await asyncio.start_unix_server(client, place)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], sys.argv[2]))
