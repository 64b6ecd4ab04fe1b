"""Issuers for sign-in: a real provider in a process of its own, and a hostile one that says whatever a test wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import RSAKey

REDIRECT = "http://127.0.0.1:5/callback"
START_SECONDS = 120.0


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the browser's last address is what a test wants to see."""

    def redirect_request(self, *arguments):
        return None


def browse(address, subject="", action="allow"):
    """Open the authorisation endpoint as a browser of this person would; the query it was sent back with."""
    form = urllib.parse.urlencode({"sub": subject, "action": action}).encode()
    try:
        urllib.request.build_opener(Stay).open(urllib.request.Request(address, form), timeout=20)
    except urllib.error.HTTPError as error:
        if error.code in (302, 303):
            return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(error.headers["location"]).query))
        raise
    raise AssertionError("the issuer sent the browser nowhere")


class Provider:
    """oidc-provider-mock, started as its users start it. Starting it anew gives it a new key."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.people = {}
        self._process = None

    def start(self, *options):
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port), "--require-nonce", "true"]
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5).close()
                break
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, "the provider does not start"
        for subject, claims in self.people.items():
            self.tell(subject, **claims)
        return self

    def stop(self):
        self._process.terminate()
        self._process.wait(20)

    def tell(self, subject, **claims):
        """What the provider is to say of a person from now on."""
        self.people[subject] = claims
        body = json.dumps(claims).encode()
        address = f"{self.issuer}/users/{urllib.parse.quote(subject)}"
        asked = urllib.request.Request(address, body, {"content-type": "application/json"}, method="PUT")
        urllib.request.urlopen(asked, timeout=20).close()


def _digest(text):
    return _plain(hashlib.sha256(text.encode()).digest())


@cache
def _first_key():
    """Making one takes long; no test changes it."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


class Hostile:
    """An issuer whose every word a test may change: metadata, keys, header, claims, the token itself."""

    def __init__(self):
        self.key = _first_key()
        self.keys = [self.key.as_dict(private=False)]
        self.metadata = {}
        self.claims = {}
        self.header = {}
        self.sign = None
        """Makes the token out of header, claims; a plain RS256 signature where it is None."""
        self.asked = []
        self.challenges = {}
        self.now = time.time
        self.issuer = ""

    def token(self, nonce):
        now = int(self.now())
        claims = {"iss": self.issuer, "aud": "freehold", "sub": "eve", "nonce": nonce, "iat": now, "exp": now + 300}
        claims = {name: one for name, one in {**claims, **self.claims}.items() if one is not None}
        header = {"alg": "RS256", "kid": "one", **self.header}
        if self.sign is not None:
            return self.sign(header, claims)
        return jwt.encode(header, claims, self.key, algorithms=[header["alg"]])

    def answer(self, method, path, body, headers):
        self.asked.append((method, path, body, headers))
        where = urllib.parse.urlsplit(path)
        if where.path == "/.well-known/openid-configuration":
            told = {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize"}
            told |= {"token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/jwks"}
            return 200, {**told, **self.metadata}, {}
        if where.path == "/jwks":
            return 200, {"keys": self.keys}, {}
        if where.path == "/authorize":
            query = dict(urllib.parse.parse_qsl(where.query))
            assert query["code_challenge_method"] == "S256"
            code = f"code-{len(self.challenges)}"
            self.challenges[code] = (query["code_challenge"], query["nonce"])
            back = urllib.parse.urlencode({"code": code, "state": query["state"]})
            return 302, {}, {"location": f"{query['redirect_uri']}?{back}"}
        if where.path == "/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            challenge, nonce = self.challenges.pop(form["code"], ("", ""))
            if _digest(form.get("code_verifier", "")) != challenge:
                return 400, {"error": "invalid_grant"}, {}
            return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self.token(nonce)}, {}
        return 404, {}, {}

    @contextmanager
    def serving(self):
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.told("GET", b"")

            def do_POST(self):
                self.told("POST", self.rfile.read(int(self.headers.get("content-length", 0))))

            def told(self, method, body):
                status, value, headers = hostile.answer(method, self.path, body, dict(self.headers))
                raw = json.dumps(value).encode()
                self.send_response(status)
                for name, one in {**headers, "content-length": str(len(raw))}.items():
                    self.send_header(name, one)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *arguments):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.issuer = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def shared_secret(public):
    """A token signed with HMAC whose secret is the issuer's public key: what confuses a careless reader."""

    def sign(header, claims):
        signed = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
        return f"{signed}.{_plain(hmac.digest(public, signed.encode(), 'sha256'))}"

    return sign


def unsigned(header, claims):
    """A token of the algorithm `none`."""
    return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."


def signed_by(private):
    """A token signed by a bare RSA key, however short."""

    def sign(header, claims):
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_plain(private.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    return sign


def _part(value):
    return _plain(json.dumps(value).encode())


def _plain(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
