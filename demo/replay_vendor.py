"""A replay of a vendor for the demo: OpenAI's wire format on loopback, with answers out of a log or made up.

No model runs here, and every answer says so in the header `x-replay`.
Run it with `python -m demo.replay_vendor [--log FILE]`; its first line on stdout is the base URL.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demo.recorded import answers, key_of
from demo.replay_answers import CREATED, NOTICE, chat, chunks, embeddings


class Handler(BaseHTTPRequestHandler):
    """Three endpoints; anything else is a 404 in OpenAI's form."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    recorded: Mapping[str, dict[str, Any]] = {}

    def do_GET(self) -> None:
        """The list of models; or the last request as it came here, for whoever wants to see what left."""
        if self.path == "/seen":
            self._json(200, {"request": self.server.seen})  # type: ignore[attr-defined]
            return
        models = [{"id": "replay-1", "object": "model", "created": CREATED, "owned_by": "replay"}]
        self._json(200, {"object": "list", "data": models}) if self.path == "/v1/models" else self._missing()

    def do_POST(self) -> None:
        """A completion or vectors."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        made = {"/v1/chat/completions": chat, "/v1/embeddings": embeddings}
        try:
            request = json.loads(body)
            self.server.seen = request  # type: ignore[attr-defined]
            found = self.recorded.get(key_of(request)) if self.path == "/v1/chat/completions" else None
            if found is not None and not request.get("stream"):
                self._json(200, {"id": "chatcmpl-replay", "created": CREATED, **found})
            elif self.path in made and not request.get("stream"):
                self._json(200, made[self.path](request))
            elif self.path == "/v1/chat/completions":
                self._stream(request)
            else:
                self._missing()
        except (ValueError, KeyError, TypeError, StopIteration, IndexError) as error:
            self._json(400, _error(f"the replay cannot read this request: {error!r}", "invalid_request_error"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Quiet: the gateway in front keeps the records."""

    def _missing(self) -> None:
        self._json(404, _error(f"nothing at {self.path}", "invalid_request_error"))

    def _json(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-replay", NOTICE)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, request: dict[str, Any]) -> None:
        events = [f"data: {json.dumps(one)}\n\n".encode() for one in chunks(request)]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-replay", NOTICE)
        self.end_headers()
        for event in [*events, b"data: [DONE]\n\n"]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")


def _error(message: str, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="plain JSON lines with recorded answers")
    options = parser.parse_args()
    recorded = answers(options.log) if options.log else {}
    server = ThreadingHTTPServer(("127.0.0.1", options.port), type("Replay", (Handler,), {"recorded": recorded}))
    server.daemon_threads = True
    server.seen = None  # type: ignore[attr-defined]
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}/v1\n{NOTICE}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
