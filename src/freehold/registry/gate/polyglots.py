"""Files that are two things at once: whatever a file is by its start, no other reader may find its own format in it.

Invariant: asks every reader that decides by other bytes than the first ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from freehold.registry.gate import pickle_sniff, tars
from freehold.registry.gate.types import Reason, Source

_END = b"PK\x05\x06"
_END64 = b"PK\x06\x07"
_PICKLED = frozenset({"pickle", "joblib", "torch_legacy"})
_ZIPPED = frozenset({"zip", "torch", "keras", "tar"})
"""An archive may end with a stored archive: its members have been looked at."""


def others(source: Source, found: str) -> Iterator[Reason]:
    """Formats that `source` has besides `found`."""
    if found not in _ZIPPED and _zipped(source.data):
        yield Reason("block", "polyglot.zip", source.name, f"{found} by its start, and a zip archive by its end")
    if found != "tar" and tars.known(source):
        yield Reason("block", "polyglot.tar", source.name, f"{found}, and a tar archive by its first block")
    if found not in _PICKLED and pickle_sniff.looks(source):
        yield Reason("block", "polyglot.pickle", source.name, f"{found}, and a pickle to an unpickler")


def _zipped(data: memoryview) -> bool:
    """A reader that looks for the end record would find an archive, whatever comes before or after it."""
    tail = bytes(data[-(22 + 0xFFFF + 20) :])
    at = tail.rfind(_END)
    while at >= 0:
        if at + 22 <= len(tail):
            size, start = struct.unpack_from("<II", tail, at + 12)
            here = len(data) - len(tail) + at
            begins = here - size
            wide = tail[max(at - 20, 0) : at].startswith(_END64)
            if wide or (
                begins >= 0 and (bytes(data[begins : begins + 4]) == b"PK\x01\x02" or (not size and not start))
            ):
                return True
        at = tail.rfind(_END, 0, at)
    return False
