"""Secrets taken out of what is recorded: known forms of keys become `[secret:kind]`, before anything is written.

Works on encoded JSON: no form matches a quote, and each looks for a cheap mark first, so plain content costs little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One form of secret. One of `marks` must be there; the pattern's group, if any, is the secret."""

    name: str
    marks: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    folded: bool = False
    """True where case means nothing: then the marks are lower case."""


def _begins(prefix: bytes) -> bytes:
    """`prefix` where no word goes on: what JSON or a URL escaped is no part of a word.

    The prefix comes first, so that the search leaps to it.
    """
    escapes = (rb"\\[bfnrt]", rb"\\u00[0-9A-Fa-f]{2}", rb"%[0-9A-Fa-f]{2}")
    after = b"|".join(b"(?<=" + one + prefix + b")" for one in escapes)
    return prefix + b"(?:(?<![A-Za-z0-9_]" + prefix + b")|" + after + b")"


def _prefixed(name: str, prefix: bytes, rest: bytes) -> Kind:
    return Kind(name, (prefix,), re.compile(_begins(re.escape(prefix)) + rest))


def _folded(name: str, marks: tuple[bytes, ...], pattern: bytes) -> Kind:
    return Kind(name, marks, re.compile(pattern, re.IGNORECASE), folded=True)


_KEY = rb"PRIVATE KEY(?: BLOCK)?-----"
_WORDS = (
    (b"access", b"key"),
    (b"access", b"token"),
    (b"api", b"key"),
    (b"auth", b"token"),
    (b"client", b"secret"),
    (b"refresh", b"token"),
    (b"secret", b"key"),
)
_NAMES = (
    *(first + gap + second for first, second in _WORDS for gap in (b"", b"_", b"-", b" ")),
    *(b"authorization", b"passwd", b"password"),
)

KINDS: tuple[Kind, ...] = (
    Kind(
        "private-key",
        (b"PRIVATE KEY",),
        re.compile(
            rb"-----BEGIN [A-Z ]{0,24}"
            + _KEY
            + rb"(?:(?:(?!-----BEGIN)[^\"\0])*?-----END [A-Z ]{0,24}"
            + _KEY
            + rb"|[\w+/=\\\s]*)"
        ),
    ),
    _prefixed("jwt", b"eyJ", rb"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    Kind("anthropic", (b"sk-ant-",), re.compile(rb"sk-ant-[A-Za-z0-9_-]{8,}")),
    _prefixed("openai", b"sk-", rb"(?=[A-Za-z0-9_-]{0,64}[0-9])[A-Za-z0-9_-]{16,}"),
    *(_prefixed("stripe", one, rb"(?:live|test)_[A-Za-z0-9]{10,}") for one in (b"sk_", b"rk_", b"whsec_")),
    *(_prefixed("aws-key", one, rb"[A-Z0-9]{16}(?![A-Za-z0-9])") for one in (b"AKIA", b"ASIA")),
    _folded("aws-secret", (b"aws",), rb"aws.{0,20}secret.{0,20}[\"'\\\s:=]{1,8}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    *(_prefixed("github", b"gh%c_" % one, rb"[A-Za-z0-9]{20,}") for one in b"pousr"),
    _prefixed("github", b"github_pat_", rb"[A-Za-z0-9_]{20,}"),
    _prefixed("gitlab", b"glpat-", rb"[A-Za-z0-9_-]{16,}"),
    _prefixed("google", b"AIza", rb"[A-Za-z0-9_-]{30,}"),
    _prefixed("google", b"ya29.", rb"[A-Za-z0-9_-]{20,}"),
    _prefixed("slack", b"xox", rb"[abeoprs]-[A-Za-z0-9-]{10,}"),
    _prefixed("slack", b"hooks.slack.com/services/", rb"[A-Za-z0-9/]{20,}"),
    _prefixed("sendgrid", b"SG.", rb"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _prefixed("langsmith", b"lsv2_", rb"[a-z]{2}_[A-Za-z0-9_]{20,}"),
    _prefixed("freehold", b"fh-", rb"[A-Za-z0-9_-]{16,}"),
    *(_prefixed("vendor", one, rb"[A-Za-z0-9]{20,}") for one in (b"gsk_", b"hf_", b"npm_", b"r8_", b"dop_v1_")),
    *(_prefixed("vendor", one, rb"[A-Za-z0-9]{20,}") for one in (b"xai-", b"pplx-")),
    _folded(
        "bearer",
        (b"bearer ", b"basic "),
        rb"(?:bearer|basic)\s{1,4}(?=[A-Za-z0-9._~+/-]{0,200}[0-9])([A-Za-z0-9._~+/-]{16,}=*)",
    ),
    Kind("url-password", (b"://",), re.compile(rb"://[^\s/:@\"'\\\0]{0,64}:([^\s/:@\"'\\\0]{3,128})@")),
    _folded(
        "credential",
        _NAMES,
        rb"(?:" + b"|".join(_NAMES) + rb")(?:\\*[\"'])?\s{0,3}[:=]\s{0,3}(?:\\*[\"'])?"
        rb"(?=[^\s\"'\\,;\0]{0,64}[0-9])([A-Za-z0-9_\-./+~!@#$%^&*=]{6,512})",
    ),
)
"""In the order they are tried: what a narrower form took, a wider one finds no more."""


def redacted(data: bytes) -> bytes:
    """Encoded JSON, or any text, without known forms of secrets. Linear in its length; keeps bytes of zero in place."""
    low = data.lower()
    for kind in KINDS:
        where = low if kind.folded else data
        for mark in kind.marks:
            if mark in where:
                data = kind.pattern.sub(_Replacement(kind.name), data)
                break
    return data


def redacted_all(parts: Sequence[bytes]) -> list[bytes]:
    """Several texts without bytes of zero, for the price of one."""
    return redacted(b"\0".join(parts)).split(b"\0")


def found_in(data: bytes) -> tuple[str, ...]:
    """Kinds of secrets there are."""
    return tuple(sorted({kind.name for kind in KINDS if kind.pattern.search(data)}))


class _Replacement:
    """What stands for a match: its mark, and around it what was not secret."""

    __slots__ = ("_mark",)

    def __init__(self, name: str) -> None:
        self._mark = b"[secret:%b]" % name.encode()

    def __call__(self, found: re.Match[bytes]) -> bytes:
        if not found.re.groups:
            return self._mark
        whole, start, (first, last) = found[0], found.start(), found.span(1)
        return whole[: first - start] + self._mark + whole[last - start :]
