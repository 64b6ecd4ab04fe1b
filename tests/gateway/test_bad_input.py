"""What callers get wrong, over real sockets: the right error in their dialect, with its headers, settled and written
down; and what must not leak does not.
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from freehold.ledger.frames import Refused
from freehold.policy.types import Budget, Policy
from tests.fakes.replies import Reply
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.instance import Instance, until

DIALECTS = ("openai", "anthropic")
PATH = {"openai": p.CHAT, "anthropic": p.MESSAGES}
OWN = {"openai": "gpt", "anthropic": "claude"}


def body(dialect: str, model: str = "", **more) -> bytes:
    make = p.chat_body if dialect == "openai" else p.messages_body
    return make(model or OWN[dialect], **more)


def refused(answer, dialect: str, status: int, code: str) -> dict:
    """The error's JSON, once all that every error must have was seen."""
    assert answer.complete and answer.status == status, answer
    assert answer.headers["x-freehold-error"] == code
    value = json.loads(answer.body)
    error = value["error"]
    if dialect == "openai":
        assert set(value) == {"error"} and set(error) == {"message", "type", "param", "code"}
        assert error["code"] == code
    else:
        assert value["type"] == "error" and set(error) >= {"type", "message"} and code in error["message"]
        assert value["request_id"].startswith("call_")
    assert "hint" in error["message"]
    return error


def id_of(answer, dialect: str) -> str:
    return answer.headers["x-request-id" if dialect == "openai" else "request-id"]


