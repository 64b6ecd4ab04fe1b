"""Which tools of a registered server may be seen and called: its owner's lists, told to targets as quirks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from freehold.gateway.dialects.mcp_answer import with_tools
from freehold.gateway.errors import ToolForbidden
from freehold.policy.targets import Target

MCP = "mcp"
"""Name of the dialect that such servers speak."""
SESSION = b"mcp-session-id"
_PLAIN = re.compile(rb"[\x21-\x7e]{1,1024}")
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


def session_line(headers: Mapping[bytes, bytes]) -> bytes:
    """The header line that tells the caller the server's session; empty where it began none."""
    session = headers.get(SESSION, b"")
    return b"mcp-session-id: %b\r\n" % session if _PLAIN.fullmatch(session) else b""


def shown(target: Target, body: bytes) -> bytes:
    """An answer without the tools that may not be seen. Raises UpstreamLied."""
    return with_tools(body, lambda name: permitted(target, name))
