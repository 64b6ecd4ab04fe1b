from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import zstandard

from freehold.registry.gate.scan import scan
from freehold.registry.gate.types import Limits
from tests.registry.gate.hostile import RUN, archive, entry, pickled, tarred, zipped


@pytest.fixture
def verdict(tmp_path):
    def said(data: bytes, name: str = "m.zip", limits: Limits | None = None) -> tuple[str, set[str]]:
        path = tmp_path / name
        path.write_bytes(data)
        report = scan(path, limits or Limits())
        return report.verdict, {why.code for one in report.files for why in one.reasons} | {
            why.code for why in report.reasons
        }

    return said


def saved(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


GOOD = saved(np.arange(4.0))
REG, SYM = tarfile.REGTYPE, tarfile.SYMTYPE


def one_member(**more) -> bytes:
    local, central = entry(b"a.npy", GOOD, **more)
    return archive(local, central, 1)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_of_harmless_files_are_let_in(verdict, method):
    assert verdict(zipped({"a/x.npy": GOOD, "b.npy": GOOD}, method)) == ("allow", set())


def test_archives_written_as_streams_are_let_in(verdict):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError

    made = Pipe()
    with zipfile.ZipFile(made, "w") as stream:
        stream.writestr("a.npy", GOOD)
    assert verdict(made.getvalue()) == ("allow", set())


def test_what_numpy_packs_is_let_in(verdict):
    made = io.BytesIO()
    np.savez_compressed(made, a=np.zeros(3_000_000), b=np.ones(3))
    assert verdict(made.getvalue(), "a.npz") == ("allow", set())


def local_only() -> bytes:
    first, central = entry(b"a.npy", GOOD)
    hidden, _ = entry(b"b.pkl", RUN)
    return archive(first + hidden, central, 1)


def overlapping() -> bytes:
    inner, _ = entry(b"in.pkl", RUN)
    local, central = entry(b"a.npy", inner)
    _, second = entry(b"in.pkl", RUN, at=30 + len(b"a.npy"))
    return archive(local, central + second, 2)


ODD_ZIPS = {
    "names that disagree": one_member(local_name=b"b.npy"),
    "another checksum": one_member(crc=1),
    "said to be encrypted": one_member(flags=1),
    "bytes before": b"#!/bin/sh\n" + one_member(),
    "bytes after": one_member() + b"tail",
    "a member that no directory names": local_only(),
    "members in members": overlapping(),
    "an end in the comment": archive(*entry(b"a.npy", GOOD), 1, comment=b"PK\x05\x06" + bytes(18)),
    "two of one name": archive(
        entry(b"a.npy", GOOD)[0] * 2,
        entry(b"a.npy", GOOD)[1] + entry(b"a.npy", GOOD, at=len(entry(b"a.npy", GOOD)[0]))[1],
        2,
    ),
    "two that differ by case": zipped({"a.npy": GOOD, "A.npy": GOOD}),
    "a file and a folder": zipped({"a": GOOD, "a/b.npy": GOOD}),
    "out by dots": zipped({"../a.npy": GOOD}),
    "out by a root": zipped({"/a.npy": GOOD}),
    "out by a drive": zipped({"C:\\a.npy": GOOD}),
    "out by backslashes": zipped({"..\\..\\a.npy": GOOD}),
    "a bomb": zipped({"a": bytes(20 << 20)}, zipfile.ZIP_DEFLATED),
    "another packing": zipped({"a.npy": GOOD}, zipfile.ZIP_LZMA),
    "a pickle three deep": zipped({"a.zip": zipped({"b.zip": zipped({"weights": RUN})})}),
    "a pickle in a stream in an archive": zipped({"a.gz": gzip.compress(RUN)}),
    "more than one end": one_member() + one_member(),
    "nothing but an end that lies": struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0),
}


@pytest.mark.parametrize("name", ODD_ZIPS)
def test_archives_two_readers_may_read_differently_are_blocked(verdict, name):
    assert verdict(ODD_ZIPS[name])[0] == "block"


