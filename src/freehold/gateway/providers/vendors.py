"""Vendors as rows: address, driver, dialects, and what is particular; each with where to read it and since when.

Addresses and key names were compared with public pages on the row's date; quirks are cautious: they cost nothing
where they are not needed. A region is stated only where a policy may lean on it: elsewhere the owner writes what the
contract says.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Batching(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a vendor's own batches."""

    form: str
    """How they are spoken of: a name of `gateway/vendor_batches.py`."""
    share: Decimal
    """Of the ordinary price that a line costs."""
    source: str
    as_of: str


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a vendor's API; nothing here is a secret or a promise."""

    name: str
    base_url: str
    """Up to and with the API's base path; empty where each owner has an address of its own: `note` says its form."""
    driver: str = "openai"
    dialects: tuple[str, ...] = ("openai_chat",)
    key_env: str
    """Environment variable its own documentation uses for the key; empty where it wants none."""
    region: str = "unknown"
    """Where calls are served; `unknown` unless the vendor's terms name one place for everybody."""
    note: str = ""
    """What the owner should know before stating a region."""
    quirks: tuple[str, ...] = ()
    offering: str = ""
    """What its API is called where facts and terms are told of it; empty where nothing is."""
    batching: Batching | None = None
    """Its own batches, where Freehold can pass lines to them."""
    source: str
    """The vendor's own page."""
    as_of: str
    """ISO date of the row's last check."""


_CHAT = ("openai_chat",)
_BOTH = ("openai_chat", "openai_embeddings")
_GEMINI = ("gemini", "gemini_count_tokens", "gemini_embeddings")
_TEXT = ("openai_chat", "openai_completions", "openai_embeddings")
_HEARING = ("openai_transcriptions", "openai_translations")
_SOUND = ("openai_speech", *_HEARING)
_RANKING = (*_TEXT, "rerank")
_ALL = (*_TEXT, "openai_responses", "openai_images", "openai_image_edits", "openai_moderations", *_SOUND)

