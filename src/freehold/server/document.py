"""What the OpenAPI document says beyond what is read off the endpoints: who may ask, and how errors look."""

from __future__ import annotations

from typing import Any

SCHEME = "token"
ERROR = "Error"
_ERRORS = {
    "description": "Refused: code, message and fix.",
    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ERROR}"}}},
}
_FORM = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string", "description": "`FH-...`, as in the error reference."},
                "message": {"type": "string", "description": "What happened."},
                "hint": {"type": "string", "description": "What to do about it."},
            },
        }
    },
}
OPEN_TO_ALL = ("/api/login", "/api/login/finish", "/health")
_METHODS = ("delete", "get", "patch", "post", "put")


def complete(document: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The document with our own schemas, the token, our one form of errors, and summaries that say something."""
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {}).update({**schemas, ERROR: _FORM})
    for unused in ("HTTPValidationError", "ValidationError"):  # errors of that form are never sent
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                _operation(methods[method], token=path not in OPEN_TO_ALL)
    return document


def _operation(operation: dict[str, Any], *, token: bool) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = _ERRORS
    operation["summary"] = operation.get("description", operation["summary"]).split(".")[0]
    if token:
        operation["security"] = [{SCHEME: []}]
