"""The dialects this gateway speaks, sorted by name. A dialect is added by one line here."""

from __future__ import annotations

from freehold.core.errors import BadConfig
from freehold.gateway.dialects.anthropic_count_tokens import AnthropicCountTokens
from freehold.gateway.dialects.anthropic_messages import AnthropicMessages
from freehold.gateway.dialects.bedrock_converse import BedrockConverse
from freehold.gateway.dialects.gemini import Gemini, GeminiArray
from freehold.gateway.dialects.gemini_count_tokens import GeminiCountTokens
from freehold.gateway.dialects.gemini_embeddings import GeminiEmbeddings
from freehold.gateway.dialects.mcp import Mcp
from freehold.gateway.dialects.openai_chat import OpenAiChat
from freehold.gateway.dialects.openai_completions import OpenAiCompletions
from freehold.gateway.dialects.openai_embeddings import OpenAiEmbeddings
from freehold.gateway.dialects.openai_images import OpenAiImageEdits, OpenAiImages
from freehold.gateway.dialects.openai_moderations import OpenAiModerations
from freehold.gateway.dialects.openai_responses import OpenAiResponses
from freehold.gateway.dialects.openai_speech import OpenAiSpeech
from freehold.gateway.dialects.openai_transcriptions import OpenAiTranscriptions, OpenAiTranslations
from freehold.gateway.dialects.rerank import Rerank
from freehold.gateway.ports import Dialect

DIALECTS: tuple[Dialect, ...] = (
    AnthropicCountTokens(),
    AnthropicMessages(),
    BedrockConverse(),
    Gemini(),
    GeminiArray(),
    GeminiCountTokens(),
    GeminiEmbeddings(),
    Mcp(),
    OpenAiChat(),
    OpenAiCompletions(),
    OpenAiEmbeddings(),
    OpenAiImageEdits(),
    OpenAiImages(),
    OpenAiModerations(),
    OpenAiResponses(),
    OpenAiSpeech(),
    OpenAiTranscriptions(),
    OpenAiTranslations(),
    Rerank(),
)

_BY_NAME = {one.name: one for one in DIALECTS}


def dialect(name: str) -> Dialect:
    """The dialect of that name. Raises BadConfig where there is none."""
    found = _BY_NAME.get(name)
    if found is None:
        raise BadConfig(f"there is no dialect '{name}'", hint=f"use one of: {', '.join(sorted(_BY_NAME))}")
    return found
