"""Asking the issuer: over TLS that is verified, at the origins that were named, and nowhere else."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme

from freehold.identity.errors import IssuerFailed
from freehold.identity.oidc.fetch import MOST_BYTES, Asked, Fetcher, origin_of

HOST = "localhost"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@contextmanager
def serving(certificate, status=200, body=b"{}", headers=()):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            for name, value in (*headers, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    class Server(HTTPServer):
        def handle_error(self, request, client_address):
            """A handshake the client broke off is what some of these tests want."""

    with Server((HOST, 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://{HOST}:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def ask(url, trusted="", *origins):
    return Fetcher(frozenset(map(origin_of, origins or [url])), trusted)(Asked(f"{url}/keys"))


def test_a_certificate_of_the_named_authority_is_believed(authority, trusted):
    with serving(authority.issue_cert(HOST)) as (url, _):
        assert ask(url, trusted) == b"{}"


def test_any_other_certificate_is_not_and_nothing_is_sent(authority, trusted):
    for certificate, ca in ((authority.issue_cert(HOST), ""), (authority.issue_cert("elsewhere.example"), trusted)):
        with serving(certificate) as (url, asked):
            with pytest.raises(IssuerFailed, match="TLS to https://localhost"):
                ask(url, ca)
            assert asked == []


def test_an_origin_that_nobody_named_is_not_asked():
    with serving(None) as (url, asked), pytest.raises(IssuerFailed, match="is not the issuer's"):
        ask(url, "", "http://localhost:1")
    assert asked == []


def test_a_redirect_is_not_followed():
    with (
        serving(None) as (other, asked),
        serving(None, 302, headers=[("location", f"{other}/keys")]) as (url, _),
        pytest.raises(IssuerFailed, match="answered 302"),
    ):
        ask(url, "", url, other)
    assert asked == []


def test_a_refusal_is_told_by_its_word_alone():
    told = b'{"error": "invalid_grant", "error_description": "code abc"}'
    with serving(None, 400, told) as (url, _), pytest.raises(IssuerFailed) as caught:
        ask(url)
    assert "invalid_grant" in caught.value.message and "abc" not in caught.value.message
    with serving(None, 400, b'{"error": "Abc 123"}') as (url, _), pytest.raises(IssuerFailed) as caught:
        ask(url)
    assert "Abc" not in caught.value.message


def test_an_endless_answer_is_not_read():
    with serving(None, body=b"x" * (MOST_BYTES + 1)) as (url, _), pytest.raises(IssuerFailed, match="more than"):
        ask(url)


def test_an_authority_that_is_not_there_is_said(tmp_path):
    with pytest.raises(IssuerFailed, match="tls_ca"):
        ask("https://localhost:1", str(tmp_path / "none.pem"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "https://u:p@h/", "https://", "https://h:x/", "h"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(IssuerFailed):
        origin_of(url)


def test_origins_have_one_spelling():
    assert origin_of("https://ID.example/x?y") == origin_of("https://id.example:443") == "https://id.example:443"
