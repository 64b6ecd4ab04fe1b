"""Forms as browsers send them without scripts: `application/x-www-form-urlencoded`, bounded by the rim."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from freehold.core.errors import BadRequest
from freehold.server.console.page import Fields

MOST_FIELDS = 500


async def fields_of(request: Request) -> Fields:
    """The fields of a request's body. Raises BadRequest."""
    try:
        text = (await request.body()).decode()
        return Fields(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise BadRequest("this is no form", hint=f"send at most {MOST_FIELDS} urlencoded fields") from None


def query_of(request: Request) -> Fields:
    """The fields of a request's address. Raises BadRequest."""
    try:
        return Fields(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise BadRequest("this address has too many fields") from None
