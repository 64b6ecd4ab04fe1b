"""The base of every settings model: frozen, with no room for unknown keys.

Only a field typed `Secret` may hold `${env:NAME}` or `${file:PATH}`, and it may hold nothing else.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from freehold.core.errors import BadRequest
from freehold.core.label import parse_label

SECRET = re.compile(r"\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\}\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")


class SecretMark:
    """Stands in the annotation of fields that hold a reference to a secret."""


class Section(BaseModel):
    """One table of `freehold.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_interpolation(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if not any(isinstance(one, SecretMark) for one in field.metadata) and _interpolates(value):
            raise PydanticCustomError("interpolation", "takes no ${...}: it is not a secret")
        return value


def _interpolates(value: Any) -> bool:
    if isinstance(value, str):
        return "${" in value
    return isinstance(value, list) and any(isinstance(one, str) and "${" in one for one in value)


def _reference(value: str) -> str:
    if value and not SECRET.match(value):
        raise PydanticCustomError(
            "interpolation" if "${" in value else "plain_secret",
            "holds ${...} of an unknown form" if "${" in value else "holds a secret in plain text",
        )
    return value


def _label(value: str) -> str:
    try:
        return str(parse_label(value))
    except BadRequest as error:
        raise PydanticCustomError("label", "{why}", {"why": f"{error.message}; {error.hint}"}) from None


def _name(value: str) -> str:
    if not NAME.match(value):
        raise PydanticCustomError("name", "{name} is no name: letters, digits and ._:/- only", {"name": repr(value)})
    return value


def _exact(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise PydanticCustomError("money", "must be a number or a string of digits")
    return value


Secret = Annotated[str, AfterValidator(_reference), SecretMark(), Field(json_schema_extra={"pattern": SECRET.pattern})]
"""`${env:NAME}` or `${file:PATH}`, read when used."""
LabelText = Annotated[str, AfterValidator(_label)]
"""`level` or `level:REGIME,REGIME`."""
OptionalLabel = Annotated[str, AfterValidator(lambda value: _label(value) if value else value)]
"""The same, or empty for none."""
Name = Annotated[str, AfterValidator(_name)]
Money = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0)]
"""US dollars, exactly as written."""
Count = Annotated[int, Field(strict=True, ge=1)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
