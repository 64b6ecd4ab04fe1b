"""A fake collector of telemetry: takes OTLP over HTTP as JSON, on loopback, and fails on what is not of that form."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

HEX = set("0123456789abcdef")
KINDS = {"boolValue": bool, "intValue": str, "doubleValue": float, "stringValue": str}


class FakeCollector:
    """Takes exports on loopback and answers as it is told to."""

    def __init__(self):
        self.status, self.bodies, self.heads = 200, [], []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.heads.append((self.path, dict(self.headers.items())))
                if collector.status == 200:
                    collector.bodies.append(json.loads(body))
                self.send_response(collector.status)
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def spans(self):
        return [one for body in self.bodies for one in checked(body)]


def checked(body):
    """The spans of an export; fails where it is not of OTLP's JSON form."""
    (resource,) = body["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    named = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
    assert named["service.name"] == "freehold"
    for one in scope["spans"]:
        assert len(one["traceId"]) == 32 and len(one["spanId"]) == 16
        assert set(one["traceId"] + one["spanId"] + one.get("parentSpanId", "")) <= HEX
        assert int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"])
        assert one["kind"] in (2, 3) and one["status"].get("code") in (None, 2)
        for each in one["attributes"]:
            ((kind, value),) = each["value"].items()
            assert type(value) is KINDS[kind]
    return scope["spans"]


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}
