"""Domain structs as answers of the management API: encoded by msgspec, described in the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Response

_REF = "#/components/schemas/{name}"


def answer(value: object) -> Response:
    """A struct, or a list of structs, as JSON; money as strings, exactly."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


def described(form: Any) -> dict[int | str, dict[str, Any]]:
    """What an endpoint that answers with `form` says in the OpenAPI document."""
    (schema,), _ = msgspec.json.schema_components([form], ref_template=_REF)
    return {200: {"description": "OK", "content": {"application/json": {"schema": schema}}}}


def components(forms: tuple[Any, ...]) -> dict[str, Any]:
    """The schemas that `described` refers to."""
    _, found = msgspec.json.schema_components(forms, ref_template=_REF)
    return found
