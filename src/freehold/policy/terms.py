"""Who lets their models' answers be used for what: dated rows in our own words, each with where to read it.

Not legal advice; a signed contract wins, by an override in `freehold.toml`. What is of low certainty, or has no row,
counts as not allowed. A vendor is the offering that is called, not the maker of the model.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

Purpose = Literal["evaluate", "train_classifier", "train_generative"]
"""Comparing answers; training a model that only chooses among labels; training a model that writes."""
PURPOSES: tuple[Purpose, ...] = ("evaluate", "train_classifier", "train_generative")
Certainty = Literal["high", "medium", "low"]

STALE_DAYS = 180
"""A row not read again for longer must not be released."""


class Term(msgspec.Struct, frozen=True):
    """What one party's terms say about one purpose."""

    party: str
    """An offering (`openai-api`), or the licence of an owned model (`licence:Apache-2.0`)."""
    purpose: Purpose
    allowed: bool
    reason: str
    certainty: Certainty
    """high: the party's own page; medium: quoted by others; low: sources disagree, or inferred."""
    source: str
    as_of: str
    """ISO date of the last reading."""


_READ = "2026-11-22"
_OPENAI = "https://openai.com/policies/services-agreement/"
_ANTHROPIC = "https://www.anthropic.com/legal/commercial-terms"
_GEMINI = "https://ai.google.dev/gemini-api/terms"
_VERTEX = "https://cloud.google.com/terms/service-terms"
_AZURE = "https://www.microsoft.com/licensing/terms/product/ForOnlineServices/all"
_AWS = "https://aws.amazon.com/service-terms/"
_MISTRAL = "https://legal.mistral.ai/terms/commercial-terms-of-service"
_COHERE = "https://cohere.com/terms-of-use"
_XAI = "https://x.ai/legal/terms-of-service-enterprise"

_COMPARE = "its terms as quoted restrict rival models, not comparing answers to one's own calls in one's own house"
_RIVAL = "answers may not go into models that compete with the vendor's"
_NARROW = "whether a model for one narrow task competes is open"
_ANY = "its wording against competing products has no exception for classifiers"


def _evaluate(party: str, source: str) -> Term:
    return Term(party, "evaluate", True, _COMPARE, "medium", source, _READ)


def _licence(name: str, source: str) -> tuple[Term, ...]:
    reason = "the licence puts no condition on what the model writes"
    return tuple(Term(f"licence:{name}", purpose, True, reason, "high", source, _READ) for purpose in PURPOSES)


def _conditional(name: str, reason: str, certainty: Certainty, source: str) -> tuple[Term, ...]:
    party = f"licence:{name}"
    return (
        Term(party, "evaluate", True, "the licence lets answers be compared", "medium", source, _READ),
        Term(party, "train_classifier", False, reason, certainty, source, _READ),
        Term(party, "train_generative", False, reason, certainty, source, _READ),
    )


TERMS: tuple[Term, ...] = (
    _evaluate("anthropic-api", _ANTHROPIC),
    Term("anthropic-api", "train_classifier", False, f"{_RIVAL}; {_ANY}", "medium", _ANTHROPIC, _READ),
    Term("anthropic-api", "train_generative", False, _RIVAL, "medium", _ANTHROPIC, _READ),
    _evaluate("aws-bedrock", _AWS),
    Term("aws-bedrock", "train_classifier", False, "depends on each model's own licence", "low", _AWS, _READ),
    Term("aws-bedrock", "train_generative", False, "no models that compete with the service", "medium", _AWS, _READ),
    _evaluate("azure-openai", _AZURE),
    Term("azure-openai", "train_classifier", False, "read in two ways by others", "low", _AZURE, _READ),
    Term("azure-openai", "train_generative", False, _RIVAL, "medium", _AZURE, _READ),
    _evaluate("cohere-api", _COHERE),
    Term("cohere-api", "train_classifier", False, f"{_RIVAL}; {_ANY}", "low", _COHERE, _READ),
    Term("cohere-api", "train_generative", False, _RIVAL, "medium", _COHERE, _READ),
    _evaluate("google-gemini-api", _GEMINI),
    Term("google-gemini-api", "train_classifier", False, _NARROW, "low", _GEMINI, _READ),
    Term("google-gemini-api", "train_generative", False, _RIVAL, "medium", _GEMINI, _READ),
    _evaluate("google-vertex", _VERTEX),
    Term("google-vertex", "train_classifier", False, _NARROW, "low", _VERTEX, _READ),
    Term("google-vertex", "train_generative", False, _RIVAL, "medium", _VERTEX, _READ),
    *_licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    *_licence("BSD-3-Clause", "https://opensource.org/license/bsd-3-clause"),
    *_licence("MIT", "https://opensource.org/license/mit"),
    *_conditional(
        "gemma", "models trained on its answers count as its derivatives", "medium", "https://ai.google.dev/gemma/terms"
    ),
    *_conditional("llama2", "answers may not improve other models", "high", "https://ai.meta.com/llama/license/"),
    *_conditional("llama3", "answers may not improve other models", "high", "https://www.llama.com/llama3/license/"),
    *_conditional(
        "llama3.1",
        "allowed only to models whose name begins with Llama",
        "high",
        "https://www.llama.com/llama3_1/license/",
    ),
    _evaluate("mistral-api", _MISTRAL),
    Term("mistral-api", "train_classifier", False, "quoted only in part", "low", _MISTRAL, _READ),
    Term(
        "mistral-api",
        "train_generative",
        False,
        "no using answers to find out or rebuild its models",
        "low",
        _MISTRAL,
        _READ,
    ),
    _evaluate("openai-api", _OPENAI),
    Term(
        "openai-api",
        "train_classifier",
        True,
        "business terms except models that sort or label and are not offered to others",
        "medium",
        _OPENAI,
        _READ,
    ),
    Term("openai-api", "train_generative", False, _RIVAL, "medium", _OPENAI, _READ),
    _evaluate("xai-api", _XAI),
    Term("xai-api", "train_classifier", False, f"{_RIVAL}; {_ANY}", "medium", _XAI, _READ),
    Term("xai-api", "train_generative", False, _RIVAL, "medium", _XAI, _READ),
)


def term(party: str, purpose: Purpose, terms: tuple[Term, ...] = TERMS) -> Term | None:
    """The row of a party for a purpose, None where there is none."""
    return next((one for one in terms if one.party == party and one.purpose == purpose), None)


def stale(today: date, terms: tuple[Term, ...] = TERMS) -> tuple[Term, ...]:
    """Rows last read more than STALE_DAYS before `today`: a person must read them again before a release."""
    return tuple(one for one in terms if (today - date.fromisoformat(one.as_of)).days > STALE_DAYS)
