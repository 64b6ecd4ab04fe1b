"""Who answered, as `policy/terms.py` names offerings, from what a log says of provider, host or model.

A model's name alone is taken as its maker's own offering: where it was resold, `--vendor` says so.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from freehold.core.errors import BadRequest
from freehold.policy.terms import TERMS

_PROVIDERS: tuple[tuple[str, str], ...] = (
    ("anthropic", "anthropic-api"),
    ("azure", "azure-openai"),
    ("az.ai.openai", "azure-openai"),
    ("az.ai.inference", "azure-ai"),
    ("aws.bedrock", "aws-bedrock"),
    ("aws_bedrock", "aws-bedrock"),
    ("bedrock", "aws-bedrock"),
    ("claude", "anthropic-api"),
    ("cohere", "cohere-api"),
    ("deepseek", "deepseek-api"),
    ("gcp.gemini", "google-gemini-api"),
    ("gcp.vertex_ai", "google-vertex"),
    ("gemini", "google-gemini-api"),
    ("google", "google-gemini-api"),
    ("google_genai", "google-gemini-api"),
    ("google_vertexai", "google-vertex"),
    ("groq", "groq-api"),
    ("mistral", "mistral-api"),
    ("mistral_ai", "mistral-api"),
    ("mistralai", "mistral-api"),
    ("openai", "openai-api"),
    ("openrouter", "openrouter-api"),
    ("together", "together-api"),
    ("together_ai", "together-api"),
    ("vertex_ai", "google-vertex"),
    ("x_ai", "xai-api"),
    ("xai", "xai-api"),
)
_HOSTS: tuple[tuple[str, str], ...] = (
    ("api.anthropic.com", "anthropic-api"),
    ("api.openai.com", "openai-api"),
    ("openai.azure.com", "azure-openai"),
    ("amazonaws.com", "aws-bedrock"),
    ("generativelanguage.googleapis.com", "google-gemini-api"),
    ("aiplatform.googleapis.com", "google-vertex"),
    ("api.mistral.ai", "mistral-api"),
    ("api.cohere", "cohere-api"),
    ("api.x.ai", "xai-api"),
    ("api.deepseek.com", "deepseek-api"),
    ("openrouter.ai", "openrouter-api"),
    ("api.together", "together-api"),
    ("api.groq.com", "groq-api"),
)
_MODELS: tuple[tuple[str, str], ...] = (
    ("chatgpt-", "openai-api"),
    ("claude-", "anthropic-api"),
    ("command-", "cohere-api"),
    ("ft:gpt-", "openai-api"),
    ("gemini-", "google-gemini-api"),
    ("gpt-3", "openai-api"),
    ("gpt-4", "openai-api"),
    ("gpt-5", "openai-api"),
    ("grok-", "xai-api"),
    ("o1", "openai-api"),
    ("o3", "openai-api"),
    ("o4-", "openai-api"),
)
_BY_PROVIDER = dict(_PROVIDERS)
OFFERINGS = tuple(sorted({*(name for _, name in (*_PROVIDERS, *_HOSTS, *_MODELS)), *(one.party for one in TERMS)}))
"""Every offering that a log can be of, and every party that terms are known of."""
OWN = re.compile(r"own:[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""A party of a contract of the owner's: what it allows stands in `[[rights.overrides]]`, else it allows nothing."""


def offering(name: str, own: Collection[str] = ()) -> str:
    """The name, where it is a known offering, one in `own`, or of the form `own:NAME`; empty stays empty.

    Raises BadRequest for any other: a name nobody knows has no terms, and a typo would decide about rights.
    """
    if not name or name in OFFERINGS or name in own or OWN.match(name):
        return name
    near = difflib.get_close_matches(name, [*OFFERINGS, *own], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    known = ", ".join(one for one in (*OFFERINGS, *sorted(own)) if not one.startswith("licence:"))
    hint = f"{meant}known are {known}; for a party of a contract of your own say own:NAME"
    raise BadRequest(f"nobody knows the vendor {name[:80]!r}", hint=hint, param="vendor")


def vendor_of(provider: str = "", model: str = "", url: str = "") -> str:
    """The offering; empty where none of the three tells."""
    found = _BY_PROVIDER.get(provider.strip().lower().replace(" ", "_"))
    if found:
        return found
    for host, name in _HOSTS:
        if host in url:
            return name
    head, slash, tail = model.lower().partition("/")
    if slash and head in _BY_PROVIDER:
        return _BY_PROVIDER[head]
    bare = tail if slash else head
    return next((name for prefix, name in _MODELS if bare.startswith(prefix)), "")
