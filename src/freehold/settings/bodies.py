"""Where captured bodies lie: in the home's folder, or in an S3-compatible object store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from freehold.core.section import Count, Seconds, Secret, Section
from freehold.settings.environment import resolve_secret

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from freehold.core.crypto import Sealer
    from freehold.ledger.capture import Bodies
    from freehold.ledger.objects.carrier import Carrier
    from freehold.ledger.objects.place import Place
    from freehold.ledger.objects.s3 import S3
    from freehold.settings.tree import Settings

_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._/-]*)?\Z")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?/?\Z|https?://\[[0-9a-f:]+\](?::[0-9]{1,5})?/?\Z")


class BodiesSettings(Section):
    """Where sealed bodies are kept. Read when an instance starts."""

    url: str = Field(
        "", description="`s3://BUCKET/PREFIX` of a bucket without versions; empty for the folder `bodies` in the home."
    )
    endpoint: str = Field("", description="URL of the server, without a path; empty for Amazon's own.")
    region: str = Field("us-east-1", description="Region that requests are signed for.")
    tls_ca: str = Field("", description="PEM file of the authorities its certificate is checked by; empty for usual.")
    access_key: Secret = Field("", description="Reference to the access key; empty for botocore's own places.")
    secret_key: Secret = Field("", description="Reference to the access key's secret.")
    after_seconds: Seconds = Field(
        10.0, description="How long a body stays in the folder first, where it is read without asking the store."
    )
    spool_mb: Count = Field(
        10_240, description="Megabytes that may wait in the folder while the store is away; then no more is kept."
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if url and not _URL.match(url):
            raise PydanticCustomError("object_store", "must read s3://BUCKET/PREFIX")
        return url

    @field_validator("endpoint")
    @classmethod
    def _reached(cls, endpoint: str) -> str:
        if endpoint and not _ENDPOINT.match(endpoint):
            raise PydanticCustomError("object_store", "must read https://HOST:PORT, and hold no user and no path")
        return endpoint.rstrip("/")

    @model_validator(mode="after")
    def _both(self) -> BodiesSettings:
        if bool(self.access_key) != bool(self.secret_key):
            raise PydanticCustomError("object_store", "needs `access_key` and `secret_key`, or neither")
        return self


def place_in(settings: BodiesSettings) -> Place | None:
    """The object store's place; None where bodies lie in the folder."""
    from freehold.ledger.objects.place import place_of

    if not settings.url:
        return None
    authorities = Path(settings.tls_ca) if settings.tls_ca else None
    return place_of(settings.url, settings.endpoint, settings.region, authorities)


def origin_of(settings: BodiesSettings) -> str:
    """The URL of the server that answers for the bucket of a valid `url`.

    Amazon's names for buckets: docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html.
    """
    if settings.endpoint:
        return settings.endpoint
    bucket = settings.url.removeprefix("s3://").partition("/")[0]
    server = "s3" if settings.region == "us-east-1" else f"s3.{settings.region}"
    return f"https://{bucket}.{server}.amazonaws.com"


def store_of(settings: Settings) -> S3 | None:
    """The object store, not asked yet. Raises MissingSecret, NoObjectClient."""
    from freehold.ledger.objects.place import Access
    from freehold.ledger.objects.s3 import S3

    place = place_in(settings.bodies)
    if place is None:
        return None
    return S3(place, Access(resolve_secret(settings.bodies.access_key), resolve_secret(settings.bodies.secret_key)))


def bodies_of(settings: Settings, home: Path, sealer: Sealer) -> Bodies:
    """The bodies of the instance in `home`. Raises MissingSecret, NoObjectClient."""
    from freehold.ledger.capture import Bodies

    return Bodies(home / "bodies", sealer, store_of(settings))


def carrier_of(settings: Settings, home: Path, engine: Engine) -> Carrier | None:
    """What ships them, in the writer; None where they stay in the folder. Raises MissingSecret, NoObjectClient."""
    import time

    from freehold.core.crypto import Sealer
    from freehold.ledger.capture import finish
    from freehold.ledger.objects.carrier import Carrier, Plan

    if not settings.bodies.url:
        return None
    bodies = bodies_of(settings, home, Sealer.load(home / "data.key"))
    plan = Plan(settings.bodies.after_seconds, settings.bodies.spool_mb * 1_000_000)
    return Carrier(bodies, settings.bodies.url, plan, time.time, lambda: finish(engine, bodies))


def bodies_at(config: str | None, home: Path) -> Bodies:
    """The same by the settings in force. Raises InvalidConfig, MissingSecret, NoObjectClient."""
    from freehold.core.crypto import Sealer
    from freehold.settings.last_good import in_force

    return bodies_of(in_force(config, home).settings, home, Sealer.load(home / "data.key"))
