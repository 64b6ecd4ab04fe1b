"""Google's clients may give their key in the query. It is moved to a header, and stands in no path from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from freehold.gateway.inbound import Inbound

GOOGLES = (b"/v1beta/", b"/v1/models")
"""Paths at which a key may stand in the query."""
HEADER = b"x-goog-api-key"


def take_key(inbound: Inbound) -> None:
    """Take the key off the query; a header that names one wins."""
    path, _, query = inbound.url.partition(b"?")
    if b"key=" not in query:
        return
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    keys = [value for name, value in pairs if name == "key"]
    rest = urlencode([one for one in pairs if one[0] != "key"]).encode("latin-1", "replace")
    inbound.url = path + b"?" + rest if rest else path
    if keys:
        inbound.headers.setdefault(HEADER, keys[0].encode("utf-8", "replace"))
