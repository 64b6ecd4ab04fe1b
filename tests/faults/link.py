"""`python -m tests.faults.link NEAR FAR`: a line between two network devices that is slow and loses packets.

Each is a tunnel (`/dev/net/tun`) of this process: what a machine sends into one comes out of the other, later or never.
Lines on standard input say how: `SECONDS SHARE`, the delay either way and the share that is lost.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADERS = 0x0001 | 0x1000


def device(name: str) -> int:
    """A new tunnel by that name. Raises OSError where none may be made."""
    handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _TUN_WITHOUT_HEADERS))
    return handle


def carry(near: int, far: int) -> None:
    """Until standard input ends."""
    draw = random.Random(7)
    delay, lost = 0.0, 0.0
    under_way: list[tuple[float, int, int, bytes]] = []
    number, said = 0, b""
    while True:
        wait = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        ready, _, _ = select.select([near, far, 0], [], [], wait)
        for one in ready:
            if one == 0:
                more = os.read(0, 4096)
                if not more:
                    return
                *lines, said = (said + more).split(b"\n")
                for line in lines:
                    delay, lost = map(float, line.split())
                    print("so", flush=True)
                continue
            packet = os.read(one, 65536)
            if draw.random() >= lost:
                number += 1
                heapq.heappush(under_way, (time.monotonic() + delay, number, far if one == near else near, packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(under_way)
            try:
                os.write(to, packet)
            except OSError:  # it is full, or down: such packets are lost
                continue


if __name__ == "__main__":
    handles = device(sys.argv[1]), device(sys.argv[2])
    print("ready", flush=True)
    carry(*handles)
