"""Where bodies lie beside the folder: a bucket of an S3-compatible store, and what a store must be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

SCHEME = "s3://"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a bucket, and how it is reached."""

    bucket: str
    prefix: str = ""
    """What all names begin with, ending in `/`; empty for the whole bucket."""
    endpoint: str = ""
    """URL of the server; empty for Amazon's own."""
    region: str = "us-east-1"
    authorities: Path | None = None
    """A PEM file of the authorities that vouch for the server; None for those botocore brings."""

    @property
    def url(self) -> str:
        """What names the place, without how it is reached."""
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")


class Access(msgspec.Struct, frozen=True):
    """Who asks: an access key with its secret. Both empty: botocore looks where it always does."""

    key: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        """Without the secret, since values are printed when something fails."""
        return f"Access({self.key[:4]}...)"


def place_of(url: str, endpoint: str, region: str, authorities: Path | None = None) -> Place:
    """`s3://BUCKET/PREFIX` as a place."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    return Place(
        bucket=bucket,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=endpoint,
        region=region,
        authorities=authorities,
    )


class Objects(Protocol):
    """What bodies need of a store. Everything raises StoreAway where it does not answer, or refuses."""

    @property
    def url(self) -> str:
        """What names it."""

    def put(self, name: str, data: bytes) -> bytes | None:
        """Keep an object, unless one of that name is there: then that one's bytes, and nothing is changed.

        None says that exactly these bytes are kept: the store has confirmed their digest.
        """

    def get(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""

    def delete(self, name: str) -> None:
        """Remove an object with every version of it. It may be gone already."""

    def names(self) -> Iterator[str]:
        """Every object's name, without the prefix."""
