"""The tables [identity] and [identity.oidc]: who may sign in, and as what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.section import Port, Secret, Section
from freehold.identity.roles import ROLES


def _role(value: str) -> str:
    if value not in ROLES:
        told = {"name": repr(value), "roles": ", ".join(ROLES)}
        raise PydanticCustomError("role", "{name} is no role: use one of {roles}", told)
    return value


RoleName = Annotated[str, AfterValidator(_role), Field(json_schema_extra={"enum": list(ROLES)})]


class OidcSettings(Section):
    """The issuer at which people sign in (OpenID Connect)."""

    issuer: str = Field(description="Its address, exactly as its tokens have it; https, or http on this machine.")
    client_id: str = Field(min_length=1, description="What this instance is called there.")
    client_secret: Secret = Field("", description="Reference to its secret; empty for a public client.")
    origins: tuple[str, ...] = Field((), description="Other origins of the issuer's endpoints, as https://HOST.")
    tls_ca: str = Field("", description="PEM file of the certificates that the issuer's must chain to.")
    scopes: tuple[str, ...] = Field(("openid", "email", "profile"), description="What is asked for at sign-in.")
    groups_claim: str = Field("groups", description="Claim of the ID token that lists a person's groups.")
    groups_from: Literal["claims", "scim"] = Field("claims", description="Whose word on groups counts.")
    roles: dict[str, RoleName] = Field(
        default_factory=dict, description="Role by group; of several the first of owner, operator, auditor, ..."
    )
    default_role: RoleName | Literal[""] = Field("", description="Role of who has no group with one; empty refuses.")
    allowed_domains: tuple[str, ...] = Field((), description="Domains of verified e-mail addresses; empty allows all.")
    clock_skew: float = Field(60.0, ge=0, le=300, description="Seconds by which the issuer's clock may differ.")
    redirect_port: Port = Field(0, description="Loopback port that sign-ins return to; 0 takes a free one.")


class IdentitySettings(Section):
    """People of the management API."""

    oidc: OidcSettings | None = Field(None, description="The issuer; without it nobody signs in.")
    session_hours: float = Field(8.0, gt=0, le=168, description="How long a sign-in lasts.")
    break_glass_minutes: float = Field(60.0, gt=0, le=1440, description="Most minutes a break-glass may last.")
    scim_token: Secret = Field("", description="Reference to the bearer token of /scim/v2; empty closes it.")