CALLS = {
    # what is sent: (key, body, header lines, status, code)
    "no JSON": (p.KEY, b"{", (), 400, "FH-REQ-002"),
    "no object": (p.KEY, b"[1]", (), 400, "FH-REQ-001"),
    "nothing": (p.KEY, b"", (), 400, "FH-REQ-002"),
    "not UTF-8": (p.KEY, b'{"model":"\xff\xfe"}', (), 400, "FH-REQ-002"),
    "nested without end": (
        p.KEY,
        b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        (),
        400,
        "FH-REQ-002",
    ),
    "no model": (p.KEY, b'{"messages":[],"max_tokens":1}', (), 400, "FH-REQ-001"),
    "model is a number": (p.KEY, b'{"model":7,"messages":[],"max_tokens":1}', (), 400, "FH-REQ-001"),
    "stream is a text": (p.KEY, b'{"model":"gpt","messages":[],"max_tokens":1,"stream":"yes"}', (), 400, "FH-REQ-001"),
    "unknown model": (p.KEY, b'{"model":"gtp","messages":[],"max_tokens":1}', (), 404, "FH-NOT-002"),
    "no key": (None, None, (), 401, "FH-KEY-001"),
    "empty bearer": (None, None, ("authorization: Bearer ",), 401, "FH-KEY-001"),
    "another scheme": (None, None, ("authorization: Basic Zm9v",), 401, "FH-KEY-001"),
    "unknown key": ("fh-planted-wrong-key", None, (), 401, "FH-KEY-002"),
    "revoked key": ("fh-revoked-key", None, (), 401, "FH-KEY-003"),
    "expired key": ("fh-expired-key", None, (), 401, "FH-KEY-004"),
    "unknown label": (p.KEY, None, ("x-freehold-label: topsecret",), 400, "FH-REQ-001"),
    "too sensitive": (p.KEY, None, ("x-freehold-label: restricted",), 403, "FH-POL-002"),
    "restricted key": ("fh-restricted-key", None, (), 403, "FH-POL-002"),
    "endless subject": (p.KEY, None, ("x-freehold-subject: " + "s" * 200,), 400, "FH-REQ-001"),
    "endless workflow": (p.KEY, None, ("x-freehold-workflow: " + "w" * 200,), 400, "FH-REQ-001"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", CALLS)
def test_calls_that_cannot_be_served(served: Instance, dialect: str, what: str) -> None:
    key, data, lines, status, code = CALLS[what]
    data = body(dialect) if data is None else data
    answer = served.ask(p.request(PATH[dialect], data, *lines, key=key))
    error = refused(answer, dialect, status, code)
    end = served.home.end()
    assert isinstance(end, Refused) and (end.status, end.error) == (status, code)
    assert id_of(answer, dialect) == "call_" + end.call.hex()
    assert end.dialect == {"openai": "openai_chat", "anthropic": "anthropic_messages"}[dialect]
    if dialect == "openai":
        kinds = {401: "authentication_error", 403: "permission_error"}
        assert error["type"] == kinds.get(status, "invalid_request_error")
    else:
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
        assert error["type"] == kinds.get(status, "invalid_request_error")
    assert p.PROMPT not in answer.body.decode() and not (key and key in answer.body.decode())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_model_is_told_its_neighbours(served: Instance, dialect: str) -> None:
    answer = served.ask(p.request(PATH[dialect], body(dialect, "claud")))
    assert "did you mean 'claude'" in refused(answer, dialect, 404, "FH-NOT-002")["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_route_out_of_scope_is_refused(served: Instance, dialect: str) -> None:
    answer = served.ask(p.request(PATH[dialect], body(dialect, "gpt"), key="fh-narrow-key"))
    refused(answer, dialect, 403, "FH-POL-003")
    assert served.ask(p.request(PATH[dialect], body(dialect, "claude"), key="fh-narrow-key")).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_limit_is_told_with_its_wait(served: Instance, dialect: str) -> None:
    ask = p.request(PATH[dialect], body(dialect), key="fh-slow-key")
    first = served.ask(ask)
    assert first.status == 200
    answer = served.ask(ask)
    error = refused(answer, dialect, 429, "FH-LIM-002")
    assert 55 <= int(answer.headers["retry-after"]) <= 61
    if dialect == "openai":
        assert error["type"] == "requests" and answer.headers["x-ratelimit-remaining-requests"] == "0"
        assert answer.headers["x-ratelimit-limit-requests"] == first.headers["x-ratelimit-limit-requests"] == "1"
    else:
        assert error["type"] == "rate_limit_error" and answer.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert answer.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_budget_without_its_authority_refuses_rather_than_overspends(served: Instance, dialect: str) -> None:
    with served.client() as client:
        client.send(p.request(PATH[dialect], body(dialect), key="fh-poor-key"))
        until(lambda: served.plane.calls)
        served.skip(3.0)
        answer = client.read("POST")
    refused(answer, dialect, 503, "FH-AVA-002")
    assert served.home.end().error == "FH-AVA-002"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(served: Instance, dialect: str, kind: str) -> None:
    data = p.request(PATH[dialect], body(dialect)).replace(b"application/json", kind.encode(), 1)
    refused(served.ask(data), dialect, 415, "FH-REQ-003")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_however_spelt_is_served(served: Instance, kind: str) -> None:
    assert served.ask(p.request(p.CHAT, body("openai")).replace(b"application/json", kind.encode(), 1)).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_body_too_large_is_refused_in_the_callers_dialect(served: Instance, dialect: str) -> None:
    with served.client() as client:
        head = p.request(PATH[dialect], b"").replace(b"content-length: 0", b"content-length: 99999999")
        client.send(head)
        refused(client.read("POST"), dialect, 413, "FH-BIG-001")
        client.read_to_end()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_method_is_refused_with_the_one_allowed(served: Instance, dialect: str, method: str) -> None:
    data = p.request(PATH[dialect], b"").replace(b"POST", method.encode(), 1)
    answer = served.ask(data, method=method)
    assert answer.status == 405 and answer.headers["allow"] == "POST"
    if method != "HEAD":
        refused(answer, dialect, 405, "FH-REQ-007")


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/chat", "/v1/chat/completions/", "/admin", "/v1/complete", "/../etc/passwd", "/v1/%2e%2e/x"],
)
def test_an_unknown_path_is_told_the_known_ones(served: Instance, path: str) -> None:
    refused(served.ask(p.request(path, b"{}")), "openai", 404, "FH-NOT-003")
    refused(served.ask(p.request(path, b"{}", "anthropic-version: 2023-06-01")), "anthropic", 404, "FH-NOT-003")


def test_aws_clients_read_errors_of_paths_that_are_not_served(served: Instance) -> None:
    answer = served.ask(p.request("/model/gpt/invoke", b"{}"))
    assert answer.status == 404 and answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert "hint: use /v1/chat/completions" in json.loads(answer.body)["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test:80", "169.254.169.254"])
def test_a_host_that_is_not_ours_is_refused(served: Instance, dialect: str, host: str) -> None:
    refused(served.ask(p.request(PATH[dialect], body(dialect), host=host)), dialect, 421, "FH-REQ-006")


@pytest.mark.parametrize("host", ["localhost", f"localhost:{8700}", "127.0.0.1", "[::1]:8700"])
def test_our_own_names_are_served(served: Instance, host: str) -> None:
    assert served.ask(p.request(p.CHAT, body("openai"), host=host)).status == 200


def test_a_key_counts_from_either_header_in_either_dialect(served: Instance) -> None:
    for path, data in ((p.CHAT, body("openai")), (p.MESSAGES, body("anthropic"))):
        for line in (f"x-api-key: {p.KEY}", f"authorization: Bearer {p.KEY}", f"authorization: bearer {p.KEY}"):
            assert served.ask(p.request(path, data, line, key=None)).status == 200


def test_a_new_keys_snapshot_counts_at_once_and_a_bad_one_not_at_all(served: Instance) -> None:
    ask = p.request(p.CHAT, body("openai"))
    assert served.ask(ask).status == 200
    good = (served.home.path / "snapshots" / "keys.snapshot").read_bytes()
    served.reload(keys=p.keys(p.principal(revoked_at=1.0)))
    assert served.ask(ask).status == 401
    (served.home.path / "snapshots" / "keys.snapshot").write_bytes(good)  # an older one, properly signed
    served.do(served.snapshots.check)
    assert served.ask(ask).status == 401
    (served.home.path / "snapshots" / "keys.snapshot").write_bytes(good[:-1] + b"x")
    served.do(served.snapshots.check)
    assert served.ask(ask).status == 401
    assert served.log.getvalue().count("snapshot refused") == 2
    served.reload(keys=p.keys())
    assert served.ask(ask).status == 200


def test_a_signed_snapshot_of_another_form_is_refused_and_the_gateway_lives_on(served: Instance) -> None:
    served.reload(keys={"principals": 7})
    served.reload(routes={"targets": [{"name": 1}]})
    assert served.log.getvalue().count("snapshot refused") == 2
    assert served.ask(p.request(p.CHAT, body("openai"))).status == 200


def test_a_route_to_nowhere_keeps_the_old_table(served: Instance) -> None:
    served.reload(routes=p.routes((), p.route("gpt", "gone")))
    assert "does not exist" in served.log.getvalue()
    assert served.ask(p.request(p.CHAT, body("openai"))).status == 200


def test_budgets_may_change_under_way(served: Instance) -> None:
    served.reload(policy=Policy(budgets=(Budget(id="team/poor", limit=Decimal(9)),)))
    assert served.ask(p.request(p.CHAT, body("openai"))).status == 200


def test_what_is_read_without_a_call(served: Instance) -> None:
    assert served.ask(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", method="GET").status == 200
    ready = served.ask(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n", method="GET")
    assert ready.status == 200 and json.loads(ready.body)["versions"]["keys"] == 1
    assert served.ask(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n", method="GET").status == 401
    line = b"GET /v1/models%b HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %b\r\n%b\r\n"
    narrow = served.ask(line % (b"", b"fh-narrow-key", b""), method="GET")
    assert [one["id"] for one in json.loads(narrow.body)["data"]] == ["claude"]
    anthropic = served.ask(line % (b"", b"fh-narrow-key", b"anthropic-version: 2023-06-01\r\n"), method="GET")
    assert json.loads(anthropic.body)["data"][0]["type"] == "model"
    assert served.ask(line % (b"/gpt", b"fh-narrow-key", b""), method="GET").status == 404
    assert served.ask(line % (b"/claude", b"fh-narrow-key", b""), method="GET").status == 200


# What must not leak

PLANTED = (p.KEY, "fh-planted-wrong-key", "fh-revoked-key", p.PROMPT, "planted answer", "sk-fake-0123456789abcdef")


def test_no_secret_is_in_any_log_line_journal_frame_or_error(served: Instance, fake_openai, fake_anthropic) -> None:
    answers = []
    for vendor, dialect in ((fake_openai, "openai"), (fake_anthropic, "anthropic")):
        vendor.say(Reply(text="planted answer"))
        faults = (
            None,
            Fault("bad_json"),
            Fault("error_inside"),
            Fault("status", status=401),
            Fault("cut"),
            Fault("reset"),
        )
        for fault in faults:
            for stream in (False, True):
                vendor.fail(fault)
                answers.append(served.ask(p.request(PATH[dialect], body(dialect, stream=stream))))
        keys = ("fh-planted-wrong-key", "fh-revoked-key", None)
        answers += [served.ask(p.request(PATH[dialect], body(dialect), key=one)) for one in keys]
        answers.append(served.ask(p.request(PATH[dialect], b'{"model":"' + p.PROMPT.encode() + b'"')))

    known = served.plane.mint._known
    known.update({key: (target, p.Defect(KeyError(p.PROMPT, p.KEY))) for key, (target, _) in known.items()})
    answers.append(served.ask(p.request(p.CHAT, body("openai"))))
    assert answers[-1].status == 500
    log = served.log.getvalue()
    assert "KeyError" in log  # the defect is told, without what it held
    journal = b"".join(one.read_bytes() for one in (served.home.path / "journal").glob("*/*.journal"))
    errors = [one for one in answers if one.status != 200]
    assert len(errors) > 10
    for secret in PLANTED:
        assert secret not in log
        assert secret.encode() not in journal
        assert not any(secret in one.body.decode() or secret in str(one.headers) for one in errors)