VENDORS: tuple[Vendor, ...] = (
    Vendor(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        driver="anthropic",
        dialects=("anthropic_messages", "anthropic_count_tokens"),
        key_env="ANTHROPIC_API_KEY",
        offering="anthropic-api",
        batching=Batching(
            form="anthropic",
            share=Decimal("0.5"),
            source="https://platform.claude.com/docs/en/build-with-claude/batch-processing",
            as_of="2026-11-22",
        ),
        source="https://platform.claude.com/docs/en/api/overview",
        as_of="2026-11-22",
    ),
    Vendor(
        name="azure",
        base_url="",
        dialects=("openai_chat", "openai_responses", "openai_completions", "openai_embeddings"),
        key_env="AZURE_OPENAI_API_KEY",
        note="base_url is https://RESOURCE.openai.azure.com/openai/v1, and a model is called as its deployment; "
        "older: https://RESOURCE.openai.azure.com/openai/deployments/{model}?api-version=2024-10-21",
        quirks=("api_key",),
        offering="azure-openai",
        source="https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
        as_of="2026-11-22",
    ),
    Vendor(
        name="bedrock",
        base_url="",
        driver="bedrock",
        dialects=("bedrock_converse",),
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        note="base_url is https://bedrock-runtime.REGION.amazonaws.com; inference profiles may leave the region",
        offering="aws-bedrock",
        source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        as_of="2026-11-22",
    ),
    Vendor(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        dialects=("openai_chat", "openai_completions"),
        key_env="CEREBRAS_API_KEY",
        source="https://inference-docs.cerebras.ai/resources/openai",
        as_of="2026-11-22",
    ),
    Vendor(
        name="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        dialects=_BOTH,
        key_env="COHERE_API_KEY",
        quirks=("max_tokens",),
        offering="cohere-api",
        source="https://docs.cohere.com/docs/compatibility-api",
        as_of="2026-11-22",
    ),
    Vendor(
        name="cohere-rerank",
        base_url="https://api.cohere.com/v2",
        dialects=("rerank",),
        key_env="COHERE_API_KEY",
        offering="cohere-api",
        source="https://docs.cohere.com/reference/rerank",
        as_of="2026-11-22",
    ),
    Vendor(
        name="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        dialects=(*_TEXT, "openai_images", *_SOUND),
        key_env="DEEPINFRA_API_KEY",
        source="https://deepinfra.com/docs/openai_api",
        as_of="2026-11-22",
    ),
    Vendor(
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        dialects=_CHAT,
        key_env="DEEPSEEK_API_KEY",
        region="CN",
        note="its privacy policy names China as the place of processing",
        quirks=("max_tokens",),
        source="https://api-docs.deepseek.com/",
        as_of="2026-11-22",
    ),
    Vendor(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        dialects=_TEXT,
        key_env="FIREWORKS_API_KEY",
        source="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        as_of="2026-11-22",
    ),
    Vendor(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        driver="gemini",
        dialects=_GEMINI,
        key_env="GEMINI_API_KEY",
        offering="google-gemini-api",
        source="https://ai.google.dev/api/generate-content",
        as_of="2026-11-22",
    ),
    Vendor(
        name="gemini-openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        dialects=_BOTH,
        key_env="GEMINI_API_KEY",
        offering="google-gemini-api",
        source="https://ai.google.dev/gemini-api/docs/openai",
        as_of="2026-11-22",
    ),
    Vendor(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        dialects=("openai_chat", *_SOUND),
        key_env="GROQ_API_KEY",
        source="https://console.groq.com/docs/openai",
        as_of="2026-11-22",
    ),
    Vendor(
        name="jina",
        base_url="https://api.jina.ai/v1",
        dialects=("openai_embeddings", "rerank"),
        key_env="JINA_API_KEY",
        source="https://api.jina.ai/docs",
        as_of="2026-11-22",
    ),
    Vendor(
        name="llama-server",
        base_url="http://127.0.0.1:8080/v1",
        dialects=_RANKING,
        key_env="LLAMA_API_KEY",
        note="yours, at its default port: say owned = true",
        source="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        as_of="2026-11-22",
    ),
    Vendor(
        name="lm-studio",
        base_url="http://127.0.0.1:1234/v1",
        dialects=_TEXT,
        key_env="",
        note="yours, at its default port: say owned = true",
        source="https://lmstudio.ai/docs/developer/openai-compat",
        as_of="2026-11-22",
    ),
    Vendor(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        dialects=("openai_chat", "openai_embeddings", "openai_moderations", "openai_transcriptions"),
        key_env="MISTRAL_API_KEY",
        note="hosts in the EU by default; state the region once your contract does",
        quirks=("max_tokens", "no_stream_options"),
        offering="mistral-api",
        source="https://docs.mistral.ai/api/",
        as_of="2026-11-22",
    ),
    Vendor(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        dialects=_CHAT,
        key_env="MOONSHOT_API_KEY",
        quirks=("max_tokens",),
        source="https://platform.moonshot.ai/docs",
        as_of="2026-11-22",
    ),
    Vendor(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        dialects=_BOTH,
        key_env="NVIDIA_API_KEY",
        quirks=("max_tokens",),
        source="https://docs.api.nvidia.com/nim/reference/llm-apis",
        as_of="2026-11-22",
    ),
    Vendor(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        dialects=_TEXT,
        key_env="",
        note="yours, at its default port: say owned = true",
        source="https://docs.ollama.com/api/openai-compatibility",
        as_of="2026-11-22",
    ),
    Vendor(
        name="openai",
        base_url="https://api.openai.com/v1",
        dialects=_ALL,
        key_env="OPENAI_API_KEY",
        note="projects with residency use an address of their own, such as https://eu.api.openai.com/v1",
        offering="openai-api",
        batching=Batching(
            form="openai",
            share=Decimal("0.5"),
            source="https://platform.openai.com/docs/guides/batch",
            as_of="2026-11-22",
        ),
        source="https://developers.openai.com/api/reference/overview",
        as_of="2026-11-22",
    ),
    Vendor(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        dialects=("openai_chat", "openai_completions"),
        key_env="OPENROUTER_API_KEY",
        note="passes calls on to other vendors, in their regions and under their terms",
        source="https://openrouter.ai/docs/api-reference/overview",
        as_of="2026-11-22",
    ),
    Vendor(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        dialects=_CHAT,
        key_env="PERPLEXITY_API_KEY",
        quirks=("max_tokens", "no_stream_options"),
        source="https://docs.perplexity.ai/guides/chat-completions-guide",
        as_of="2026-11-22",
    ),
    Vendor(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        dialects=_BOTH,
        key_env="SAMBANOVA_API_KEY",
        quirks=("max_tokens",),
        source="https://docs.sambanova.ai/docs/en/features/openai-compatibility",
        as_of="2026-11-22",
    ),
    Vendor(
        name="scaleway",
        base_url="https://api.scaleway.ai/v1",
        dialects=_BOTH,
        key_env="SCW_SECRET_KEY",
        note="hosts in Paris; state the region once your contract does",
        quirks=("max_tokens",),
        source="https://www.scaleway.com/en/docs/generative-apis/",
        as_of="2026-11-22",
    ),
    Vendor(
        name="sglang",
        base_url="http://127.0.0.1:30000/v1",
        dialects=_RANKING,
        key_env="SGLANG_API_KEY",
        note="yours, at its default port: say owned = true",
        source="https://docs.sglang.io/basic_usage/openai_api.html",
        as_of="2026-11-22",
    ),
    Vendor(
        name="together",
        base_url="https://api.together.xyz/v1",
        dialects=(*_RANKING, "openai_images", *_SOUND),
        key_env="TOGETHER_API_KEY",
        quirks=("max_tokens",),
        source="https://docs.together.ai/docs/openai-api-compatibility",
        as_of="2026-11-22",
    ),
    Vendor(
        name="vertex-gemini",
        base_url="https://aiplatform.googleapis.com/v1/publishers/google",
        driver="gemini",
        dialects=("gemini", "gemini_count_tokens"),
        key_env="GOOGLE_API_KEY",
        offering="google-vertex",
        note="this address takes API keys; with an access token (quirk `bearer`) it is https://LOCATION-aiplatform"
        ".googleapis.com/v1/projects/PROJECT/locations/LOCATION/publishers/google, and calls are served at LOCATION",
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        as_of="2026-11-22",
    ),
    Vendor(
        name="vertex-openai",
        base_url="",
        dialects=_CHAT,
        key_env="GOOGLE_ACCESS_TOKEN",
        note="base_url is https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/"
        "endpoints/openapi; the key is an access token, which lasts an hour",
        offering="google-vertex",
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview",
        as_of="2026-11-22",
    ),
    Vendor(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        dialects=(*_RANKING, "openai_responses", *_HEARING),
        key_env="VLLM_API_KEY",
        note="yours, at its default port: say owned = true",
        source="https://docs.vllm.ai/en/stable/serving/online_serving/",
        as_of="2026-11-22",
    ),
    Vendor(
        name="voyage",
        base_url="https://api.voyageai.com/v1",
        dialects=("rerank",),
        key_env="VOYAGE_API_KEY",
        source="https://docs.voyageai.com/reference/reranker-api",
        as_of="2026-11-22",
    ),
    Vendor(
        name="xai",
        base_url="https://api.x.ai/v1",
        dialects=("openai_chat", "openai_images"),
        key_env="XAI_API_KEY",
        offering="xai-api",
        source="https://docs.x.ai/docs/overview",
        as_of="2026-11-22",
    ),
)


def vendor(name: str) -> Vendor | None:
    """The row of a vendor, None where there is none."""
    return next((one for one in VENDORS if one.name == name), None)


def vendor_names() -> tuple[str, ...]:
    """Every vendor known by name, sorted."""
    return tuple(one.name for one in VENDORS)
