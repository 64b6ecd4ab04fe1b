"""The process of files and batches: errands from the gateway in threads, and the runner as leased work."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, cast

import msgspec

from freehold.batches.desk import Desk
from freehold.batches.running import SCHEDULE, Runner
from freehold.core.errors import Internal
from freehold.gateway.desk import LENGTH, Errand, Told
from freehold.gateway.dialects.openai_wire import error_body
from freehold.jobs.worker import run as work

MOST_BYTES = 4 << 30
SILENCE_SECONDS = 120.0


class Counter(socketserver.ThreadingUnixStreamServer):
    """Takes errands at a socket that only this user reaches."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, desk: Desk) -> None:
        self.desk = desk
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Errands)
        path.chmod(0o600)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that hung up is no defect; what else there is was told."""


class _Errands(socketserver.StreamRequestHandler):
    timeout = SILENCE_SECONDS

    def handle(self) -> None:
        """One errand."""
        data = self._read()
        if data is None:
            return
        try:
            told = cast(Counter, self.server).desk.answer(msgspec.msgpack.decode(data, type=Errand))
        except Exception as error:  # noqa: BLE001  the process edge: one errand's defect is not the others'
            last = traceback.extract_tb(error.__traceback__)[-1]
            sys.stderr.write(
                f"defect {type(error).__name__} in {last.name}, {Path(last.filename).name}:{last.lineno}\n"
            )
            sys.stderr.flush()
            failed = Internal("files and batches failed", hint="see logs/batches.log")
            status, body = error_body(failed)
            told = Told(status=status, error=failed.code, body=body)
        answer = msgspec.msgpack.encode(told)
        self.wfile.write(LENGTH.pack(len(answer)))
        self.wfile.write(answer)

    def _read(self) -> bytes | None:
        """The errand; None where somebody only looked whether we are there."""
        with contextlib.suppress(struct.error):
            (length,) = LENGTH.unpack(self.rfile.read(LENGTH.size))
            if length <= MOST_BYTES:
                data = self.rfile.read(length)
                return data if len(data) == length else None
        return None


def run(runner: Runner, desk: Desk, path: Path) -> None:
    """The process: serves until SIGTERM or SIGINT."""
    counter = Counter(path, desk)
    threading.Thread(target=counter.serve_forever, args=(0.2,), name="desk", daemon=True).start()
    try:
        work(desk.engine, (runner.kind(),), (SCHEDULE,), path.with_name("batches.lock"))
    finally:
        counter.shutdown()
        counter.server_close()
        path.unlink(missing_ok=True)
