"""Addresses of providers and engines as the file has them: safe, or refused in words."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote, urlsplit

from freehold.core.permit import Origin

_QUERY = re.compile(r"api-version=[A-Za-z0-9.-]+")
"""The one query an address may have: it is no place for keys."""


def split_url(url: str) -> tuple[Origin, str]:
    """Origin and base path of a provider's address. Raises ValueError, in words, where it is not safe."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no http or https address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("holds more than scheme, host, port and path")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("is plain http to another machine")
    path = parts.path.rstrip("/")
    if ".." in path or "//" in path or not all("!" <= one <= "~" for one in path):
        raise ValueError("has a path that is not plain")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise ValueError("has a port that is no number up to 65535") from None
    return Origin(parts.scheme, parts.hostname, port), path


def address_of(url: str, model: str) -> tuple[Origin, str, str]:
    """Origin, base path and query of a provider's address for one model: `{model}` in its path stands for its name.

    Raises ValueError, in words, where it is not safe.
    """
    place, mark, query = url.partition("?")
    if mark and not _QUERY.fullmatch(query):
        raise ValueError("has a query other than api-version=...: a key goes into api_key")
    return *split_url(place.replace("{model}", quote(model, safe=""))), mark + query


def server_of(url: str, port: int) -> tuple[str, int] | None:
    """Host and port of a valid URL, `port` where it names none; None where it names no host, or is empty."""
    parts = urlsplit(url)
    return (parts.hostname, parts.port or port) if parts.hostname else None


def is_loopback(host: str) -> bool:
    """True for this machine's own addresses and for `localhost`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
