"""Settings as a bundle tells them: by the types of their fields, never by what they hold.

Numbers, switches and choices go as they are. Of references to secrets only the kind goes, of names what `word` lets
through, and of every other text its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from freehold.assurance.support.words import word
from freehold.core.section import SecretMark

NAMES = frozenset(
    {
        "allow", "clearance", "currency", "deny", "dialects", "guard", "label", "model", "provider", "region",
        "regions", "retention", "route", "routes", "steps", "target", "targets", "team", "teams", "vendor",
    }
)  # fmt: skip
"""Fields whose texts are names: of models, vendors, regions and what the configuration itself declares."""


def told(settings: BaseModel) -> dict[str, object]:
    """The settings without what could be a secret."""
    found: dict[str, object] = {}
    for name, field in type(settings).model_fields.items():
        found[name] = _value(name, getattr(settings, name), field)
    return found


def _value(name: str, value: Any, field: FieldInfo) -> object:
    if any(isinstance(one, SecretMark) for one in field.metadata):
        return _reference(value)
    return _plain(name, value, choice=_is_choice(field.annotation))


def _plain(name: str, value: Any, *, choice: bool) -> object:
    if isinstance(value, BaseModel):
        return told(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if choice else word(value) if name in NAMES else f"({len(value)} characters)" if value else ""
    if isinstance(value, Mapping):
        return {word(str(key)): _plain(name, one, choice=choice) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(name, one, choice=choice) for one in value]
    return str(value) if type(value).__name__ == "Decimal" else f"({type(value).__name__})"


def _reference(value: object) -> str:
    text = str(value or "")
    return "" if not text else "${env:...}" if text.startswith("${env:") else "${file:...}"


def _is_choice(annotation: Any) -> bool:
    """Is it one of a fixed list of texts, or none, or many of those?"""
    if get_origin(annotation) is Literal:
        return True
    inner = [one for one in get_args(annotation) if one is not type(None) and one is not Ellipsis]
    return bool(inner) and get_origin(annotation) is not dict and all(_is_choice(one) for one in inner)
