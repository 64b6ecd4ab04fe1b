"""Which tools of a registered server may be seen and called: its owner's lists, told to targets as quirks. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from freehold.core.errors import BadRequest
from freehold.gateway.dialects.mcp_answer import with_tools
from freehold.gateway.errors import ToolForbidden
from freehold.policy.targets import Target

MCP = "mcp"
"""Name of the dialect that such servers speak."""
SESSION = b"mcp-session-id"
_PLAIN = re.compile(rb"[\x21-\x7e]{1,1024}")
METHOD, TOOL = b"mcp-method", b"mcp-name"
"""Headers that repeat what the message says, for those who lead it on unread."""
_CODED = re.compile(r"=\?base64\?([A-Za-z0-9+/=]*)\?=", re.IGNORECASE)
ALLOW, DENY = "allow:", "deny:"
"""Quirks: patterns of names, as in shells. Without any `allow:` every tool is allowed; `deny:` has the last word."""


def permitted(target: Target, tool: str) -> bool:
    """May this tool be seen and called?"""
    allowed = [one.removeprefix(ALLOW) for one in target.quirks if one.startswith(ALLOW)]
    denied = [one.removeprefix(DENY) for one in target.quirks if one.startswith(DENY)]
    if any(fnmatchcase(tool, one) for one in denied):
        return False
    return not allowed or any(fnmatchcase(tool, one) for one in allowed)


def check_tool(target: Target, tool: str) -> None:
    """Raises ToolForbidden."""
    if not permitted(target, tool):
        raise ToolForbidden(f"the tool {tool[:80]!r} is not let through to {target.name}", param="params.name")


def check_repeated(headers: Mapping[bytes, bytes], tool: str) -> None:
    """Headers may name no other call than the message does. Raises BadRequest."""
    method = headers.get(METHOD, b"").strip().lower()
    named = headers.get(TOOL)
    if not tool and method == b"tools/call":
        raise BadRequest("the header mcp-method names another method than the message", param="mcp-method")
    if tool and named is not None and tool not in _meant(named.strip()):
        raise BadRequest("the header mcp-name names another tool than the message", param="mcp-name")


def _meant(value: bytes) -> tuple[str, ...]:
    """What a header may mean: text that is not plain is sent as `=?base64?...?=`."""
    found = _CODED.fullmatch(value.decode("latin-1"))
    try:
        return (base64.b64decode(found[1], validate=True).decode(),) if found else (value.decode(),)
    except ValueError:
        return ()


def session_line(headers: Mapping[bytes, bytes]) -> bytes:
    """The header line that tells the caller the server's session; empty where it began none."""
    session = headers.get(SESSION, b"")
    return b"mcp-session-id: %b\r\n" % session if _PLAIN.fullmatch(session) else b""


def shown(target: Target, body: bytes) -> bytes:
    """An answer without the tools that may not be seen. Raises UpstreamLied."""
    return with_tools(body, lambda name: permitted(target, name))
