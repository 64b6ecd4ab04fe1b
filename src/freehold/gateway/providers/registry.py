"""The drivers this gateway has, sorted by name. A driver is added by one line here."""

from __future__ import annotations

from freehold.gateway.ports import Driver
from freehold.gateway.providers.anthropic import AnthropicDriver
from freehold.gateway.providers.bedrock import BedrockDriver
from freehold.gateway.providers.gemini import GeminiDriver
from freehold.gateway.providers.llama_cpp import LlamaCppDriver
from freehold.gateway.providers.mcp import McpDriver
from freehold.gateway.providers.openai import OpenAiDriver

DRIVERS: tuple[Driver, ...] = (
    AnthropicDriver(),
    BedrockDriver(),
    GeminiDriver(),
    LlamaCppDriver(),
    McpDriver(),
    OpenAiDriver(),
)
