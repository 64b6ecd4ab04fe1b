"""What can be wrong with a sign-in, a session or a break-glass. No message holds a token, a code or a secret."""

from __future__ import annotations

from freehold.core.errors import BadRequest, Conflict, Forbidden, Unauthenticated, Unavailable


class SignInOff(Conflict):
    """Nobody can sign in here: no issuer is named."""

    code = "FH-CON-020"
    hint_text = "add [identity.oidc] with issuer and client_id to freehold.toml"


class SignInRefused(Unauthenticated):
    """The sign-in does not count: begun by somebody else, finished twice or too late, or denied by the issuer."""

    code = "FH-KEY-010"
    hint_text = "begin again: freehold login"


class BadIdToken(Unauthenticated):
    """The issuer's token cannot be trusted: signature, issuer, audience, nonce or time is wrong."""

    code = "FH-KEY-011"
    hint_text = "check [identity.oidc] issuer and client_id, and both clocks; then: freehold login"


class UnknownSigner(BadIdToken):
    """The token is signed with a key that the issuer does not publish."""

    code = "FH-KEY-012"


class SessionOver(Unauthenticated):
    """The session has expired, was ended, or was made under another issuer."""

    code = "FH-KEY-013"
    hint_text = "sign in again: freehold login (or work as the local operator: freehold logout)"


class LinkOver(Unauthenticated):
    """The link to the console was used, is too old, or was never given."""

    code = "FH-KEY-014"
    hint_text = "make another: freehold console"


class WrongForm(Forbidden):
    """The form does not come from a page of this session."""

    code = "FH-POL-023"
    hint_text = "load the page again and send its form; where a proxy stands between, let it keep Host and Origin"


class NotAdmitted(Forbidden):
    """The issuer vouches for this person, and this instance has no place for them."""

    code = "FH-POL-020"
    hint_text = "an owner gives a role by group in [identity.oidc] roles, or with: freehold people role NAME ROLE"


class NotAPerson(Forbidden):
    """Only somebody who signed in may do this: a key or the instance's own token is nobody in particular."""

    code = "FH-POL-021"
    hint_text = "sign in: freehold login"


class SamePerson(Forbidden):
    """Break-glass takes two persons."""

    code = "FH-POL-022"
    hint_text = "somebody else approves it: freehold people break-glass approve ID"


class IssuerFailed(Unavailable):
    """The issuer does not answer, or not as OpenID Connect says."""

    code = "FH-AVA-020"
    hint_text = "check [identity.oidc] issuer, its origins and tls_ca, and whether this machine reaches it"


class TooManySignIns(Unavailable):
    """Too many sign-ins were begun and not finished."""

    code = "FH-AVA-021"
    hint_text = "wait some minutes, then: freehold login"


class BadScim(BadRequest):
    """The request is not SCIM as this instance takes it."""

    code = "FH-REQ-020"
    hint_text = "compare it with the page on sign-in: Users and Groups, PATCH of active and members only"