def test_members_that_are_links_are_blocked(verdict):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as odd:
        head = zipfile.ZipInfo("link")
        head.external_attr = 0o120777 << 16
        odd.writestr(head, b"/etc/passwd")
    assert verdict(made.getvalue())[0] == "block"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_harmless_files_are_let_in(verdict, form):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as good:
        for name in ("a.npy", "f" * 90 + "/" + "g" * 60 + "/b.npy"):
            head = tarfile.TarInfo(name)
            head.size = len(GOOD)
            good.addfile(head, io.BytesIO(GOOD))
    assert verdict(made.getvalue(), "m.tar") == ("allow", set())


ODD_TARS = {
    "out by dots": tarred(("../a.npy", REG, GOOD)),
    "a link and a way through it": tarred(("a", SYM, b"/etc"), ("a/b.npy", REG, GOOD)),
    "a hard link": tarred(("a", tarfile.LNKTYPE, b"/etc/passwd")),
    "a device": tarred(("a", tarfile.CHRTYPE, b"")),
    "a pickle": tarred(("a.npy", REG, GOOD), ("weights", REG, RUN)),
    "bytes after the end": tarred(("a.npy", REG, GOOD)) + RUN + bytes(512),
    "two of one name": tarred(("a.npy", REG, GOOD), ("a.npy", REG, GOOD)),
}


@pytest.mark.parametrize("name", ODD_TARS)
def test_tars_that_reach_out_or_hide_are_blocked(verdict, name):
    assert verdict(ODD_TARS[name], "m.tar")[0] == "block"


PACKERS = {
    "gz": gzip.compress,
    "z": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("ending", PACKERS)
def test_streams_are_looked_into(verdict, ending):
    pack = PACKERS[ending]
    assert verdict(pack(GOOD), f"m.npy.{ending}") == ("allow", set())
    assert verdict(pack(RUN), f"m.{ending}")[0] == "block"
    assert verdict(pack(GOOD)[:-3], f"m.{ending}")[0] == "block"
    assert verdict(pack(GOOD) + RUN, f"m.{ending}")[0] == "block"
    assert verdict(pack(bytes(64 << 20)), f"m.{ending}")[0] == "block"


def test_streams_in_a_row_are_all_looked_into(verdict):
    assert verdict(gzip.compress(GOOD[:20]) + gzip.compress(GOOD[20:]), "a.npy.gz") == ("allow", set())
    assert verdict(gzip.compress(RUN[:5]) + gzip.compress(RUN[5:]), "a.gz")[0] == "block"


@pytest.mark.parametrize("start", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"\x7fELF\x02\x01", b"MZ\x90\0"])
def test_packings_nothing_here_looks_into_are_blocked(verdict, start):
    assert verdict(start + bytes(100), "m.pt")[0] == "block"


def test_a_file_that_is_two_things_is_blocked(verdict):
    assert verdict(GOOD + zipped({"a.pkl": RUN}), "a.npy")[0] == "block"
    assert verdict(pickled(b"]") + zipped({"a.pkl": RUN}), "a.pkl")[0] == "block"


def test_what_would_take_too_much_is_blocked(verdict):
    data = zipped({f"{number}.npy": GOOD for number in range(30)}, zipfile.ZIP_DEFLATED)
    assert verdict(data) == ("allow", set())
    assert verdict(data, limits=Limits(members=20)) == ("block", {"gate.budget"})
    assert verdict(data, limits=Limits(unpacked_bytes=1000)) == ("block", {"gate.budget"})
    assert verdict(zipped({"a.zip": zipped({"b.zip": data})}), limits=Limits(depth=2)) == ("block", {"gate.budget"})


ODD_ARRAYS = {
    "fewer bytes": GOOD[:-1],
    "more bytes": GOOD + b"\0",
    "a call in the header": GOOD.replace(b"(4,)", b"f(4)"),
    "another version": GOOD[:6] + b"\x09" + GOOD[7:],
    "objects that run": saved(np.zeros(0)).replace(b"'<f8'", b"'|O' ") + RUN,
    "a shape below nothing": GOOD.replace(b"(4,), ", b"(-4,),"),
}


@pytest.mark.parametrize("name", ODD_ARRAYS)
def test_arrays_whose_header_lies_are_blocked(verdict, name):
    assert verdict(ODD_ARRAYS[name], "a.npy")[0] == "block"
