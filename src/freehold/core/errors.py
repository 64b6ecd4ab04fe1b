"""The one error tree. Rooms raise these; only `gateway/dialects` and `server` turn them into HTTP.

FreeholdError
├── BadRequest        the caller's request cannot be understood      FH-REQ-*
├── Unauthenticated   no key, or one that does not count             FH-KEY-*
├── Forbidden         known caller, but policy says no               FH-POL-*
├── NotFound          no such route, key, call or artefact           FH-NOT-*
├── Conflict          the state does not allow it                    FH-CON-*
├── TooLarge          more bytes or tokens than allowed              FH-BIG-*
├── Exhausted         a limit or a budget is used up                 FH-LIM-*
├── UpstreamFailed    a target answered wrongly or not at all        FH-UP-*
├── Unavailable       a part of ours is not ready                    FH-AVA-*
├── BadConfig         freehold.toml or a command's arguments         FH-CFG-*
├── BadArtefact       a file is not what its name or pin says        FH-ART-*
└── Internal          a defect of ours                               FH-INT-*
Each concrete error is a subclass with its own code; its docstring is its entry in the error reference.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar


class FreeholdError(Exception):
    """Base of every error this project raises on purpose.

    `message` says what happened, `hint` names the fix, `param` the field or file at fault,
    `retry_after` the seconds to wait (None where waiting does not help), `reset_at` when a limit resets.
    """

    code: ClassVar[str] = "FH-INT-000"
    hint_text: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        reset_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.hint_text if hint is None else hint
        self.param = param
        self.retry_after = retry_after
        self.reset_at = reset_at

    def as_dict(self) -> dict[str, object]:
        """Code, message and hint (and what else is known) as plain JSON values."""
        found: dict[str, object] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.param is not None:
            found["param"] = self.param
        if self.retry_after is not None:
            found["retry_after_seconds"] = self.retry_after
        if self.reset_at is not None:
            found["reset_at"] = self.reset_at.isoformat()
        return found


class BadRequest(FreeholdError):
    """The request is not valid in its dialect."""

    code = "FH-REQ-001"
    hint_text = "compare the request with the dialect's reference"


class MalformedJson(BadRequest):
    """The body is not JSON."""

    code = "FH-REQ-002"
    hint_text = "send one JSON object encoded as UTF-8"


class WrongContentType(BadRequest):
    """The body is not declared as JSON."""

    code = "FH-REQ-003"
    hint_text = "send content-type: application/json"


class NotTranslatable(BadRequest):
    """The request uses a feature that the target's dialect cannot carry."""

    code = "FH-REQ-004"
    hint_text = "remove the field, or choose a route whose targets speak the caller's dialect"


class BadHttp(BadRequest):
    """The bytes are not HTTP/1.1 as this server accepts it."""

    code = "FH-REQ-005"
    hint_text = "use an HTTP/1.1 client"


class WrongHost(BadRequest):
    """The Host header is not one this instance serves."""

    code = "FH-REQ-006"
    hint_text = "add the name to [gateway] hosts in freehold.toml"


class WrongMethod(BadRequest):
    """The path exists, the method does not."""

    code = "FH-REQ-007"
    hint_text = "use the method named in the allow header"

    def __init__(self, message: str, *, hint: str | None = None, allow: str = "POST") -> None:
        """`allow` names the methods that are served."""
        super().__init__(message, hint=hint)
        self.allow = allow


class Unauthenticated(FreeholdError):
    """No key came with the request."""

    code = "FH-KEY-001"
    hint_text = "send the key as 'Authorization: Bearer fh-...' or as 'x-api-key: fh-...'"


class UnknownKey(Unauthenticated):
    """The key is not one this instance made."""

    code = "FH-KEY-002"
    hint_text = "make one: freehold keys create NAME"


class RevokedKey(Unauthenticated):
    """The key was revoked or rotated away."""

    code = "FH-KEY-003"
    hint_text = "ask for a new key: freehold keys create NAME"


class ExpiredKey(Unauthenticated):
    """The key's time is over."""

    code = "FH-KEY-004"
    hint_text = "rotate it: freehold keys rotate NAME"


class Forbidden(FreeholdError):
    """The caller is known and may not do this."""

    code = "FH-POL-001"
    hint_text = "ask the owner of the key for the right"


class NoPermittedTarget(Forbidden):
    """No target of the route may take content with this label."""

    code = "FH-POL-002"
    hint_text = "see why: freehold routes explain ROUTE --label LABEL"


class RouteNotInScope(Forbidden):
    """The key is not scoped to this route."""

    code = "FH-POL-003"
    hint_text = "widen the key: freehold keys update NAME --route ROUTE"


class EgressRefused(Forbidden):
    """Bytes were about to leave without a permit that covers them."""

    code = "FH-POL-004"
    hint_text = "this is a defect or an attack: send the log line to the operators"


class RightsRefused(Forbidden):
    """Records were to be used for what nobody allowed: training on them, or comparing with them."""

    code = "FH-POL-005"
    hint_text = "use what is allowed, annotate by hand, or write an override: [[rights.overrides]] in freehold.toml"


class NotFound(FreeholdError):
    """There is nothing by that name."""

    code = "FH-NOT-001"
    hint_text = "list what there is with the matching 'list' command"


class UnknownModel(NotFound):
    """`model` names no route."""

    code = "FH-NOT-002"
    hint_text = "list the routes: GET /v1/models, or freehold routes list"


