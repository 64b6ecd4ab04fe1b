"""The embedded engine, llama.cpp's server. It serves one model whatever `model` says, and cannot be told to call tools.

Where the target's quirks say so, tools become an instruction and a schema, and come back as calls, in any dialect.
"""

from __future__ import annotations

from collections.abc import Mapping

from freehold.core.errors import NotTranslatable, UpstreamFailed, UpstreamRefused
from freehold.gateway import few_shot
from freehold.gateway.messages import Image, Request, ToolCall, ToolResult
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import failure_of
from freehold.gateway.providers.tool_answers import ToolAnswers
from freehold.gateway.providers.tool_prompts import with_schema, without_tools
from freehold.policy.targets import Target

NO_TOOLS = "no_tools"
"""Quirk: the model's chat template leaves tools out, and the server ignores `tool_choice`."""

_CALLERS_FAULT = (b"is too large to process", b"input is not supported")
"""In answers with status 500 (server-context.cpp): an input above the batch size, an image for a text model."""


class LlamaCppDriver:
    """The driver `llama_cpp`."""

    name = "llama_cpp"
    adapts = True
    signer: Signer | None = None

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """The engine's own secret."""
        return [("authorization", f"Bearer {secret}"), *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Nothing: the engine reads no headers but its secret."""
        return frozenset()

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Where tools are offered to a model that knows none, or examples go before what is asked."""
        return bool(target.examples) or (peek.tools and NO_TOOLS in target.quirks)

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """Examples first, tools as instruction and schema.

        Raises NotTranslatable for images, hosted tools, and logprobs of calls.
        """
        if _has_images(request):
            raise NotTranslatable(f"{target.name} reads text only", param="messages")
        if target.examples:
            request = few_shot.with_examples(request, few_shot.parse(target.examples.encode()).shots)
        if NO_TOOLS not in target.quirks:
            return request, None
        choice = request.tool_choice
        if not request.tools or (choice is not None and choice.kind == "none"):
            speaks = any(isinstance(part, ToolCall | ToolResult) for turn in request.turns for part in turn.parts)
            return (without_tools(request) if request.tools or speaks else request), None
        if request.logprobs:
            raise NotTranslatable(f"{target.name} cannot tell the logprobs of tool calls", param="logprobs")
        return with_schema(request), ToolAnswers(plain=request.format is None, stops=bool(request.stop))

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an error status means; some of the engine's 500s are the caller's own fault."""
        found = failure_of(status, headers, body)
        if status == 500 and any(one in body for one in _CALLERS_FAULT):
            return UpstreamRefused(found.message, status=400, retryable=False)
        return found


def _has_images(request: Request) -> bool:
    for turn in request.turns:
        for part in turn.parts:
            if isinstance(part, Image):
                return True
            if isinstance(part, ToolResult) and any(isinstance(one, Image) for one in part.parts):
                return True
    return False
