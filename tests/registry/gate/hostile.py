"""Hostile and odd bytes for the gate's tests. Nothing here is ever loaded; what would run only touches a file."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib

RUN = b"cposix\nsystem\n(S'touch /tmp/never'\ntR."
"""A pickle that would run a command, in the oldest protocol."""


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def imported(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, arguments: bytes = b")") -> bytes:
    return imported(module, name) + arguments + b"R"


def pickled(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return made.getvalue()


def tarred(*members: tuple[str, bytes, bytes]) -> bytes:
    """(name, type, content or link)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, data in members:
            head = tarfile.TarInfo(name)
            head.type = kind
            if kind == tarfile.REGTYPE:
                head.size = len(data)
                archive.addfile(head, io.BytesIO(data))
            else:
                head.linkname = data.decode()
                archive.addfile(head)
    return made.getvalue()


def entry(
    name: bytes, data: bytes, *, local_name: bytes | None = None, at: int = 0, crc: int | None = None, flags: int = 0
):
    """Local header with data, and the central header: for archives that disagree with themselves."""
    named = name if local_name is None else local_name
    told = zlib.crc32(data) if crc is None else crc
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, flags, 0, 0, 33, told, len(data), len(data), len(named), 0)
    outer = (b"PK\x01\x02", 20, 20, flags, 0, 0, 33, told, len(data), len(data), len(name), 0, 0, 0, 0, 0, at)
    return local + named + data, struct.pack("<4sHHHHHHIIIHHHHHII", *outer) + name


def archive(locals_: bytes, central: bytes, count: int, *, comment: bytes = b"", start: int | None = None) -> bytes:
    begin = len(locals_) if start is None else start
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(central), begin, len(comment))
    return locals_ + central + end + comment