class UnknownPath(NotFound):
    """No endpoint lives at that path."""

    code = "FH-NOT-003"
    hint_text = "use /v1/chat/completions, /v1/responses, /v1/messages, /v1/embeddings, /v1/batches or /v1/models"


class Conflict(FreeholdError):
    """The state of the thing does not allow this."""

    code = "FH-CON-001"
    hint_text = "look at its state first"


class LeaseLost(Conflict):
    """Another worker has taken the job meanwhile: what was done here does not count."""

    code = "FH-CON-002"
    hint_text = "nothing to do: the other worker finishes the job"


class TooLarge(FreeholdError):
    """The body is larger than this instance accepts."""

    code = "FH-BIG-001"
    hint_text = "send less, or raise [gateway] max_body_bytes"


class Exhausted(FreeholdError):
    """A limit is used up for now."""

    code = "FH-LIM-001"
    hint_text = "wait until it resets"


class RequestLimit(Exhausted):
    """Too many requests in the window."""

    code = "FH-LIM-002"
    hint_text = "slow down, or raise the key's requests_per_minute"


class TokenLimit(Exhausted):
    """Too many tokens in the window."""

    code = "FH-LIM-003"
    hint_text = "slow down, or raise the key's tokens_per_minute"


class BudgetExhausted(Exhausted):
    """A money budget does not cover this call."""

    code = "FH-LIM-004"
    hint_text = "raise the budget, lower max_tokens, or wait until it resets"


class UpstreamFailed(FreeholdError):
    """A target failed."""

    code = "FH-UP-001"
    hint_text = "see the attempts: freehold calls show CALL"
    retries: ClassVar[bool] = True
    """Whether another attempt may succeed, where `retryable` does not say."""
    outcome: ClassVar[str] = "failed"
    """The word for it in a call's list of attempts."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        retryable: bool | None = None,
    ) -> None:
        """`status` is the target's own HTTP status, None where it gave none."""
        super().__init__(message, hint=hint, param=param, retry_after=retry_after)
        self.status = status
        self.retryable = self.retries if retryable is None else retryable


class UpstreamUnreachable(UpstreamFailed):
    """No connection to the target could be made."""

    code = "FH-UP-002"
    outcome = "unreachable"
    hint_text = "check the provider: freehold providers check"


class UpstreamTimeout(UpstreamFailed):
    """The target did not answer in time."""

    code = "FH-UP-003"
    outcome = "timeout"
    hint_text = "raise the target's timeouts, or add a fallback to the route"


class UpstreamLied(UpstreamFailed):
    """The target's answer is not what its protocol allows (bad JSON, wrong length, cut stream)."""

    code = "FH-UP-004"
    outcome = "lied"
    hint_text = "the answer cannot be trusted; add a fallback to the route"


class UpstreamRefused(UpstreamFailed):
    """The target answered with an error of its own."""

    code = "FH-UP-005"
    outcome = "refused"
    retries = False
    hint_text = "read the target's message; check model name and provider key"


class UpstreamOverloaded(UpstreamFailed):
    """The target asked us to slow down."""

    code = "FH-UP-006"
    outcome = "overloaded"
    hint_text = "wait for retry-after, or add a fallback to the route"


class Unavailable(FreeholdError):
    """A part of this instance is not ready."""

    code = "FH-AVA-001"
    hint_text = "see what is wrong: freehold doctor"


class BudgetUnavailable(Unavailable):
    """The budget authority did not answer, and no slice is left here: refusing rather than overspending."""

    code = "FH-AVA-002"
    hint_text = "see whether the writer runs: freehold doctor"


class LimitsUnavailable(Unavailable):
    """Where limits a minute are kept for all gateways does not answer, and nothing of them is left here."""

    code = "FH-AVA-008"
    hint_text = 'see whether Valkey answers: freehold doctor; or let gateways go on: [valkey] when_away = "share"'


class MissingCredential(Unavailable):
    """The target's provider has no key here."""

    code = "FH-AVA-006"
    hint_text = "set the variable or write the file that [providers.*] api_key names, then: freehold providers check"


class JournalUnavailable(Unavailable):
    """The journal cannot be written (disk full?), so no call may leave."""

    code = "FH-AVA-003"
    hint_text = "free space in the instance's home, then: freehold doctor"


class FileRefused(Unavailable):
    """A file or folder cannot be read or written."""

    code = "FH-AVA-005"
    hint_text = "check that the path is right, that this user may use it, and that the disk has room"

    @classmethod
    def of(cls, error: OSError) -> FileRefused:
        """What the operating system said, and about which path."""
        return cls(f"{error.filename or 'a file'}: {error.strerror or error}")


class NotRunning(Unavailable):
    """The command asks a running instance, and none runs in this home."""

    code = "FH-AVA-004"
    hint_text = "start it: freehold up (or name its folder: --home FOLDER)"


class BadConfig(FreeholdError):
    """The configuration is not valid."""

    code = "FH-CFG-001"
    hint_text = "check it: freehold config check"


class BadArtefact(FreeholdError):
    """An artefact's bytes do not match its digest, or its form is not allowed."""

    code = "FH-ART-001"
    hint_text = "see which file: freehold models verify; fetch it again: freehold models fetch"


class BadSignature(BadArtefact):
    """A signed file was changed, or was signed by somebody else."""

    code = "FH-ART-002"
    hint_text = "restore the file, or check which identity signed it"


class Internal(FreeholdError):
    """A defect of ours."""

    code = "FH-INT-001"
    hint_text = "please report it with the call's id"
