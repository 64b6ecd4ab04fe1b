"""`freehold login`: signs a person in at the issuer, with a browser here or anywhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import click

from freehold.cli.client import Client
from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place
from freehold.cli.sessions import Kept, keep
from freehold.core.errors import NotRunning
from freehold.identity.errors import SignInOff, SignInRefused

if TYPE_CHECKING:
    from http.server import HTTPServer

PATIENCE_SECONDS = 590.0
"""A little less than the instance's own."""
_DONE = b"<!doctype html><title>Freehold</title><p>You may close this window and go back to the terminal."


@click.command(cls=Verb)
@click.option("--at", "address", help="Address of the management API, where it is not this home's own instance.")
@click.option("--no-browser", is_flag=True, help="Only print the address; open it in a browser of this machine.")
@click.option("--paste", is_flag=True, help="The browser is on another machine: paste the address where it ends.")
@json_option
@click.pass_obj
def login(place: Place, address: str | None, *, no_browser: bool, paste: bool, as_json: bool) -> None:
    """Sign in at the issuer of [identity.oidc]. Commands then act as you, in your role, until the session ends."""
    address = address or _here(place)
    if urlsplit(address).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise click.UsageError("the management API speaks plain http: reach it through a tunnel, at a loopback address")
    client = Client(address, "", place.home)
    told = client.get("/api/login")
    if not told["enabled"]:
        raise SignInOff("nobody signs in here: no issuer is named")
    with _listener(told["redirect_port"]) as listener:
        begun = client.post("/api/login", {"redirect_uri": f"http://127.0.0.1:{listener.server_port}/callback"})
        say(f"open this in a browser:\n  {begun['address']}")
        if not (no_browser or paste):
            _open(begun["address"])
        back = _pasted() if paste else _returned(listener, begun["state"])
    given = {name: back[name] for name in ("code", "iss", "error") if back.get(name)}
    state = back.get("state", "")
    session = client.post("/api/login/finish", {**given, "state": state, "ticket": begun["ticket"]})
    keep(place.home, Kept(address, session.pop("token")))
    if as_json:
        emit_json(session)
    else:
        say(f"signed in as {session['name']}, {session['role']}, until {session['expires_at']}")


def _here(place: Place) -> str:
    from freehold.settings.location import read_endpoints

    endpoints = read_endpoints(place.home)
    if endpoints is None:
        raise NotRunning(f"no instance runs in {place.home}", hint="start it: freehold up (or name it: --at ADDRESS)")
    return endpoints.admin


def _open(address: str) -> None:
    """Where there is no browser, the address was printed."""
    import webbrowser

    webbrowser.open(address)


def _listener(port: int) -> HTTPServer:
    """Waits for the browser on loopback, and hands over the query it comes back with."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            good = where.path == "/callback"
            if good:
                self.server.came_back = dict(parse_qsl(where.query))  # type: ignore[attr-defined]
            self.send_response(200 if good else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(_DONE if good else b"")

        def log_message(self, *_arguments: Any) -> None:
            pass

    return HTTPServer(("127.0.0.1", port), Handler)


def _returned(listener: HTTPServer, state: str) -> dict[str, str]:
    """What the browser brought back for this state; whatever else comes to the port is passed over."""
    until = time.monotonic() + PATIENCE_SECONDS
    listener.timeout = 1.0
    while time.monotonic() < until:
        listener.handle_request()
        back: dict[str, str] = getattr(listener, "came_back", {})
        if back.get("state") == state:
            return back
    raise SignInRefused("the browser did not come back in time")


def _pasted() -> dict[str, str]:
    say("when the browser cannot open the last page, paste that page's address here:")
    return dict(parse_qsl(urlsplit(sys.stdin.readline().strip()).query))
