"""The official MCP client through the gateway to a server made with the official SDK, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer

from freehold.gateway.dialects.mcp import Mcp
from freehold.gateway.dialects.mcp_answer import messages, with_tools
from freehold.guard.types import Profile, Rule
from freehold.ledger.meter import Price
from freehold.policy.types import Policy
from tests.gateway import pieces as p
from tests.gateway.instance import Home, Instance, until

MAIL = "ada.lovelace@example.com"
WATCHING = Profile(name="tidy", rules=(Rule(detector="pii", kinds=("EMAIL",), action="redact"),))
PRICE = Price(input=Decimal(0), units=(("call", Decimal("0.01")),), source="test", as_of="2026-11-01")
ERAS = ("legacy", "auto")
asked: list[str] = []
"""Arguments that reached the server."""


def tools() -> MCPServer:
    server = MCPServer("things")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add."""
        asked.append(f"{a}+{b}")
        return a + b

    @server.tool()
    def write(text: str) -> str:
        """Write to somebody."""
        asked.append(text)
        return f"written to {MAIL}"

    @server.tool()
    def drop_table(name: str) -> str:
        """Not to be called."""
        asked.append(name)
        return "gone"

    return server


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = uvicorn.Server(uvicorn.Config(tools().streamable_http_app(), log_level="error", lifespan="on"))
    thread = threading.Thread(target=lambda: asyncio.run(made.serve([listener])), daemon=True)
    thread.start()
    until(lambda: made.started)
    yield listener.getsockname()[1]
    made.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def instance(tmp_path_factory, server) -> Iterator[Instance]:
    def target(name: str, **more: Any) -> Any:
        given = {
            "model": name,
            "path": "/mcp",
            "dialects": ("mcp",),
            "quirks": ("deny:drop_*",),
            "price": PRICE,
            **more,
        }
        return p.target(name, server, driver="mcp", **given)

    names = ("mcp/things", "mcp/tidy", "mcp/narrow", "mcp/open")
    targets = (
        target("mcp/things"),
        target("mcp/tidy"),
        target("mcp/narrow", quirks=("allow:ad?", "allow:write", "deny:write")),
        target("mcp/open", clearance="public"),
    )
    routes = [p.route(one, one, attempts=1, guard="tidy" if one == "mcp/tidy" else "") for one in names]
    keys = p.keys(p.principal(), p.principal("fh-few", name="few", routes=frozenset({"mcp/narrow"})))
    home = Home(tmp_path_factory.mktemp("mcp"), p.routes(targets, *routes), keys, Policy(guards=(WATCHING,)))
    with Instance(home, secret="server-key") as made:
        yield made


def talk(instance: Instance, name: str, era: Any, call: Any, key: str = p.KEY, **headers: str) -> Any:
    """What `call` gives with a client of the server `name`."""

    async def through() -> Any:
        lines = {"authorization": f"Bearer {key}", **headers}
        async with httpx2.AsyncClient(headers=lines, timeout=20) as http:
            transport = streamable_http_client(f"http://127.0.0.1:{instance.port}/mcp/{name}", http_client=http)
            async with Client(transport, mode=era) as client:
                return await call(client)

    try:
        return asyncio.run(through())
    except BaseExceptionGroup as group:
        raise leaf_of(group) from None


def leaf_of(error: BaseException) -> BaseException:
    """What went wrong first, inside the client's groups."""
    return leaf_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def names_of(instance: Instance, name: str, era: str) -> list[str]:
    found = talk(instance, name, era, lambda client: client.list_tools())
    return sorted(one.name for one in found.tools)


def said(result: Any) -> str:
    return "".join(one.text for one in result.content)


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_listed_and_called_and_a_call_is_paid(instance, era):
    assert names_of(instance, "things", era) == ["add", "write"]
    assert names_of(instance, "narrow", era) == ["add"]
    before = len(instance.home.frames())
    result = talk(instance, "things", era, lambda client: client.call_tool("add", {"a": 2, "b": 5}))
    assert said(result) == "7"
    ends = until(lambda: [one for one in instance.home.frames()[before:] if getattr(one, "tried", None)])
    costs = [one.cost for one in ends]
    assert max(costs) == Decimal("0.01") and sum(costs) == Decimal("0.01"), "nothing but the call is paid for"


@pytest.mark.parametrize("era", ERAS)
def test_a_tool_that_is_not_let_through_never_reaches_the_server(instance, era):
    asked.clear()
    with pytest.raises(Exception, match="not let through") as told:
        talk(instance, "things", era, lambda client: client.call_tool("drop_table", {"name": "x"}))
    assert told and asked == []


@pytest.mark.parametrize("era", ERAS)
def test_the_guard_looks_at_arguments_and_at_results(instance, era):
    asked.clear()
    result = talk(instance, "tidy", era, lambda client: client.call_tool("write", {"text": f"to {MAIL}: hello"}))
    assert asked == ["to [EMAIL]: hello"]
    assert said(result) == "written to [EMAIL]"


