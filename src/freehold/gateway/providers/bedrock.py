"""Amazon Bedrock, by its API key or by signing each request (SigV4, by botocore, which the extra `bedrock` brings).

The credential is the API key, or `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, or that with `:SESSION_TOKEN` after it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec

from msgspec.structs import replace

from freehold.core.errors import UpstreamFailed
from freehold.gateway.messages import Answer, Event, Request, Started
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import failure_of
from freehold.policy.targets import Target

MODEL_ERROR = 424
"""The model behind the API failed, says the vendor: nothing of the caller's."""
REGION = "signing_region:"
"""Quirk: the region to sign for, where the address does not tell it."""

_HOST = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_ACCESS = re.compile(r"(A[A-Z0-9]{15,127}):([^:\s]+)(?::(\S+))?\Z")
_SERVICE = "bedrock"
_TIMESTAMP = "%Y%m%dT%H%M%SZ"


def _name() -> str:
    return f"msg_bdrk_{secrets.token_hex(12)}"


class BedrockSigner:
    """Signs for targets whose credential is an access key; adds nothing for the others."""

    def sign(self, target: Target, secret: str, path: str, body: bytes, now: float) -> list[tuple[str, str]]:
        """Authorisation, time, and the session's token where there is one (AWS Signature Version 4)."""
        access = _ACCESS.match(secret)
        if access is None:
            return []
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        origin = target.origin
        default = {"http": 80, "https": 443}[origin.scheme]
        host = origin.host if origin.port == default else f"{origin.host}:{origin.port}"
        request = AWSRequest("POST", f"{origin.scheme}://{host}{path}", {"content-type": "application/json"}, body)
        request.context["timestamp"] = moment = datetime.fromtimestamp(now, UTC).strftime(_TIMESTAMP)
        signing = SigV4Auth(Credentials(access[1], access[2], access[3]), _SERVICE, region_of(target))
        request.headers["X-Amz-Date"] = moment
        if access[3]:
            request.headers["X-Amz-Security-Token"] = access[3]
        told = signing.string_to_sign(request, signing.canonical_request(request))
        names = signing.signed_headers(signing.headers_to_sign(request))
        signature = signing.signature(told, request)
        parts = (f"Credential={signing.scope(request)}", f"SignedHeaders={names}", f"Signature={signature}")
        found = [("authorization", f"AWS4-HMAC-SHA256 {', '.join(parts)}"), ("x-amz-date", moment)]
        return [*found, ("x-amz-security-token", access[3])] if access[3] else found

    def fault(self, target: Target, secret: str) -> str:
        """What is missing for signing."""
        if _ACCESS.match(secret) is None:
            return ""
        if find_spec("botocore") is None:
            return f"{target.name} has an access key of AWS, and nothing here can sign: pip install 'freehold[bedrock]'"
        if not region_of(target):
            return f"{target.name} has an access key of AWS, and its address names no region: add `{REGION}REGION`"
        return ""


def region_of(target: Target) -> str:
    """The region requests are signed for; empty where nothing tells it."""
    stated = next((one.removeprefix(REGION) for one in target.quirks if one.startswith(REGION)), "")
    found = _HOST.search(target.origin.host + ".")
    return stated or (found[1] if found is not None else "")


class Named:
    """Gives an answer what the vendor tells in a header and a path: an id, and the model's name."""

    def __init__(self, name: str, model: str) -> None:
        self._name = name
        self._model = model

    def answer(self, answer: Answer) -> Answer:
        """A whole answer, named."""
        return replace(answer, id=answer.id or self._name, model=answer.model or self._model)

    def feed(self, events: list[Event]) -> list[Event]:
        """The same in a stream."""
        return [self._started(one) if isinstance(one, Started) else one for one in events]

    def _started(self, one: Started) -> Started:
        return replace(one, id=one.id or self._name, model=one.model or self._model)


class BedrockDriver:
    """The driver `bedrock`; `name` makes ids of answers."""

    name = "bedrock"
    adapts = False

    def __init__(self, name: Callable[[], str] = _name) -> None:
        self.signer: Signer | None = BedrockSigner()
        self._name = name

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """The API key where the credential is one, and the target's own headers."""
        bearer = [("authorization", f"Bearer {secret}")] if secret and _ACCESS.match(secret) is None else []
        return [*bearer, *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Nothing."""
        return frozenset()

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Never: in its own dialect a request goes out as it came in."""
        return False

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """The request as it is; its answer gets a name."""
        return request, Named(self._name(), target.model)

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means; its kind stands in a header."""
        error = failure_of(status, headers, body)
        kind = headers.get(b"x-amzn-errortype", b"").partition(b":")[0].decode("latin-1")[:60]
        if status != MODEL_ERROR:
            return error
        told = f"the target's model failed ({kind})" if kind else "the target's model failed"
        return UpstreamFailed(told, status=status, retry_after=error.retry_after)
