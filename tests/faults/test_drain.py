"""An instance that ends says so first: a load balancer takes it out before its sockets close."""

from __future__ import annotations

import signal

from tests.e2e.instance import http, running, until, vendors


def test_readiness_fails_while_new_connections_are_still_served(tmp_path):
    routes = '[routes.main]\ntargets = ["gpt"]\n'
    with vendors() as both, running(tmp_path, routes, both, gateway="drain_notice_seconds = 10\n") as made:
        ready = lambda: http(f"{made.base}/readyz", None, {})  # noqa: E731
        assert ready().status == 200
        made.process.send_signal(signal.SIGTERM)
        told = until(lambda: (got := ready()).status == 503 and got, "it says that it drains")
        assert told.json["status"] == "draining"
        assert http(f"{made.base}/healthz", None, {}).status == 200, "it lives"
        assert made.chat("main").status == 200, "whoever comes all the same is served"
        assert made.process.wait(60) == 0, made.logs()
        made.stop = lambda: None
