"""An S3-compatible store, by botocore (the extra `s3`): it signs each request and retries nothing by itself.

Safe for threads. What it is asked to keep is ciphertext already.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from freehold.core.crypto import sha256
from freehold.ledger.errors import NoObjectClient, StoreAway
from freehold.ledger.objects.place import Access, Place

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_CONNECTIONS = 16
_GONE = ("NoSuchKey", "NotFound", "404")
_TAKEN = ("PreconditionFailed", "412")


class S3:
    """One bucket's part, see `Place`."""

    def __init__(self, place: Place, access: Access) -> None:
        """Raises NoObjectClient where botocore is not installed."""
        if find_spec("botocore") is None:
            raise NoObjectClient("bodies are to lie in an object store, and nothing here can ask it")
        self._place = place
        self._access = access
        self._made: Any = None

    @property
    def url(self) -> str:
        """What names it."""
        return self._place.url

    def put(self, name: str, data: bytes) -> bytes | None:
        """Keep an object unless one of that name is there: then that one's bytes. Raises StoreAway."""
        digest = base64.b64encode(sha256(data)).decode()
        what: dict[str, Any] = {"Body": data, "ChecksumSHA256": digest, "ContentType": "application/octet-stream"}
        try:
            told = self._ask("put_object", name, IfNoneMatch="*", **what)
        except _Answered as answer:
            if answer.code not in _TAKEN:
                raise self._away(answer) from None
            there = self.get(name)
            if there is None:
                raise StoreAway(f"{self.url} has an object and does not show it") from None
            return None if there == data else there
        etag = str(told.get("ETag", "")).strip('"')
        known = told.get("ChecksumSHA256") == digest or etag == hashlib.md5(data, usedforsecurity=False).hexdigest()
        # A store that seals with keys of its own gives tags that say nothing of the bytes: then they are read again.
        if not known and self.get(name) != data:
            raise StoreAway(f"{self.url} took an object and gives back another")
        return None

    def get(self, name: str) -> bytes | None:
        """An object's bytes, None where there is none. Raises StoreAway."""
        try:
            told = self._ask("get_object", name, lambda found: found["Body"].read())
        except _Answered as answer:
            if answer.code in _GONE:
                return None
            raise self._away(answer) from None
        return bytes(told)

    def delete(self, name: str) -> None:
        """Remove an object, in a bucket that keeps versions with all of them. Raises StoreAway."""
        try:
            told = self._ask("delete_object", name)
            if told.get("DeleteMarker") or told.get("VersionId"):
                self._delete_versions(name)
        except _Answered as answer:
            if answer.code not in _GONE:
                raise self._away(answer) from None

    def names(self) -> Iterator[str]:
        """Every object's name, without the prefix. Raises StoreAway."""
        after = ""
        while True:
            try:
                more: dict[str, Any] = {"ContinuationToken": after} if after else {}
                told = self._ask("list_objects_v2", None, Prefix=self._place.prefix, **more)
            except _Answered as answer:
                raise self._away(answer) from None
            for one in told.get("Contents", ()):
                yield one["Key"].removeprefix(self._place.prefix)
            after = told.get("NextContinuationToken", "")
            if not after:
                return

    def _delete_versions(self, name: str) -> None:
        key = self._place.prefix + name
        told = self._ask("list_object_versions", None, Prefix=key)
        for one in (*told.get("Versions", ()), *told.get("DeleteMarkers", ())):
            if one["Key"] == key:
                self._ask("delete_object", name, VersionId=one["VersionId"])

    def _ask(
        self, operation: str, name: str | None, read: Callable[[Mapping[str, Any]], Any] = dict, **more: Any
    ) -> Any:
        """One request. Raises StoreAway where nothing answers, _Answered where the answer is an error."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        key = {} if name is None else {"Key": self._place.prefix + name}
        try:
            return read(getattr(self._client(), operation)(Bucket=self._place.bucket, **key, **more))
        except ClientError as error:
            raise _Answered(error.response) from None
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StoreAway(f"{self.url} does not answer: {type(error).__name__}") from None

    def _away(self, answer: _Answered) -> StoreAway:
        return StoreAway(f"{self.url} answered {answer.status} {answer.code}")

    def _client(self) -> Any:
        if self._made is None:
            import botocore.session
            from botocore.config import Config

            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=_CONNECTIONS,
                retries={"total_max_attempts": 1},
                signature_version="s3v4",
                ignore_configured_endpoint_urls=True,
                # Servers of one's own have no name for each bucket.
                s3={"addressing_style": "path" if self._place.endpoint else "auto"},
            )
            more = {"aws_access_key_id": self._access.key, "aws_secret_access_key": self._access.secret}
            self._made = botocore.session.Session().create_client(
                "s3",
                region_name=self._place.region,
                endpoint_url=self._place.endpoint or None,
                verify=str(self._place.authorities) if self._place.authorities else None,
                config=config,
                **(more if self._access.key else {}),
            )
        return self._made


class _Answered(Exception):  # an answer, turned into an error of ours or into a value
    """The store's answer is an error: its HTTP status and its word for it."""

    def __init__(self, response: Any) -> None:
        self.status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        self.code = str(response.get("Error", {}).get("Code", ""))
        super().__init__(self.code)