def test_a_label_keeps_calls_from_servers_that_may_not_take_it(instance):
    asked.clear()
    with pytest.raises(Exception, match="public"):
        talk(instance, "open", "legacy", lambda client: client.list_tools(), **{"x-freehold-label": "confidential"})
    assert asked == []


def test_a_key_reaches_the_servers_of_its_scope_alone(instance):
    assert said(
        talk(instance, "narrow", "legacy", lambda c: c.call_tool("add", {"a": 1, "b": 1}), key="fh-few")
    ) == "2"  # fmt: skip
    with pytest.raises(Exception, match="may not use"):
        talk(instance, "things", "legacy", lambda client: client.list_tools(), key="fh-few")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 400, -32600),
        (b"{}", 400, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"x"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 400, -32600),
        (b"not json", 400, -32600),
    ],
)
def test_what_is_no_message_is_refused_in_its_own_form(instance, body, status, code):
    with instance.client() as client:
        client.send(p.request("/mcp/things", body))
        found = client.read("POST")
    told = json.loads(found.body)
    assert (found.status, told["jsonrpc"], told["id"], told["error"]["code"]) == (status, "2.0", None, code)
    assert told["error"]["data"]["hint"]


CALL = '"jsonrpc":"2.0","id":1,"method":"tools/call"'
DROP, ADD = '{"name":"drop_table","arguments":{"name":"x"}}', '{"name":"add","arguments":{"a":1,"b":1}}'


@pytest.mark.parametrize(
    "body",
    [
        f'{{{CALL},"params":{DROP},"method":"ping"}}',
        f'{{{CALL},"params":{DROP},"params":{ADD}}}',
        f'{{{CALL},"params":{DROP},"par\\u0061ms":{ADD}}}',
        f'{{{CALL},"params":{{"name":"drop_table","arguments":{{}},"n\\u0061me":"add"}}}}',
        f'{{{CALL},"params":{{"name":"add","arguments":{{}},"Name":"drop_table"}}}}',
        f'{{{CALL},"params":{ADD},"param\u017f":{DROP}}}',
        f'{{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{DROP}}}',
    ],
)
def test_a_message_that_readers_may_take_for_another_is_refused(instance, body):
    asked.clear()
    with instance.client() as client:
        client.send(p.request("/mcp/things", body.encode()))
        found = client.read("POST")
    assert (found.status, json.loads(found.body)["error"]["code"], asked) == (400, -32600, [])


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (f'{{{CALL},"params":{ADD}}}', ("mcp-method: tools/call", "mcp-name: drop_table")),
        (f'{{{CALL},"params":{ADD}}}', ("mcp-name: =?base64?ZHJvcF90YWJsZQ==?=",)),
        ('{"jsonrpc":"2.0","id":1,"method":"ping"}', ("mcp-method: tools/call", "mcp-name: drop_table")),
    ],
)
def test_headers_name_no_other_call_than_the_message(instance, body, lines):
    asked.clear()
    with instance.client() as client:
        client.send(p.request("/mcp/things", body.encode(), *lines))
        found = client.read("POST")
    assert (found.status, asked) == (400, []) and b"the header mcp-" in found.body


def test_a_list_told_in_lines_that_end_otherwise_is_filtered_too():
    told = b'data: {"jsonrpc":"2.0","id":1,"result":\rdata: {"tools":[{"name":"a"},{"name":"b"}]}}\r\r'
    assert b'"a"' not in with_tools(told, lambda name: name == "b")


def test_a_server_that_is_not_registered_and_other_methods(instance):
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    with instance.client() as client:
        client.send(p.request("/mcp/nobody", message))
        assert client.read("POST").status == 404
    with instance.client() as client:
        client.send(f"GET /mcp/things HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {p.KEY}\r\n\r\n".encode())
        found = client.read("GET")
        assert (found.status, found.headers["allow"]) == (405, "POST")


def test_a_placed_message_leaves_as_it_came():
    dialect = Mcp()
    for body in (b'{"jsonrpc":"2.0","id":1,"method":"ping","model":"theirs"}', b'{ "jsonrpc" : "2.0" }'):
        placed = dialect.in_path.place("/mcp/things", body)
        peek = dialect.peek(placed)
        assert (peek.model, peek.tool) == ("mcp/things", "")
        assert dialect.with_model(placed, peek, "", add_usage=False) == body
    assert dialect.in_path.place("/mcp/a/b", b"{}") is None


@pytest.mark.parametrize("form", ["{}", "event: message\ndata: {}\n\n", ": hello\r\n\r\nid: 1\r\ndata: {}\r\n\r\n"])
def test_lists_are_filtered_in_either_form_and_all_else_stays(form):
    told = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}, {"name": "b"}], "nextCursor": "x"}}
    body = form.replace("{}", json.dumps(told)).encode()
    (found,) = messages(with_tools(body, lambda name: name == "b"))
    assert found["result"] == {"tools": [{"name": "b"}], "nextCursor": "x"}
    assert with_tools(body, lambda name: True) == body
