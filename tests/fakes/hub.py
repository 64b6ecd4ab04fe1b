"""A model hub on loopback that speaks what of Hugging Face's API a download uses; nothing of it is recorded."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34


class Hub:
    """Repositories by name, each a dict of file name to bytes; `lies` are served in place of what is named."""

    def __init__(self):
        self.repositories = {}
        self.lies = {}
        self.extra = []
        self.asked = []
        self.token = ""
        self.endpoint = ""

    def answer(self, path, headers):
        self.asked.append(path)
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return 401, b"{}"
        for name, files in self.repositories.items():
            if path.startswith(f"/api/models/{name}/revision/"):
                revision = path.partition("/revision/")[2].partition("?")[0]
                if revision not in ("main", COMMIT):
                    return 404, b"{}"
                siblings = [_sibling(file, data) for file, data in sorted(files.items())] + self.extra
                return 200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()
            begin = f"/{name}/resolve/{COMMIT}/"
            if path.startswith(begin) and path.removeprefix(begin) in files:
                file = path.removeprefix(begin)
                return 200, self.lies.get(file, files[file])
        return 404, b"{}"


def _sibling(name, data):
    found = {"rfilename": name, "size": len(data)}
    if name.endswith(".safetensors"):
        found["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return found


@contextmanager
def hub():
    """One that runs."""
    made = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, data = made.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
